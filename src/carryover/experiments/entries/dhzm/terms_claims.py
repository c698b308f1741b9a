"""What the theory predicts of the terms, and whether encoders follow: ranks, contrasts, break conditions."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.entries.dhzm.claims import BOUND, DHZM24, exponent, gain, pivoted
from carryover.experiments.entries.dhzm.conditions import (
    BASE,
    BY_NAME,
    LENGTH,
    MASKING,
    OBJECTIVES,
    POOL,
    SHORT,
    STRENGTH,
    UNIT,
    of_axis,
)
from carryover.experiments.entries.random_start import PREMISE, at_random_start, beats_random_start
from carryover.experiments.summaries import CORRELATION, joint_confidence, mean_over_runs, rank_correlations

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 4
"""Encoders that a rank correlation is taken over, at the least."""
HE22 = "He et al., CVPR 2022 (MAE)"
PREDICTORS: Mapping[str, str] = {
    "loss": "pretraining loss",
    "excess": "excess pretraining loss",
    "gap": "generalisation gap of pretraining",
    "test_radreg": "RadReg of the test images, heads of norm 1",
    "test_normalized_radreg": "RadReg over the features' root mean square",
    "complexity": "complexity term, heads of the probe's norm",
    "total_variation": "total variation of whole images, seen by a linear test",
    "view_variation": "total variation between pretraining's views and whole images",
}
_OTHERS = tuple(name for name in PREDICTORS if name not in ("loss", "excess"))
RANKED: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "all encoders": ((), ("excess", *_OTHERS)),
    "the five objectives": ((BASE,), _OTHERS),
    "masking of MAE": ((MASKING,), ("loss", *_OTHERS)),
    "RadReg's strength and pool": ((STRENGTH, UNIT, POOL), ("loss", *_OTHERS)),
}
"""By the name of a group, its axes (none: every encoder) and its predictors; losses rank within one objective only."""


@dataclass(frozen=True)
class Runs:
    """The table's runs by condition."""

    table: "pd.DataFrame"

    @property
    def names(self) -> list[str]:
        return list(dict.fromkeys(self.table["condition"]))

    def values(self, column: str, names: Sequence[str]) -> np.ndarray:
        """(seeds, conditions), NaN for a run that failed."""
        return pivoted(self.table, "condition", column).reindex(columns=list(names)).to_numpy()

    def gains(self, *names: str) -> dict[str, Estimate]:
        return {name: gain(self.table[self.table["condition"] == name], "probe_accuracy") for name in names}

    def unproven(self, name: str) -> str:
        """Why nothing is concluded from the encoder of that name; nothing where it beats its random start."""
        return at_random_start(self.gains(name))

    def gap(self, column: str, more: str, less: str, *, count: int = 1) -> Estimate:
        """``column`` of one condition less that of another, paired by seed; ``count`` of them hold jointly."""
        both = self.values(column, [more, less])
        return mean_over_runs(both[:, 0] - both[:, 1], confidence=joint_confidence(count))


