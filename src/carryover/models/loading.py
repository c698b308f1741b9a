"""From what a user names to a frozen network with declared features: the one door for models."""

import hashlib
import json
from dataclasses import replace
from pathlib import Path

from torch import nn

from carryover._core.errors import InputError
from carryover.models.factories import build_module
from carryover.models.plain_modules import find_head, input_channels, read_plain_module
from carryover.models.preprocessing import Preprocessing
from carryover.models.readout import FeatureFunction
from carryover.models.records import Kind, LoadedModel, ModelSource, Readout
from carryover.models.timm_models import build_timm
from carryover.models.weights import WeightsFit, check_finite, fit_weights, hash_weights, read_weights

__all__ = ["LoadedModel", "ModelSource", "Readout", "load_model"]


def load_model(spec: ModelSource) -> LoadedModel:
    """The network that ``spec`` names, in evaluation mode and without gradients, its weights accounted for.

    Raises InputError, starting with the model's name, for whatever cannot be loaded safely and wholly: files
    that are missing, damaged or hold more than tensors, NaN or infinite weights, keys that do not fit, a factory
    or layer that is not there, a network that takes no images.
    """
    try:
        if spec.path is not None:
            return _from_transformers(spec)
        return _from_factory(spec) if spec.factory is not None else _from_timm(spec)
    except InputError as error:
        raise InputError(f"model {spec.name!r}: {error}") from error


def _from_transformers(spec: ModelSource) -> LoadedModel:
    from carryover.models.transformers_models import load_transformers
    from carryover.models.transformers_readout import read_transformers

    loaded = load_transformers(spec.path)
    preprocessing = _override(loaded.preprocessing, spec)
    return _assemble(
        spec,
        "transformers",
        module=loaded.module,
        read_out=read_transformers(loaded, spec.layer, preprocessing=preprocessing),
        preprocessing=preprocessing,
        origin=f"{type(loaded.module).__name__} from {spec.path}",
        architecture_hash=loaded.architecture_hash,
        notes=loaded.notes,
    )


def _from_factory(spec: ModelSource) -> LoadedModel:
    module, source_hash = build_module(spec.factory, spec.factory_arguments, seed=spec.seed)
    fit = _load_weights(module, spec)
    arguments = json.dumps(dict(spec.factory_arguments), sort_keys=True, default=str)
    function = spec.factory.rpartition(":")[2]
    architecture = "\n".join([source_hash, function, arguments, repr(module)])
    preprocessing = _override(Preprocessing(channels=input_channels(module)), spec)
    return _assemble(
        spec,
        "factory",
        module=module,
        read_out=read_plain_module(module, spec.layer, use_head=fit.has_head),
        preprocessing=preprocessing,
        origin=f"{type(module).__name__} from {spec.factory}, {_words_for_weights(spec)}",
        architecture_hash=hashlib.sha256(architecture.encode()).hexdigest(),
        notes=fit.notes,
    )


def _from_timm(spec: ModelSource) -> LoadedModel:
    weights = None if spec.weights is None else Path(spec.weights).expanduser()
    module, preprocessing, architecture_hash = build_timm(spec.timm, weights, seed=spec.seed)
    fit = _load_weights(module, spec)
    return _assemble(
        spec,
        "timm",
        module=module,
        read_out=read_plain_module(module, spec.layer, use_head=fit.has_head),
        preprocessing=_override(preprocessing, spec),
        origin=f"{spec.timm} from timm, {_words_for_weights(spec)}",
        architecture_hash=architecture_hash,
        notes=fit.notes,
    )


def _load_weights(module: nn.Module, spec: ModelSource) -> WeightsFit:
    if spec.weights is None:
        check_finite(module.state_dict(), "the network as built")
        return WeightsFit(has_head=find_head(module) is not None)
    path = Path(spec.weights).expanduser()
    state, notes = read_weights(path)
    fit = fit_weights(module, state, str(path))
    return replace(fit, notes=(*notes, *fit.notes))


def _words_for_weights(spec: ModelSource) -> str:
    if spec.weights is not None:
        return f"weights {Path(spec.weights).name}"
    return "timm's weights" if spec.timm else f"weights as the factory made them (seed {spec.seed})"


def _override(preprocessing: Preprocessing, spec: ModelSource) -> Preprocessing:
    """What the user states wins over what the checkpoint states; a stated size replaces resize and crop."""
    if spec.image_size is not None:
        size = (spec.image_size,) * 2 if isinstance(spec.image_size, int) else tuple(spec.image_size)
        preprocessing = replace(preprocessing, image_size=size, shortest_edge=None, crop_size=None)
    if spec.mean is not None or spec.std is not None:
        mean, std = tuple(spec.mean or ()) or None, tuple(spec.std or ()) or None
        preprocessing = replace(preprocessing, mean=mean, std=std)
    return preprocessing


def _assemble(
    spec: ModelSource,
    kind: Kind,
    *,
    module: nn.Module,
    read_out: FeatureFunction,
    preprocessing: Preprocessing,
    origin: str,
    architecture_hash: str,
    notes: tuple[str, ...],
) -> LoadedModel:
    module.eval().requires_grad_(False)
    if preprocessing.mean is None:
        notes = (*notes, "No mean and std are stated: pixels are scaled but not normalised.")
    n_parameters = sum(parameter.numel() for parameter in module.parameters())
    return LoadedModel(
        name=spec.name,
        kind=kind,
        module=module,
        read_out=read_out,
        preprocessing=preprocessing,
        layer=spec.layer,
        description=f"{origin} ({n_parameters:,} parameters); the features are {read_out.words}.",
        weights_hash=hash_weights(module),
        architecture_hash=architecture_hash,
        n_parameters=n_parameters,
        has_source_head=read_out.logits is not None,
        notes=notes,
    )
