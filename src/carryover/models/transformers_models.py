"""Checkpoints in transformers format, from a local folder or the hub, with no code of the checkpoint's own run."""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.models.image_processors import read_image_processor
from carryover.models.preprocessing import Preprocessing
from carryover.models.seeding import seeded_torch
from carryover.models.weights import check_finite, misfit, shorten

NOT_FOR_FEATURES = ("pooler", "classifier", "head", "fc", "mask_token")
"""Parts that may be missing from a checkpoint: the features are then taken without them."""

NO_PIXELS = "extract the features yourself and give a features file (.npz, .npy, .safetensors or .parquet)"


@dataclass(frozen=True)
class TransformersModel:
    """A loaded network, what its checkpoint lacked, and the preprocessing it states."""

    module: nn.Module
    config: Any
    preprocessing: Preprocessing
    missing: frozenset[str]
    notes: tuple[str, ...]
    architecture_hash: str


def load_transformers(path: str | Path) -> TransformersModel:
    """Load a folder or hub id: the network with its classification head where the checkpoint names one.

    Weights are safetensors, or .bin read as tensors only; code that comes with a checkpoint is never run.
    Raises InputError for a folder without config.json, an architecture that transformers lacks or that takes no
    ``pixel_values``, damaged or non-finite weights, and keys that do not fit (listed).
    """
    place = _check_place(path)
    with quiet_transformers():
        config = _load_config(place)
        loader, config = _choose_loader(config, place)
        module, info = _load_module(loader, place, config)
        preprocessing, preprocessing_note = _load_preprocessing(place, config)
    notes = _check_keys(module, info, place)
    check_finite(module.state_dict(), place)
    if preprocessing_note:
        notes = (*notes, preprocessing_note)
    missing = frozenset(info["missing_keys"])
    return TransformersModel(
        module, config, preprocessing, missing, notes, _hash_architecture(module, config)
    )


def _check_place(path: str | Path) -> str:
    """The path as transformers wants it; a local folder must hold config.json."""
    text = str(path)
    folder = Path(text).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            there = shorten(sorted(entry.name for entry in folder.iterdir())) or "nothing"
            raise InputError(
                f"{folder} has no config.json, so it is not in transformers format; it holds {there}"
            )
        return str(folder)
    if folder.is_file():
        raise InputError(
            f"{folder} is a file: path takes a folder in transformers format or a hub id. For one file of weights "
            "give factory = 'file.py:function' and weights = that file"
        )
    parent = folder.parent
    is_local = isinstance(path, Path) or text.startswith(("/", ".", "~")) or text.count("/") > 1
    if is_local or (parent != Path() and parent.is_dir()):
        there = sorted(entry.name for entry in parent.iterdir() if entry.is_dir()) if parent.is_dir() else []
        raise InputError(f"no folder {folder}; folders beside it: {shorten(there) or 'none'}")
    return text


@contextmanager
def quiet_transformers() -> Iterator[None]:
    """No progress bars and no load report on the terminal: what they say is in the notes and errors."""
    from transformers.utils import logging

    verbosity, progress = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if progress:
            logging.enable_progress_bar()


def _load_config(place: str) -> Any:
    from transformers import AutoConfig

    try:
        # False and not unset: unset would ask on the terminal whether to run the checkpoint's code.
        return AutoConfig.from_pretrained(place, trust_remote_code=False)
    except Exception as error:  # OSError, ValueError, KeyError, JSON and hub errors
        found = place if Path(place).exists() else f"there is no folder {place}; as a hub id it"
        raise InputError(f"{found} could not be read: {_first_sentences(error)}") from error


