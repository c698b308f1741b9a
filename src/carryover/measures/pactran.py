"""PACTran-Gaussian: the PAC-Bayes surrogate of a Gaussian softmax head, minimised over the posterior."""

import numpy as np
from jaxtyping import Float, Int
from scipy.optimize import OptimizeResult, minimize

from carryover._core.checks import check_features, check_labels, check_range
from carryover._core.results import Result
from carryover.measures.unit_scale import unit_scale
from carryover.numerics.principal_axes import principal_coordinates

PENALTY = 1.0
"""lambda: the ridge term is ||W||^2 / (2 lambda n), that is beta sigma0^2 = lambda n."""

PRIOR_LOGIT_VARIANCE = 100.0
"""d sigma0^2: the prior variance of a logit of an average example."""


def pactran(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    penalty: float = PENALTY,
    prior_logit_variance: float = PRIOR_LOGIT_VARIANCE,
    n_constants: int | None = None,
) -> Result:
    """Minus the PACTran-Gaussian bound of a softmax head W (d, K) with intercepts b; nats, < 0, *higher is better*.

        value = -[ L(W*, b*) + ||W*||^2/(2 beta sigma0^2) + (m/(2 beta)) log(1 + (beta sigma0^2/m) tr H) ]

    L is the mean cross-entropy, m = K d, (W*, b*) minimises the first two terms, and tr H is the trace of
    L's Hessian in W there, (1/n) sum_i ||f_i||^2 sum_k p_ik (1 - p_ik).  This is
    min over Q = N(W, s^2 I) of E_Q L + KL(Q || N(0, sigma0^2 I))/beta with L expanded to second order: the
    best s^2 is 1/(1/sigma0^2 + beta tr H/m).  The paper reports the bound, lower is better; its sign is
    turned here.  The intercepts are not penalised and have no posterior spread.

    Constants: features are centred and divided by their root mean square over all entries (so that shifts,
    positive factors and rotations change nothing); beta sigma0^2 = ``penalty`` n with penalty 1, and
    sigma0^2 = ``prior_logit_variance``/d with 100, so that beta = n d/100: among the settings the authors
    released.  ``n_constants`` is the n of these constants where the examples stand for a larger sample: on
    a half-sample with the whole's n the value is the same functional of the empirical distribution, so
    that its spread shrinks as 1/n and a jackknife can use it.  It is a surrogate for ranking, not a
    certificate: the loss is unbounded and L is expanded.
    Fails where no feature varies or the minimiser is not found (``stats``: terms, iterations).
    Reference: Ding, Chen, Levinboim, Changpinyo, Soricut, *PACTran*, ECCV 2022, section 3.4.
    """
    check_range("penalty", penalty, 0, np.inf, open_low=True, open_high=True)
    check_range("prior_logit_variance", prior_logit_variance, 0, np.inf, open_low=True, open_high=True)
    features = check_features(features)
    labels = np.unique(check_labels(labels, len(features)), return_inverse=True)[1]
    scaled = unit_scale(features)
    if not scaled.ok:
        return scaled
    rows, energy = principal_coordinates(scaled.value)
    n, d = features.shape
    inverse_ridge = penalty * (n if n_constants is None else n_constants)
    precondition = 1.0 / np.sqrt(energy / (4 * n) + 1 / inverse_ridge)
    found = _fit(rows, labels, precondition=precondition, ridge=1 / inverse_ridge)
    if not found.success:
        return Result(status="failed", reason=f"the softmax head was not found: {found.message}")
    m = found.n_classes * d
    beta = inverse_ridge * d / prior_logit_variance
    curvature = float((rows**2).sum(axis=1) @ (found.p * (1 - found.p)).sum(axis=1)) / n
    flatness = m / (2 * beta) * float(np.log1p(inverse_ridge * curvature / m))
    stats = {"fit": float(found.fun), "flatness": flatness, "iterations": int(found.nit)}
    return Result(-(float(found.fun) + flatness), stats=stats)


def _fit(rows: np.ndarray, labels: np.ndarray, *, precondition: np.ndarray, ridge: float) -> OptimizeResult:
    """The ridge softmax head by L-BFGS in coordinates where its Hessian's upper bound is the identity."""
    n, r = rows.shape
    n_classes = int(labels.max()) + 1
    design = np.column_stack([rows * precondition, np.ones(n)])
    decay = np.append(ridge * precondition**2, 0.0)[:, None]
    own = (np.arange(n), labels)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        weights = flat.reshape(r + 1, n_classes)
        log_p = _log_softmax(design @ weights)
        residual = np.exp(log_p)
        residual[own] -= 1.0
        value = -log_p[own].mean() + 0.5 * float((decay * weights**2).sum())
        return value, (design.T @ residual / n + decay * weights).ravel()

    options = {"maxiter": 1000, "maxfun": 2000, "ftol": 1e-10, "gtol": 1e-6, "maxcor": 10}
    found = minimize(loss, np.zeros((r + 1) * n_classes), jac=True, method="L-BFGS-B", options=options)
    found.p = np.exp(_log_softmax(design @ found.x.reshape(r + 1, n_classes)))
    found.n_classes = n_classes
    return found


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    """Log-probabilities, written over ``logits``: the optimiser spends its time here."""
    logits -= logits.max(axis=1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=1, keepdims=True))
    return logits
