"""A folder of a pretraining run as a candidate: its encoder with the preprocessing that it was trained with."""

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from typing import TYPE_CHECKING

from carryover._core.errors import InputError
from carryover.diagnosis.specs import ModelSpec

if TYPE_CHECKING:
    from carryover.models.preprocessing import Preprocessing
    from carryover.models.records import LoadedModel
    from carryover.objectives.finished import FinishedRun
    from carryover.objectives.saved import EncoderRecord

_STATED_BY_THE_RUN = ("weights", "image_size", "mean", "std", "arguments")


def names_a_run(spec: ModelSpec) -> bool:
    """Whether ``spec.path`` is a folder that a pretraining run wrote."""
    if spec.path is None:
        return False
    from carryover.objectives.finished import is_run

    return is_run(spec.path)


def load_pretrained(name: str, spec: ModelSpec) -> "tuple[LoadedModel, FinishedRun]":
    """The run in ``spec.path`` and its encoder as a model: its objective's features, or a submodule's output.

    Pixels are normalised by the encoder itself, so that the preprocessing only sizes and scales them.
    Raises InputError, starting with the model's name, for a run that cannot be opened and for what a run states itself.
    """
    from carryover.objectives.finished import open_run

    given = [key for key in _STATED_BY_THE_RUN if getattr(spec, key)]
    try:
        if given:
            raise InputError(
                f"{spec.path} is a pretraining run, which states its own weights, image size and normalisation: leave "
                f"out {' and '.join(given)}"
            )
        run = open_run(spec.path)
        return _as_model(name, spec.layer, run), run
    except InputError as error:
        raise InputError(f"model {name!r}: {error}") from error


def normalisation_sentence(record: "EncoderRecord") -> str:
    """What the encoder does to the scaled pixels."""
    pairs = ", ".join(
        f"(x - {mean:.4g}) / {std:.4g}" for mean, std in zip(record.mean, record.std, strict=True)
    )
    return f"The encoder itself then normalises each channel: {pairs}."


def _as_model(name: str, layer: str, run: "FinishedRun") -> "LoadedModel":
    from carryover.models.readout import FeatureFunction, average_positions, named_layer
    from carryover.models.records import LoadedModel
    from carryover.models.weights import hash_weights

    objective = run.encoder.objective
    if layer == "pooled":
        words = (
            "the mean of its patch tokens" if run.record.objective.kind == "mae" else "the encoder's output"
        )
        read_out = FeatureFunction(run.encoder, average_positions, words)
    else:
        read_out = named_layer(objective, layer, run=run.encoder)
    n_parameters = sum(weight.numel() for weight in objective.encoder.parameters())
    kind = run.record.objective.kind.replace("_", " ")
    return LoadedModel(
        name=name,
        kind="pretrained",
        module=run.encoder,
        read_out=read_out,
        preprocessing=_preprocessing(run.record),
        layer=layer,
        description=(
            f"{type(objective.encoder).__name__} pretrained by run {run.record.run_id[:8]}, objective {kind} "
            f"({n_parameters:,} parameters); the features are {read_out.words}."
        ),
        weights_hash=hash_weights(run.encoder),
        architecture_hash=_architecture_hash(run),
        n_parameters=n_parameters,
        notes=(f"Pretrained with {_regularizer_words(run.record)}.",),
    )


def _preprocessing(record: "EncoderRecord") -> "Preprocessing":
    """As the run's own images were read: resized until they cover the size, cropped about the centre, bicubic."""
    from carryover.models.preprocessing import Preprocessing

    size = record.size
    if size.height == size.width:
        fit = {"shortest_edge": size.height, "crop_size": (size.height, size.width)}
    else:
        fit = {"image_size": (size.height, size.width)}
    return Preprocessing(**fit, resize_mode="bicubic", channels=size.channels)


def _regularizer_words(record: "EncoderRecord") -> str:
    kind, strength = record.regularizer.kind, record.regularizer.strength
    return "no regulariser" if kind == "none" else f"the regulariser {kind}, strength {strength:g}"


def _architecture_hash(run: "FinishedRun") -> str:
    """Of the network's structure and the versions of the code around it; weights and normalisation are hashed apart."""
    from carryover import __version__

    stated = {
        "objective": asdict(run.record.objective),
        "size": asdict(run.record.size),
        "network": repr(run.encoder),
        "versions": [__version__, version("torch"), version("transformers")],
    }
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()
