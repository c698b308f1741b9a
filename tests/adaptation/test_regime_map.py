"""The map of regimes on networks whose regime is known: diagonal ones solved exactly, deeper linear ones trained."""

import math

import numpy as np
import pytest
from linear_regimes import (
    Problem,
    Run,
    deep_diagonal_run,
    dense_kernel,
    dense_run,
    diagonal_run,
    sparse_problem,
)

from carryover._core.results import Estimate
from carryover.adaptation.regime_map import (
    DEPENDENT_FROM,
    Placement,
    advice,
    linear_regime_holds,
    order_from_growth,
    place,
)
from carryover.measures.kernel_change import kernel_growth
from carryover.measures.prediction_distance import prediction_distance
from carryover.theory.finetuning import FineTuning
from carryover.theory.networks import Network
from carryover.theory.priors import Task
from carryover.theory.regimes import REGIMES, order

FOUR = {
    "I: rich, pretraining-independent": Network(1e-3, -1.0, 1e-3),
    "II: lazy, pretraining-dependent": Network(1e-3, 0.0, 0.0),
    "III: lazy, pretraining-independent": Network(1e-3, 0.0, 10.0),
    "IV: rich, pretraining-dependent": Network(1e-3, -0.99, 0.0),
}


def placed(problem: Problem, run: Run, without: Run) -> Placement:
    learned, other = ((problem.probes @ one.coefficients)[:, None] for one in (run, without))
    return place(kernel_growth(run.before, run.after, learned), prediction_distance(learned, other))


@pytest.mark.parametrize("regime", FOUR)
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_diagonal_networks_lie_where_the_exact_theory_puts_them(regime, seed):
    problem, network = sparse_problem(seed), FOUR[regime]
    run, without = (diagonal_run(problem, network, one) for one in (problem.pretrained, problem.shuffled))
    found = placed(problem, run, without)
    theory = FineTuning(Task(0.1, 0.1, overlap=1.0), network)
    assert found.regime == regime == theory.regime
    # The truth of the second axis, over all inputs instead of 200 of them.
    gap = np.sum((run.coefficients - without.coefficients) ** 2)
    truth = gap / np.sum(run.coefficients**2 + without.coefficients**2)
    assert (found.pretraining == "dependent") == (truth > DEPENDENT_FROM)


@pytest.mark.parametrize("regime", FOUR)
def test_the_order_is_that_of_the_coefficients_that_were_learned(regime):
    """Where all pretrained coefficients are learned alike, the growth gives the order of Proposition 4.2 itself."""
    problem, network = sparse_problem(3, n=150), FOUR[regime]
    run = diagonal_run(problem, network, problem.pretrained)
    found = order_from_growth(
        kernel_growth(run.before, run.after, (problem.probes @ run.coefficients)[:, None])
    )
    used = np.abs(run.coefficients) > 0.5
    expected = np.mean(order(run.coefficients[used], network.sqrt_k(problem.pretrained)[used]))
    assert found.value == pytest.approx(expected, abs=0.05)
    assert found.interval[0] <= found.value <= found.interval[1]


def test_near_independence_by_potential_is_dependence_by_effect():
    """At relative scale -.999999 the potential hardly depends on pretraining (|PD| = .07), what is learned does."""
    network = Network(1e-3, -0.999999, 1e-6)
    theory = FineTuning(Task(0.1, 0.1, overlap=1.0), network)
    assert theory.regime.startswith("I:")
    problem = sparse_problem(0)
    run, without = (diagonal_run(problem, network, one) for one in (problem.pretrained, problem.shuffled))
    found = placed(problem, run, without)
    assert found.regime == "IV: rich, pretraining-dependent" and found.pretraining == "dependent"


