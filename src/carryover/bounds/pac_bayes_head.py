"""PAC-Bayes bounds around a reference head: data-free or data-dependent prior, probe or fine-tuned head."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num, Shaped

from carryover._core.checks import check_features
from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence, check_sample, error_bound, sample_assumptions
from carryover.bounds.heads import Head, centred_codes, head_of_parameters, head_parameters, ridge_path
from carryover.bounds.inequalities import Inequality, KlInverse
from carryover.bounds.pac_bayes import (
    JUDGED_ON,
    NORMS,
    PRIOR_STDS,
    gibbs_error,
    score_noise_std,
    unit_scores,
)
from carryover.bounds.reference_head import ReferenceHead, named_rows, refuse_seen
from carryover.numerics.divergences import binary_kl

_KL_INVERSE = KlInverse()


def pac_bayes_head_bound(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    reference: ReferenceHead,
    head: Head | None = None,
    inequality: Inequality = _KL_INVERSE,
    confidence: float = 0.95,
    hashes: Iterable[str] | None = None,
    groups: Shaped[np.ndarray, " n"] | None = None,
    representation_independent: bool | None = None,
) -> Bound:
    """PAC-Bayes bound on the error rate of the Gibbs classifier around a head, measured from a reference head.

    Rows are divided as ``reference.unit`` says and a constant feature 1 is appended.  The posterior is N(t W, I)
    over the coefficients, the prior N(t W_ref, s0^2 I) with s0 in ``PRIOR_STDS`` and the length of t W_ref in
    ``NORMS``: all pairs have equal shares of the risk, which pays for choosing t and s0 afterwards (a reference of
    zeros has no length, and only s0 is paid for).  Two classes use the one vector w_1 - w_0; for more, a part
    common to all classes, which changes no prediction, is removed.

    ``head`` (W, b) on the divided rows, say one fine-tuned from the reference: W is that head.  None: W is
    whichever serves best of the reference itself and of ridge regressions shrunk towards it, fitted to these rows.
    ``hashes`` are the content hashes of the rows (default: of each row of features as given).  Bounded is the
    Gibbs classifier, which draws a head for every prediction; its training error is an exact integral.  References:
    Langford and Shawe-Taylor, NIPS 2002; priors from another part of the data: Ambroladze, Parrado-Hernandez and
    Shawe-Taylor, Tighter PAC-Bayes bounds, NIPS 2006.
    Raises InputError where the reference has seen a row, and
    for data or heads that cannot be used.
    """
    risk = check_confidence(confidence)
    n_classes = len(reference.coefficients)
    rows, labels = _checked_rows(features, labels, reference=reference, hashes=hashes)
    centre = head_parameters((reference.coefficients, reference.intercept))
    pairs = _pairs(centre, rows, labels=labels, head=head)
    best = _best(pairs, rows, labels=labels, inequality=inequality, risk=risk)
    mean = head_of_parameters(best.mean)
    error = float(gibbs_error(unit_scores(rows, *mean), labels, noise_std=score_noise_std(n_classes)).mean())
    assumptions = sample_assumptions(
        len(rows), groups=groups, representation_independent=representation_independent, sample="training"
    )
    unseen = "not_checkable" if reference.seen is None else "checked"
    return error_bound(
        inequality.terms(error, best.kl, n=len(rows), risk=best.risk),
        confidence=confidence,
        assumptions=(
            *assumptions,
            Assumption("The prior's head was fitted to none of the training examples.", unseen),
            Assumption("The grids of the prior and of the inequality were fixed before the data.", "checked"),
        ),
        bounded="error rate of the Gibbs classifier, which draws a noisy head for every prediction",
        stats={
            "n": len(rows),
            "kl": best.kl,
            "prior_std": best.prior_std,
            "noise_std": score_noise_std(n_classes),
            "coefficients": mean[0],
            "intercept": mean[1],
        },
    )


def _checked_rows(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    reference: ReferenceHead,
    hashes: Iterable[str] | None,
) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"]]:
    """The rows the reference acts on, and their labels; refuses those it has seen."""
    n_classes, n_features = reference.coefficients.shape
    features, labels = check_sample(features, labels, n_classes)
    if features.shape[1] != n_features:
        raise InputError(f"the reference head takes {n_features} features, got {features.shape[1]}")
    refuse_seen(reference, named_rows(features, hashes))
    return reference.rows(features), labels


@dataclass(frozen=True)
class _Choice:
    """A posterior's mean (P, d + 1) in units of its noise, its divergence and prior, the bound where judged."""

    mean: np.ndarray
    kl: float
    prior_std: float
    risk: float
    bound: float


