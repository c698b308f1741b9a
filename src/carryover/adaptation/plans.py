"""Adaptation as data: a plan is a tuple of phases, each saying what trains, under which constraint, at which rate.

Linear probing, full fine-tuning, LP-FT (Kumar et al., ICLR 2022), L2-SP (Li, Grandvalet and Davoine, ICML 2018),
fine-tuning in a ball around the pretrained weights (Gouk, Hospedales and Pontil, ICLR 2021) and LoRA (Hu et al., ICLR
2022) differ in nothing else.
"""

import math
from dataclasses import dataclass
from typing import Literal

from carryover._core.errors import InputError

BatchNormMode = Literal["frozen", "train"]
Keep = Literal["last", "best_on_validation"]


@dataclass(frozen=True)
class Lora:
    """Low-rank additions to linear and convolutional layers: ``rank``, scaled by ``alpha`` / ``rank``.

    ``layers``: shell patterns of the names of the layers that get one; by default every linear and convolution layer.
    """

    rank: int = 8
    alpha: float = 16.0
    layers: tuple[str, ...] = ("*",)

    def __post_init__(self) -> None:
        if self.rank < 1 or not self.alpha > 0.0 or not self.layers:
            raise InputError(f"lora needs rank >= 1, alpha > 0 and layers, got {self.rank}, {self.alpha:g} and "
                             f"{self.layers}")  # fmt: skip


@dataclass(frozen=True)
class Phase:
    """One stretch of adaptation.

    - ``trains``: shell patterns of parameter names; the encoder's begin with "encoder.", the new head's with "head."
    - ``solve``: "ridge" sets the head to the exact ridge probe on the features as they are; "descent" trains for
      ``share`` of the plan's steps at the peak ``learning_rate``, with ``weight_decay``, by ``optimizer`` "adamw" or
      "sgd" (gradient descent with ``momentum``, which what is said of gradient flow needs)
    - ``l2_sp``: adds l2_sp / 2 times the squared distance of the encoder's trained weights from the pretrained ones
    - ``radius``: after every step the encoder's weights are projected onto the ball of this 2-norm around the
      pretrained ones, all together or, with ``by_layer``, those of each layer on their own; infinity: no ball.
      ``relative_radius`` says the same as a share of the norm of the pretrained weights that train; the smaller holds
    - ``batch_norm``: "frozen" uses the pretrained statistics, "train" those of the batch
    - ``keep``: the weights of the last step, or the best on a part of the training labels set aside
    Raises InputError for what is out of range or does not go together.
    """

    name: str
    trains: tuple[str, ...] = ("*",)
    solve: Literal["descent", "ridge"] = "descent"
    share: float = 1.0
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    optimizer: Literal["adamw", "sgd"] = "adamw"
    momentum: float = 0.0
    l2_sp: float = 0.0
    radius: float = math.inf
    relative_radius: float = math.inf
    by_layer: bool = False
    batch_norm: BatchNormMode = "frozen"
    keep: Keep = "last"
    lora: Lora | None = None

    def __post_init__(self) -> None:
        for name, low in (("weight_decay", 0.0), ("l2_sp", 0.0), ("radius", 0.0), ("relative_radius", 0.0)):
            if not getattr(self, name) >= low:
                raise InputError(
                    f"phase {self.name!r}: {name} must be >= {low:g}, got {getattr(self, name):g}"
                )
        if self.by_layer and self.relative_radius < math.inf:
            raise InputError(
                f"phase {self.name!r}: relative_radius is a share of all weights' norm: with by_layer give radius"
            )
        if not 0.0 < self.share <= 1.0 or not self.learning_rate > 0.0:
            raise InputError(
                f"phase {self.name!r}: share must lie in (0, 1] and learning_rate be > 0, got {self.share:g} and "
                f"{self.learning_rate:g}"
            )
        if self.solve == "ridge" and self.trains != ("head.*",):
            raise InputError(
                f"phase {self.name!r}: the ridge probe sets the head alone, so trains is ('head.*',)"
            )
        if not self.trains:
            raise InputError(f"phase {self.name!r} trains nothing: name at least one pattern of parameters")
        if self.lora is not None and (self.l2_sp > 0.0 or self.is_bounded):
            raise InputError(
                f"phase {self.name!r}: lora leaves the pretrained weights as they are, so l2_sp and radius say nothing"
            )

    @property
    def is_bounded(self) -> bool:
        """Whether there is a ball."""
        return min(self.radius, self.relative_radius) < math.inf


@dataclass(frozen=True)
class Plan:
    """Phases in their order; the shares of those that descend add up to at most 1."""

    name: str
    phases: tuple[Phase, ...]

    def __post_init__(self) -> None:
        if not self.phases:
            raise InputError(f"plan {self.name!r} has no phase")
        names = [phase.name for phase in self.phases]
        if len(set(names)) < len(names):
            raise InputError(f"plan {self.name!r} has two phases of one name: {', '.join(names)}")
        total = sum(phase.share for phase in self.phases if phase.solve == "descent")
        if total > 1.0 + 1e-9:
            raise InputError(
                f"plan {self.name!r}: the shares of its phases add up to {total:g}, which is over 1"
            )


_PROBE = Phase("probe", trains=("head.*",), solve="ridge")
PLANS: dict[str, Plan] = {
    plan.name: plan
    for plan in (
        Plan("linear_probe", (_PROBE,)),
        Plan("fine_tuning", (Phase("fine-tune"),)),
        Plan("lp_ft", (_PROBE, Phase("fine-tune", learning_rate=3e-4))),
        Plan("l2_sp", (Phase("fine-tune", l2_sp=0.1),)),
        Plan("ball", (Phase("fine-tune", relative_radius=0.05),)),
        # Low-rank additions want about ten times the rate of all weights (Schulman et al., 2025).
        Plan("lora", (Phase("low rank", lora=Lora(), learning_rate=1e-2),)),
    )
}
"""The plans that ``--plan all`` compares, by name."""
