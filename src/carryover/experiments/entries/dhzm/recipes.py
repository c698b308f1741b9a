"""Recipes of the DHZM24 experiments: networks, budgets and targets of each size, as specs of cells."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from carryover.experiments.entries.dhzm.targets import Downstream
from carryover.experiments.entry import SizeName
from carryover.experiments.inputs import Inputs
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.specs import DataSpec, PretrainSpec, TrainSpec

_LIGHT = {"depth": 2, "heads": 2, "decoder_width": 24, "decoder_depth": 1, "decoder_heads": 1}
_TINY = {"depth": 1, "heads": 1, "decoder_width": 8, "decoder_depth": 1, "decoder_heads": 1}
_DIGIT_VIEWS = {"least_area": 0.5, "flip": 0.0, "grey": 0.0}


@dataclass(frozen=True)
class Recipe:
    """Pretraining at one size.

    ``images`` names the data set; ``objectives`` are by kind what differs from the defaults of ``ObjectiveSpec``, and
    ``budgets`` the steps and peak learning rate of each.  ``tune_steps``: of fine-tuning.
    """

    images: str
    image_size: int
    channels: int
    max_examples: int | None
    objectives: Mapping[str, Mapping[str, Any]]
    budgets: Mapping[str, tuple[int, float]]
    train: TrainSpec
    tune_steps: int

    def pretrain(
        self,
        inputs: Inputs,
        kind: str,
        *,
        seed: int,
        share: float = 1.0,
        changes: Mapping[str, Any] | None = None,
    ) -> PretrainSpec:
        """The run of one objective for ``share`` of its steps, with ``changes`` to the objective."""
        whole, rate = self.budgets[kind]
        steps = max(1, round(share * whole))
        return PretrainSpec(
            data=DataSpec(
                inputs.data_set(self.images),
                split="train",
                max_examples=self.max_examples,
                channels=self.channels,
            ),
            objective=ObjectiveSpec(kind=kind, **{**self.objectives[kind], **(changes or {})}),
            train=replace(
                self.train,
                steps=steps,
                learning_rate=rate,
                warmup_steps=min(self.train.warmup_steps, steps),
            ),
            image_size=self.image_size,
            seed=seed,
        )


def _autoencoders(*, width: int, mae: Mapping[str, Any], region: int) -> dict[str, dict[str, Any]]:
    """Objectives by kind: a ViT where patches are masked, else a small convolutional network."""
    return {
        "mae": dict(mae),
        "denoising": {"width": width, "decoder_hidden": 128, "noise_std": 1.0},
        "context_encoder": {"width": width, "decoder_hidden": 128, "region": region},
        "simclr": {"width": width, "projection": 32, **_DIGIT_VIEWS},
        "spectral": {"width": width, "projection": 32, **_DIGIT_VIEWS},
    }


_FULL = {
    "mae": {"patch_size": 4, "width": 192, "depth": 12, "heads": 3},
    "denoising": {"encoder": "resnet20", "noise_std": 0.5},
    "context_encoder": {"encoder": "resnet20", "region": 16},
    "simclr": {"encoder": "resnet20"},
    "spectral": {"encoder": "resnet20"},
}
RECIPES: Mapping[SizeName, Recipe] = {
    "smoke": Recipe(
        "mnist", 28, 1, 200, _autoencoders(width=8, mae={"patch_size": 7, "width": 16, **_TINY}, region=14),
        dict.fromkeys(_FULL, (4, 1e-3)),
        TrainSpec(batch_size=32, downstream_batch=16, clip_norm=1.0),
        3,
    ),
    "small": Recipe(
        "mnist", 28, 1, 2500, _autoencoders(width=48, mae={"patch_size": 7, "width": 64, **_LIGHT}, region=14),
        {"mae": (300, 5e-4), **dict.fromkeys(("denoising", "context_encoder"), (200, 1e-3)),
         **dict.fromkeys(("simclr", "spectral"), (100, 1e-3))},
        TrainSpec(batch_size=64, warmup_steps=20, clip_norm=1.0, downstream_batch=32),
        80,
    ),
    "full": Recipe(
        "cifar10", 32, 3, None, _FULL, dict.fromkeys(_FULL, (9800, 1e-3)),
        TrainSpec(batch_size=512, warmup_steps=500, clip_norm=1.0, downstream_batch=256),
        1000,
    ),
}  # fmt: skip
_SUBSET = ("vehicles_1", "vehicles_2", "people", "large_carnivores", "household_furniture")


def targets(inputs: Inputs, size: SizeName) -> tuple[Downstream, ...]:
    """Digits: USPS and Fashion-MNIST.  ``full``: five coarse classes of CIFAR-100, the photos of PACS, STL-10."""
    if size == "full":
        many = {"n_labels": 500, "n_pool": 2000}
        photos = {"n_labels": 300, "n_validation": 300, "n_test": 500, "n_pool": 500}
        return (
            Downstream("cifar100_subset", inputs.data_set("cifar100"), label="fine_label",
                       where={"coarse_label": list(_SUBSET)}, **many),
            Downstream("pacs_photos", inputs.data_set("pacs32"), label="label", where={"domain": "photo"}, **photos),
            Downstream("stl10", inputs.data_set("stl10"), **many),
        )  # fmt: skip
    few = {"n_labels": 50, "n_validation": 50, "n_test": 100, "n_pool": 64} if size == "smoke" else {}
    return tuple(Downstream(name, inputs.data_set(name), **few) for name in ("usps", "fashion_mnist"))
