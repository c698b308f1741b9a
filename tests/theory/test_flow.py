"""Training the weights: the implicit bias in four regimes, both protocols and any weights; descent; refusals."""

import numpy as np
import pytest
from theory_examples import NETWORKS, small_problem, sparse_goal

from carryover._core.errors import InputError
from carryover.theory import (
    DiagonalWeights,
    HyperbolicEntropy,
    Network,
    gradient_descent,
    integrate_flow,
    interpolate,
    optimality_residual,
    run_two_phases,
)

X, Y = small_problem(4, 8, 0)
GOAL = sparse_goal(8, 0)
KEPT = Network(0.05, -0.3, 0.4, "kept")


def convex_solution(start: DiagonalWeights, features: np.ndarray, targets: np.ndarray) -> np.ndarray:
    potential = HyperbolicEntropy(start.sqrt_k, start.coefficients)
    return interpolate(features, targets, potential).raise_if_failed()


def lopsided_weights(d: int, seed: int) -> DiagonalWeights:
    """No symmetry between w+ and w-, or between the layers; signs included."""
    return DiagonalWeights(*np.random.default_rng(seed).normal(scale=0.4, size=(4, d)))


@pytest.mark.parametrize("network", [*NETWORKS.values(), KEPT], ids=[*NETWORKS, "kept"])
def test_two_phases_end_where_the_potential_is_least(network):
    """Pretraining and fine-tuning by integrating 4 d weights, against the convex problem with the formulas of k."""
    run = run_two_phases(network, GOAL, X, Y)
    found = run.finetuned.raise_if_failed().coefficients
    potential = HyperbolicEntropy(network.sqrt_k(GOAL), network.start(GOAL))
    expected = interpolate(X, Y, potential).raise_if_failed()
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())
    np.testing.assert_allclose(run.pretrained.raise_if_failed().coefficients, GOAL, atol=1e-8)
    np.testing.assert_allclose(run.start.coefficients, network.start(GOAL), atol=1e-7)
    assert run.finetuned.stats["optimality"] < 1e-5
    assert run.finetuned.stats["residual"] <= 1.01e-9


def test_the_kept_start_matters():
    """A penalty that ignored beta_0 would miss by more than a tenth."""
    assert np.abs(KEPT.start(GOAL)).max() > 0.1
    found = run_two_phases(KEPT, GOAL, X, Y).finetuned.raise_if_failed().coefficients
    ignoring = interpolate(X, Y, HyperbolicEntropy(KEPT.sqrt_k(GOAL))).raise_if_failed()
    assert np.abs(found - ignoring).max() > 0.1


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_any_weights_follow_the_potential_of_their_own_k(seed):
    start = lopsided_weights(8, seed)
    found = integrate_flow(start, X, Y)
    end = found.raise_if_failed()
    expected = convex_solution(start, X, Y)
    np.testing.assert_allclose(end.coefficients, expected, atol=1e-5 * np.abs(expected).max())
    for before, after in zip(start.conserved, end.conserved, strict=True):
        np.testing.assert_allclose(after, before, atol=1e-7)
    np.testing.assert_allclose(end.sqrt_k, start.sqrt_k, rtol=1e-5)
    assert found.stats["optimality"] < 1e-6


def test_flow_from_a_solution_stays():
    end = integrate_flow(lopsided_weights(8, 0), X, Y).raise_if_failed()
    again = integrate_flow(end, X, Y, tolerance=1e-8)
    assert again.value is end
    assert (again.stats["time"], again.stats["n_evaluations"]) == (0.0, 0)
    assert again.stats["optimality"] == 0.0


@pytest.mark.parametrize("step_fraction", [0.5, 0.1])
def test_descent_ends_where_the_flow_does_within_its_tolerance(step_fraction):
    start = Network(0.5, 0.2, 0.3, "kept").finetuning_start(GOAL)
    flow = integrate_flow(start, X, Y).raise_if_failed().coefficients
    found = gradient_descent(start, X, Y, training_error=1e-10, step_fraction=step_fraction)
    gap = np.linalg.norm(found.raise_if_failed().coefficients - flow) / np.linalg.norm(flow)
    # Steps of this size leave the flow by a little, in proportion to them.
    assert gap < 0.1 * step_fraction
    assert found.stats["optimality"] < 0.1 * step_fraction
    assert found.stats["residual"] ** 2 <= 1e-10


