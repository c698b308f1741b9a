"""The pretraining terms of the candidates: the loss they were pretrained by, its gap, and the excess over the best."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from carryover._core.results import Estimate
from carryover.diagnosis.candidates import Candidate
from carryover.measures.differences import excess_over_best, independent_difference

NETWORK_FIELDS = ("encoder", "width", "depth", "heads", "decoder_width", "decoder_depth", "decoder_heads",
                  "decoder_hidden", "projection")  # fmt: skip
"""What an objective's spec says of the network; everything else in it defines the loss."""
NOT_A_RUN = "it is not a pretraining run of carryover, whose losses are known"
ONLY_ENCODER = "only the encoder is at hand; the losses are in the folder of its run"
ALONE = (
    "no other candidate was pretrained by the same loss with the same seed, batch and held-out images: there is "
    "nothing to compare with"
)


@dataclass(frozen=True)
class PretrainingTerms:
    """``gap``: held-out less training loss.  ``excess``: held-out loss less the least in ``family``, the names of the
    candidates (this one included) that were measured by the same loss on the same images.
    """

    train: Estimate
    held_out: Estimate
    gap: Estimate
    excess: Estimate
    objective: str | None = None
    family: tuple[str, ...] = ()


def pretraining_terms(candidates: Sequence[Candidate]) -> dict[str, PretrainingTerms]:
    """The terms of every candidate, by name; not applicable, with the reason, where it was not pretrained here."""
    families: dict[Any, list[Candidate]] = {}
    for candidate in candidates:
        if _losses(candidate) is not None:
            families.setdefault(_family(candidate), []).append(candidate)
    terms = {candidate.name: _missing(candidate) for candidate in candidates if _losses(candidate) is None}
    for members in families.values():
        names = tuple(one.name for one in members)
        for one, excess in zip(members, _excess(members), strict=True):
            losses = one.run.losses
            terms[one.name] = PretrainingTerms(
                losses.train,
                losses.held_out,
                independent_difference(losses.held_out, losses.train),
                excess,
                objective=one.run.record.objective.kind,
                family=names,
            )
    return terms


def _losses(candidate: Candidate) -> Any:
    return None if candidate.run is None else candidate.run.losses


def _missing(candidate: Candidate) -> PretrainingTerms:
    absent = Estimate.missing("not_applicable", NOT_A_RUN if candidate.run is None else ONLY_ENCODER)
    objective = None if candidate.run is None else candidate.run.record.objective.kind
    return PretrainingTerms(absent, absent, absent, absent, objective)


def _family(candidate: Candidate) -> tuple[Any, ...]:
    """What two runs must share for their held-out losses to be losses of the same thing, example by example.

    The batch counts because a contrastive loss of larger batches is another loss.
    """
    record, losses = candidate.run.record, candidate.run.losses
    if losses.held_out_hash is None:
        return ("nothing held out", candidate.name)
    loss = {key: value for key, value in asdict(record.objective).items() if key not in NETWORK_FIELDS}
    return (
        tuple(sorted(loss.items())),
        record.mean,
        record.std,
        losses.held_out_hash,
        losses.batch,
        losses.seed,
    )


def _excess(members: Sequence[Candidate]) -> list[Estimate]:
    held_out = members[0].run.losses.held_out
    if not held_out.ok:
        return [Estimate.missing(held_out.status, held_out.reason)] * len(members)
    if len(members) == 1:
        return [Estimate.missing("not_applicable", ALONE)]
    return excess_over_best(np.stack([one.run.losses.of_examples for one in members]))
