"""The preprocessing that a transformers checkpoint states in ``preprocessor_config.json``, applied by ours.

transformers' fast image processors need torchvision; the file says all that is needed.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from carryover._core.errors import InputError
from carryover.models.preprocessing import Preprocessing

PILLOW_MODES = {0: "nearest", 2: "bilinear", 3: "bicubic"}


def read_image_processor(stated: Mapping[str, Any]) -> Preprocessing:
    """A Preprocessing from the entries of ``preprocessor_config.json`` (do_*, size, crop_size, crop_pct, ...).

    A size that is one number means a square, or the shorter side where a central crop follows; ``crop_pct``
    means, below 384, a shorter side of size / crop_pct followed by a crop to size.  Raises InputError for a
    resampling filter that is not nearest, bilinear or bicubic.
    """
    result = _resizing(stated) if stated.get("do_resize", True) else Preprocessing()
    if stated.get("do_center_crop", False) and stated.get("crop_size") is not None:
        result = replace(result, crop_size=_pair(stated["crop_size"]))
    rescale = float(stated.get("rescale_factor", 1 / 255)) if stated.get("do_rescale", True) else 1.0
    result = replace(result, rescale=rescale)
    if stated.get("do_normalize", True) and stated.get("image_mean") is not None:
        result = replace(
            result, mean=_channels(stated["image_mean"]), std=_channels(stated.get("image_std", 1.0))
        )
    return result


def _resizing(stated: Mapping[str, Any]) -> Preprocessing:
    mode = PILLOW_MODES.get(stated.get("resample", 2))
    if mode is None:
        raise InputError(
            f"preprocessor_config.json asks for the Pillow filter {stated['resample']}: 0 (nearest), 2 (bilinear) "
            "and 3 (bicubic) are available; change it in the file"
        )
    size = stated.get("size")
    if size is None:
        return Preprocessing(resize_mode=mode)
    edge = size.get("shortest_edge") if isinstance(size, Mapping) else None
    if edge is not None and stated.get("crop_pct") is not None:
        if edge >= 384:
            return Preprocessing(image_size=(edge, edge), resize_mode=mode)
        larger = int(edge / stated["crop_pct"])
        return Preprocessing(shortest_edge=larger, crop_size=(edge, edge), resize_mode=mode)
    if edge is None and isinstance(size, int) and stated.get("do_center_crop", False):
        edge = size
    if edge is not None:
        return Preprocessing(shortest_edge=int(edge), resize_mode=mode)
    return Preprocessing(image_size=_pair(size), resize_mode=mode)


def _pair(size: Any) -> tuple[int, int]:
    if isinstance(size, Mapping):
        if "height" not in size or "width" not in size:
            raise InputError(f"preprocessor_config.json: a size needs height and width, got {dict(size)}")
        return int(size["height"]), int(size["width"])
    return (int(size[0]), int(size[1])) if isinstance(size, list | tuple) else (int(size), int(size))


def _channels(values: Any) -> tuple[float, ...]:
    return tuple(map(float, values)) if isinstance(values, list | tuple) else (float(values),)