def _pairs(
    centre: Float[np.ndarray, "p d_and_1"],
    rows: Float[np.ndarray, "n d"],
    *,
    labels: Int[np.ndarray, " n"],
    head: Head | None,
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Means of prior and posterior, both to be multiplied by one factor."""
    if head is not None:
        coefficients, intercept = head
        reference = head_of_parameters(centre)
        if coefficients.shape != reference[0].shape or intercept.shape != reference[1].shape:
            raise InputError(
                f"head must have coefficients {reference[0].shape} and an intercept {reference[1].shape}, "
                f"got {coefficients.shape} and {intercept.shape}"
            )
        check_features(np.column_stack(head), "head")
        yield centre, head_parameters(head)
        return
    coefficients, intercept = head_of_parameters(centre)
    scores = rows @ coefficients.T + intercept
    codes = centred_codes(labels, len(coefficients))
    # A reference in units of its own is first brought to the size at which it predicts the codes best.
    size = max(0.0, float((scores * codes).sum() / ((scores**2).sum() or 1.0)))
    prior = (size or 1.0) * centre
    if prior.any():
        yield prior, prior
    for step in ridge_path(rows, codes - size * scores):
        yield prior, prior + head_parameters(step)


def _least_divergences(
    squares: Float[np.ndarray, " r"], n_parameters: int
) -> tuple[Float[np.ndarray, " r"], Int[np.ndarray, " r"]]:
    """For each squared distance of the means, the divergence from the best prior in the grid, and which it is."""
    variances = np.array(PRIOR_STDS) ** 2
    alone = n_parameters / 2 * (1 / variances - 1 + np.log(variances))
    divergences = alone + squares[:, None] / (2 * variances)
    return divergences.min(axis=1), divergences.argmin(axis=1)


def _best(
    pairs: Iterator[tuple[np.ndarray, np.ndarray]],
    rows: Float[np.ndarray, "n d"],
    *,
    labels: Int[np.ndarray, " n"],
    inequality: Inequality,
    risk: float,
) -> _Choice:
    """The choice of the smallest bound, judged on at most 500 rows: any choice is covered by the grids' price."""
    n, part, norms = len(rows), slice(None, None, -(-len(rows) // JUDGED_ON)), np.array(NORMS)
    best = None
    for prior, mean in pairs:
        length = float(np.linalg.norm(prior if prior.any() else mean)) or 1.0
        share = risk / (len(PRIOR_STDS) * (len(NORMS) if prior.any() else 1))
        divergences, places = _least_divergences(
            (norms * float(np.linalg.norm(mean - prior)) / length) ** 2, mean.size
        )
        # No inequality of this kind is below the inverse of kl at this budget, even without training errors.
        budgets = (divergences - math.log(share)) / n
        useful = np.flatnonzero(-np.expm1(-budgets) < (math.inf if best is None else best.bound))
        errors = _errors_at(
            norms[useful], head_of_parameters(mean / length), rows=rows[part], labels=labels[part]
        )
        # The likeliest first, by the small-deviation form of kl; most others are then dismissed without inverting.
        for i in np.argsort(errors + np.sqrt(2 * errors * budgets[useful]) + 2 * budgets[useful]):
            error, j = float(errors[i]), useful[i]
            if best is not None and _is_dismissed(error, best.bound, float(budgets[j])):
                continue
            kl = float(divergences[j])
            bound = sum(inequality.terms(error, kl, n=n, risk=share).values())
            if best is None or bound < best.bound:
                best = _Choice(norms[j] / length * mean, kl, PRIOR_STDS[places[j]], share, bound)
    return best


def _is_dismissed(error: float, bound: float, budget: float) -> bool:
    """True if the inverse of kl at the budget is no less than the bound; kl(p || q) <= (p - q)^2 / (q (1 - q))."""
    return error >= bound or (
        bound < 1
        and ((error - bound) ** 2 <= budget * bound * (1 - bound) or binary_kl(error, bound) <= budget)
    )


def _errors_at(
    norms: Float[np.ndarray, " r"],
    head: Head,
    *,
    rows: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
) -> Float[np.ndarray, " r"]:
    """The Gibbs classifier's error on the rows around each multiple of the head."""
    scores = norms[:, None, None] * unit_scores(rows, *head)
    stacked, noise_std = scores.reshape(-1, scores.shape[2]), score_noise_std(scores.shape[2])
    errors = gibbs_error(stacked, np.tile(labels, len(norms)), noise_std=noise_std)
    return errors.reshape(len(norms), -1).mean(axis=1)
