"""Regularisers of pretraining, added to any objective: what is penalised, how strongly, on which images.

RadReg, the size of the features and their uniformity look at the features of unlabelled downstream images; L2 looks at
the encoder's weights.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from carryover._core.errors import InputError
from carryover._core.seeding import derive_seed
from carryover.models.seeding import seeded_torch
from carryover.objectives.base import Objective
from carryover.objectives.dual_heads import DualHeads, hidden_head
from carryover.objectives.keyed import Key
from carryover.objectives.penalties import feature_frobenius, uniformity, weight_decay
from carryover.objectives.radreg import HEADS, of_unit_scale, radreg_penalty
from carryover.training.precision import in_full
from carryover.training.processes import ALONE, Processes

Kind = Literal["none", "l2", "radreg", "frobenius", "uniformity"]
AnyHead = Literal["l2", "frobenius", "l1", "hidden"]
ANY_HEAD = (*HEADS, "hidden")
SIGNS = ("fresh", "fixed")
VIEWS = ("whole", "masked")


@dataclass(frozen=True)
class Regularizer:
    """``strength`` times a penalty.

    - ``kind``: "none"; "l2" half the sum of squares of the encoder's weights; "radreg"; "frobenius" ||H||_F / n;
      "uniformity" the mean squared cosine between features
    - for "radreg": ``head`` and ``radius`` of the head class, ``n_outputs`` (1 for "l2" and "l1"), ``n_draws`` of
      signs, ``signs`` "fresh" at every step or "fixed" for each example, ``normalize`` the features.  Heads "l2",
      "frobenius" and "l1" are linear and exact; "hidden" has a hidden layer of ``head_width`` and climbs
      ``ascent_steps`` from new weights at every step: a lower bound of the maximum
    - ``view`` of the downstream images: "whole", as a head will see them; "masked", for masked autoencoders, the
      visible patches only, which costs as much less as pretraining's own view, and is another penalty
    Raises InputError for a strength < 0 and for what does not go together.
    """

    kind: Kind = "none"
    strength: float = 0.0
    head: AnyHead = "frobenius"
    radius: float = 1.0
    n_outputs: int = 1
    n_draws: int = 8
    signs: Literal["fresh", "fixed"] = "fresh"
    normalize: bool = False
    view: Literal["whole", "masked"] = "whole"
    head_width: int = 32
    ascent_steps: int = 20

    def __post_init__(self) -> None:
        for name, permitted in (
            ("kind", KINDS),
            ("head", ANY_HEAD),
            ("signs", SIGNS),
            ("view", VIEWS),
        ):
            if getattr(self, name) not in permitted:
                raise InputError(
                    f"regularizer {name} must be one of {permitted}, got {getattr(self, name)!r}"
                )
        if not self.strength >= 0.0:
            raise InputError(f"regularizer strength must be >= 0, got {self.strength:g}")
        if not self.radius > 0.0 or self.n_draws < 1 or self.n_outputs < 1:
            raise InputError(
                f"regularizer radius must be > 0, n_draws and n_outputs >= 1, got {self.radius:g}, {self.n_draws} and "
                f"{self.n_outputs}"
            )
        if self.head in ("l2", "l1") and self.n_outputs != 1:
            raise InputError(
                f"head {self.head!r} has one output, got n_outputs = {self.n_outputs}; use head 'frobenius'"
            )
        if self.head_width < 1 or self.ascent_steps < 1:
            raise InputError(
                f"head_width and ascent_steps must be >= 1, got {self.head_width} and {self.ascent_steps}"
            )

    @property
    def needs_images(self) -> bool:
        """Whether the penalty looks at downstream images."""
        return self.kind in _OF_FEATURES

    def penalty(
        self, objective: Objective, images: Tensor | None, key: Key | None, processes: Processes = ALONE
    ) -> Tensor:
        """The penalty itself, not yet times its strength; ``images`` (n, c, h, w) and their ``key`` where needed.

        Of several ``processes`` each gives its share of the images, and gets the penalty of all of them.
        """
        if self.needs_images and images is None:
            raise InputError(
                f"regularizer {self.kind!r} needs unlabelled downstream images: give a downstream pool"
            )
        if not self.needs_images:
            return _OF_WEIGHTS[self.kind](objective)
        features, full = in_full(viewed_features(self, objective, images, key))
        with full:
            return _OF_FEATURES[self.kind](self, features, key, processes)


def viewed_features(regularizer: Regularizer, objective: Objective, images: Tensor, key: Key) -> Tensor:
    """Features (n, d) of downstream images in the regularizer's view; InputError where the objective has no such."""
    if regularizer.view == "whole":
        return objective.encode(images)
    if not hasattr(objective, "encode_masked"):
        raise InputError(
            "regularizer view 'masked' needs an encoder that looks at visible patches only, as objective 'mae' has; "
            "use view 'whole'"
        )
    return objective.encode_masked(images, key)


