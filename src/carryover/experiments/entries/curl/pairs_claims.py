"""What CURL19 says of negatives, blocks and the mean classifier, beside the table of ``curl_pairs``."""

from typing import TYPE_CHECKING

import numpy as np

from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.entries.random_start import at_random_start
from carryover.experiments.entry import REPORTED
from carryover.experiments.summaries import joint_confidence, mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

SOURCE = "Arora et al., ICML 2019 (arXiv 1902.09229), CIFAR-100"
CLOSE = 2.0
"""Points by which a trained classifier may be better and the mean classifier still be called close to it."""
MEAN_AVG2 = 92.0
BLOCKS = {2: 88.1, 5: 89.6, 10: 89.7}
"""Published accuracy in percent by block size."""
_UNLIKE = "theirs is a VGG-16 trained long on 50,000 images of 32 pixels"
_POINTS = 100.0


class Runs:
    """Accuracies of the reported runs by condition, one a seed."""

    def __init__(self, table: "pd.DataFrame") -> None:
        own = table[table["role"] == REPORTED].astype({"accuracy": float})
        keys = ["matched", "negatives", "block", "when", "classifier", "classes"]
        self._values = {
            key: part.sort_values("seed")["accuracy"].to_numpy() for key, part in own.groupby(keys)
        }
        self.matched = tuple(dict.fromkeys(own["matched"]))

    def __contains__(self, condition: tuple[str, int, int]) -> bool:
        return (*condition, "after", "mean", 2) in self._values

    def percent(self, condition: tuple[str, int, int], classifier: str, when: str = "after") -> np.ndarray:
        """AVG-2 in percent (seeds,), NaN for a run that failed."""
        return _POINTS * self._values[*condition, when, classifier, 2]

    def unproven(self, *conditions: tuple[str, int, int]) -> str:
        """Why nothing is concluded from encoders; nothing where each beats its random start with each classifier."""
        return at_random_start(
            {
                f"the encoder of {_said(condition)} with the {one} classifier": mean_over_runs(
                    self.percent(condition, one) - self.percent(condition, one, "before")
                )
                for condition in conditions
                for one in ("mean", "trained")
            }
        )


def compare_pairs(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """The claims for both ways of matching, then the published numbers, which are of another encoder."""
    runs = Runs(table)
    return (*_close(runs), *_negatives(runs), *_blocks(runs), *_numbers(runs))


def _close(runs: Runs) -> list[Comparison]:
    conditions = [one for one in (("tuples", k, 1) for k in (1, 4, 10)) if one in runs]
    claim = Published(
        SOURCE, claim=f"the mean classifier is close to a trained one (here: within {CLOSE:g} points)"
    )
    found = []
    for condition in conditions:
        gap = runs.percent(condition, "trained") - runs.percent(condition, "mean")
        contrast = mean_over_runs(CLOSE - gap, confidence=joint_confidence(3))
        found.append(
            compare_order(
                f"AVG-2, points: {CLOSE:g} less the lead of a trained classifier over the mean one, {_said(condition)}",
                claim,
                contrast,
 unproven=runs.unproven(condition),
            )
        )  # fmt: skip
    return found


def _negatives(runs: Runs) -> list[Comparison]:
    claim = Published(SOURCE, claim="10 negatives are worse than 4")
    pairs = [((matched, 4, 1), (matched, 10, 1)) for matched in runs.matched]
    return _orders(runs, pairs, claim, share=2)


def _blocks(runs: Runs) -> list[Comparison]:
    claim = Published(SOURCE, claim="larger blocks are better")
    pairs = [((matched, 1, b), (matched, 1, 2)) for matched in runs.matched for b in (5, 10)]
    return _orders(runs, pairs, claim, share=4)


def _orders(runs: Runs, pairs: list[tuple], claim: Published, *, share: int) -> list[Comparison]:
    """The first of each pair above the second, by the mean classifier's AVG-2; ``share`` claims hold jointly."""
    found = []
    for first, second in pairs:
        if first not in runs or second not in runs:
            continue
        gap = runs.percent(first, "mean") - runs.percent(second, "mean")
        contrast = mean_over_runs(gap, confidence=joint_confidence(share))
        found.append(
            compare_order(
                f"AVG-2 of the mean classifier, points: {_said(first)} less {_said(second)}",
                claim,
                contrast,
                unproven=runs.unproven(first, second),
            )
        )
    return found


def _numbers(runs: Runs) -> list[Comparison]:
    published = {1: MEAN_AVG2, **BLOCKS}
    found = []
    for block, value in published.items():
        condition = ("tuples", 1, block)
        if condition in runs:
            found.append(
                compare_value(
                    f"AVG-2 of the mean classifier, %: {_said(condition)}",
                    Published(SOURCE, value, uncertainty=0.05),
                    mean_over_runs(runs.percent(condition, "mean")),
                    matters=1.0,
                    unlike=_UNLIKE,
                )
            )
    return found


def _said(condition: tuple[str, int, int]) -> str:
    matched, negatives, block = condition
    what = f"blocks of {block}" if block > 1 else f"k = {negatives}"
    return f"{what} (equal {matched})"
