"""Penalised multinomial logistic regression by L-BFGS in coordinates that make it well conditioned."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import minimize
from scipy.special import log_softmax

_MAX_ITERATIONS = 1000


def fit_softmax(
    rows: Float[np.ndarray, "n r"],
    codes: Int[np.ndarray, " n"],
    *,
    penalty: float,
    start: tuple[Float[np.ndarray, "r k"], Float[np.ndarray, " k"]],
    tolerance: float,
) -> tuple[Float[np.ndarray, "r k"], Float[np.ndarray, " k"], bool]:
    """Weights, intercept and whether converged: the minimum of sum log loss + penalty / 2 ||weights||^2.

    ``rows`` must be in their principal axes (columns about orthogonal and centred).  L-BFGS runs in
    v_j = w_j sqrt(c s_j + penalty), s_j the sum of squares of column j and c = (1 - 1/k) / k the curvature of
    the softmax at equal probabilities: there the Hessian starts near the identity whatever the features'
    spectrum is.  Stops where no entry of the gradient over v exceeds ``tolerance`` (then about
    tolerance^2 / 2 nats a coordinate are left).  ``start`` is where it starts from.
    """
    (n, r), k = rows.shape, len(start[1])
    curvature = (1.0 - 1.0 / k) / k
    scales = np.sqrt(curvature * np.append(np.einsum("ij,ij->j", rows, rows), n) + penalty)[:, None]
    examples = np.arange(n)

    def objective(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(r + 1, k) / scales
        log_probabilities = log_softmax(rows @ weights[:r] + weights[r], axis=1)
        value = -log_probabilities[examples, codes].sum() + 0.5 * penalty * np.vdot(weights[:r], weights[:r])
        excess = np.exp(log_probabilities)
        excess[examples, codes] -= 1.0
        gradient = np.vstack([rows.T @ excess + penalty * weights[:r], excess.sum(axis=0)]) / scales
        return float(value), gradient.ravel()

    found = minimize(
        objective,
        (np.vstack(start) * scales).ravel(),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": tolerance, "ftol": 0.0, "maxiter": _MAX_ITERATIONS, "maxfun": 2 * _MAX_ITERATIONS},
    )
    weights = found.x.reshape(r + 1, k) / scales
    flat_enough = bool(np.abs(found.jac).max() <= max(tolerance, 1e-9 * n))
    return weights[:r], weights[r] - weights[r].mean(), flat_enough
