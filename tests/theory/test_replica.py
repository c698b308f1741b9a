"""The fixed point: golden values, 50 digits, invariances, closed forms, a random sweep, and forced failure."""

import json
from dataclasses import replace

import numpy as np
import pytest
from replica_oracle import corrected_error

from carryover.theory import FineTuning, Network, Task, replica, ridgeless_error
from carryover.theory.averages import averages
from carryover.theory.replica import solve_fixed_point

# scale, relative scale, readout; rho_PT, rho_FT, overlap; alpha; noise, strength; teacher, protocol, amplitude
# sqrt k from 1e-9 (first row, empty coordinates) to 1e4 (second row); noise 1e10 times the error (third row).
POINTS = [
    (2.5e-10, 0.0, 0.0, 0.1, 0.1, 1.0, 0.1, 0.0, 0.0, "gaussian", "symmetrized", 1.0),
    (2.5e3, 0.0, 0.0, 0.2, 0.1, 0.5, 0.3, 0.0, 0.0, "fixed", "symmetrized", 1.0),
    (1e-3, 0.0, 1.0, 0.2, 0.1, 0.5, 0.3, 1e5, 1e12, "gaussian", "symmetrized", 1.0),
    (1e-3, -0.99, 0.0, 0.1, 0.1, 1.0, 0.5, 0.0, 0.0, "gaussian", "symmetrized", 1.0),
    (1e-3, 0.0, 1.0, 0.2, 0.1, 0.5, 0.3, 0.0, 0.0, "fixed", "kept", 1.0),
    (1e-3, -0.999999, 1e-6, 0.2, 0.1, 0.5, 0.3, 0.1, 0.0, "fixed", "symmetrized", 1.0),
    (1e-3, -0.999999, 1e-6, 0.1, 0.01, 1.0, 0.05, 0.0, 0.0, "gaussian", "symmetrized", 1.0),
    (1e-3, 0.0, 10.0, 0.2, 0.1, 0.5, 0.3, 100.0, 0.0, "fixed", "symmetrized", 1.0),
    (1e-3, -0.9999999, 0.0, 0.2, 0.01, 0.5, 0.999, 0.0, 0.0, "gaussian", "symmetrized", 1.0),
    (1e-3, -0.9999999, 0.0, 0.2, 0.01, 0.5, 1.5, 0.1, 1e-3, "fixed", "symmetrized", 1.0),
    (1e-9, -0.5, 0.0, 0.1, 0.3, 0.2, 0.9, 0.0, 0.0, "fixed", "symmetrized", 1.0),
    (1e-6, 1.0, 0.0, 0.3, 0.3, 0.0, 0.002, 0.0, 0.0, "gaussian", "symmetrized", 1.0),
    (1e-6, -1.0, 3e-5, 0.5, 0.2, 1.0, 0.6, 0.01, 0.0, "gaussian", "symmetrized", 2.0),
    (1e2, 0.5, 0.0, 0.1, 0.1, 0.5, 0.98, 1.0, 0.0, "fixed", "symmetrized", 1.0),
    (1.0, 0.0, 0.0, 0.05, 0.001, 1.0, 0.02, 0.0, 1e-6, "gaussian", "symmetrized", 30.0),
    (1e-2, -0.9, 0.3, 0.1, 0.1, 0.5, 0.4, 0.2, 0.0, "gaussian", "kept", -1.0),
    (2e-6, -0.999, 1e-3, 0.1, 0.1, 1.0, 0.25, 0.0, 0.0, "fixed", "kept", 1.0),
    (0.2, -0.99999999, 0.0, 0.01, 0.1, 0.03, 0.475, 0.5, 0.0, "fixed", "kept", 1.0),
    (1e4, -0.99999, 1.5, 0.05, 0.1, 0.3, 0.935, 1.5, 0.0, "fixed", "symmetrized", 1.0),
    (1e-4, 0.0, 0.1, 0.2, 0.2, 0.5, 2.0, 1.0, 0.5, "gaussian", "kept", 1.0),
]
FAST = 5


