"""Bounds at a confidence level from labelled features: hold-out, capacity, PAC-Bayes, compression, disagreement."""

from collections.abc import Callable

import numpy as np

from carryover._core.results import Bound, Estimate
from carryover._core.seeding import derive_generator
from carryover.bounding.case import Case
from carryover.bounding.entry import Entry, Found, missing, timed
from carryover.bounds.compression import compression_bound, linear_predictions
from carryover.bounds.disagreement import disagreement_certificate
from carryover.bounds.heads import unit_rows
from carryover.bounds.holdout import holdout_bound
from carryover.bounds.inequalities import Catoni, KlInverse
from carryover.bounds.pac_bayes import gibbs_error, pac_bayes_bound, unit_scores
from carryover.bounds.pac_bayes_head import pac_bayes_head_bound
from carryover.bounds.rademacher import rademacher_bound
from carryover.measures.probe import mean_loss_estimate

FEWEST_FOR_HALVES = 4


def labelled_bounds(case: Case) -> list[Entry]:
    """Each bound of the case that needs labelled features and no retraining, with its own test error."""
    return [
        holdout_entry(case),
        timed("rademacher", lambda: _rademacher(case)),
        timed("pac_bayes", lambda: _pac_bayes(case)),
        *split_prior_bounds(case),
    ]


def holdout_entry(case: Case) -> Entry:
    """Clopper-Pearson's limit from the test examples, judged on those very examples."""
    return timed("holdout", lambda: _holdout(case))


def split_prior_bounds(case: Case) -> list[Entry]:
    """Bounds around a head fitted to half of the labels, computed on the other half."""
    if min(np.bincount(case.train.labels, minlength=case.n_classes)) < FEWEST_FOR_HALVES:
        reason = (
            f"half of the labels make the prior, so every class needs {FEWEST_FOR_HALVES} training examples"
        )
        names = ("pac_bayes_split", "catoni_split", "compression", "disagreement")
        return [missing(name, reason, confidence=case.confidence) for name in names]
    rows: dict[str, Callable[[], tuple[Found, Estimate]]] = {
        "pac_bayes_split": lambda: _around_reference(case, KlInverse()),
        "catoni_split": lambda: _around_reference(case, Catoni()),
        "compression": lambda: _compression(case),
        "disagreement": lambda: _certificate(case),
    }
    return [timed(name, compute) for name, compute in rows.items()]


def _holdout(case: Case) -> tuple[Bound, Estimate]:
    correct = case.predicted_test == case.test.labels
    bound = holdout_bound(
        correct,
        confidence=case.confidence,
        groups=case.test.groups,
        representation_independent=case.test_independent,
        test_untouched=True,
    )
    return bound, classifier_error(case)


def classifier_error(case: Case) -> Estimate:
    """The classifier's error rate on the test examples."""
    return _mean(case, (case.predicted_test != case.test.labels).astype(np.float64))


def _mean(case: Case, losses: np.ndarray) -> Estimate:
    return mean_loss_estimate(losses, groups=case.test.groups)


def _known(case: Case) -> dict[str, object]:
    return {"confidence": case.confidence, "representation_independent": case.representation_independent}


def _rademacher(case: Case) -> tuple[Bound, Estimate]:
    bound = rademacher_bound(
        case.train.features,
        case.train.labels,
        n_classes=case.n_classes,
        groups=case.train.groups,
        generator=derive_generator(case.seed, "rademacher bound"),
        **_known(case),
    )
    scores = unit_rows(case.test.features) @ bound.stats["coefficients"].T + bound.stats["intercept"]
    return bound, _mean(case, (scores.argmax(axis=1) != case.test.labels).astype(np.float64))


def _pac_bayes(case: Case) -> tuple[Bound, Estimate]:
    bound = pac_bayes_bound(
        case.train.features,
        case.train.labels,
        n_classes=case.n_classes,
        groups=case.train.groups,
        **_known(case),
    )
    return bound, gibbs_truth(case, bound, unit_rows(case.test.features))


def gibbs_truth(case: Case, bound: Bound, rows: np.ndarray) -> Estimate:
    """The error rate on the test examples of the Gibbs classifier that a PAC-Bayes bound is about."""
    head = bound.stats["coefficients"], bound.stats["intercept"]
    errors = gibbs_error(unit_scores(rows, *head), case.test.labels, noise_std=bound.stats["noise_std"])
    return _mean(case, errors)


def _around(case: Case, inequality: KlInverse | Catoni, confidence: float) -> Bound:
    _, sample = case.halves
    return pac_bayes_head_bound(
        sample.features,
        sample.labels,
        reference=case.reference,
        inequality=inequality,
        confidence=confidence,
        hashes=sample.hashes,
        groups=sample.groups,
        representation_independent=case.representation_independent,
    )


def _around_reference(case: Case, inequality: KlInverse | Catoni) -> tuple[Bound, Estimate]:
    bound = _around(case, inequality, case.confidence)
    return bound, gibbs_truth(case, bound, case.reference.rows(case.test.features))


def _compressed(case: Case, confidence: float) -> Bound:
    _, sample = case.halves
    return compression_bound(
        sample.features,
        sample.labels,
        reference=case.reference,
        confidence=confidence,
        hashes=sample.hashes,
        groups=sample.groups,
        representation_independent=case.representation_independent,
    )


def _predicted_by(bound: Bound, rows: np.ndarray) -> np.ndarray:
    """What the compressed head of a bound says of rows divided as its reference's are."""
    head = {key: bound.stats[key] for key in ("coefficients", "intercept")}
    return linear_predictions(rows, **head)


def _compression(case: Case) -> tuple[Bound, Estimate]:
    bound = _compressed(case, case.confidence)
    predicted = _predicted_by(bound, case.reference.rows(case.test.features))
    return bound, _mean(case, (predicted != case.test.labels).astype(np.float64))


def _certificate(case: Case) -> tuple[Bound, Estimate]:
    """From the compressed head to the classifier itself; each of the two bounds has half of the risk."""
    reference = _compressed(case, (1 + case.confidence) / 2)
    differing = _predicted_by(reference, case.reference.rows(case.unlabelled)) != case.predicted_unlabelled
    bound = disagreement_certificate(
        differing,
        reference=reference,
        confidence=case.confidence,
        groups=case.unlabelled_groups,
        classifiers_fixed=True,
    )
    return bound, classifier_error(case)
