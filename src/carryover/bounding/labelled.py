"""Bounds at a confidence level from labelled features: hold-out, capacity, PAC-Bayes, compression, disagreement."""

from dataclasses import replace

import numpy as np

from carryover._core.results import Assumption, Bound, Estimate
from carryover._core.seeding import derive_generator
from carryover.bounding.case import Case
from carryover.bounding.entry import Entry, Row, missing, with_assumptions
from carryover.bounds.base import DATA_SHARES
from carryover.bounds.compression import compression_bound, linear_predictions
from carryover.bounds.disagreement import disagreement_certificate
from carryover.bounds.heads import unit_rows
from carryover.bounds.holdout import holdout_bound
from carryover.bounds.inequalities import Catoni, KlInverse
from carryover.bounds.pac_bayes import gibbs_error, pac_bayes_bound, unit_scores
from carryover.bounds.pac_bayes_head import pac_bayes_head_bound
from carryover.bounds.rademacher import rademacher_bound
from carryover.measures.probe import mean_loss_estimate

FEWEST_IN_A_HALF = 10
SPLIT_PRIOR = ("pac_bayes_split", "catoni_split", "compression", "disagreement")


def labelled_bounds(case: Case) -> list[Entry]:
    """Each bound of the case that needs labelled features and no retraining, with its own test error."""
    return [
        holdout_entry(case),
        Row("rademacher", lambda: _rademacher(case)).entry(confidence=case.confidence),
        Row("pac_bayes", lambda: _pac_bayes(case)).entry(confidence=case.confidence),
        *split_prior_bounds(case),
    ]


def holdout_entry(case: Case) -> Entry:
    """Clopper-Pearson's limit from the test examples, judged on those very examples."""
    return Row("holdout", lambda: _holdout(case)).entry(confidence=case.confidence)


def split_prior_bounds(case: Case, *, names: tuple[str, ...] = SPLIT_PRIOR) -> list[Entry]:
    """Bounds around a head fitted to half of the labels, computed on the other half."""
    if min(map(len, case.halves)) < FEWEST_IN_A_HALF:
        reason = (
            f"half of the labels make the prior and half the bound, and one of the halves of {len(case.train)} "
            f"examples has fewer than {FEWEST_IN_A_HALF}"
        )
        return [missing(name, reason, confidence=case.confidence) for name in names]
    rows = (
        Row("pac_bayes_split", lambda: _around_reference(case, KlInverse())),
        Row("catoni_split", lambda: _around_reference(case, Catoni())),
        Row("compression", lambda: _compression(case)),
        Row("disagreement", lambda: _certificate(case)),
    )
    return [row.entry(confidence=case.confidence) for row in rows if row.name in names]


def said_of(case: Case) -> tuple[Assumption, ...]:
    """What every bound of the case takes for granted beside its own assumptions."""
    return (DATA_SHARES,) if case.known.by_class else ()


def _holdout(case: Case) -> tuple[Bound, Estimate]:
    bound = holdout_bound(
        case.predicted_test == case.test.labels,
        confidence=case.confidence,
        groups=case.test.groups,
        representation_independent=case.known.without_test,
        test_untouched=True,
    )
    if case.n_left_out:
        bound = replace(bound, bounded=f"{bound.bounded} on examples that are not training examples")
    return with_assumptions(bound, case.test_is_apart, *said_of(case)), classifier_error(case)


def classifier_error(case: Case) -> Estimate:
    """The classifier's error rate on the test examples."""
    return _mean(case, (case.predicted_test != case.test.labels).astype(np.float64))


def _mean(case: Case, losses: np.ndarray) -> Estimate:
    return mean_loss_estimate(losses, groups=case.test.groups)


def _rademacher(case: Case) -> tuple[Bound, Estimate]:
    bound = rademacher_bound(
        case.train.features,
        case.train.labels,
        n_classes=case.n_classes,
        confidence=case.confidence,
        groups=case.train.groups,
        representation_independent=case.known.without_train,
        generator=derive_generator(case.seed, "rademacher bound"),
    )
    wrong = _predicted_by(bound, unit_rows(case.test.features)) != case.test.labels
    return with_assumptions(bound, *said_of(case)), _mean(case, wrong.astype(np.float64))


def _predicted_by(bound: Bound, rows: np.ndarray) -> np.ndarray:
    """What the linear head of a bound says of rows divided as its own were."""
    return linear_predictions(rows, **{key: bound.stats[key] for key in ("coefficients", "intercept")})


def _pac_bayes(case: Case) -> tuple[Bound, Estimate]:
    bound = pac_bayes_bound(
        case.train.features,
        case.train.labels,
        n_classes=case.n_classes,
        confidence=case.confidence,
        groups=case.train.groups,
        representation_independent=case.known.without_train,
    )
    return with_assumptions(bound, *said_of(case)), gibbs_truth(case, bound, unit_rows(case.test.features))


def gibbs_truth(case: Case, bound: Bound, rows: np.ndarray) -> Estimate:
    """The error rate on the test examples of the Gibbs classifier that a PAC-Bayes bound is about."""
    head = bound.stats["coefficients"], bound.stats["intercept"]
    errors = gibbs_error(unit_scores(rows, *head), case.test.labels, noise_std=bound.stats["noise_std"])
    return _mean(case, errors)


def _around_reference(case: Case, inequality: KlInverse | Catoni) -> tuple[Bound, Estimate]:
    _, sample = case.halves
    bound = pac_bayes_head_bound(
        sample.features,
        sample.labels,
        reference=case.reference,
        inequality=inequality,
        confidence=case.confidence,
        hashes=sample.hashes,
        groups=sample.groups,
        representation_independent=case.known.without_train,
    )
    truth = gibbs_truth(case, bound, case.reference.rows(case.test.features))
    return with_assumptions(bound, *said_of(case)), truth


def _compressed(case: Case, confidence: float) -> Bound:
    _, sample = case.halves
    bound = compression_bound(
        sample.features,
        sample.labels,
        reference=case.reference,
        confidence=confidence,
        hashes=sample.hashes,
        groups=sample.groups,
        representation_independent=case.known.without_train,
    )
    return with_assumptions(bound, *said_of(case))


def _compression(case: Case) -> tuple[Bound, Estimate]:
    bound = _compressed(case, case.confidence)
    wrong = _predicted_by(bound, case.reference.rows(case.test.features)) != case.test.labels
    return bound, _mean(case, wrong.astype(np.float64))


def _certificate(case: Case) -> tuple[Bound, Estimate]:
    """From the compressed head to the classifier itself; each of the two bounds has half of the risk."""
    reference = _compressed(case, (1 + case.confidence) / 2)
    bound = disagreement_certificate(
        _predicted_by(reference, case.reference.rows(case.pool.features)) != case.predicted_pool,
        reference=reference,
        confidence=case.confidence,
        groups=case.pool.groups,
        classifiers_fixed=case.pool.independent,
    )
    return bound, classifier_error(case)