def _first_sentences(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return " ".join(lines[:2]) if lines else type(error).__name__


def _choose_loader(config: Any, place: str) -> tuple[Any, Any]:
    """The Auto class to load with, and the configuration (the vision half of a two-tower model)."""
    from transformers import AutoModel, AutoModelForImageClassification
    from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING, MODEL_MAPPING

    architectures = config.architectures or []
    classifies = any("ForImageClassification" in name for name in architectures)
    if classifies and type(config) in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING:
        return AutoModelForImageClassification, config
    network = _first_class(MODEL_MAPPING, config)
    if network is not None and network.main_input_name != "pixel_values":
        config = getattr(config, "vision_config", None)
        network = _first_class(MODEL_MAPPING, config)
    if network is None or network.main_input_name != "pixel_values":
        named = ", ".join(architectures) or "the architecture"
        raise InputError(f"{place}: {named} takes no pixel_values (images): {NO_PIXELS}")
    return AutoModel, config


def _first_class(mapping: Any, config: Any) -> Any:
    if config is None or type(config) not in mapping:
        return None
    found = mapping[type(config)]
    return found[0] if isinstance(found, tuple) else found


def _load_module(loader: Any, place: str, config: Any) -> tuple[nn.Module, dict[str, Any]]:
    if hasattr(config, "mask_ratio"):
        config.mask_ratio = 0.0  # masked autoencoders drop patches in training; features see them all
    try:
        with seeded_torch(0):  # parts that the checkpoint lacks must not differ between runs
            return loader.from_pretrained(
                place,
                config=config,
                dtype=torch.float32,
                ignore_mismatched_sizes=True,  # they are reported by _check_keys, with their shapes
                output_loading_info=True,
                trust_remote_code=False,
            )
    except Exception as error:  # safetensors, pickle, OS and hub errors
        raise InputError(
            f"the weights in {place} could not be read (damaged, missing, or not tensors only): "
            f"{_first_sentences(error)}"
        ) from error


def _check_keys(module: nn.Module, info: dict[str, Any], place: str) -> tuple[str, ...]:
    """Notes on heads left out; InputError where a part that makes the features does not fit.

    Keys outside the network's own parts (a decoder, a head of another task, a text tower) are left out; keys
    inside one of its parts, but unknown there, mean another architecture.
    """
    base = getattr(module, "base_model", module)
    parts = {name for network in (module, base) for name, _ in network.named_children()}
    prefix = getattr(module, "base_model_prefix", "")

    def own(key: str) -> str:
        return key.removeprefix(prefix + ".").split(".")[0]

    missing, unexpected = set(info["missing_keys"]), set(info["unexpected_keys"])
    spare = {key for key in missing if _is_not_for_features(key)}
    others = {key for key in unexpected if own(key) not in parts or _is_not_for_features(key)}
    mismatched = {key: (tuple(given), tuple(wanted)) for key, given, wanted in info["mismatched_keys"]}
    if (missing - spare) or (unexpected - others) or mismatched:
        raise InputError(
            misfit(place, missing=missing - spare, unexpected=unexpected - others, mismatched=mismatched)
        )
    notes = []
    if spare:
        notes.append(f"The checkpoint lacks {shorten(sorted(spare))}: the features are taken without them.")
    if others:
        notes.append(f"Parts of the checkpoint left out: {shorten(sorted({own(key) for key in others}))}.")
    return tuple(notes)


def _is_not_for_features(key: str) -> bool:
    return any(part in NOT_FOR_FEATURES for part in key.split("."))


def _load_preprocessing(place: str, config: Any) -> tuple[Preprocessing, str | None]:
    from transformers.utils import cached_file

    channels = getattr(config, "num_channels", None)
    channels = channels if channels in (1, 3) else None
    file = cached_file(place, "preprocessor_config.json", _raise_exceptions_for_missing_entries=False)
    if file is not None:
        try:
            stated = json.loads(Path(file).read_text())
        except (OSError, ValueError) as error:
            raise InputError(f"{place}: preprocessor_config.json could not be read: {error}") from error
        return replace(read_image_processor(stated), channels=channels), None
    size = getattr(config, "image_size", None)
    size = tuple(size) if isinstance(size, list | tuple) else (size, size) if size else None
    note = "The checkpoint has no preprocessor_config.json."
    return Preprocessing(image_size=size, channels=channels), note


def _hash_architecture(module: nn.Module, config: Any) -> str:
    import transformers

    stated = {key: value for key, value in config.to_dict().items() if not key.startswith("_")}
    text = json.dumps([type(module).__name__, transformers.__version__, stated], sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()
