"""Simulated tasks: agreement with the prediction in every regime, seeds, estimates, failures and refusals."""

import numpy as np
import pytest
from theory_examples import NETWORKS

from carryover._core.errors import InputError
from carryover.theory import FineTuning, Network, Task, draw_task, interpolation, simulate, solve_task

TASK = Task(0.2, 0.1, 0.5, label_noise_std=0.3)
SMALL = FineTuning(TASK, Network(0.1))
MODELS = {
    **{name: FineTuning(TASK, network) for name, network in NETWORKS.items()},
    "kept": FineTuning(TASK, Network(0.05, -0.3, 0.4, "kept")),
    "fixed": FineTuning(Task(0.1, 0.1, 0.5, teacher="fixed"), Network(0.1)),
    "ridge": FineTuning(TASK, NETWORKS["II"], ridge_strength=0.05),
    "imperfect": FineTuning(TASK, NETWORKS["II"], pretraining_alpha=0.3),
}


def deviation(model: FineTuning, alpha: float, *, dimension: int = 600, seeds: int = 16) -> float:
    """(simulated - predicted) / its standard error, with 2 % for the finite dimension."""
    found = simulate(model, alpha, dimension=dimension, seeds=seeds)
    predicted = float(model.predict(alpha).generalization_error)
    spread = np.hypot(found.estimate.std_error, 0.02 * predicted)
    # A test whose own uncertainty is large would agree with anything.
    assert spread < 0.15 * predicted
    return (found.estimate.value - predicted) / spread


@pytest.mark.parametrize("name", MODELS)
def test_prediction_agrees_with_finite_tasks(name):
    assert abs(deviation(MODELS[name], 0.4)) < 3.5


def test_prediction_agrees_beyond_as_many_samples_as_dimensions():
    assert abs(deviation(SMALL, 1.6, dimension=300)) < 3.5
    assert abs(deviation(FineTuning(TASK, Network(0.1), ridge_strength=0.1), 1.6, dimension=300)) < 3.5


def test_regimes_are_told_apart():
    """The agreement is no accident: every regime's simulation is far from another regime's prediction."""
    found = simulate(MODELS["III"], 0.4, dimension=600, seeds=8).estimate
    for name in ("I", "II", "IV"):
        other = float(MODELS[name].predict(0.4).generalization_error)
        assert abs(found.value - other) > 6 * found.std_error


def test_seeds_stay_when_more_are_asked_for():
    few, many = (simulate(SMALL, 0.3, dimension=60, seeds=n) for n in (3, 7))
    np.testing.assert_array_equal(many.errors[:3], few.errors)
    assert len(set(many.errors)) == 7
    np.testing.assert_array_equal(simulate(SMALL, 0.3, dimension=60, seeds=3).errors, few.errors)
    assert not np.isin(simulate(SMALL, 0.3, dimension=60, seeds=3, seed=1).errors, few.errors).any()


def test_the_global_generator_is_left_alone():
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    simulate(SMALL, 0.3, dimension=40, seeds=2)
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_estimate_is_mean_standard_error_and_student_interval():
    """For 9 seeds the 97.5 % quantile of Student's t with 8 degrees of freedom, 2.306004."""
    calls = []
    found = simulate(SMALL, 0.3, dimension=60, seeds=9, progress=lambda: calls.append(1))
    estimate = found.estimate
    assert len(calls) == estimate.n_samples == 9
    assert estimate.value == pytest.approx(found.errors.mean(), rel=1e-14)
    std_error = np.sqrt(((found.errors - found.errors.mean()) ** 2).sum() / 8 / 9)
    assert estimate.std_error == pytest.approx(std_error, rel=1e-12)
    low, high = estimate.interval
    assert (high - low) / 2 == pytest.approx(2.306004 * std_error, rel=1e-6)
    assert (high + low) / 2 == pytest.approx(estimate.value, rel=1e-12)
    assert (estimate.confidence, found.alpha, found.reason) == (0.95, 0.3, None)


def test_one_seed_has_no_standard_error():
    estimate = simulate(SMALL, 0.3, dimension=60, seeds=1).estimate
    assert estimate.ok
    assert (estimate.std_error, estimate.interval, estimate.n_samples) == (None, None, 1)


def test_a_seed_that_fails_is_a_status_with_a_reason(monkeypatch):
    monkeypatch.setattr(interpolation, "_MOST_STEPS", 1)
    found = simulate(SMALL, 0.3, dimension=60, seeds=3)
    assert np.isnan(found.errors).all()
    assert found.reason.startswith("seed 2: failed: the damped Newton method stopped")
    assert (found.estimate.status, found.estimate.value) == ("failed", None)
    assert found.estimate.reason == found.reason


def test_drawn_tasks_have_the_shares_and_laws_of_the_task():
    model = FineTuning(Task(0.2, 0.1, 0.5, teacher="fixed", amplitude=2.0), Network())
    task = draw_task(model, 0.5, 2000, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(task.group), [100, 300, 100, 1500])
    np.testing.assert_allclose(task.teacher, np.sqrt(10) * np.isin(task.group, (0, 2)))
    np.testing.assert_array_equal(task.pretraining, 2.0 * np.isin(task.group, (0, 1)))
    assert task.features.shape == (1000, 2000)
    assert np.mean(task.features**2) * 2000 == pytest.approx(1.0, abs=0.01)
    np.testing.assert_allclose(task.labels, task.features @ task.teacher, atol=1e-12)
    noisy = FineTuning(Task(0.2, 0.1, 0.5, label_noise_std=0.7), Network())
    task = draw_task(noisy, 1.0, 1000, np.random.default_rng(0))
    assert np.std(task.labels - task.features @ task.teacher) == pytest.approx(0.7, rel=0.1)
    assert np.mean(task.teacher[task.group == 0] ** 2) == pytest.approx(10.0, rel=0.6)


def test_solutions_fit_the_labels_and_use_pretraining():
    """Also with least squares from n = d on, where noise keeps labels from being fitted."""
    task = draw_task(SMALL, 0.3, 100, np.random.default_rng(0))
    found = solve_task(SMALL, task, np.random.default_rng(1))
    np.testing.assert_allclose(task.features @ found, task.labels, atol=1e-9)
    tall = draw_task(SMALL, 2.0, 50, np.random.default_rng(0))
    normal = tall.features.T @ (
        tall.features @ solve_task(SMALL, tall, np.random.default_rng(1)) - tall.labels
    )
    np.testing.assert_allclose(normal, 0.0, atol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: simulate(SMALL, 0.0), r"alpha must lie in \(0, inf\), got 0"),
        (lambda: simulate(SMALL, 0.3, dimension=1), "dimension must be >= 2 and seeds >= 1, got 1 and 16"),
        (lambda: simulate(SMALL, 0.3, seeds=0), "dimension must be >= 2 and seeds >= 1, got 1000 and 0"),
        (lambda: simulate(SMALL, [0.3, 0.4]), r"alpha must be a single number, got an array of shape \(2,\)"),
        *(
            (
                lambda task=task, network=network: simulate(FineTuning(task, network), 0.3),
                "a simulation needs a task and a network of single numbers, got arrays",
            )
            for task, network in (
                (Task(0.2, np.array([0.1, 0.2])), Network()),
                (Task(label_noise_std=np.array([0.1, 0.2])), Network()),
                (TASK, Network(readout=np.array([0.1, 0.2]))),
            )
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