def test_smaller_steps_of_descent_tend_to_the_flow():
    start = Network(0.5).finetuning_start(GOAL)
    flow = integrate_flow(start, X, Y).raise_if_failed().coefficients
    gaps = [
        np.linalg.norm(
            gradient_descent(start, X, Y, training_error=1e-14, step_fraction=fraction).value.coefficients
            - flow
        )
        for fraction in (0.2, 0.02)
    ]
    assert gaps[1] < 0.15 * gaps[0]


def test_a_looser_training_error_stops_earlier():
    start = Network(0.5).finetuning_start(GOAL)
    early, late = (gradient_descent(start, X, Y, training_error=goal) for goal in (1e-2, 1e-6))
    assert early.stats["steps"] < late.stats["steps"]
    assert 1e-3 < early.stats["residual"] ** 2 <= 1e-2


def test_optimality_residual_is_large_away_from_the_minimum():
    """Weights that interpolate, but were not reached by the flow: moved on by an angle outside the row space."""
    start = Network(0.5).finetuning_start(GOAL)
    end = integrate_flow(start, X, Y).raise_if_failed()
    assert optimality_residual(end, start, X) < 1e-6
    other = np.linalg.svd(X)[2][-1]
    assert optimality_residual(end.moved(0.3 * other), start, X) > 0.05
    assert optimality_residual(start.moved(0.3 * other), start, X) == pytest.approx(1.0, abs=1e-9)
    assert optimality_residual(start, start, X) == 0.0


def test_moves_along_the_row_space_are_optimal():
    start = lopsided_weights(8, 3)
    angle = X.T @ np.array([0.3, -0.2, 0.1, 0.5])
    assert optimality_residual(start.moved(angle), start, X) < 1e-12


def test_scaled_weights_reach_scaled_coefficients():
    """w -> sqrt(t) w and y -> t y: beta -> t beta."""
    start, factor = lopsided_weights(8, 1), 7.0
    bigger = DiagonalWeights(
        *(np.sqrt(factor) * w for w in (start.w_plus, start.v_plus, start.w_minus, start.v_minus))
    )
    one = integrate_flow(start, X, Y).raise_if_failed().coefficients
    other = integrate_flow(bigger, X, factor * Y).raise_if_failed().coefficients
    np.testing.assert_allclose(other, factor * one, atol=1e-6)


def test_running_out_of_time_or_steps_is_a_status_with_a_reason():
    start = Network(0.5).finetuning_start(GOAL)
    flow = integrate_flow(start, X, Y, max_time=1e-3)
    assert (flow.status, flow.value) == ("failed", None)
    assert flow.reason.startswith("the flow was stopped at time 0.001 before it reached the tolerance")
    descent = gradient_descent(start, X, Y, max_steps=3)
    assert (descent.status, descent.value) == ("failed", None)
    assert descent.reason == "gradient descent did not reach the training error 0.0001 in 3 steps"
    assert descent.stats["steps"] == 3


START = lopsided_weights(8, 0)


@pytest.mark.parametrize("train", [integrate_flow, gradient_descent])
@pytest.mark.parametrize(
    ("weights", "features", "targets", "message"),
    [
        (START, X[0], Y, r"X must be a matrix \(n, d\) with n, d >= 1, got shape \(8,\)"),
        (START, X, Y[:-1], r"y must have shape \(4,\), one value for each row of X, got \(3,\)"),
        (START, X[:, 1:], Y, r"weights must have shape \(7,\), as X has columns, got \(8,\)"),
        (START, X * np.nan, Y, "X must be finite, got nan"),
        (START, X, Y * np.inf, "y must be finite"),
    ],
)
def test_bad_input(train, weights, features, targets, message):
    with pytest.raises(InputError, match=message):
        train(weights, features, targets)


def test_bad_options():
    with pytest.raises(InputError, match=r"training_error must lie in \(0, inf\), got 0"):
        gradient_descent(START, X, Y, training_error=0.0)
    with pytest.raises(InputError, match=r"step_fraction must lie in \(0, 1\], got 1.5"):
        gradient_descent(START, X, Y, step_fraction=1.5)
    with pytest.raises(InputError, match="pretraining must be finite, got nan"):
        run_two_phases(KEPT, np.full(8, np.nan), X, Y)
    several = Network(np.array([0.1, 1.0]))
    with pytest.raises(InputError, match=r"network of single numbers, got \(8,\) and arrays of shape \(2,\)"):
        run_two_phases(several, GOAL, X, Y)
