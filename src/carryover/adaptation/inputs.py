"""The network and the labelled images of an adaptation, opened, preprocessed and split."""

import dataclasses
import hashlib
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.outcome import MakeNetwork, Split
from carryover.adaptation.phases import Examples
from carryover.adaptation.specs import AdaptSpec
from carryover.data.splits import make_split
from carryover.diagnosis.candidates import Candidate, open_networks
from carryover.diagnosis.target import Part, Target, load_target
from carryover.models.preprocessing import Preprocessing
from carryover.models.seeding import seeded_torch

MOST_TEST = 50_000
_READ = 1024


@dataclass(frozen=True)
class AdaptInputs:
    """``target``'s training part is what may be trained on; ``split`` holds tensors on the device.

    ``out_of_domain``: all labelled images of another domain, coded by the target's classes; None without.
    """

    target: Target
    candidate: Candidate
    split: Split
    make: MakeNetwork
    width: int
    hashes: dict[str, str]
    out_of_domain: Examples | None = None


def open_adaptation(spec: AdaptSpec, *, device: str = "cpu") -> AdaptInputs:
    """Open all that the spec names; InputError for what cannot be read or does not fit together."""
    whole = load_target(dataclasses.replace(spec.target, n_labels=None), seed=spec.seed, max_test=MOST_TEST)
    target = load_target(spec.target, seed=spec.seed, max_test=MOST_TEST)
    candidate = _open(spec)
    preprocessing = candidate.network.preprocessing
    fit, validation = set_aside(target.train, spec)
    parts = {"train": fit, "validation": validation, "test": target.test}
    if spec.decompose:
        rest = np.flatnonzero(~np.isin(whole.train.positions, target.train.positions))
        if len(rest):
            parts["pool"] = whole.train.take(rest)
    split = Split(**{role: examples_of(part, preprocessing, device=device) for role, part in parts.items()})
    width = _width(candidate, split.train.images)
    n_outputs = target.n_classes or 1

    def make() -> AdaptedNetwork:
        with seeded_torch(spec.seed):
            return AdaptedNetwork(_open(spec).network, width=width, n_outputs=n_outputs).to(device)

    hashes = {role: part.images.content_hash for role, part in parts.items()}
    outside = None
    if spec.out_of_domain is not None:
        both = _other_domain(spec, target)
        hashes["out_of_domain"] = "+".join(part.images.content_hash for part in both)
        outside = _joined([examples_of(part, preprocessing, device=device) for part in both])
    return AdaptInputs(target, candidate, split, make, width, hashes, outside)


def examples_of(part: Part, preprocessing: Preprocessing, *, device: str) -> Examples:
    """The part's images as the network takes them, and its targets."""
    targets = torch.from_numpy(np.asarray(part.targets))
    targets = targets.float() if targets.is_floating_point() else targets.long()
    return Examples(preprocessed(part.images, preprocessing, device=device), targets.to(device))


def preprocessed(images, preprocessing: Preprocessing, *, device: str) -> Tensor:
    """All images of a column (n, c, h, w), float32."""
    blocks = [
        preprocessing.apply(images.read(start, start + _READ), device)
        for start in range(0, len(images), _READ)
    ]
    return torch.cat(blocks)


def labels_hash(target: Target) -> str:
    """sha256 of the training and test labels, in their order, by their names."""
    digest = hashlib.sha256()
    for part in (target.train, target.test):
        for value in part.targets.tolist():
            digest.update(f"{target.class_names[value] if target.class_names else value}\n".encode())
    return digest.hexdigest()


def _other_domain(spec: AdaptSpec, target: Target) -> list[Part]:
    """Both parts of the other domain, with the target's class codes; InputError for classes the target lacks."""
    other = load_target(spec.out_of_domain, seed=spec.seed, max_test=MOST_TEST)
    if other.task != target.task:
        raise InputError(f"[out_of_domain] is {other.task} and the target {target.task}: they must be alike")
    unknown = [name for name in other.class_names if name not in target.class_names]
    if unknown:
        raise InputError(f"[out_of_domain] has classes that the target lacks: {', '.join(unknown)}")
    if target.task == "regression":
        return [other.train, other.test]
    codes = np.array([target.class_names.index(name) for name in other.class_names])
    return [dataclasses.replace(part, targets=codes[part.targets]) for part in (other.train, other.test)]


def _joined(parts: list[Examples]) -> Examples:
    return Examples(torch.cat([part.images for part in parts]), torch.cat([part.targets for part in parts]))


def _open(spec: AdaptSpec) -> Candidate:
    return open_networks([spec.model], images=None, images_are_labelled=True, seed=spec.seed)[0]


def set_aside(part: Part, spec: AdaptSpec) -> tuple[Part, Part]:
    """The training labels that are trained on, and those that choices are made on."""
    split = make_split(
        part.targets,
        generator=derive_generator(spec.seed, "validation"),
        test_fraction=spec.validation,
        groups=part.groups,
    )
    return part.take(split.train), part.take(split.test)


@torch.no_grad()
def _width(candidate: Candidate, images: Tensor) -> int:
    candidate.network.module.to(images.device)
    return candidate.network.read_out(images[:2]).features.shape[1]
