"""The candidate models, opened and checked before any long work starts."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from carryover._core.errors import InputError
from carryover.data.feature_files import FeatureFile, open_features
from carryover.diagnosis.pretrained import load_pretrained, names_a_run, normalisation_sentence
from carryover.diagnosis.specs import ModelSpec

if TYPE_CHECKING:
    from carryover.data.images import ImageColumn
    from carryover.models.records import LoadedModel
    from carryover.objectives.finished import FinishedRun


@dataclass(frozen=True)
class Candidate:
    """A model that features can be had from: a loaded network, or a file (with one for the test split).

    ``chosen_without``: whether the representation is known to have been made without the labelled training examples:
    True for fixed maps, False for one fitted to them (with or without their labels), None where nobody can know;
    ``chosen_without_test`` the same of the test examples.  ``run``: the pretraining run it comes from.
    ``fitted_to_pool``: whether the unlabelled sample was what the map was fitted to (a PCA's axes).
    """

    name: str
    kind: str
    feature: str
    preprocessing: str
    weights_hash: str
    chosen_without: bool | None
    chosen_without_test: bool | None = None
    notes: tuple[str, ...] = ()
    network: "LoadedModel | None" = None
    file: FeatureFile | None = None
    test_file: FeatureFile | None = None
    pretraining_file: FeatureFile | None = None
    run: "FinishedRun | None" = None
    fitted_to_pool: bool = False


def open_feature_candidates(specs: Sequence[ModelSpec]) -> dict[int, Candidate]:
    """Candidates that are files, by their place in the config."""
    return {index: _from_file(spec) for index, spec in enumerate(specs) if spec.kind == "features"}


def open_networks(
    specs: Sequence[ModelSpec], *, images: "ImageColumn | None", images_are_labelled: bool, seed: int
) -> dict[int, Candidate]:
    """Candidates that are networks or baselines; ``images`` are what a baseline may be fitted to."""
    return {
        index: _from_network(spec, images, images_are_labelled, seed)
        for index, spec in enumerate(specs)
        if spec.kind != "features"
    }


def named_uniquely(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with unique names: those that share one get the first 8 characters of their weights' hash."""
    names = [candidate.name for candidate in candidates]
    named = [
        replace(one, name=f"{one.name}-{one.weights_hash[:8]}") if names.count(one.name) > 1 else one
        for one in candidates
    ]
    names = [candidate.name for candidate in named]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"the same model is given twice: {', '.join(twice)}; give each a name of its own")
    return named


def _from_file(spec: ModelSpec) -> Candidate:
    file = open_features(spec.features, labels=spec.labels_file)
    test = open_features(spec.test_features, labels=spec.test_labels_file) if spec.test_features else None
    pretraining = open_features(spec.pretraining_features) if spec.pretraining_features else None
    for other, key in ((test, "test_features"), (pretraining, "pretraining_features")):
        if other is not None and other.features.shape[1] != file.features.shape[1]:
            raise InputError(
                f"{other.path} ({key}) has {other.features.shape[1]} features and {file.path} has "
                f"{file.features.shape[1]}: they must come from the same model"
            )
    return Candidate(
        name=spec.name or file.path.stem,
        kind="features",
        feature=f"precomputed, {file.features.shape[1]} numbers per example, from {file.path.name}",
        preprocessing="done before the features were saved; carryover cannot see it",
        weights_hash=file.features.content_hash,
        chosen_without=None,
        file=file,
        test_file=test,
        pretraining_file=pretraining,
    )


def _from_network(
    spec: ModelSpec, images: "ImageColumn | None", images_are_labelled: bool, seed: int
) -> Candidate:
    from carryover.models.baselines import load_baseline
    from carryover.models.loading import ModelSource, load_model

    name = spec.name or _default_name(spec)
    if names_a_run(spec):
        return _from_run(name, spec)
    if spec.baseline is not None:
        network = load_baseline(name, spec.baseline, images, seed=seed)
    else:
        network = load_model(
            ModelSource(
                name=name,
                path=spec.path,
                factory=spec.factory,
                timm=spec.timm,
                weights=spec.weights,
                layer=spec.layer,
                image_size=spec.image_size,
                mean=spec.mean,
                std=spec.std,
                factory_arguments=spec.arguments,
                seed=seed,
            )
        )
    if spec.baseline is not None:
        chosen_without = not (spec.baseline == "pca" and images_are_labelled)
    else:
        drawn_here = spec.factory is not None and spec.weights is None
        chosen_without = True if drawn_here else None
    return Candidate(
        name=name,
        kind=spec.kind if spec.kind != "path" else "transformers",
        feature=network.description,
        preprocessing=network.preprocessing.sentence(),
        weights_hash=network.weights_hash,
        chosen_without=chosen_without,
        chosen_without_test=True if chosen_without is not None else None,
        notes=network.notes,
        network=network,
        fitted_to_pool=spec.baseline == "pca" and not images_are_labelled,
    )


def _from_run(name: str, spec: ModelSpec) -> Candidate:
    """A pretraining run; what it was chosen without is found when its examples meet the target's."""
    network, run = load_pretrained(name, spec)
    return Candidate(
        name=name,
        kind=network.kind,
        feature=network.description,
        preprocessing=f"{network.preprocessing.sentence()} {normalisation_sentence(run.record)}",
        weights_hash=network.weights_hash,
        chosen_without=None,
        notes=network.notes,
        network=network,
        run=run,
    )


def _default_name(spec: ModelSpec) -> str:
    given = spec.baseline or spec.timm or spec.path or spec.factory
    return Path(str(given).rpartition(":")[2] if spec.factory else str(given)).name
