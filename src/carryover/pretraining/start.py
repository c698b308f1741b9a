"""The objective that a run begins with: random weights from its seed, multiplied by the initial scales."""

from carryover.models.initial_scales import cancellation_warning, cancelled_scales, scale_weights
from carryover.objectives.base import Objective
from carryover.objectives.building import build_objective
from carryover.pretraining.data import RunData
from carryover.pretraining.specs import PretrainSpec

_TRIED = 64


def new_objective(spec: PretrainSpec, data: RunData) -> Objective:
    """The objective of ``spec`` for the run's images, on their device, with the weights it starts from."""
    objective = build_objective(spec.objective, data.train.size, mean=data.mean, std=data.std, seed=spec.seed)
    scale_weights(objective, objective.encoder, spec.scales)
    return objective.to(data.train.pixels.device)


def scale_notes(spec: PretrainSpec, data: RunData) -> list[str]:
    """A sentence that names layers whose scale a normalisation cancels, where there are such."""
    objective = build_objective(
        spec.objective, data.train.size, mean=data.mean, std=data.std, seed=spec.seed
    ).to(data.train.pixels.device)
    changed = scale_weights(objective, objective.encoder, spec.scales)
    images = data.train.pixels[:_TRIED].float() / 255.0
    found = cancelled_scales(objective, objective.encoder, images, features=objective.encode, changed=changed)
    sentence = cancellation_warning(found)
    return [] if sentence is None else [sentence]