def dense_problem() -> tuple[Problem, np.ndarray, np.ndarray]:
    """10 examples in 20 dimensions, a projector onto 12 of them as what pretraining found, and its shuffled entries."""
    generator = np.random.default_rng(0)
    inputs = generator.normal(size=(10, 20)) / math.sqrt(20)
    targets = inputs @ generator.normal(size=20)
    probes = generator.normal(size=(100, 20)) / math.sqrt(20)
    kept = np.linalg.qr(generator.normal(size=(20, 20)))[0][:, :12]
    pretrained = kept @ kept.T
    shuffled = generator.permutation(pretrained.ravel()).reshape(20, 20)
    return Problem(inputs, targets, probes, np.zeros(20), np.zeros(20)), pretrained, shuffled


def dense_start(first: np.ndarray, *, scale: float, readout: float, layers: int) -> list[np.ndarray]:
    middle = [scale * np.eye(20) for _ in range(layers - 2)]
    return [scale * first, *middle, np.full((1, 20), readout / math.sqrt(20))]


@pytest.mark.parametrize(("layers", "scale"), [(2, 0.01), (3, 0.05)])
def test_tiny_weights_are_rich_and_forget_pretraining(layers, scale):
    """From vanishing weights a linear network of any depth ends at the least-norm solution, whatever it began with."""
    problem, pretrained, shuffled = dense_problem()
    starts = [dense_start(one, scale=scale, readout=1e-6, layers=layers) for one in (pretrained, shuffled)]
    run, without = (dense_run(problem, start, rate=0.05) for start in starts)
    least_norm = np.linalg.pinv(problem.inputs) @ problem.targets
    np.testing.assert_allclose(run.coefficients, least_norm, atol=0.03 * np.abs(least_norm).max())
    assert placed(problem, run, without).regime == "I: rich, pretraining-independent"


@pytest.mark.parametrize(("layers", "rate"), [(2, 2e-3), (3, 2e-5)])
def test_large_first_layers_are_lazy_and_remember_pretraining(layers, rate):
    """The readout alone moves to first order: least-norm regression on what pretraining left."""
    problem, pretrained, shuffled = dense_problem()
    starts = [dense_start(one, scale=10.0, readout=1e-6, layers=layers) for one in (pretrained, shuffled)]
    run, without = (dense_run(problem, start, rate=rate) for start in starts)
    features = problem.inputs @ pretrained.T
    exact = pretrained.T @ np.linalg.pinv(features) @ problem.targets
    np.testing.assert_allclose(run.coefficients, exact, atol=0.02 * np.abs(exact).max())
    assert placed(problem, run, without).regime == "II: lazy, pretraining-dependent"


def test_a_large_readout_is_lazy_and_forgets_pretraining():
    """The kernel is that of the inputs: what is added to the start is least-norm, whatever the layer."""
    problem, pretrained, shuffled = dense_problem()
    starts = [dense_start(one, scale=0.01, readout=30.0, layers=2) for one in (pretrained, shuffled)]
    run, without = (dense_run(problem, start, rate=3e-4) for start in starts)
    least_norm = np.linalg.pinv(problem.inputs) @ problem.targets
    np.testing.assert_allclose(run.coefficients, least_norm, atol=0.2 * np.abs(least_norm).max())
    assert placed(problem, run, without).regime == "III: lazy, pretraining-independent"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("regime", "scale", "uses", "rate"),
    [
        ("I: rich, pretraining-independent", 0.1, False, 0.1),
        ("II: lazy, pretraining-dependent", 3.0, True, 5e-4),
        ("III: lazy, pretraining-independent", 3.0, False, 5e-4),
        ("IV: rich, pretraining-dependent", 0.2, True, 0.1),
    ],
)
def test_three_diagonal_layers_lie_in_all_four_regimes(regime, scale, uses, rate):
    """Small weights are rich and large ones lazy (Woodworth et al., COLT 2020); only a first layer that carries the
    pretrained support can make the result depend on it, and then recovers what others cannot.
    """
    problem = sparse_problem(0)
    firsts = [0.2 + one if uses else np.ones_like(one) for one in (problem.pretrained, problem.shuffled)]
    run, without = (deep_diagonal_run(problem, first, scale=scale, rate=rate) for first in firsts)
    assert placed(problem, run, without).regime == regime


