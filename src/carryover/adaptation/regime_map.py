"""Where a fine-tuning run lies on the map of learning regimes: lazy to rich, dependent on pretraining to independent.

Lazy to rich is the order l of the implicit bias, 2 (ridge) to 1 (L1), of Anguita et al. (2026), Proposition 4.2.  In a
diagonal linear network both l and the growth g of the tangent kernel along a learned coefficient are functions of
z = 4 beta / sqrt(k):  g = sqrt(1 + z^2 / 4),  l = z asinh(z / 2) / P(z).  So the growth measured on any network is read
as the order of the diagonal network whose kernel grew as much: exact there, a yardstick elsewhere.

Dependence on pretraining is measured by its effect: the distance of the predictions from those of the same plan on the
same network with each weight matrix shuffled, so that the scales of pretraining stay and its structure does not.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from carryover._core.results import Estimate
from carryover.theory.regimes import REGIMES, RICH_BELOW, order

Learning = Literal["lazy", "rich", "cannot_tell"]
Dependence = Literal["dependent", "independent", "cannot_tell"]
DEPENDENT_FROM = 0.05
"""Of the predictions' variance: what a run without pretraining predicts differently, from which it is dependent."""
LINEAR_BELOW = 0.1
"""Kernel distances and prediction distances below it let the tangent network stand for the network."""


@dataclass(frozen=True)
class Placement:
    """``regime``: one of the four of the paper, None where one of the axes cannot be told; ``order``: l with its
    interval; ``sentences`` say on what evidence.
    """

    order: Estimate
    learning: Learning
    pretraining: Dependence
    regime: str | None
    sentences: tuple[str, ...]


def order_from_growth(growth: Estimate) -> Estimate:
    """The order l of a diagonal linear network whose kernel grew by ``growth``; a factor g and 1/g count alike.

    A kernel that shrank has left its tangent as much as one that grew.  The interval is that of the growth, mapped.

    >>> order_from_growth(Estimate(1.0, 0.0, (1.0, 1.0))).value
    2.0
    """
    if not growth.ok:
        return Estimate.missing(growth.status, growth.reason)
    if growth.interval is None:
        return replace(growth, value=_order(math.log(growth.value)))
    low, high = (math.log(end) for end in growth.interval)
    nearest = 0.0 if low <= 0.0 <= high else min(abs(low), abs(high))
    ends = _order(max(abs(low), abs(high))), _order(nearest)
    value = _order(math.log(growth.value))
    return replace(growth, value=value, std_error=None, interval=ends)


def _order(log_growth: float) -> float:
    # z / 4 = beta / sqrt(k), g = cosh of asinh(z / 2): z / 2 = sinh(acosh g), kept below overflow.
    half = math.sqrt(max(0.0, math.expm1(2.0 * min(abs(log_growth), 300.0))))
    return float(order(half / 2.0, 1.0))


def place(
    growth: Estimate, without_pretraining: Estimate, between_seeds: Estimate | None = None
) -> Placement:
    """The placement from the kernel's growth and the distances of predictions, each on its axis.

    An axis is decided where the whole interval lies on one side of its border: l = 1.5, and a distance of .05.
    ``between_seeds``: the distance between two runs that differ in the order of batches alone; dependence must exceed
    it beyond both intervals.  None for training without randomness.
    """
    steepness = order_from_growth(growth)
    learning, first = _side(
        steepness,
        RICH_BELOW,
        below="rich",
        above="lazy",
        words=lambda value: f"the implicit bias has order {value} (2: as ridge, lazy; 1: as L1, rich)",
        unknown="lazy or rich cannot be told",
    )
    pretraining, second = _dependence(without_pretraining, between_seeds)
    known = "cannot_tell" not in (learning, pretraining)
    regime = REGIMES[learning == "rich", pretraining == "dependent"] if known else None
    return Placement(steepness, learning, pretraining, regime, (first, second))


