"""What is published beside the residual networks: LL24's table, its directions, and what A26 expects.

Independent runs are pretrainings.  The intervals of an arm's claims hold jointly at 95 % (Bonferroni); where
a pretrained encoder does not beat its own random start, no claim about it gets a verdict.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.entries.a26.resnet_spec import NEW, PRETRAINED, RANDOM, SUBSET, Condition
from carryover.experiments.entries.a26.values import A26, ABSTRACT
from carryover.experiments.entries.random_start import at_random_start
from carryover.experiments.summaries import joint_confidence, mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

Setting = tuple[float, float]
"""c and kappa."""
BASE: Setting = (1.0, 1.0)
LL24 = "Lippl and Lindsey, NeurIPS 2024 (arXiv 2310.02396)"
LL24_SOURCE = f"{LL24}, ResNet-18 on CIFAR-100, 98 classes to 2, mean of 50 seeds"
LL24_SAMPLES = (10, 50, 200, 1000)
SCRATCH = 0.0
"""In the place of a factor: random weights."""
LL24_ACCURACY: Mapping[float, tuple[float, ...]] = {
    1.0: (0.613, 0.724, 0.839, 0.897),
    0.5: (0.539, 0.701, 0.847, 0.909),
    0.25: (0.683, 0.786, 0.859, 0.916),
    0.125: (0.686, 0.790, 0.864, 0.914),
    2.0: (0.504, 0.521, 0.661, 0.880),
    SCRATCH: (0.523, 0.550, 0.736, 0.857),
}
"""At ``LL24_SAMPLES``, by the factor of all pretrained weights."""
UNLIKE = "a narrower network with fewer layers, and other classes, images and epochs"
_BETTER = ((0.25, 1.0), (1.0, 2.0), (1.0, SCRATCH))
"""Pairs of factors of which LL24's first is better at every number of samples."""
_ROUNDING, _MATTERS = 5e-4, 0.02


@dataclass(frozen=True)
class _Claim:
    """A contrast (runs,) that is claimed to be above 0, and the pretrainings (c, kappa) that it is about."""

    what: str
    published: Published
    contrast: np.ndarray
    settings: tuple[Setting, ...] = (BASE,)


@dataclass(frozen=True)
class _Arm:
    """An arm's results by c and kappa: accuracies by condition and seed, and what pretraining gained by seed.

    ``seeds`` are those of failed cells, too.
    """

    seeds: tuple[int, ...]
    accuracies: Mapping[Setting, Mapping[Condition, Mapping[int, float]]]
    gains: Mapping[Setting, Mapping[int, float]]

    @classmethod
    def of(cls, table: "pd.DataFrame", arm: str) -> "_Arm":
        accuracies, gains = defaultdict(lambda: defaultdict(dict)), defaultdict(dict)
        own = table[table["arm"] == arm]
        for row in own.to_dict("records"):
            setting = (row["absolute"], row["relative"])
            gains[setting][row["seed"]] = row["probe_trained"] - row["probe_random"]
            if isinstance(row["task"], str):
                n, factor, readout = int(row["samples"]), row["rescaling"], row["readout"]
                condition = Condition(row["task"], n, factor, readout, row["start"])
                accuracies[setting][condition][row["seed"]] = row["accuracy"]
        return cls(tuple(sorted(own["seed"].unique())), accuracies, gains)

    @property
    def samples(self) -> list[int]:
        return sorted({one.samples for own in self.accuracies.values() for one in own})

    @property
    def small_kappas(self) -> list[float]:
        return sorted({kappa for _, kappa in self.gains if kappa < 1.0})

    @property
    def small_scales(self) -> list[float]:
        return sorted({c for c, _ in self.gains if c < 1.0})

    @property
    def large_readouts(self) -> list[float]:
        return sorted({one.readout for own in self.accuracies.values() for one in own if one.readout > 1.0})

    def accuracy(
        self, task: str, samples: int, *, factor: float = 1.0, setting: Setting = BASE, readout: float = 1.0
    ) -> np.ndarray:
        """By seed (runs,); NaN for what failed.  ``factor`` may be ``SCRATCH``."""
        start, factor = (RANDOM, 1.0) if factor == SCRATCH else (PRETRAINED, factor)
        condition = Condition(task, samples, factor, readout, start)
        return self._by_seed(self.accuracies.get(setting, {}).get(condition, {}))

    def mean_accuracy(self, task: str, **which: Any) -> np.ndarray:
        """The same, the mean over numbers of samples."""
        return np.mean([self.accuracy(task, n, **which) for n in self.samples], axis=0)

    def worth(self, **which: Any) -> np.ndarray:
        """Mean accuracy on tasks of pretrained classes less on those of new ones."""
        return self.mean_accuracy(SUBSET, **which) - self.mean_accuracy(NEW, **which)

    def learned(self, setting: Setting) -> Estimate:
        """Accuracy of the probe of held-out classes after pretraining less before it."""
        return mean_over_runs(self._by_seed(self.gains.get(setting, {})))

    def _by_seed(self, found: Mapping[int, float]) -> np.ndarray:
        return np.array([found.get(seed, np.nan) for seed in self.seeds], dtype=float)