def test_the_dense_kernel_is_the_sum_of_squared_gradients():
    """Finite differences of every weight."""
    generator = np.random.default_rng(5)
    layers = [generator.normal(size=(3, 4)), generator.normal(size=(2, 3)), generator.normal(size=(1, 2))]
    probes = generator.normal(size=(5, 4))
    rows = []
    for layer in layers:
        for place_ in np.ndindex(layer.shape):
            ends = []
            for step in (1e-6, -1e-6):
                layer[place_] += step
                ends.append(probes @ (layers[2] @ layers[1] @ layers[0])[0])
                layer[place_] -= step
            rows.append((ends[0] - ends[1]) / 2e-6)
    np.testing.assert_allclose(dense_kernel(layers, probes), np.stack(rows, 1) @ np.stack(rows), rtol=1e-6)


def exactly(value: float, low: float | None = None, high: float | None = None) -> Estimate:
    ends = (value if low is None else low, value if high is None else high)
    return Estimate(value, 0.0, ends, 100)


def test_order_counts_growth_and_shrinking_alike_and_is_1_5_where_the_borders_are():
    assert order_from_growth(exactly(5.0)).value == pytest.approx(order_from_growth(exactly(0.2)).value)
    assert order_from_growth(exactly(6.608168652827409)).value == pytest.approx(1.5, abs=1e-9)
    found = order_from_growth(exactly(1.1, 0.9, 1.3))
    assert found.interval[1] == 2.0 and found.interval[0] == order_from_growth(exactly(1.3)).value
    assert order_from_growth(exactly(1e100)).value == pytest.approx(1.0, abs=5e-3)


def test_what_cannot_be_told_is_said():
    lazy, across = exactly(1.0), exactly(6.6, 3.0, 12.0)
    nothing = Estimate.missing("failed", "training changed no output")
    assert place(across, exactly(0.5)).learning == "cannot_tell"
    found = place(nothing, exactly(0.5))
    assert found.learning == "cannot_tell" and found.regime is None and "no output" in found.sentences[0]
    assert place(lazy, exactly(0.05, 0.01, 0.09)).pretraining == "cannot_tell"
    assert place(lazy, nothing).pretraining == "cannot_tell"
    noisy = place(lazy, exactly(0.3, 0.2, 0.4), exactly(0.15, 0.1, 0.25))
    assert noisy.pretraining == "cannot_tell" and "0.25" in noisy.sentences[1]
    assert place(lazy, exactly(0.3, 0.2, 0.4), nothing).pretraining == "cannot_tell"
    assert place(lazy, exactly(0.3, 0.2, 0.4), exactly(0.05, 0.01, 0.1)).regime == REGIMES[False, True]


def test_the_linear_regime_holds_where_the_whole_interval_is_below_the_border():
    assert linear_regime_holds(exactly(0.05, 0.01, 0.09)) is True
    assert linear_regime_holds(exactly(0.2, 0.1, 0.3)) is False
    assert linear_regime_holds(exactly(0.1, 0.05, 0.3)) is None
    assert linear_regime_holds(Estimate.missing("failed", "zero")) is None


def test_advice_names_what_did_better():
    placement = place(exactly(1.0), exactly(0.5))
    own, better, alike = exactly(0.7, 0.6, 0.8), exactly(0.9, 0.85, 0.95), exactly(0.68, 0.6, 0.75)
    words = " ".join(advice(placement, {"network": own, "linearized": better, "without_pretraining": alike}))
    assert "The linearised network predicts better (0.900 against 0.700)" in words
    assert "adds nothing measurable" in words and "all_weights" in words
    worse = exactly(0.4, 0.3, 0.5)
    assert not any(
        "linearised network predicts" in one
        for one in advice(placement, {"network": own, "linearized": worse})
    )