def compare_terms(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    runs = Runs(table)
    asked: tuple[Callable[[Runs], Iterator[Comparison]], ...] = (
        _against_random, _ranks, _length, _exponent, _masks, _regions, _pools, _strengths, _broken,
    )  # fmt: skip
    return tuple(comparison for ask in asked for comparison in ask(runs))


def _against_random(runs: Runs) -> Iterator[Comparison]:
    names = of_axis(BASE, runs.names)
    for name in names:
        own = runs.table[runs.table["condition"] == name]
        found = gain(own, "probe_accuracy", confidence=joint_confidence(len(names)))
        claim = Published(PREMISE, claim="pretraining helps at all")
        yield compare_order(f"{name}: probe accuracy pretrained less random weights", claim, found)


def _ranks(runs: Runs) -> Iterator[Comparison]:
    for group, (axes, predictors) in RANKED.items():
        names = [name for name in runs.names if not axes or set(axes) & set(BY_NAME[name].axes)]
        kept = [name for name, found in runs.gains(*names).items() if beats_random_start(found)]
        for predictor in predictors:
            found = rank_estimate(runs, predictor, kept, count=len(predictors))
            claim = Published(BOUND, claim=f"more {PREDICTORS[predictor]}, more downstream error")
            what = f"{group} ({len(kept)} of {len(names)} beat their random start): rank correlation of "
            yield compare_order(what + f"{PREDICTORS[predictor]} with the probe's error", claim, found)


def rank_estimate(runs: Runs, predictor: str, names: Sequence[str], *, count: int = 1) -> Estimate:
    """Spearman's correlation over conditions in each seed, and its mean over seeds; ``count`` of them hold jointly."""
    if len(names) < FEWEST:
        why = f"{len(names)} encoders beat their own random start, a rank correlation needs {FEWEST}"
        return Estimate.missing("abstained", why)
    found = rank_correlations(runs.values(predictor, names), runs.values("error", names))
    if np.isnan(found).any():
        return Estimate.missing("failed", "a run failed, or the term is the same for all encoders of a seed")
    return mean_over_runs(found, confidence=joint_confidence(count), limits=CORRELATION)


def _length(runs: Runs) -> Iterator[Comparison]:
    pairs = [
        (full, short)
        for full in of_axis(BASE, runs.names)
        for short in of_axis(LENGTH, runs.names)
        if BY_NAME[short].share < 1.0 and BY_NAME[short].objective == BY_NAME[full].objective
    ]
    for full, short in pairs:
        claim = Published(BOUND, claim="a smaller excess pretraining loss means a smaller downstream error")
        what = f"{full}: error after {SHORT:.0%} of the steps less after all"
        found = runs.gap("error", short, full, count=len(pairs))
        yield compare_order(what, claim, found, unproven=runs.unproven(full))


def _exponent(runs: Runs) -> Iterator[Comparison]:
    """beta over the runs that share MAE's own loss; excesses over the condition of the least mean loss, by seed."""
    base = BY_NAME["mae"]
    family = [
        name for name in runs.names
        if BY_NAME[name].objective == "mae" and BY_NAME[name].mask_ratio == base.mask_ratio
        and BY_NAME[name].mask_strategy == base.mask_strategy
    ]  # fmt: skip
    losses, errors = (runs.values(column, family) for column in ("loss", "soft_error"))
    source = f"{DHZM24} with squared pretraining loss and a Lipschitz downstream loss: C = sqrt 2 G R_u"
    what = f"exponent beta of the measured (C, beta) over {len(family)} masked autoencoders of one loss"
    published = Published(source, 0.5)
    yield compare_value(what, published, exponent(losses, errors), matters=0.25)


def _contrasts(
    runs: Runs, pairs: Sequence[tuple[str, str, str]], published: Published, words: str, column: str = "error"
) -> Iterator[Comparison]:
    """(more, less, reference) by name: ``column`` of the first less the second, where the reference beats its start."""
    there = [pair for pair in pairs if set(pair) <= set(runs.names)]
    for more, less, reference in there:
        found = runs.gap(column, more, less, count=len(there))
        reason = runs.unproven(reference)
        yield compare_order(f"{words}: {more} less {less}", published, found, unproven=reason)


def _masks(runs: Runs) -> Iterator[Comparison]:
    ratios = [("mae, 50% masked", "mae", "mae"), ("mae, 90% masked", "mae", "mae")]
    yield from _contrasts(runs, ratios, Published(HE22, claim="75 % is the best ratio"), "probe's error")
    block = [("mae, 75% masked in a block", "mae", "mae")]
    claim = Published(HE22, claim="scattered patches are better than a block")
    yield from _contrasts(runs, block, claim, "probe's error")
    further = [("mae, 90% masked", "mae, 50% masked", "mae")]
    yield from _apart(runs, further)


def _regions(runs: Runs) -> Iterator[Comparison]:
    yield from _apart(
        runs, [("context encoder, region 75%", "context encoder, region 25%", "context encoder")]
    )


def _apart(runs: Runs, pairs: Sequence[tuple[str, str, str]]) -> Iterator[Comparison]:
    """The more is hidden, the further is what pretraining saw from whole images, and the larger the error."""
    claim = Published(
        BOUND, claim="the more is hidden, the further what pretraining saw is from whole images"
    )
    yield from _contrasts(runs, pairs, claim, "total variation of views", "view_variation")
    claim = Published(BOUND, claim="the more is hidden, the larger the downstream error")
    yield from _contrasts(runs, pairs, claim, "probe's error")


def _pools(runs: Runs) -> Iterator[Comparison]:
    claim = Published(BOUND, claim="a larger pool without labels tells more of the complexity downstream")
    pair = (
        "mae, RadReg 0.01 on 32 images",
        "mae, RadReg 0.01 on 4000 images",
        "mae, RadReg 0.01 on 4000 images",
    )
    yield from _contrasts(runs, [pair], claim, "probe's error")
    yield from _contrasts(runs, [pair], claim, "RadReg of the test images", "test_radreg")


def _strengths(runs: Runs) -> Iterator[Comparison]:
    strong = [name for name in of_axis(STRENGTH, runs.names) if BY_NAME[name].strength]
    lower = Published(DHZM24, claim="the penalty lowers the term on images that it has not seen")
    yield from _contrasts(
        runs, [("mae", one, "mae") for one in strong], lower, "RadReg of the test images", "test_radreg"
    )
    for one in strong:
        raw, normalized = (
            runs.values(f"test_{name}", ["mae", one]) for name in ("radreg", "normalized_radreg")
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            shrunk = np.log(raw / normalized) @ np.array([1.0, -1.0])
        claim = Published(BOUND, claim="the penalty can be met by smaller features")
        found = mean_over_runs(shrunk, confidence=joint_confidence(len(strong)))
        what = f"log of the features' root mean square: mae less {one}"
        yield compare_order(what, claim, found, unproven=runs.unproven("mae"))
    scaled = [(name, "mae", "mae") for name in of_axis(UNIT, runs.names) if BY_NAME[name].strength]
    claim = Published(
        BOUND, claim="on features of unit scale the penalty favours low rank, and the term falls"
    )
    falls = [(less, more, reference) for more, less, reference in scaled]
    yield from _contrasts(runs, falls, claim, "RadReg over the root mean square", "test_normalized_radreg")
    if strong:
        claim = Published(BOUND, claim="too much of it leaves no representation: the first term grows")
        yield from _contrasts(runs, [(strong[-1], "mae", "mae")], claim, "probe's error")


def _broken(runs: Runs) -> Iterator[Comparison]:
    """Where the bound says nothing: a term alone reaches the range of the loss, which is 1."""
    names = [name for name in of_axis(BASE, runs.names) if BY_NAME[name].objective in OBJECTIVES]
    for column, words, factor in (
        ("view_variation_low", "twice the total variation between pretraining's views and whole images", 2.0),
        ("complexity", "the complexity term for heads of the probe's norm", 1.0),
    ):
        for name in names:
            over = factor * runs.values(column, [name])[:, 0] - 1.0
            claim = Published(BOUND, claim="the bound is vacuous")
            found = mean_over_runs(over, confidence=joint_confidence(len(names)))
            yield compare_order(f"{name}: {words} less 1", claim, found, unproven=runs.unproven(name))
