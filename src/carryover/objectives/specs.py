"""Which objective is meant, as data: what a config says, what a run stores and what its encoder is rebuilt from."""

from dataclasses import dataclass
from typing import Literal

from carryover._core.errors import InputError
from carryover.models.encoders import ENCODERS

ObjectiveKind = Literal["mae", "context_encoder", "denoising", "simclr", "spectral", "curl"]
OBJECTIVES = ("mae", "context_encoder", "denoising", "simclr", "spectral", "curl")


@dataclass(frozen=True)
class ObjectiveSpec:
    """[objective]: what is predicted, and with which network.

    - every kind: ``encoder`` (one of ``ENCODERS``; for "mae" always a ViT) and its ``width``
    - "mae": ``patch_size``, ``depth``, ``heads``, ``decoder_width``, ``decoder_depth``, ``decoder_heads``,
      ``mask_ratio``, ``mask_strategy``, ``normalize_patches``
    - "context_encoder": ``region`` (side in pixels), ``decoder_hidden``
    - "denoising": ``noise_std``, ``decoder_hidden``
    - "simclr", "spectral", "curl": ``projection`` (its width; 0: the loss looks at the features themselves),
      ``least_area``, ``flip``, ``jitter``, ``grey``; "simclr" also ``temperature``
    - "curl": ``negatives`` for each image, ``block`` (views a mean is taken over), ``curl_loss``
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
    negatives: int = 1
    block: int = 1
    curl_loss: Literal["hinge", "logistic"] = "logistic"

    def __post_init__(self) -> None:
        if self.kind not in OBJECTIVES:
            raise InputError(f"objective kind must be one of {OBJECTIVES}, got {self.kind!r}")
        if self.kind != "mae" and self.encoder not in ENCODERS:
            raise InputError(f"objective encoder must be one of {tuple(ENCODERS)}, got {self.encoder!r}")
        if self.projection < 0:
            raise InputError(f"objective projection must be >= 0, got {self.projection}")