def model_of(point: tuple) -> tuple[FineTuning, float]:
    scale, relative, readout, pre, fine, overlap, alpha, noise, strength, teacher, protocol, size = point
    task = Task(pre, fine, overlap, noise, teacher, size)
    return FineTuning(task, Network(scale, relative, readout, protocol), strength), alpha


def test_golden_values(data_root):
    """54 errors to 1e-5; the file holds six digits."""
    rows = json.loads((data_root / "reference" / "replica_golden.json").read_text())["rows"]
    assert len(rows) == 9
    for row in rows:
        network = Network(row["scale_c"], row["relative_scale"], row["gamma"])
        found = FineTuning(Task(0.1, row["rho_ft"], row["overlap"]), network).predict(np.array(row["alpha"]))
        np.testing.assert_allclose(found.generalization_error, row["generalization_error"], rtol=1e-5)


@pytest.mark.parametrize(
    "point", [*POINTS[:FAST], *(pytest.param(p, marks=pytest.mark.slow) for p in POINTS[FAST:])]
)
def test_errors_agree_with_fifty_digits(point):
    model, alpha = model_of(point)
    found = model.predict(alpha)
    exact, step = corrected_error(
        model, alpha, float(found.effective_noise), float(found.effective_regularization)
    )
    assert step < 1e-8
    assert found.generalization_error == pytest.approx(exact, rel=1e-8, abs=0)


def test_the_points_cover_k():
    sizes = np.concatenate([model_of(p)[0].network.sqrt_k(np.array([0.0, p[-1]])) for p in POINTS])
    assert len(POINTS) == 20
    assert sizes.min() <= 1e-9
    assert sizes.max() >= 1e4


@pytest.mark.parametrize("factor", [1e-3, 50.0])
def test_scaling_coefficients_and_scales_together(factor):
    """beta -> t beta, c -> t c, gamma -> sqrt(t) gamma, noise and strength -> t: the error scales by t^2."""
    for point in POINTS[:8]:
        model, alpha = model_of(point)
        network = model.network
        other = Network(
            factor * network.scale,
            network.relative_scale,
            np.sqrt(factor) * network.readout,
            network.protocol,
        )
        task = replace(
            model.task,
            amplitude=factor * model.task.amplitude,
            label_noise_std=factor * model.task.label_noise_std,
        )
        before = model.problems(alpha)
        after = FineTuning(task, other, factor * model.ridge_strength).problems(alpha)
        np.testing.assert_allclose(after.cells.sqrt_k, factor * before.cells.sqrt_k, rtol=1e-12)
        cells = replace(
            after.cells, mean=factor * after.cells.mean, variance=factor**2 * after.cells.variance
        )
        found, base = solve_fixed_point(replace(after, cells=cells)), solve_fixed_point(before)
        assert found.error[0] == pytest.approx(factor**2 * base.error[0], rel=1e-9, abs=0)


@pytest.mark.parametrize("point", POINTS[:8])
def test_groups_may_be_permuted_and_split(point):
    model, alpha = model_of(point)
    problems = model.problems(alpha)
    base = solve_fixed_point(problems)
    order = np.arange(len(problems.share))[::-1]
    permuted = replace(problems, cells=problems.cells.take(order), share=problems.share[order])
    twice = np.append(order, order[0])
    share = problems.share[twice].copy()
    share[[0, -1]] = 0.3 * share[0], 0.7 * share[0]
    split = replace(
        problems, cells=problems.cells.take(twice), share=share, owner=np.zeros(len(twice), dtype=int)
    )
    for other in (permuted, split):
        assert solve_fixed_point(other).error[0] == pytest.approx(base.error[0], rel=1e-9, abs=0)