def _dependence(gap: Estimate, noise: Estimate | None) -> tuple[Dependence, str]:
    side, sentence = _side(
        gap,
        DEPENDENT_FROM,
        below="independent",
        above="dependent",
        words=lambda value: (
            f"without pretraining's structure the predictions differ by {value} of their variance"
        ),
        unknown="whether pretraining matters cannot be told",
    )
    if side == "cannot_tell" or noise is None:
        return side, sentence
    if not noise.ok:
        return "cannot_tell", f"Whether pretraining matters cannot be told: {noise.reason}."
    most = noise.value if noise.interval is None else noise.interval[1]
    least = gap.value if gap.interval is None else gap.interval[0]
    if side == "dependent" and least <= most:
        return "cannot_tell", (
            f"{sentence[:-1]}, but two runs with other batches may differ by {most:.2g}: "
            "whether pretraining matters cannot be told."
        )
    return side, sentence


def _side(
    found: Estimate, border: float, *, below: str, above: str, words: Callable[[str], str], unknown: str
) -> tuple[str, str]:
    """Which side of the border the interval lies on, and the sentence that says it."""
    if not found.ok:
        return "cannot_tell", f"{_capital(unknown)}: {found.reason}."
    low, high = found.interval or (found.value, found.value)
    value = f"{found.value:.3g} [{low:.3g}, {high:.3g}]"
    if high < border:
        return below, f"{_capital(words(value))}: {below}."
    if low >= border:
        return above, f"{_capital(words(value))}: {above}."
    return "cannot_tell", f"{_capital(words(value))}, across the border of {border:g}: {unknown}."


def _capital(words: str) -> str:
    return words[:1].upper() + words[1:]


def linear_regime_holds(kernel_distance: Estimate) -> bool | None:
    """Whether the tangent kernel stayed near its start: True, False, or None where the interval spans the border."""
    if not kernel_distance.ok:
        return None
    low, high = kernel_distance.interval or (kernel_distance.value, kernel_distance.value)
    if high < LINEAR_BELOW:
        return True
    return False if low >= LINEAR_BELOW else None


def advice(placement: Placement, accuracies: Mapping[str, Estimate]) -> tuple[str, ...]:
    """What the theory suggests to try from there; which regime is best depends on the task, so each is to be measured.

    ``accuracies`` (or R2): "network", and where they were measured "linearized" and "without_pretraining".
    """
    found = list(_TRY.get((placement.learning, placement.pretraining), ()))
    own = accuracies.get("network")
    for name, words in _COMPARED.items():
        other = accuracies.get(name)
        if own is None or other is None or not (own.ok and other.ok):
            continue
        if other.interval[0] > own.value:
            found.append(words["better"].format(own=own.value, other=other.value))
        elif other.interval[1] >= own.value:
            found.append(words["alike"].format(own=own.value, other=other.value))
    return tuple(found)


_SHRINK = (
    "To learn more features, shrink the pretrained weights before fine-tuning: [scales] all_weights = 0.25 or 0.125 "
    "(Lippl and Lindsey), or early for the early blocks alone (Anguita et al.)."
)
_STAY = "To stay nearer to what pretraining found, try lp_ft, l2_sp or ball: they limit how far the features move."
_USE = "To let pretraining count, use a smaller readout scale ([scales] readout) or the probe's head (lp_ft)."
_TRY = {
    ("lazy", "dependent"): (
        "The network is used as its tangent at the pretrained weights: right where they have the features the task "
        "needs, and a linear probe or lora may do as well for less.",
        _SHRINK,
    ),
    ("rich", "dependent"): (
        "Features are learned starting from those of pretraining: right where the task uses few of them or needs new "
        "ones.",
        _STAY,
    ),
    ("lazy", "independent"): (
        "Neither pretraining nor learned features shape the result.",
        _USE,
        _SHRINK,
    ),
    ("rich", "independent"): (
        "The features are learned anew: the pretrained ones made no difference to the predictions.",
        _STAY,
        _USE,
    ),
}
_COMPARED = {
    "linearized": {
        "better": "The linearised network predicts better ({other:.3f} against {own:.3f}): learning features cost "
        "accuracy; try lp_ft, a smaller learning rate or fewer steps.",
        "alike": "The linearised network predicts about as well ({other:.3f} against {own:.3f}): what the network "
        "learned beyond its tangent made no measurable difference.",
    },
    "without_pretraining": {
        "better": "Without pretraining's structure the same plan predicts better ({other:.3f} against {own:.3f}): this "
        "checkpoint hurts here.",
        "alike": "Without pretraining's structure the same plan predicts about as well ({other:.3f} against "
        "{own:.3f}): this checkpoint adds nothing measurable here.",
    },
}
