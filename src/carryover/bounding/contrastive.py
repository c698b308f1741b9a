"""The contrastive bound of an encoder that was pretrained by a contrastive loss, from labelled examples."""

import numpy as np
from jaxtyping import Float, Int

from carryover._core.results import Bound, Estimate
from carryover._core.seeding import derive_generator
from carryover.bounding.case import Case
from carryover.bounding.entry import Entry, Row, missing, with_assumptions
from carryover.bounding.labelled import said_of
from carryover.bounds.contrastive import (
    collision_probability,
    contrastive_bound,
    contrastive_losses,
    largest_contrastive_loss,
    named_loss,
)
from carryover.bounds.contrastive_tuples import disjoint_tuples
from carryover.bounds.heads import unit_rows
from carryover.diagnosis.candidates import Candidate
from carryover.measures.probe import mean_loss_estimate

CONTRASTIVE = ("simclr", "spectral", "curl")
BOUNDED = "loss of the mean classifier on pairs of distinct classes, no less than its error rate there"
LOSS, BLOCK = "logistic", 2
FEWEST_OF_A_CLASS = 2


def contrastive_entry(candidate: Candidate, case: Case) -> Entry:
    """The bound on the mean classifier's pairwise loss, for encoders pretrained by a contrastive objective.

    Features are divided by their length, which is fixed in advance; tuples are drawn from the training examples with
    their classes as the latent ones, blocks of 2, the logistic loss in base 2.
    """
    given = {"confidence": case.confidence, "bounded": BOUNDED}
    if candidate.run is None or candidate.run.record.objective.kind not in CONTRASTIVE:
        return missing("contrastive", "the encoder was not pretrained by a contrastive loss here", **given)
    if case.train.has_groups:
        reason = "examples come in groups, and the tuples need single ones to be independent draws"
        return missing("contrastive", reason, **given)
    counts = (np.bincount(part.labels, minlength=case.n_classes).min() for part in (case.train, case.test))
    if min(counts) < FEWEST_OF_A_CLASS:
        reason = f"every class needs {FEWEST_OF_A_CLASS} training and test examples"
        return missing("contrastive", reason, **given)
    return Row("contrastive", lambda: _contrastive(case), bounded=BOUNDED).entry(confidence=case.confidence)


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
        encoder_independent=case.known.without_train,
        positives_from_class=True,
    )
    losses = pairwise_losses(unit_rows(case.test.features), case.test.labels, class_shares=shares)
    return with_assumptions(bound, *said_of(case)), mean_loss_estimate(losses, groups=case.test.groups)


def pairwise_losses(
    rows: Float[np.ndarray, "t d"], labels: Int[np.ndarray, " t"], *, class_shares: Float[np.ndarray, " k"]
) -> Float[np.ndarray, " t"]:
    """Each row's share of the mean classifier's loss, so that their mean is that loss at ``class_shares``.

    A row's own class mean is that of the other rows of the class: with the row in it the loss would come out too small.
    """
    counts = np.bincount(labels, minlength=len(class_shares))
    sums = np.eye(len(class_shares))[labels].T @ rows
    own_mean = (sums[labels] - rows) / (counts[labels] - 1)[:, None]
    gaps = np.einsum("td,td->t", rows, own_mean)[:, None] - rows @ (sums / counts[:, None]).T
    losses = named_loss(LOSS).of_gap(gaps)
    losses[np.arange(len(labels)), labels] = 0.0
    weights = len(labels) * class_shares[labels] / counts[labels] / (1 - collision_probability(class_shares))
    return weights * (losses @ class_shares)