def draw_signs(regularizer: Regularizer, key: Key) -> Tensor:
    """Signs as :func:`~carryover.objectives.radreg.radreg_penalty` takes them: functions of the example, and of the
    step where they are fresh.
    """
    key = key if regularizer.signs == "fresh" else key.at(0)
    flat = key.signs("radreg", regularizer.n_draws * regularizer.n_outputs)
    by_draw = flat.reshape(len(flat), regularizer.n_draws, regularizer.n_outputs).permute(1, 0, 2)
    return by_draw[:, :, 0] if regularizer.head in ("l2", "l1") else by_draw


def _none(objective: Objective) -> Tensor:
    return next(objective.encoder.parameters()).new_zeros(())


def _l2(objective: Objective) -> Tensor:
    return weight_decay(objective.encoder)


def _radreg(regularizer: Regularizer, features: Tensor, key: Key, processes: Processes) -> Tensor:
    if regularizer.head == "hidden":
        return _radreg_by_ascent(regularizer, features, key, processes)
    return radreg_penalty(
        features,
        draw_signs(regularizer, key),
        head=regularizer.head,
        radius=regularizer.radius,
        normalize=regularizer.normalize,
        processes=processes,
    )


def _radreg_by_ascent(regularizer: Regularizer, features: Tensor, key: Key, processes: Processes) -> Tensor:
    """New heads at every step, from the key alone, so that a run taken up again meets the same ones."""
    if regularizer.normalize:
        features = of_unit_scale(features, processes)
    features = processes.rows(features)
    signs = processes.rows(draw_signs(regularizer, key).transpose(0, 1)).transpose(0, 1)
    width, outputs = regularizer.head_width, regularizer.n_outputs
    with seeded_torch(derive_seed(key.seed, "heads", key.step) % 2**63):
        heads = DualHeads(
            lambda: hidden_head(features.shape[1], width, outputs),
            n_draws=regularizer.n_draws,
            radius=regularizer.radius,
        )
    heads.to(features.device)
    heads.climb(features, signs, steps=regularizer.ascent_steps)
    return heads.penalty(features, signs)


def _frobenius(_: Regularizer, features: Tensor, __: Key, processes: Processes) -> Tensor:
    return feature_frobenius(processes.rows(features))


def _uniformity(_: Regularizer, features: Tensor, __: Key, processes: Processes) -> Tensor:
    return uniformity(processes.rows(features))


_OF_WEIGHTS: dict[str, Callable[[Objective], Tensor]] = {"none": _none, "l2": _l2}
_OF_FEATURES: dict[str, Callable[[Regularizer, Tensor, Key, Processes], Tensor]] = {
    "radreg": _radreg,
    "frobenius": _frobenius,
    "uniformity": _uniformity,
}
KINDS = (*_OF_WEIGHTS, *_OF_FEATURES)
