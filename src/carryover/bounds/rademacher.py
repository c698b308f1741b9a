"""Margin bound for a linear probe of bounded norm, through the Rademacher complexity of its features."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

from carryover._core.checks import check_features
from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence, check_sample, error_bound, sample_assumptions
from carryover.bounds.heads import ridge_heads, unit_rows
from carryover.measures.rademacher import rademacher_complexity_from_blocks

RATIOS = tuple(float(ratio) for ratio in 2.0 ** (np.arange(-12, 33) / 2))
_SIGNS_SHARE = 0.1
_ROWS_AT_ONCE = 4096


def multiclass_margin(
    scores: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]
) -> Float[np.ndarray, " n"]:
    """m = s_y - max over j != y of s_j; the prediction is wrong only if m <= 0.

    >>> import numpy as np
    >>> multiclass_margin(np.array([[0.0, 3.0, 1.0], [2.0, 0.0, 1.0]]), np.array([1, 1])).tolist()
    [2.0, -2.0]
    """
    own = np.arange(len(labels)), labels
    others = scores.copy()
    others[own] = -np.inf
    return scores[own] - others.max(axis=1)


def ramp_loss(margins: Float[np.ndarray, " n"], *, margin: float) -> Float[np.ndarray, " n"]:
    """clip(1 - m / margin, 0, 1) of margins m: at least 1[m <= 0], and 1/margin-Lipschitz in m.

    >>> import numpy as np
    >>> ramp_loss(np.array([3.0, 1.0, -2.0]), margin=2.0).tolist()
    [0.0, 0.5, 1.0]
    """
    return np.clip(1 - margins / margin, 0.0, 1.0)


def margin_terms(
    ramp: float, unit_complexity: float, *, ratio: float, n_classes: int, n: int, risk: float
) -> dict[str, float]:
    """Training ramp loss, complexity and confidence at one radius-to-margin ``ratio``, fixed in advance.

        ramp + c ratio Rad_1 + 3 sqrt(log(1/risk) / (2n)),    c = 4 for K > 2 outputs, 2 for K = 2 with one output

    ``unit_complexity`` Rad_1 is the empirical complexity of the class of radius 1.  c for K > 2 is 2 from
    symmetrisation, sqrt 2 from contraction of vector-valued functions (Maurer, ALT 2016, corollary 4), and sqrt 2
    because m is sqrt 2-Lipschitz in the 2-norm of the scores (|m(s) - m(t)| <= |D_y| + max |D_j|), the ramp being
    1/margin-Lipschitz in m.  With two classes m = +-(w_1 - w_0)^T h is one output and c = 2 (Ledoux and
    Talagrand).  The deviation minus twice the empirical complexity moves by at most 3/n with one example, which
    gives the last term from a single use of McDiarmid's inequality (log(2/risk) in Mohri, Rostamizadeh and
    Talwalkar, Foundations of machine learning, theorem 3.3, which uses it twice).
    """
    factor = 2.0 if n_classes == 2 else 4.0
    return {
        "training_ramp_loss": ramp,
        "complexity": factor * ratio * unit_complexity,
        "confidence": 3 * math.sqrt(math.log(1 / risk) / (2 * n)),
    }


def rademacher_bound(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    n_classes: int,
    coefficients: Float[np.ndarray, "k d_head"] | None = None,
    intercept: Float[np.ndarray, " k_intercept"] | None = None,
    confidence: float = 0.95,
    n_draws: int | None = None,
    groups: Shaped[np.ndarray, " n"] | None = None,
    representation_independent: bool | None = None,
    generator: np.random.Generator,
) -> Bound:
    """Rademacher margin bound on the error rate of a linear head trained on these very rows.

    Given ``coefficients`` (K, d) and ``intercept`` (K,), the bound is for the head argmax(W h + b) on the features
    as they are.  Without them a ridge head is fitted to the rows divided by their length (a fixed map), with the
    penalty that makes the bound smallest: allowed, since the bound holds for all heads at once.

    The class has no intercept, so a constant feature 2^j is appended, j an integer chosen after the root mean
    square length of the rows.  Scaling a head changes no prediction, so radius and margin enter by their ratio
    only.  The risk is shared over the declared grid ``RATIOS`` (in units of 2^-j; equal shares) and over all
    integers j (shares proportional to 1/(1+|j|)^2).  The complexity is computed for the rows at hand and enters
    by a limit above its mean over the signs (:meth:`RademacherComplexity.upper_limit`), or by its deterministic
    cap where that is smaller; a tenth of the risk pays for it.  Constants: :func:`margin_terms`.
    Raises InputError for arrays that cannot be used, or only one of coefficients and intercept.
    """
    risk = check_confidence(confidence)
    features, labels = check_sample(features, labels, n_classes)
    heads, rows = _heads(
        features, labels, n_classes=n_classes, coefficients=coefficients, intercept=intercept
    )
    exponent = _exponent(rows)
    one_output = n_classes == 2
    complexity = rademacher_complexity_from_blocks(
        _with_constant(rows, 2.0**exponent),
        n_outputs=1 if one_output else n_classes,
        n_draws=n_draws or max(20, 400 // n_classes),
        generator=generator,
    )
    unit_complexity = complexity.upper_limit(1 - _SIGNS_SHARE * risk)
    share = (1 - _SIGNS_SHARE) * risk * _share_of(exponent) / len(RATIOS)
    ratios = 2.0**-exponent * np.array(RATIOS)
    choices = [
        _best_ratio(
            multiclass_margin(_unit_scores(rows, *head, constant=2.0**exponent), labels),
            head,
            ratios=ratios,
            unit_complexity=unit_complexity,
            risk=share,
        )
        for head in heads
    ]
    best = min(choices, key=lambda choice: sum(choice.terms.values()))
    assumptions = sample_assumptions(
        len(rows), groups=groups, representation_independent=representation_independent, sample="training"
    )
    return error_bound(
        best.terms,
        confidence=confidence,
        assumptions=(*assumptions, Assumption("The grid of ratios was fixed before the data.", "checked")),
        bounded="error rate of the linear head",
        stats={
            "n": len(rows),
            "ratio": best.ratio,
            "constant_feature": 2.0**exponent,
            "unit_complexity": unit_complexity,
            "training_error": best.training_error,
            "coefficients": best.head[0],
            "intercept": best.head[1],
        },
    )


@dataclass(frozen=True)
class _Choice:
    """What the bound is at one ratio, for one head."""

    terms: dict[str, float]
    ratio: float
    head: tuple[np.ndarray, np.ndarray]
    training_error: float


def _heads(
    features: np.ndarray,
    labels: np.ndarray,
    *,
    n_classes: int,
    coefficients: np.ndarray | None,
    intercept: np.ndarray | None,
) -> tuple[Iterator[tuple[np.ndarray, np.ndarray]], np.ndarray]:
    """The heads to choose from, and the rows on which they act."""
    if (coefficients is None) != (intercept is None):
        raise InputError("coefficients and intercept must be given together (an intercept may be all zeros)")
    if coefficients is None:
        rows = unit_rows(features)
        return ridge_heads(rows, labels, n_classes), rows
    if coefficients.shape != (n_classes, features.shape[1]) or intercept.shape != (n_classes,):
        raise InputError(
            f"coefficients and intercept must have shapes {(n_classes, features.shape[1])} and {(n_classes,)}, "
            f"got {coefficients.shape} and {intercept.shape}"
        )
    check_features(coefficients, "coefficients")
    check_features(intercept[None], "intercept")
    return iter([(coefficients, intercept)]), features


def _exponent(rows: Float[np.ndarray, "n d"]) -> int:
    """The integer j for which 2^j is nearest, in ratio, to the root mean square length of the rows."""
    largest = float(np.abs(rows).max())
    if largest == 0:
        return 0
    mean_square = sum(
        float(((rows[start : start + _ROWS_AT_ONCE] / largest) ** 2).sum())
        for start in range(0, len(rows), _ROWS_AT_ONCE)
    ) / len(rows)
    return round(math.log2(largest) + 0.5 * math.log2(mean_square))


def _share_of(exponent: int) -> float:
    """A probability on all integers: (1+|j|)^-2 over its sum pi^2/3 - 1."""
    return (1 + abs(exponent)) ** -2 / (math.pi**2 / 3 - 1)


def _with_constant(rows: Float[np.ndarray, "n d"], constant: float) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), _ROWS_AT_ONCE):
        block = rows[start : start + _ROWS_AT_ONCE]
        yield np.hstack([block, np.full((len(block), 1), constant)])


def _unit_scores(
    rows: Float[np.ndarray, "n d"],
    coefficients: Float[np.ndarray, "k d"],
    intercept: Float[np.ndarray, " k"],
    *,
    constant: float,
) -> Float[np.ndarray, "n k"]:
    """Scores of the head scaled to norm 1; a part common to all classes changes no margin and is removed."""
    coefficients = coefficients - coefficients.mean(axis=0)
    intercept = intercept - intercept.mean()
    norm = math.sqrt(float((coefficients**2).sum() + ((intercept / constant) ** 2).sum()))
    if len(coefficients) == 2:
        norm *= math.sqrt(2)  # the one output is w_1 - w_0, of two opposite vectors
    return (rows @ coefficients.T + intercept) / (norm or 1.0)


def _mean_ramp_losses(
    margins: Float[np.ndarray, " n"], ratios: Float[np.ndarray, " r"]
) -> Float[np.ndarray, " r"]:
    """Mean of :func:`ramp_loss` at margin 1/ratio for every ratio at once, from the sorted margins."""
    ordered = np.sort(np.maximum(margins, 0.0))
    sums = np.concatenate([[0.0], np.cumsum(ordered)])
    inside = np.searchsorted(ordered, 1 / ratios)
    return np.clip((inside - ratios * sums[inside]) / len(margins), np.mean(margins <= 0), 1.0)


def _best_ratio(
    margins: Float[np.ndarray, " n"],
    head: tuple[np.ndarray, np.ndarray],
    *,
    ratios: Float[np.ndarray, " r"],
    unit_complexity: float,
    risk: float,
) -> _Choice:
    """The ratio in the grid that makes the bound of this head smallest."""
    ramps = _mean_ramp_losses(margins, ratios)
    per_ratio = margin_terms(
        0.0, unit_complexity, ratio=1.0, n_classes=len(head[1]), n=len(margins), risk=risk
    )
    chosen = int(np.argmin(ramps + per_ratio["complexity"] * ratios))
    ratio = float(ratios[chosen])
    terms = margin_terms(
        float(ramps[chosen]),
        unit_complexity,
        ratio=ratio,
        n_classes=len(head[1]),
        n=len(margins),
        risk=risk,
    )
    return _Choice(terms, ratio, head, float((margins <= 0).mean()))
