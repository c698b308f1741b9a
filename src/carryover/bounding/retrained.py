"""Bounds that hold in expectation, from training the probe anew: on masked pairs, and on disjoint training sets."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float, Int

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.bounding.case import Case
from carryover.bounding.entry import Entry, Row, missing
from carryover.bounds.expectation import ExpectationBound
from carryover.bounds.heads import fit_ridge_head, head_of_parameters, head_parameters, unit_rows
from carryover.bounds.information import loss_difference_cmi_bound, prediction_cmi_bound
from carryover.bounds.pac_bayes import gibbs_error, score_noise_std, unit_scores
from carryover.bounds.supersample import balanced_masks, masks_needed
from carryover.bounds.xu_raginsky import noisy_weights_bound
from carryover.measures.probe import mean_loss_estimate

N_MASKS = 30
N_SETS = 5
FEWEST_A_SET = 20
BOUNDED = "expected error rate of a ridge probe"


def retrained_bounds(case: Case, *, n_masks: int | None = None) -> list[Entry]:
    """Loss-difference CMI and f-CMI from ``n_masks`` retrainings, Xu and Raginsky's from disjoint parts.

    What is trained is a ridge head on rows of unit length, its penalty chosen by its own examples alone
    (:func:`~carryover.bounds.heads.fit_ridge_head`).  ``n_masks`` None: 30, or as many as the pairs need.
    Raises InputError for fewer masks than the pairs need.
    """
    n_pairs = len(case.train) // 2
    if case.train.has_groups:
        return _none(case, "examples come in groups, and these bounds need single ones to be exchanged")
    if n_pairs < FEWEST_A_SET:
        return _none(case, f"{len(case.train)} training examples make fewer than {FEWEST_A_SET} pairs")
    check_masks_suffice(n_masks, len(case.train))
    runs = _train_on_masks(case, n_masks or max(N_MASKS, masks_needed(n_pairs)))
    truth = mean_loss_estimate(runs.test_errors, groups=case.test.groups)
    known = {
        "generator": derive_generator(case.seed, "shuffled masks"),
        "representation_independent": case.known.without_train,
        "drawn_here": True,
    }
    rows = (
        _row(
            "loss_difference_cmi",
            lambda: (loss_difference_cmi_bound(runs.losses, runs.masks, **known), truth),
        ),
        _row(
            "prediction_cmi",
            lambda: (prediction_cmi_bound(runs.predictions, runs.labels, runs.masks, **known), truth),
        ),
    )
    entries = [row.entry(confidence=case.confidence) for row in rows]
    trained = [replace(entry, seconds=entry.seconds + runs.seconds) for entry in entries]
    return [*trained, _xu_raginsky(case)]


def check_masks_suffice(n_masks: int | None, n_train: int) -> None:
    """Raises InputError where ``n_masks`` are too few for the pairs of that many training examples."""
    n_pairs = n_train // 2
    if n_masks is not None and n_pairs >= FEWEST_A_SET and n_masks < masks_needed(n_pairs):
        raise InputError(
            f"{n_masks} masks are too few for {n_pairs} pairs: at least {masks_needed(n_pairs)} are needed"
        )


def _row(name: str, compute: Callable[[], tuple[ExpectationBound, Estimate]]) -> Row:
    return Row(name, compute, "expectation", BOUNDED)


def _none(case: Case, reason: str) -> list[Entry]:
    names = ("loss_difference_cmi", "prediction_cmi", "xu_raginsky")
    return [
        missing(name, reason, confidence=case.confidence, kind="expectation", bounded=BOUNDED)
        for name in names
    ]


@dataclass(frozen=True)
class _Runs:
    """What m runs on masked pairs said: ``predictions``, ``losses`` (m, n, 2) and the mean test loss (t,)."""

    masks: Int[np.ndarray, "m n"]
    labels: Int[np.ndarray, "n two"]
    predictions: Int[np.ndarray, "m n two"]
    losses: Int[np.ndarray, "m n two"]
    test_errors: Float[np.ndarray, " t"]
    seconds: float


def _train_on_masks(case: Case, n_masks: int) -> _Runs:
    start = time.monotonic()
    generator = derive_generator(case.seed, "masks")
    pairs = generator.permutation(len(case.train))[: len(case.train) // 2 * 2].reshape(-1, 2)
    masks = balanced_masks(n_masks, len(pairs), generator=generator)
    labels, rows, test = (
        case.train.labels[pairs],
        unit_rows(case.train.features),
        unit_rows(case.test.features),
    )
    predictions, wrong = np.empty((n_masks, *pairs.shape), dtype=np.int64), np.zeros(len(case.test))
    for run, mask in enumerate(masks):
        chosen = pairs[np.arange(len(pairs)), mask]
        coefficients, intercept = fit_ridge_head(
            rows[chosen], case.train.labels[chosen], n_classes=case.n_classes
        )
        predictions[run] = (rows @ coefficients.T + intercept).argmax(axis=1)[pairs]
        wrong += (test @ coefficients.T + intercept).argmax(axis=1) != case.test.labels
    losses = (predictions != labels).astype(np.int64)
    return _Runs(masks, labels, predictions, losses, wrong / n_masks, time.monotonic() - start)


def _xu_raginsky(case: Case) -> Entry:
    """Heads of one length, that of a root of the set's size, with unit noise: both are fixed before the data."""
    size = len(case.train) // N_SETS
    if size < FEWEST_A_SET:
        reason = f"{N_SETS} disjoint training sets of {len(case.train)} examples have fewer than {FEWEST_A_SET} each"
        return missing("xu_raginsky", reason, confidence=case.confidence, kind="expectation", bounded=BOUNDED)
    return _row("xu_raginsky", lambda: _noisy(case, size)).entry(confidence=case.confidence)


def _noisy(case: Case, size: int) -> tuple[ExpectationBound, Estimate]:
    order = derive_generator(case.seed, "disjoint sets").permutation(len(case.train))
    noise, length = score_noise_std(case.n_classes), math.sqrt(size)
    test, weights, errors, wrong = unit_rows(case.test.features), [], [], np.zeros(len(case.test))
    for part in order[: N_SETS * size].reshape(N_SETS, size):
        rows, labels = unit_rows(case.train.features[part]), case.train.labels[part]
        parameters = head_parameters(fit_ridge_head(rows, labels, n_classes=case.n_classes))
        parameters *= length / (np.linalg.norm(parameters) or 1.0)
        weights.append(parameters.ravel())
        head = head_of_parameters(parameters)
        errors.append(gibbs_error(unit_scores(rows, *head), labels, noise_std=noise).mean())
        wrong += gibbs_error(unit_scores(test, *head), case.test.labels, noise_std=noise)
    bound = noisy_weights_bound(
        np.array(weights),
        np.array(errors),
        noise_std=1.0,
        n=size,
        representation_independent=case.known.without_train,
    )
    return bound, mean_loss_estimate(wrong / N_SETS, groups=case.test.groups)
