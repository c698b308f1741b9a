"""A certificate from unlabelled examples: what is known of one classifier, carried over to another."""

import math
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence, error_bound
from carryover.bounds.expectation import ExpectationBound
from carryover.bounds.pac_bayes import gibbs_error, unit_scores
from carryover.numerics.divergences import binary_kl_upper, clopper_pearson_upper


def gibbs_disagreement(
    rows: Float[np.ndarray, "m d"],
    *,
    coefficients: Float[np.ndarray, "k d"],
    intercept: Float[np.ndarray, " k"],
    noise_std: float,
) -> Float[np.ndarray, " m"]:
    """Probability, for each row, that the Gibbs classifier around a head predicts another class than the head.

    The last three are ``stats`` of a PAC-Bayes bound, and ``rows`` are divided as its own were
    (:meth:`ReferenceHead.rows`; by their lengths where there was no reference).
    """
    scores = unit_scores(rows, coefficients, intercept)
    return gibbs_error(scores, scores.argmax(axis=1), noise_std=noise_std)


def disagreement_certificate(
    disagreement: Shaped[np.ndarray, " m"],
    *,
    reference: Bound | ExpectationBound,
    confidence: float = 0.95,
    groups: Shaped[np.ndarray, " m_groups"] | None = None,
    classifiers_fixed: bool | None = None,
) -> Bound:
    """Bound on a classifier's error rate from a reference's bound and their disagreement on unlabelled examples.

        P(h != y) <= P(h_ref != y) + P(h != h_ref) <= reference bound + upper limit of the disagreement

    The first is the triangle inequality, for any two classifiers and any number of classes; nothing is assumed of
    how they are related.  ``disagreement`` (m,) is, for each of m unlabelled examples, whether the two differ, or
    for a randomised one the probability of it: with :func:`gibbs_disagreement` a PAC-Bayes bound passes from the
    Gibbs classifier to the head itself.  The limit is Clopper and Pearson's for values 0 and 1, else the inverse
    of kl at log(1/risk)/m.  The reference fails with probability 1 - its confidence; the rest of the risk is for
    the limit.  Reference: Kaariainen, Generalization error bounds using unlabeled data, COLT 2005 (its second
    method).

    What cannot be checked without labels: that the unlabelled examples come from the law that the reference's
    error refers to.  Under a shift this certifies nothing.  ``classifiers_fixed``: True where no unlabelled
    example served to choose either classifier, False where one did, None where nobody knows.  Raises InputError
    for disagreements outside [0, 1], a reference without a confidence level, or one whose confidence leaves no
    risk for the limit.
    """
    risk = check_confidence(confidence)
    values = _check_disagreement(disagreement)
    if isinstance(reference, ExpectationBound):
        raise InputError(
            "reference must be a Bound at a confidence level, got an ExpectationBound: "
            "one that holds in expectation certifies no classifier"
        )
    if not reference.ok:
        return Bound.missing(reference.status, f"there is no reference bound: {reference.reason}", confidence)
    left = risk - (1 - reference.confidence)
    if left <= 1e-12:
        raise InputError(
            f"the reference's confidence must be above {confidence}, so that some of the risk is left for the "
            f"disagreement, got {reference.confidence}"
        )
    mean = float(values.mean())
    limit = _upper_limit(values, left)
    fixed = {True: "checked", False: "violated", None: "not_checkable"}[classifiers_fixed]
    return error_bound(
        {
            **{f"reference_{name}": term for name, term in reference.terms.items()},
            "disagreement": mean,
            "confidence": limit - mean,
        },
        confidence=confidence,
        assumptions=(
            *reference.assumptions,
            _same_law(len(values), groups),
            Assumption("Neither classifier was chosen by looking at the unlabelled examples.", fixed),
        ),
        bounded="error rate of the classifier compared with the reference",
        stats={"n_unlabelled": len(values), "reference_value": reference.value},
    )


def _check_disagreement(disagreement: Any) -> Float[np.ndarray, " m"]:
    values = np.asarray(disagreement)
    if values.ndim != 1 or len(values) == 0:
        raise InputError(f"disagreement must be a non-empty vector, got shape {values.shape}")
    values = values.astype(np.float64)
    outside = ~((values >= 0) & (values <= 1))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InputError(f"disagreement must lie in [0, 1], got {values[row]} in row {row}")
    return values


def _upper_limit(values: Float[np.ndarray, " m"], risk: float) -> float:
    if np.isin(values, (0.0, 1.0)).all():
        return clopper_pearson_upper(int(values.sum()), len(values), confidence=1 - risk)
    return binary_kl_upper(float(values.mean()), math.log(1 / risk) / len(values))


def _same_law(m: int, groups: np.ndarray | None) -> Assumption:
    if groups is not None and len(groups) != m:
        raise InputError(f"groups must have one entry for each of the {m} rows, got {len(groups)}")
    repeated = groups is not None and len(np.unique(groups)) < m
    text = "The unlabelled examples are independent draws from the law that the reference's error rate refers to."
    return Assumption(text, "violated" if repeated else "not_checkable")
