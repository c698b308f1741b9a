"""The contrastive bound of an encoder that was pretrained by a contrastive loss, from labelled examples."""

import numpy as np

from carryover._core.results import Bound, Estimate
from carryover._core.seeding import derive_generator
from carryover.bounding.case import Case
from carryover.bounding.entry import Entry, missing, timed
from carryover.bounds.contrastive import (
    collision_probability,
    contrastive_bound,
    contrastive_losses,
    largest_contrastive_loss,
    mean_classifier_loss,
)
from carryover.bounds.contrastive_tuples import disjoint_tuples
from carryover.bounds.heads import unit_rows
from carryover.diagnosis.candidates import Candidate

CONTRASTIVE = ("simclr", "spectral", "curl")
BOUNDED = "loss of the mean classifier on pairs of distinct classes, no less than its error rate there"
LOSS, BLOCK = "logistic", 2


def contrastive_entry(candidate: Candidate, case: Case) -> Entry:
    """The bound on the mean classifier's pairwise loss, for encoders pretrained by a contrastive objective.

    Features are divided by their length, which is fixed in advance; tuples are drawn from the training examples with
    their classes as the latent ones, blocks of 2, the logistic loss in base 2.
    """
    given = {"confidence": case.confidence, "bounded": BOUNDED}
    if candidate.run is None or candidate.run.record.objective.kind not in CONTRASTIVE:
        return missing("contrastive", "the encoder was not pretrained by a contrastive loss here", **given)
    fewest = int(np.bincount(case.test.labels, minlength=case.n_classes).min())
    if min(fewest, int(np.bincount(case.train.labels, minlength=case.n_classes).min())) < 1:
        return missing("contrastive", "every class needs training and test examples", **given)
    return timed("contrastive", lambda: _contrastive(case))


def _contrastive(case: Case) -> tuple[Bound, Estimate]:
    shares = np.bincount(case.train.labels, minlength=case.n_classes) / len(case.train)
    tuples = disjoint_tuples(
        case.train.labels,
        class_shares=shares,
        block=BLOCK,
        generator=derive_generator(case.seed, "contrastive tuples"),
    )
    rows, largest = unit_rows(case.train.features), largest_contrastive_loss(1.0, loss=LOSS)
    losses = contrastive_losses(
        rows[tuples.anchors], rows[tuples.positives], rows[tuples.negatives], loss=LOSS
    )
    bound = contrastive_bound(
        np.where(tuples.filled, np.minimum(losses, largest), largest),
        collision=collision_probability(shares),
        largest_loss=largest,
        collided=tuples.collided,
        confidence=case.confidence,
        encoder_independent=case.representation_independent,
        positives_from_class=True,
    )
    truth = mean_classifier_loss(
        unit_rows(case.test.features), case.test.labels, class_shares=shares, loss=LOSS
    )
    return bound, Estimate(truth, None, None, len(case.test))
