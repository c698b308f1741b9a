"""PAC-Bayes bound for a noisy linear probe on frozen features."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num, Shaped
from scipy.special import ndtr

from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence, check_sample, error_bound, sample_assumptions
from carryover.bounds.heads import ridge_heads, unit_rows
from carryover.bounds.inequalities import KlInverse
from carryover.numerics.divergences import binary_kl, binary_kl_upper

PRIOR_STDS = tuple(float(std) for std in 2.0 ** (np.arange(33) / 4))
NORMS = tuple(float(norm) for norm in 2.0 ** np.arange(-1, 9.5, 0.5))
JUDGED_ON = 500
_STEP = 0.3
_NODES = _STEP * np.arange(-22, 23)
_WEIGHTS = _STEP * np.exp(-(_NODES**2) / 2) / math.sqrt(2 * math.pi)
_AT_ONCE = 2**22
_Head = tuple[np.ndarray, np.ndarray]


def gaussian_kl(squared_norm: float, n_parameters: int, *, prior_std: float) -> float:
    """KL(N(W, I) || N(0, prior_std^2 I)) = 1/2 [D/s^2 - D + ||W||^2/s^2 + D log s^2], s the prior's deviation.

    >>> gaussian_kl(4.0, 10, prior_std=1.0)
    2.0
    """
    precision = prior_std**-2
    return 0.5 * (n_parameters * (precision - 1 - math.log(precision)) + squared_norm * precision)


def gibbs_error(
    scores: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"], *, noise_std: float
) -> Float[np.ndarray, " n"]:
    """Probability that adding N(0, noise_std^2) to every score, independently, leaves another class on top.

        1 - E_z prod over j != y of Phi((s_y - s_j)/noise_std + z),   z standard normal

    by the trapezoidal rule with step .3 on [-6.6, 6.6], which converges exponentially for integrands like this
    (absolute error below 1e-6 up to 100 classes, tested; at 48 nodes Gauss-Hermite is 10 times worse), and
    Phi((s_j - s_y)/(sqrt 2 noise_std)) exactly for two classes.
    """
    n, n_classes = scores.shape
    gaps = (scores[np.arange(n), labels][:, None] - scores) / noise_std
    others = gaps[np.arange(n_classes) != labels[:, None]].reshape(n, n_classes - 1)
    if n_classes == 2:
        return ndtr(-others[:, 0] / math.sqrt(2))
    right = np.empty(n)
    step = max(1, _AT_ONCE // (len(_NODES) * n_classes))
    for start in range(0, n, step):
        block = others[start : start + step]
        right[start : start + step] = ndtr(block[:, :, None] + _NODES).prod(axis=1) @ _WEIGHTS
    return np.clip(1 - right, 0.0, 1.0)


def _budget(kl: float, *, n: int, risk: float) -> float:
    return (kl + math.log(2 * math.sqrt(n) * len(PRIOR_STDS) / risk)) / n


def pac_bayes_terms(training_error: float, kl: float, *, n: int, risk: float) -> dict[str, float]:
    """Training error, what the divergence adds to it, and what confidence and the choice of prior add.

    Their sum is the largest q with kl(training_error || q) <= (kl + log(2 sqrt(n) P / risk)) / n
    (Maurer, arXiv cs/0411099, theorem 5), P the number of priors in the grid, each with the risk / P.
    """
    return KlInverse().terms(training_error, kl, n=n, risk=risk / len(PRIOR_STDS))


def pac_bayes_bound(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    n_classes: int,
    confidence: float = 0.95,
    groups: Shaped[np.ndarray, " n"] | None = None,
    representation_independent: bool | None = None,
) -> Bound:
    """PAC-Bayes bound on the error rate of the Gibbs classifier around a ridge head fitted to the same rows.

    Rows are divided by their length and a constant feature 1 is appended (maps fixed in advance).  The posterior
    is Q = N(W, I) over the K (d + 1) coefficients, the prior N(0, s0^2 I) with s0 in the declared grid
    ``PRIOR_STDS`` (equal shares of the risk).  Predictions depend on W and the noise only through their ratio, so
    the noise is 1 and the scale of W, the ridge penalty and s0 are all chosen to make the bound smallest, which it
    allows, as it holds for all Q at once.  The training error of the Gibbs classifier is an integral in one
    dimension for each row (:func:`gibbs_error`), so that no sampled error, and no limit for one, enters.
    Two classes use one coefficient vector, w_1 - w_0, with D = d + 1.

    Bounded is the Gibbs classifier, which draws a head from Q for every prediction, not the head W itself.
    Reference: Langford and Shawe-Taylor, PAC-Bayes and margins, NIPS 2002; Maurer 2004.
    Raises InputError for features or labels that cannot be used.
    """
    risk = check_confidence(confidence)
    features, labels = check_sample(features, labels, n_classes)
    rows = unit_rows(features)
    n, d = rows.shape
    costs = _costs_of_norms((1 if n_classes == 2 else n_classes) * (d + 1))
    best = None
    for head in ridge_heads(rows, labels, n_classes):
        best = _better(best, _scaled_to_unit(head), rows=rows, labels=labels, costs=costs, risk=risk)
    error = float(
        gibbs_error(unit_scores(rows, *best.head), labels, noise_std=score_noise_std(n_classes)).mean()
    )
    assumptions = sample_assumptions(
        n, groups=groups, representation_independent=representation_independent, sample="training"
    )
    return error_bound(
        pac_bayes_terms(error, best.kl, n=n, risk=risk),
        confidence=confidence,
        assumptions=(
            *assumptions,
            Assumption("The prior and its grid were fixed before the data.", "checked"),
        ),
        bounded="error rate of the Gibbs classifier, which draws a noisy head for every prediction",
        stats={
            "n": n,
            "kl": best.kl,
            "prior_std": best.prior_std,
            "noise_std": score_noise_std(n_classes),
            "coefficients": best.head[0],
            "intercept": best.head[1],
        },
    )


@dataclass(frozen=True)
class _Posterior:
    """The mean of a posterior in units of its noise, what it costs, and the bound on the rows it was judged on."""

    head: _Head
    kl: float
    prior_std: float
    bound: float


def score_noise_std(n_classes: int) -> float:
    """Noise of each class's score: 1, or for two classes that of a difference of variance 1."""
    return math.sqrt(0.5) if n_classes == 2 else 1.0


