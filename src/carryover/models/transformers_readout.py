"""Which numbers of a transformers vision model are its features."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.preprocessing import Preprocessing
from carryover.models.readout import FeatureFunction, average_positions, class_token, named_layer
from carryover.models.transformers_models import TransformersModel

CLASS_TOKENS = {"cls_token", "class_embedding"}
DEFAULT_SIDE = 224
"""Side of the blank image where neither the checkpoint nor the user states a size."""


def read_transformers(
    loaded: TransformersModel, layer: str, *, preprocessing: Preprocessing
) -> FeatureFunction:
    """How to read ``layer`` off the network.

    ``"pooled"``: ``pooler_output`` where the network gives one and the checkpoint has its weights, else the mean
    over patch tokens (class and register tokens excluded) or over space; one blank image is run to see which.
    ``"cls"``: the class token after the last layer; else a submodule.  The head's logits come along where the
    checkpoint has a trained head with >= 2 classes.
    """
    module = loaded.module
    base = getattr(module, "base_model", module)
    watched = None if base is module else base
    run = _run_function(module)
    has_head = watched is not None and not any("classifier" in key for key in loaded.missing)
    logits = _logits if has_head and getattr(loaded.config, "num_labels", 0) > 1 else None
    if layer == "pooled":
        if _has_trained_pooler(
            loaded, preprocessing, FeatureFunction(run, _pooler_output, "", watched=watched)
        ):
            words = "the network's own pooled output"
            return FeatureFunction(run, _pooler_output, words, watched=watched, logits=logits)
        words = (
            "the mean over patch tokens (or space) of the last layer (the checkpoint has no trained pooler)"
        )
        mean = _mean_of_patches(_count_special_tokens(base, loaded.config))
        return FeatureFunction(run, mean, words, watched=watched, logits=logits)
    if layer == "cls":
        if not _has_class_token(base):
            raise InputError(
                f"{type(module).__name__} has no class token: take layer 'pooled' or a submodule's name"
            )
        return FeatureFunction(
            run, class_token, "the class token after the last layer", watched=watched, logits=logits
        )
    return named_layer(module, layer, run=run, logits=logits)


def _run_function(module: nn.Module) -> Any:
    if "noise" not in inspect.signature(module.forward).parameters:
        return lambda batch: module(pixel_values=batch)
    # Masked autoencoders shuffle patches by random noise: increasing noise keeps them in order, with no draw.
    n_patches = module.embeddings.patch_embeddings.num_patches

    def run_in_order(batch: Tensor) -> Any:
        order = torch.linspace(0, 1, n_patches, device=batch.device)
        return module(pixel_values=batch, noise=order.expand(len(batch), -1))

    return run_in_order


def _has_trained_pooler(loaded: TransformersModel, preprocessing: Preprocessing, peek: Any) -> bool:
    if any("pooler" in key.split(".") for key in loaded.missing):
        return False
    height, width = preprocessing.image_size or preprocessing.crop_size or (DEFAULT_SIDE, DEFAULT_SIDE)
    blank = torch.zeros(1, getattr(loaded.config, "num_channels", 3), height, width)
    loaded.module.eval()
    with torch.inference_mode():
        _, output = peek.run_and_take(blank)
    return getattr(output, "pooler_output", None) is not None


def _mean_of_patches(n_special: int) -> Callable[[Any], Tensor]:
    def mean(output: Any) -> Tensor:
        tokens = getattr(output, "last_hidden_state", output)
        if isinstance(tokens, Tensor) and tokens.ndim == 3:
            tokens = tokens[:, n_special:]
        return average_positions(tokens)

    return mean


def _pooler_output(output: Any) -> Tensor:
    return output.pooler_output.flatten(1)


def _logits(output: Any) -> Tensor | None:
    return getattr(output, "logits", None)


def _has_class_token(base: nn.Module) -> bool:
    return any(name.split(".")[-1] in CLASS_TOKENS for name, _ in base.named_parameters())


def _count_special_tokens(base: nn.Module, config: Any) -> int:
    """Tokens before the patches: class, distillation and register tokens."""
    parameters = {name.split(".")[-1] for name, _ in base.named_parameters()}
    named = bool(parameters & CLASS_TOKENS) + ("distillation_token" in parameters)
    return named + (getattr(config, "num_register_tokens", 0) or 0)
