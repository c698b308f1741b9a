"""Whether RadReg helps: test accuracy at the chosen strengths, paired by seed, against none and three penalties."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.entries.dhzm.claims import BOUND, DHZM24, gain, pivoted
from carryover.experiments.entries.random_start import PREMISE, at_random_start
from carryover.experiments.entry import REPORTED
from carryover.experiments.summaries import joint_confidence, mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

NONE, L2, RADREG, FROBENIUS, UNIFORMITY = "none", "l2", "radreg", "frobenius", "uniformity"
WORDS: Mapping[str, str] = {
    NONE: "no regulariser",
    L2: "L2 on the weights",
    RADREG: "RadReg",
    FROBENIUS: "the Frobenius penalty",
    UNIFORMITY: "uniformity",
}
ADAPTATIONS: Mapping[str, str] = {"probe": "linear probe", "tuned": "fine-tuning"}
"""By the beginning of its columns, how the encoder is adapted."""
_MATTERS = 0.01  # of accuracy


@dataclass(frozen=True)
class Setting:
    """Reported runs of one target and way of adapting, each regulariser at its chosen strength."""

    target: str
    way: str
    rows: "pd.DataFrame"

    @property
    def words(self) -> str:
        return f"{self.target}, {ADAPTATIONS[self.way]}"

    def gaps(self, first: str, second: str) -> np.ndarray:
        """Test accuracy of ``first`` less that of ``second``, paired by seed; a run that failed is NaN."""
        found = pivoted(self.rows, "regularizer", f"{self.way}_accuracy").reindex(columns=[first, second])
        return (found[first] - found[second]).to_numpy()

    def gains(self, *kinds: str) -> dict[str, Estimate]:
        return {
            f"{kind} ({self.words})": gain(
                self.rows[self.rows["regularizer"] == kind], f"{self.way}_accuracy"
            )
            for kind in kinds
        }


def settings_of(table: "pd.DataFrame") -> list[Setting]:
    reported = table[table["role"] == REPORTED]
    return [
        Setting(target, way, reported[(reported["target"] == target) & reported[f"chosen_for_{way}"]])
        for target in dict.fromkeys(reported["target"])
        for way in ADAPTATIONS
    ]


def compare_radreg(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    settings = settings_of(table)
    return (
        *_against_random(settings),
        *_whole(settings),
        *_each(settings),
        *_same_as_frobenius(settings),
        *_uniformity(settings),
    )


def _against_random(settings: Sequence[Setting]) -> Iterator[Comparison]:
    for one in settings:
        plain = one.rows[one.rows["regularizer"] == NONE]
        yield compare_order(
            f"{one.words}: pretrained without regulariser less random weights, test accuracy",
            Published(PREMISE, claim="pretraining helps at all"),
            gain(plain, f"{one.way}_accuracy", confidence=joint_confidence(len(settings))),
        )


def _whole(settings: Sequence[Setting]) -> Iterator[Comparison]:
    """By how much RadReg helps on average over the settings in which both beat random weights; a seed is one run."""
    for other in (NONE, L2, FROBENIUS, UNIFORMITY):
        weak = [at_random_start(one.gains(RADREG, other)) for one in settings]
        kept = [one for one, reason in zip(settings, weak, strict=True) if not reason]
        means = np.mean([one.gaps(RADREG, other) for one in kept or settings], axis=0)
        reason = "" if kept else "; ".join(weak)
        what = f"mean of {len(kept)} of {len(settings)} settings: RadReg less {WORDS[other]}, test accuracy"
        yield compare_order(what, _claim(other), mean_over_runs(means), unproven=reason)


def _each(settings: Sequence[Setting]) -> Iterator[Comparison]:
    for one in settings:
        for other in (NONE, L2):
            contrast = mean_over_runs(one.gaps(RADREG, other), confidence=joint_confidence(len(settings)))
            what = f"{one.words}: RadReg less {WORDS[other]}, test accuracy"
            reason = at_random_start(one.gains(RADREG, other))
            yield compare_order(what, _claim(other), contrast, unproven=reason)


def _same_as_frobenius(settings: Sequence[Setting]) -> Iterator[Comparison]:
    source = f"{DHZM24} with Khinchine's inequality: for these heads the two penalties agree within sqrt 2"
    for one in settings:
        contrast = mean_over_runs(one.gaps(RADREG, FROBENIUS), confidence=joint_confidence(len(settings)))
        what = f"{one.words}: RadReg less the Frobenius penalty, test accuracy"
        reason = at_random_start(one.gains(RADREG, FROBENIUS))
        yield compare_value(what, Published(source, 0.0), contrast, matters=_MATTERS, unproven=reason)


def _uniformity(settings: Sequence[Setting]) -> Iterator[Comparison]:
    source = "Zhang, Wang and Wang, NeurIPS 2022 (UMAE22)"
    for one in settings:
        contrast = mean_over_runs(one.gaps(UNIFORMITY, NONE), confidence=joint_confidence(len(settings)))
        what = f"{one.words}: uniformity less no regulariser, test accuracy"
        claim = Published(source, claim="a uniformity penalty improves a masked autoencoder's features")
        reason = at_random_start(one.gains(UNIFORMITY, NONE))
        yield compare_order(what, claim, contrast, unproven=reason)


def _claim(other: str) -> Published:
    if other in (NONE, L2):
        return Published(DHZM24, claim=f"RadReg improves on {WORDS[other]}")
    return Published(
        BOUND,
        claim=f"lowering the bound's complexity term itself does better than {WORDS[other]}",
    )