def _costs_of_norms(n_parameters: int) -> list[tuple[float, float, float]]:
    """For each length of the posterior's mean: the length, the least divergence, and the prior that gives it."""
    return [
        (norm, *min((gaussian_kl(norm**2, n_parameters, prior_std=std), std) for std in PRIOR_STDS))
        for norm in NORMS
    ]


def _scaled_to_unit(head: _Head) -> _Head:
    """The head at length 1; for two classes the length of w_1 - w_0, as the two vectors are opposite."""
    coefficients, intercept = head
    doubled = 2.0 if len(coefficients) == 2 else 1.0
    length = math.sqrt(doubled * float((coefficients**2).sum() + (intercept**2).sum())) or 1.0
    return coefficients / length, intercept / length


def unit_scores(
    rows: Float[np.ndarray, "n d"], coefficients: Float[np.ndarray, "k d"], intercept: Float[np.ndarray, " k"]
) -> Float[np.ndarray, "n k"]:
    """Scores divided by the length of the row with its constant, which makes the noise of each row the same."""
    squares = np.einsum("ij,ij->i", rows, rows)
    return (rows @ coefficients.T + intercept) / np.sqrt(squares + 1.0)[:, None]


def _better(
    best: _Posterior | None,
    head: _Head,
    *,
    rows: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    costs: list[tuple[float, float, float]],
    risk: float,
) -> _Posterior:
    """The better of ``best`` and of this head at the lengths in the grid, judged on at most 500 rows.

    Judging on a part of the rows is a choice like any other: the bound is computed on all of them afterwards.
    """
    n, part = len(rows), slice(None, None, -(-len(rows) // JUDGED_ON))
    scores, noise_std = unit_scores(rows[part], *head), score_noise_std(len(head[0]))
    for norm, kl, prior_std in costs:
        if best is not None and -math.expm1(-kl / n) >= best.bound:
            break  # not even a training error of 0 would help, and longer heads cost more
        error = float(gibbs_error(scores, labels[part], noise_std=noise_std / norm).mean())
        budget = _budget(kl, n=n, risk=risk)
        # Smaller than the best so far, seen without inverting: the budget does not reach from error to there.
        if best is None or (error < best.bound and binary_kl(error, best.bound) > budget):
            best = _Posterior((norm * head[0], norm * head[1]), kl, prior_std, binary_kl_upper(error, budget))
    return best