def test_solution_satisfies_both_equations_as_written():
    for point in POINTS:
        model, alpha = model_of(point)
        problems = model.problems(alpha)
        found = solve_fixed_point(problems)
        ones = np.ones(len(problems.owner))
        parts = averages(problems.cells, found.noise * ones, found.strength * ones)
        noise = problems.noise_variance + problems.sum(parts.error)
        response = problems.sum(parts.response) + problems.ridge_strength / found.strength
        assert noise[0] == pytest.approx(alpha * found.noise[0], rel=1e-9, abs=0)
        assert response[0] == pytest.approx(alpha, rel=1e-9, abs=0)


def test_large_k_is_the_minimum_norm_interpolator():
    """Whatever the teacher and noise: the closed form of ridgeless regression."""
    alpha = np.array([0.01, 0.2, 0.7, 0.99])
    for teacher in ("gaussian", "fixed"):
        for noise in (0.0, 0.6):
            task = Task(0.2, 0.1, 0.5, noise, teacher)
            found = FineTuning(task, Network(1e7)).predict(alpha).generalization_error
            np.testing.assert_allclose(found, ridgeless_error(alpha, noise**2), rtol=1e-8)


def drawn(n: int, seed: int) -> tuple[dict, dict, np.ndarray]:
    """Problems from the whole range of scales: arguments of Task, of Network, and alpha."""
    generator = np.random.default_rng(seed)

    def decades(low: float, high: float) -> np.ndarray:
        return 10.0 ** generator.uniform(low, high, n)

    pretrained, finetuned = decades(-3, np.log10(0.5)), decades(-3, np.log10(0.5))
    most = np.minimum(1.0, pretrained / finetuned)
    network = {
        "scale": decades(-9, 4),
        "relative_scale": decades(-9, np.log10(2)) - 1,
        "readout": np.where(generator.random(n) < 0.3, 0.0, decades(-6, 2)),
    }
    task = {
        "rho_pretraining": pretrained,
        "rho_finetuning": finetuned,
        "overlap": most * np.where(generator.random(n) < 0.2, 1.0, generator.random(n)),
        "label_noise_std": np.where(generator.random(n) < 0.5, 0.0, decades(-6, 1)),
    }
    alpha = np.where(generator.random(n) < 0.5, decades(-3, -0.01), generator.uniform(0.001, 0.999, n))
    return task, network, alpha


@pytest.mark.parametrize("teacher", ["gaussian", "fixed"])
@pytest.mark.parametrize("protocol", ["symmetrized", "kept"])
@pytest.mark.parametrize("strength", [0.0, 1e-3])
def test_every_problem_of_a_random_sweep_is_solved(teacher, protocol, strength):
    """200 problems a law, 1,600 in all: scales 1e-9 to 1e4, 1 + relative scale from 1e-9, readouts 0 to 100."""
    task, network, alpha = drawn(200, len(teacher) + 10 * len(protocol) + round(1e5 * strength))
    model = FineTuning(
        Task(**task, teacher=teacher), Network(**network, protocol=protocol), ridge_strength=strength
    )
    found = model.predict(alpha)
    assert (found.status == "ok").all()
    assert (found.residual <= 1e-9).all()
    assert (found.generalization_error > 0.0).all()


def test_a_problem_that_is_not_solved_says_so(monkeypatch):
    """With three steps allowed: a status, a reason and NaN, never a number; the others stay as they are."""
    alpha = np.array([0.1, 1.5])
    model = FineTuning(Task(), Network(1e-3, -0.99))
    monkeypatch.setattr(replica, "_STEPS", 3)
    found = model.predict(alpha)
    assert list(found.status) == ["failed", "ok"]
    assert np.isnan(found.generalization_error[0])
    assert found.generalization_error[1] == 0.0
    assert "the replica equations were not solved: residual" in found.reason[0]
    assert found.residual[0] > 1e-9
    assert found.reason[1] == ""
    groups = model.by_group(0.1)
    assert np.isnan(groups.error).all()
    assert np.isnan(groups.forgetting).all()
