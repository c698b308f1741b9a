"""Training the weights themselves: gradient flow by a stiff integrator, and full-batch gradient descent.

Loss ||X beta(w) - y||^2 / 2.  Both return what the optimality conditions of the convex problem leave over, so that the
implicit bias can be checked and not only believed.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.integrate import solve_ivp
from scipy.linalg import lstsq

from carryover._core.errors import InputError
from carryover._core.results import Result
from carryover.theory.checks import check_finite, check_number, check_samples
from carryover.theory.networks import DiagonalWeights, Network


@dataclass(frozen=True)
class TwoPhases:
    """Weights after pretraining, at the start of fine-tuning, and after it."""

    pretrained: Result
    start: DiagonalWeights
    finetuned: Result


def integrate_flow(
    weights: DiagonalWeights,
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    *,
    tolerance: float = 1e-9,
    max_time: float = 1e12,
) -> Result:
    """Gradient flow dw/dt = -d loss/dw from ``weights`` (d,) until ||X beta - y|| <= tolerance ||y||.

    Returns DiagonalWeights; ``stats``: ``residual`` (relative training residual), ``optimality`` (see
    :func:`optimality_residual`), ``time``, ``n_evaluations``.  Failed where ``max_time`` comes first.
    Made for small d (its Jacobian is a dense 4 d x 4 d matrix).
    """
    matrix, values = _checked(weights, features, targets)
    d, size = matrix.shape[1], float(np.linalg.norm(values))
    start = np.concatenate([weights.w_plus, weights.v_plus, weights.w_minus, weights.v_minus])
    scatter, cross = matrix.T @ matrix, matrix.T @ values

    def force(state: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = state.reshape(4, d)
        return cross - scatter @ (parts[0] * parts[1] - parts[2] * parts[3]), parts

    def velocity(_: float, state: np.ndarray) -> np.ndarray:
        pull, (w_plus, v_plus, w_minus, v_minus) = force(state)
        return np.concatenate([pull * v_plus, pull * w_plus, -pull * v_minus, -pull * w_minus])

    def jacobian(_: float, state: np.ndarray) -> np.ndarray:
        pull, (w_plus, v_plus, w_minus, v_minus) = force(state)
        along = np.concatenate(
            [v_plus, w_plus, -v_minus, -w_minus]
        )  # d beta / d weight, and d weight' / d pull
        places = np.tile(np.arange(d), 4)
        out = -along[:, None] * scatter[np.ix_(places, places)] * along[None, :]
        index = np.arange(d)
        for row, column, sign in ((0, 1, 1.0), (1, 0, 1.0), (2, 3, -1.0), (3, 2, -1.0)):
            out[row * d + index, column * d + index] += sign * pull
        return out

    def left(_: float, state: np.ndarray) -> float:
        parts = state.reshape(4, d)
        found = np.linalg.norm(matrix @ (parts[0] * parts[1] - parts[2] * parts[3]) - values)
        return float(found - tolerance * size)

    left.terminal, left.direction = True, -1.0
    if left(0.0, start) <= 0.0:
        return _finished(weights, weights, matrix, values, {"time": 0.0, "n_evaluations": 0})
    scale = float(np.abs(start).max())
    solved = solve_ivp(
        velocity,
        (0.0, max_time),
        start,
        method="BDF",
        jac=jacobian,
        events=left,
        rtol=1e-10,
        atol=1e-14 * max(scale, 1e-300),
    )
    end = DiagonalWeights(*solved.y[:, -1].reshape(4, d))
    stats = {"time": float(solved.t[-1]), "n_evaluations": int(solved.nfev)}
    if solved.status != 1:
        reason = f"the flow was stopped at time {solved.t[-1]:.3g} before it reached the tolerance: {solved.message}"
        return Result(status="failed", reason=reason, stats=stats)
    return _finished(end, weights, matrix, values, stats)


def gradient_descent(
    weights: DiagonalWeights,
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    *,
    training_error: float = 1e-4,
    step_fraction: float = 0.5,
    max_steps: int = 1_000_000,
) -> Result:
    """Full-batch gradient descent until the mean squared training error is at most ``training_error`` times y's.

    The step is ``step_fraction`` of 1 / (largest eigenvalue of X X^T times the largest d beta / d angle), taken
    anew at every step.  Returns and ``stats`` as :func:`integrate_flow`, with ``steps``.
    """
    check_number("training_error", training_error, 0.0, np.inf, open_low=True)
    check_number("step_fraction", step_fraction, 0.0, 1.0, open_low=True)
    matrix, values = _checked(weights, features, targets)
    stiffness = float(np.linalg.norm(matrix, 2)) ** 2
    w_plus, v_plus, w_minus, v_minus = (
        np.array(one) for one in (weights.w_plus, weights.v_plus, weights.w_minus, weights.v_minus)
    )
    goal = training_error * float(values @ values)
    for steps in range(max_steps + 1):
        error = matrix @ (w_plus * v_plus - w_minus * v_minus) - values
        if float(error @ error) <= goal:
            end = DiagonalWeights(w_plus, v_plus, w_minus, v_minus)
            return _finished(end, weights, matrix, values, {"steps": steps})
        pull = -(matrix.T @ error)
        speed = float((w_plus**2 + v_plus**2 + w_minus**2 + v_minus**2).max())
        pull *= step_fraction / (stiffness * speed + float(np.abs(pull).max()))
        w_plus, v_plus = w_plus + pull * v_plus, v_plus + pull * w_plus
        w_minus, v_minus = w_minus - pull * v_minus, v_minus - pull * w_minus
    return Result(
        status="failed",
        reason=f"gradient descent did not reach the training error {training_error:g} in {max_steps} steps",
        stats={"steps": max_steps},
    )


def run_two_phases(
    network: Network,
    pretraining: Float[np.ndarray, " d"],
    features: Float[np.ndarray, "n d"],
    targets: Float[np.ndarray, " n"],
    *,
    tolerance: float = 1e-9,
) -> TwoPhases:
    """Pretraining on the population loss (X = I), the reset, and fine-tuning, all by integrating the weights.

    Raises InputError for a network of arrays, NotComputedError where pretraining's flow does not arrive.
    """
    goal = check_finite("pretraining", pretraining)
    if goal.ndim != 1 or network.sqrt_k(0.0).ndim:
        raise InputError(
            f"a flow needs pretraining of shape (d,) and a network of single numbers, got {goal.shape} "
            f"and arrays of shape {network.sqrt_k(0.0).shape}"
        )
    d = len(goal)
    start = network.initial_weights()
    spread = DiagonalWeights(
        *(np.broadcast_to(one, (d,)) for one in (start.w_plus, start.v_plus, start.w_minus, start.v_minus))
    )
    pretrained = integrate_flow(spread, np.eye(d), goal, tolerance=tolerance)
    reset = network.reset(pretrained.raise_if_failed())
    return TwoPhases(pretrained, reset, integrate_flow(reset, features, targets, tolerance=tolerance))


def optimality_residual(
    end: DiagonalWeights, start: DiagonalWeights, features: Float[np.ndarray, "n d"]
) -> float:
    """How far the end is from a minimum of the potential among all beta with the same X beta, in [0, 1].

    At a minimum q_k'(beta) - q_k'(beta_0) lies in the row space of X: the norm of what lies outside, over its norm.
    """
    sqrt_k = start.sqrt_k
    angle = (
        np.arcsinh(2.0 * end.coefficients / sqrt_k) - np.arcsinh(2.0 * start.coefficients / sqrt_k)
    ) / 2.0
    size = float(np.linalg.norm(angle))
    if size == 0.0:
        return 0.0
    dual = lstsq(np.asarray(features).T, angle)[0]
    return float(np.linalg.norm(angle - np.asarray(features).T @ dual)) / size


def _finished(
    end: DiagonalWeights, start: DiagonalWeights, matrix: np.ndarray, values: np.ndarray, stats: dict
) -> Result:
    left = np.linalg.norm(matrix @ end.coefficients - values) / (np.linalg.norm(values) or 1.0)
    return Result(
        end, stats={"residual": float(left), "optimality": optimality_residual(end, start, matrix), **stats}
    )


def _checked(
    weights: DiagonalWeights, features: np.ndarray, targets: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    matrix, values = check_samples(features, targets)
    if weights.w_plus.shape != (matrix.shape[1],):
        raise InputError(
            f"weights must have shape ({matrix.shape[1]},), as X has columns, got {weights.w_plus.shape}"
        )
    return matrix, values
