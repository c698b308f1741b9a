"""What a user asks for (:class:`ModelSource`) and what loading gives (:class:`LoadedModel`)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.preprocessing import Preprocessing

Kind = Literal["transformers", "factory", "timm", "baseline", "pretrained"]


@dataclass(frozen=True)
class ModelSource:
    """Where a network comes from and which of its features to take.

    Exactly one of ``path`` (a folder or hub id in transformers format), ``factory`` (``file.py:function`` or
    ``package.module:function`` returning an ``nn.Module``) and ``timm`` (a timm name) is given; ``weights`` is
    a .safetensors, .pt, .pth or .th file for the last two.  ``layer`` is ``"pooled"``, ``"cls"``, the name of a
    submodule (its output is averaged over positions) or that name followed by ``:flatten``.  ``image_size``,
    ``mean`` and ``std`` override what the checkpoint says; ``seed`` draws initial weights that no file gives.
    """

    name: str
    path: str | Path | None = None
    factory: str | None = None
    timm: str | None = None
    weights: str | Path | None = None
    layer: str = "pooled"
    image_size: int | tuple[int, int] | None = None
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None
    factory_arguments: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0

    def __post_init__(self) -> None:
        given = [key for key in ("path", "factory", "timm") if getattr(self, key) is not None]
        if len(given) != 1:
            raise InputError(
                f"model {self.name!r} needs exactly one of path, factory and timm, "
                f"got {' and '.join(given) if given else 'none'}"
            )
        if self.path is not None and self.weights is not None:
            raise InputError(
                f"model {self.name!r}: weights go with a factory or a timm name; a folder in transformers format "
                "holds its own"
            )
        if self.factory_arguments and self.factory is None:
            raise InputError(f"model {self.name!r}: factory_arguments go with a factory")
        if not self.layer:
            raise InputError(f"model {self.name!r}: layer must be 'pooled', 'cls' or the name of a submodule")


@dataclass(frozen=True)
class Readout:
    """What one forward pass gives: features (n, d), and logits (n, k) of the source head where there is one."""

    features: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True)
class LoadedModel:
    """A frozen network, which of its features are taken, and what was done to get there.

    ``read_out`` maps preprocessed floats (n, c, h, w) to a :class:`Readout`.  ``weights_hash`` is the sha256 of
    the tensors (names, dtypes, shapes, bytes), ``architecture_hash`` that of the code and structure around them.
    ``notes`` are sentences for the report: what was renamed, left out or assumed.
    """

    name: str
    kind: Kind
    module: nn.Module
    read_out: Callable[[Tensor], Readout]
    preprocessing: Preprocessing
    layer: str
    description: str
    weights_hash: str
    architecture_hash: str
    n_parameters: int
    has_source_head: bool = False
    notes: tuple[str, ...] = ()

    def source_probabilities(self, batch: Tensor) -> Tensor | None:
        """Softmax (n, k) of the classification head the network came with; None without one."""
        logits = self.read_out(batch).logits
        return None if logits is None else torch.softmax(logits.double(), dim=1)