def compare_resnet(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """Claims of both arms, then LL24's numbers."""
    before, after = (_Arm.of(table, arm) for arm in ("before", "after"))
    return (
        *_judged(before, list(_a26_claims(before))),
        *_judged(after, list(_ll24_claims(after))),
        *_ll24_numbers(after),
    )


def _judged(arm: _Arm, claims: list[_Claim]) -> Iterator[Comparison]:
    for claim in claims:
        gains = {
            f"the pretrained encoder of c = {c:g}, kappa = {k:g}": arm.learned((c, k))
            for c, k in claim.settings
        }
        found = mean_over_runs(claim.contrast, confidence=joint_confidence(len(claims)))
        yield compare_order(claim.what, claim.published, found, unproven=at_random_start(gains))


def _a26_claims(arm: _Arm) -> Iterator[_Claim]:
    """Of means over numbers of samples, since the source tells no numbers apart."""
    abstract = "a smaller scale in earlier layers generalizes better on tasks that use a subset"
    for kappa in arm.small_kappas:
        both = ((1.0, kappa), BASE)
        small, equal = (arm.mean_accuracy(SUBSET, setting=one) for one in both)
        yield _Claim(
            f"before: accuracy on subset tasks with kappa = {kappa:g} less with 1, mean over n",
            Published(ABSTRACT, claim=abstract),
            small - equal,
            both,
        )
        yield _Claim(
            f"before: what kappa = {kappa:g} gains on subset tasks less what it gains on new ones, mean over n",
            Published(f"{ABSTRACT}, as we read it", claim="it gains where features are reused"),
            arm.worth(setting=both[0]) - arm.worth(),
            both,
        )
    theory = f"{A26}, Proposition 4.2 (diagonal networks)"
    for c in arm.small_scales:
        yield _Claim(
            f"before: accuracy on subset tasks less on new ones, with c = {c:g} less with 1, mean over n",
            Published(theory, claim="a smaller absolute scale makes fine-tuning depend more on pretraining"),
            arm.worth(setting=(c, 1.0)) - arm.worth(),
            ((c, 1.0), BASE),
        )
    for gamma in arm.large_readouts:
        yield _Claim(
            f"before: accuracy on subset tasks less on new ones, with gamma = 1 less with {gamma:g}, mean over n",
            Published(theory, claim="a larger readout makes fine-tuning depend less on pretraining"),
            arm.worth() - arm.worth(readout=gamma),
        )


def _ll24_claims(arm: _Arm) -> Iterator[_Claim]:
    for n in arm.samples:
        for better, worse in _BETTER:
            yield _Claim(
                f"after, n = {n}: accuracy of {_named(better)} less that of {_named(worse)}",
                Published(LL24_SOURCE, claim=_ll24_said(better, worse, n)),
                arm.accuracy(NEW, n, factor=better) - arm.accuracy(NEW, n, factor=worse),
            )


def _ll24_said(better: float, worse: float, n: int) -> str:
    """Its numbers at n, or at the nearest below and above."""
    below = max((one for one in LL24_SAMPLES if one <= n), default=LL24_SAMPLES[0])
    above = min((one for one in LL24_SAMPLES if one >= n), default=LL24_SAMPLES[-1])
    said = [
        f"{_ll24(better, one):.3f} against {_ll24(worse, one):.3f} at n = {one:,}"
        for one in dict.fromkeys((below, above))
    ]
    return "; ".join(said)


def _ll24_numbers(arm: _Arm) -> Iterator[Comparison]:
    for n in arm.samples:
        theirs = min((one for one in LL24_SAMPLES if one >= n), default=LL24_SAMPLES[-1])
        beside, unlike = ("", "") if n == theirs else (f", beside n = {theirs:,}", f", and n = {n}")
        for factor in LL24_ACCURACY:
            yield compare_value(
                f"after, n = {n}: accuracy of {_named(factor)}{beside}",
                Published(LL24_SOURCE, _ll24(factor, theirs), uncertainty=_ROUNDING),
                mean_over_runs(arm.accuracy(NEW, n, factor=factor)),
                matters=_MATTERS,
                unlike=f"{UNLIKE}{unlike}",
            )


def _ll24(factor: float, n: int) -> float:
    return LL24_ACCURACY[factor][LL24_SAMPLES.index(n)]


def _named(factor: float) -> str:
    return "random weights" if factor == SCRATCH else f"pretrained weights times {factor:g}"
