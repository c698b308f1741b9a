"""What a pretraining config can say; keys are checked, defaults are left out of a run's id."""

from dataclasses import dataclass, field
from typing import Literal

from carryover._core.errors import InputError
from carryover.models.encoders import ENCODERS
from carryover.objectives.regularizers import Regularizer

SPEC_VERSION = 1
ObjectiveKind = Literal["mae", "context_encoder", "denoising", "simclr", "spectral"]
OBJECTIVES = ("mae", "context_encoder", "denoising", "simclr", "spectral")


@dataclass(frozen=True)
class DataSpec:
    """[data] or [downstream]: images without labels. ``path``: whatever ``datasets.load_dataset`` reads.

    ``max_examples`` takes that many, drawn from the seed; ``where`` keeps rows by column values.
    """

    path: str
    split: str | None = None
    image: str | None = None
    where: dict[str, str] = field(default_factory=dict)
    max_examples: int | None = None


@dataclass(frozen=True)
class ObjectiveSpec:
    """[objective]: what is predicted, and with which network.

    - every kind: ``encoder`` (one of ``ENCODERS``; for "mae" always a ViT) and its ``width``
    - "mae": ``patch_size``, ``depth``, ``heads``, ``decoder_width``, ``decoder_depth``, ``decoder_heads``,
      ``mask_ratio``, ``mask_strategy``, ``normalize_patches``
    - "context_encoder": ``region`` (side in pixels), ``decoder_hidden``
    - "denoising": ``noise_std``, ``decoder_hidden``
    - "simclr", "spectral": ``projection``, ``temperature``, ``least_area``, ``flip``, ``jitter``, ``grey``
    """

    kind: ObjectiveKind
    encoder: str = "convolutional"
    width: int = 64
    patch_size: int = 4
    depth: int = 12
    heads: int = 3
    decoder_width: int = 128
    decoder_depth: int = 4
    decoder_heads: int = 4
    mask_ratio: float = 0.75
    mask_strategy: Literal["patch", "block"] = "patch"
    normalize_patches: bool = True
    region: int = 0
    noise_std: float = 0.5
    decoder_hidden: int = 256
    projection: int = 128
    temperature: float = 0.5
    least_area: float = 0.2
    flip: float = 0.5
    jitter: float = 0.4
    grey: float = 0.2

    def __post_init__(self) -> None:
        if self.kind not in OBJECTIVES:
            raise InputError(f"objective kind must be one of {OBJECTIVES}, got {self.kind!r}")
        if self.kind != "mae" and self.encoder not in ENCODERS:
            raise InputError(f"objective encoder must be one of {tuple(ENCODERS)}, got {self.encoder!r}")


@dataclass(frozen=True)
class TrainSpec:
    """[train]: steps and optimizer.  ``learning_rate`` is the peak; ``downstream_batch`` images enter the penalty."""

    steps: int = 1000
    batch_size: int = 256
    micro_batch: int | None = None
    learning_rate: float = 1e-3
    weight_decay: float = 0.05
    warmup_steps: int = 0
    final_learning_rate: float = 0.0
    clip_norm: float = 0.0
    downstream_batch: int = 64


@dataclass(frozen=True)
class PretrainSpec:
    """One run.  ``image_size`` resizes; ``held_out`` is the share of ``data`` kept to measure the pretraining loss on.

    ``mean`` and ``std`` per channel normalise pixels in [0, 1]; by default those of the training images.
    """

    data: DataSpec
    objective: ObjectiveSpec
    train: TrainSpec = field(default_factory=TrainSpec)
    regularizer: Regularizer = field(default_factory=Regularizer)
    downstream: DataSpec | None = None
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
        if (self.mean is None) != (self.std is None):
            raise InputError("mean and std go together: give both or neither")
