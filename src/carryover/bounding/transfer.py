"""The transfer bound of pretraining runs as an estimate: its terms from a family of runs and the labelled features.

The downstream loss is the ramp of the multiclass margin at margin 1, clip(1 - m, 0, 1), for ridge heads on features
divided by the root mean square length of the training rows, with a constant feature 1.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover.bounding.case import Case
from carryover.bounding.entry import Entry, Row, missing
from carryover.bounds.heads import Head, fit_ridge_head, head_parameters
from carryover.bounds.rademacher import multiclass_margin, ramp_loss
from carryover.bounds.transfer import Conditions, TransferBoundEstimate, transfer_bound
from carryover.diagnosis.candidates import Candidate
from carryover.diagnosis.pretraining_terms import PretrainingTerms
from carryover.measures.heterogeneity import TotalVariation
from carryover.measures.probe import mean_loss_estimate
from carryover.measures.rademacher import RademacherComplexity, rademacher_complexity_from_blocks
from carryover.measures.transfer_envelope import MeasuredTransferability, measure_transferability
from carryover.measures.transfer_pairs import Lipschitz, TransferPair, transfer_pair
from carryover.measures.transferability import squared_score_error

NOT_A_RUN = (
    "only for a pretraining run of carryover are the pretraining losses known that the bound starts from"
)
NO_SAMPLE = "no sample of the pretraining data was given"


@dataclass(frozen=True)
class Pretrained:
    """A pretraining run as the transfer bound sees it; ``variation`` None without a sample of the pretraining data."""

    candidate: Candidate
    terms: PretrainingTerms
    case: Case
    variation: TotalVariation | None


@dataclass(frozen=True)
class _Probed:
    """A ridge head on a run's features: its parameters' norm, ramp losses of test (t,), complexity at the labels."""

    head: Head
    unit: float
    radius: float
    training_losses: Float[np.ndarray, " n"]
    test_losses: Float[np.ndarray, " t"]
    complexity: RademacherComplexity


def transfer_estimates(models: Sequence[tuple[Candidate, Case, TotalVariation | None]],
                       terms: Mapping[str, PretrainingTerms]) -> dict[str, Entry]:  # fmt: skip
    """The estimate for each model, by name; it does not apply to models without known pretraining losses."""
    runs = [Pretrained(one, terms[one.name], case, variation) for one, case, variation in models]
    known = {run.candidate.name: run for run in runs if run.terms.held_out.ok}
    probed = {name: _probe(run.case) for name, run in known.items()}
    found = {}
    for run in runs:
        name = run.candidate.name
        if name not in known:
            found[name] = missing(
                "transfer",
                NOT_A_RUN,
                confidence=run.case.confidence,
                kind="estimate",
                bounded=TransferBoundEstimate.estimated,
            )
        else:
            row = Row(
                "transfer",
                lambda run=run: _estimate(run, known, probed),
                "estimate",
                TransferBoundEstimate.estimated,
            )
            found[name] = row.entry(confidence=run.case.confidence)
    return found


def lipschitz_constant(n_classes: int) -> float:
    """Of the ramp loss in the scores: 1 in the one score of two classes, sqrt 2 in the 2-norm of several.

    >>> round(lipschitz_constant(10), 6)
    1.414214
    """
    return 1.0 if n_classes == 2 else math.sqrt(2)


def _probe(case: Case) -> _Probed:
    train, test = case.train.features, case.test.features
    unit = math.sqrt(float(np.einsum("ij,ij->", train, train)) / len(train)) or 1.0
    head = fit_ridge_head(train / unit, case.train.labels, n_classes=case.n_classes)
    # A hair above the head's own norm, so that rounding does not put the head outside its class.
    radius = (1 + 1e-6) * float(np.linalg.norm(head_parameters(head)))
    losses = [
        ramp_loss(multiclass_margin(rows / unit @ head[0].T + head[1], labels), margin=1.0)
        for rows, labels in ((train, case.train.labels), (test, case.test.labels))
    ]
    complexity = rademacher_complexity_from_blocks(
        [np.hstack([train / unit, np.ones((len(train), 1))])],
        n_outputs=1 if case.n_classes == 2 else case.n_classes,
        radius=max(radius, 1e-12),
        generator=derive_generator(case.seed, "transfer rademacher"),
    )
    return _Probed(head, unit, radius, *losses, complexity)


def _estimate(
    run: Pretrained, known: Mapping[str, Pretrained], probed: Mapping[str, _Probed]
) -> tuple[TransferBoundEstimate, Estimate]:
    own = probed[run.candidate.name]
    best = _best_of_family(run, known)
    case = run.case
    found = transfer_bound(
        _pair(run, best, known, probed),
        pretraining_excess=run.terms.excess,
        complexity=own.complexity,
        total_variation=run.variation or _no_variation(),
        residual=mean_loss_estimate(probed[best].test_losses, groups=case.test.groups),
        n=len(case.train),
        lipschitz=lipschitz_constant(case.n_classes),
        losses=own.training_losses,
        conditions=Conditions(
            independent_draws=_independent(case),
            representation_independent=case.known.without_train,
            complexity_at_labelled=True,
            # Pretraining saw masked, noisy or augmented images; the features compared here are of whole ones.
            same_view=False,
            # A ridge head minimises another loss than the ramp, and its norm was read off the labels.
            head_in_class=False,
        ),
        confidence=case.confidence,
    )
    risk = mean_loss_estimate(own.test_losses, groups=case.test.groups)
    reason = (
        "the least risk over all encoders and heads is not known; the head's own ramp loss on the test examples, which "
        f"its excess cannot exceed, is {risk.value:.3f}"
    )
    return found, Estimate.missing("not_applicable", reason)


def _independent(case: Case) -> bool | None:
    return False if case.train.has_groups else None


def _no_variation() -> TotalVariation:
    return TotalVariation(Estimate.missing("not_applicable", NO_SAMPLE), None, 0, 0, 0, NO_SAMPLE)


def _best_of_family(run: Pretrained, known: Mapping[str, Pretrained]) -> str:
    """The run of the family (this one included) with the least held-out loss: the best encoder at hand."""
    family = [name for name in run.terms.family if name in known]
    return min(family, key=lambda name: known[name].terms.held_out.value)


def _pair(
    run: Pretrained, best: str, known: Mapping[str, Pretrained], probed: Mapping[str, _Probed]
) -> TransferPair | MeasuredTransferability:
    """The derived constants where the decoder is linear and the head can be read through it, else measured ones."""
    derived = _derived_pair(known[best], run, probed)
    if derived is not None and derived.ok:
        return derived
    return measured_pair([known[name] for name in run.terms.family if name in known], best, probed)


def measured_pair(
    family: Sequence[Pretrained], best: str, probed: Mapping[str, _Probed]
) -> MeasuredTransferability:
    """(C, beta) over the runs of a family, downstream losses paired with those of its ``best``."""
    reference = probed[best].test_losses
    paired = [probed[one.candidate.name].test_losses - reference for one in family]
    return measure_transferability(
        np.array([one.terms.excess.value or 0.0 for one in family]),
        np.array([float(values.mean()) for values in paired]),
        pretraining_std_error=np.array([one.terms.excess.std_error or 0.0 for one in family]),
        downstream_std_error=np.array([values.std(ddof=1) / math.sqrt(len(values)) for values in paired]),
        generator=derive_generator(family[0].case.seed, "measured transferability"),
    )


def _derived_pair(best: Pretrained, run: Pretrained, probed: Mapping[str, _Probed]) -> TransferPair | None:
    """C = G R_u sqrt(p) and beta = 1/2 for a denoising loss, the mean over p pixels, with a linear decoder."""
    decoder, trained = _linear_decoder(best), _linear_decoder(run)
    if decoder is None or trained is None:
        return None
    there, here = probed[best.candidate.name], probed[run.candidate.name]
    error = squared_score_error(
        head_parameters(there.head),
        _on_unit(decoder, there.unit),
        weight=1 / len(decoder),
        head_radius=here.radius,
        trained_decoder=_on_unit(trained, here.unit),
    )
    return transfer_pair(error, Lipschitz(lipschitz_constant(run.case.n_classes)))


def _linear_decoder(run: Pretrained) -> Float[np.ndarray, "p d_and_1"] | None:
    """Weights and bias of a denoising autoencoder's decoder that is one linear layer; None for any other."""
    if (
        run.candidate.run.record.objective.kind != "denoising"
        or run.candidate.run.record.objective.decoder_hidden
    ):
        return None
    layer = run.candidate.run.encoder.objective.decoder[0]
    parts = (layer.weight.detach().numpy(), layer.bias.detach().numpy()[:, None])
    return np.hstack(parts).astype(np.float64)


def _on_unit(decoder: Float[np.ndarray, "p d_and_1"], unit: float) -> Float[np.ndarray, "p d_and_1"]:
    """The decoder on features divided by ``unit``."""
    return np.hstack([unit * decoder[:, :-1], decoder[:, -1:]])
