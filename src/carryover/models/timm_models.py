"""Networks by timm name, through the extra ``carryover[timm]``."""

import hashlib
from pathlib import Path
from typing import Any

from torch import nn

from carryover._core.errors import InputError, did_you_mean
from carryover.models.preprocessing import Preprocessing
from carryover.models.seeding import seeded_torch


def build_timm(name: str, weights: Path | None, *, seed: int) -> tuple[nn.Module, Preprocessing, str]:
    """A timm network (pretrained by timm where no weights file is given), its preprocessing, its code's hash.

    Raises InputError where timm is not installed, has no such name, or cannot fetch the weights.
    """
    timm = _import_timm()
    architecture = name.split(".")[0].removeprefix("timm/")
    if not name.startswith("hf-hub:") and not timm.is_model(architecture):
        raise InputError(f"timm has no model {name!r}; {did_you_mean(architecture, timm.list_models())}")
    try:
        with seeded_torch(seed):
            module = timm.create_model(name, pretrained=weights is None)
    except Exception as error:
        raise InputError(f"timm could not make {name!r}: {type(error).__name__}: {error}") from error
    text = f"timm {timm.__version__} {name}"
    return (
        module,
        _preprocessing(timm.data.resolve_model_data_config(module)),
        hashlib.sha256(text.encode()).hexdigest(),
    )


def _import_timm() -> Any:
    try:
        import timm
        import timm.data
    except ImportError as error:
        raise InputError(
            "timm is not installed, which timm names need: pip install 'carryover[timm]'"
        ) from error
    return timm


def _preprocessing(stated: dict[str, Any]) -> Preprocessing:
    """timm's evaluation transform: shorter side to size / crop_pct, central crop, normalisation."""
    channels, height, width = stated["input_size"]
    mode = (
        stated["interpolation"]
        if stated["interpolation"] in ("nearest", "bilinear", "bicubic")
        else "bicubic"
    )
    return Preprocessing(
        shortest_edge=int(min(height, width) / stated["crop_pct"]),
        crop_size=(height, width),
        resize_mode=mode,
        mean=tuple(stated["mean"]),
        std=tuple(stated["std"]),
        channels=channels if channels in (1, 3) else None,
    )
