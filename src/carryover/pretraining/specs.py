"""What a pretraining config can say; keys are checked, defaults are left out of a run's id."""

from dataclasses import dataclass, field

from carryover._core.errors import InputError
from carryover.models.initial_scales import InitialScales
from carryover.objectives.regularizers import KINDS, Regularizer
from carryover.objectives.specs import ObjectiveSpec
from carryover.training.precision import Precision

SPEC_VERSION = 1


@dataclass(frozen=True)
class DataSpec:
    """[data] or [downstream]: images without labels. ``path``: whatever ``datasets.load_dataset`` reads.

    ``config`` names a subset of a hub data set that has several.  ``max_examples`` takes that many, drawn from the
    seed; ``where`` keeps rows by column values.  ``channels``: 3 repeats grey images as RGB; by default
    3 unless all images are grey.
    """

    path: str
    config: str | None = None
    split: str | None = None
    image: str | None = None
    where: dict[str, str] = field(default_factory=dict)
    max_examples: int | None = None
    channels: int | None = None

    def __post_init__(self) -> None:
        if self.max_examples is not None and self.max_examples < 1:
            raise InputError(f"max_examples must be >= 1, got {self.max_examples}")


@dataclass(frozen=True)
class TrainSpec:
    """[train]: steps and optimizer.  ``learning_rate`` is the peak; ``downstream_batch`` images enter the penalty.

    ``ema_decay``: the encoder is a moving average of the weights; 0: the last ones.  ``precision`` "bf16" computes in
    bfloat16 where that is safe.
    """

    steps: int = 1000
    batch_size: int = 256
    micro_batch: int | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 0
    final_learning_rate: float = 0.0
    clip_norm: float = 0.0
    downstream_batch: int = 64
    ema_decay: float = 0.0
    precision: Precision = "no"

    def __post_init__(self) -> None:
        for name in ("batch_size", "downstream_batch"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be >= 1, got {getattr(self, name)}")
        if not 0 <= self.warmup_steps <= self.steps:
            raise InputError(
                f"warmup_steps must lie in [0, steps] = [0, {self.steps}], got {self.warmup_steps}"
            )


@dataclass(frozen=True)
class PretrainSpec:
    """One run.  ``image_size`` resizes; ``held_out`` is the share of ``data`` kept to measure the pretraining loss on.

    ``scales`` multiply the random weights that training starts from: the encoder's, its early blocks', and the readout,
    which is whatever else the objective has (decoder, projector).
    ``mean`` and ``std`` per channel normalise pixels in [0, 1]; by default those of the training images.
    """

    data: DataSpec
    objective: ObjectiveSpec
    train: TrainSpec = field(default_factory=TrainSpec)
    regularizer: Regularizer = field(default_factory=Regularizer)
    downstream: DataSpec | None = None
    scales: InitialScales = field(default_factory=InitialScales)
    image_size: int | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    held_out: float = 0.1
    seed: int = 0

    def __post_init__(self) -> None:
        if not 0.0 <= self.held_out < 1.0:
            raise InputError(f"held_out must lie in [0, 1), got {self.held_out:g}")
        if self.regularizer.needs_images and self.downstream is None:
            raise InputError(
                f"regularizer {self.regularizer.kind!r} looks at unlabelled downstream images: give [downstream] path"
            )
        if self.regularizer.kind == "none" and self.regularizer.strength > 0.0:
            raise InputError(
                f"regularizer strength {self.regularizer.strength:g} has nothing to multiply: give its kind, one of "
                f"{', '.join(KINDS[1:])}"
            )
        if self.regularizer.view == "masked" and self.objective.kind != "mae":
            raise InputError(
                "regularizer view 'masked' looks at visible patches only, as objective 'mae' does, "
                f"not {self.objective.kind!r}: use view 'whole'"
            )
        if (self.mean is None) != (self.std is None):
            raise InputError("mean and std go together: give both or neither")
