"""Which numbers of a transformers vision model are its features."""

import inspect
from typing import Any

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.models.readout import FeatureFunction, average_positions, class_token, named_layer
from carryover.models.transformers_models import TransformersModel

CLASS_TOKENS = {"cls_token", "class_embedding"}


def read_transformers(loaded: TransformersModel, layer: str) -> FeatureFunction:
    """How to read ``layer`` off the network.

    ``"pooled"``: the pooler's output where the checkpoint has a trained pooler, else the mean over patch tokens
    (class and register tokens excluded) or over space; ``"cls"``: the class token after the last layer; else a
    submodule.  The head's logits come along where the checkpoint has a trained head with >= 2 classes.
    """
    module = loaded.module
    base = getattr(module, "base_model", module)
    watched = None if base is module else base
    run = _run_function(module)
    has_head = watched is not None and not any("classifier" in key for key in loaded.missing)
    logits = _logits if has_head and getattr(loaded.config, "num_labels", 0) > 1 else None
    if layer == "pooled":
        return _pooled(loaded, base, run=run, watched=watched, logits=logits)
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


def _pooled(
    loaded: TransformersModel, base: nn.Module, *, run: Any, watched: Any, logits: Any
) -> FeatureFunction:
    untrained = any("pooler" in key.split(".") for key in loaded.missing)
    if getattr(base, "pooler", None) is not None and not untrained:
        return FeatureFunction(run, _pooler_output, "the pooler's output", watched=watched, logits=logits)
    n_special = _count_special_tokens(base, loaded.config)

    def mean_of_patches(output: Any) -> Tensor:
        tokens = getattr(output, "last_hidden_state", output)
        if isinstance(tokens, Tensor) and tokens.ndim == 3:
            tokens = tokens[:, n_special:]
        return average_positions(tokens)

    reason = "the checkpoint has no trained pooler"
    return FeatureFunction(
        run,
        mean_of_patches,
        f"the mean over patches of the last layer ({reason})",
        watched=watched,
        logits=logits,
    )


def _pooler_output(output: Any) -> Tensor:
    pooled = getattr(output, "pooler_output", None)
    if pooled is None:
        raise InputError("the network gives no pooler output: name a layer")
    return pooled.flatten(1)


def _logits(output: Any) -> Tensor | None:
    return getattr(output, "logits", None)


def _has_class_token(base: nn.Module) -> bool:
    return any(name.split(".")[-1] in CLASS_TOKENS for name, _ in base.named_parameters())


def _count_special_tokens(base: nn.Module, config: Any) -> int:
    """Tokens before the patches: class, distillation and register tokens."""
    parameters = {name.split(".")[-1] for name, _ in base.named_parameters()}
    named = bool(parameters & CLASS_TOKENS) + ("distillation_token" in parameters)
    return named + (getattr(config, "num_register_tokens", 0) or 0)
