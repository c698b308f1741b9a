"""What the table of a26_modular says about A26's claims: differences of accuracy, paired by seed.

Every number is a mean over the numbers of samples first.  The theory is of gradient flow on a squared loss; the
claims are its directions alone, the protocol is ours.
"""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_order
from carryover.experiments.entries.a26.modular_protocol import NEW, RANDOM, REUSE, TRAINED
from carryover.experiments.entries.a26.values import A26, ABSTRACT
from carryover.experiments.entries.random_start import at_random_start
from carryover.experiments.summaries import joint_confidence, mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

FITTED = 0.9
"""Of its samples each fine-tuning must have right, or it says nothing about how a fit generalizes."""
_DEPENDENCE = f"{A26}, Proposition 4.2 (protocol ours)"
_EARLY = f"{ABSTRACT} (protocol ours)"
_SMALLER = (
    "a smaller scale in earlier layers generalizes better on tasks that rely on a subset of the features"
)
_LESS = "fine-tuning depends less on pretraining"
_LAZIER = "fine-tuning is lazier: its features change less"


@dataclass(frozen=True)
class Condition:
    """Fine-tunings of every seed and number of samples; ``column``: what is read of them."""

    scale: float
    early_scale: float
    readout: float
    task: str = REUSE
    start: str = TRAINED
    column: str = "accuracy"


Terms = tuple[tuple[float, Condition], ...]


@dataclass(frozen=True)
class Claim:
    """That the weighted sum of the conditions is above 0."""

    what: str
    claim: str
    source: str
    terms: Terms


def compare_modular(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """Each claim with its contrast; the intervals hold jointly at 95 % (Bonferroni)."""
    claims = claims_of(table)
    confidence = joint_confidence(len(claims))
    return tuple(
        compare_order(
            one.what,
            Published(one.source, claim=one.claim),
            contrast(table, one.terms, confidence=confidence),
            unproven=next(filter(None, (why_not(table, condition) for _, condition in one.terms)), ""),
        )
        for one in claims
    )


def claims_of(table: "pd.DataFrame") -> tuple[Claim, ...]:
    """A26's claims about the three scales, at the smallest and the largest of each in the table."""
    base = Condition(1.0, 1.0, float(table["readout"].min()))
    early, scale, readout = (
        tuple(replace(base, **{knob: float(end)}) for end in (table[knob].min(), table[knob].max()))
        for knob in ("early_scale", "scale", "readout")
    )
    return (
        *_early(early, base),
        *_dependence(scale, ("c", "a larger scale of all weights"), (scale[0].scale, scale[1].scale)),
        *_dependence(readout, ("gamma", "a larger readout"), (readout[0].readout, readout[1].readout)),
        *_at_the_base(base),
    )


def _early(early: tuple[Condition, Condition], base: Condition) -> tuple[Claim, ...]:
    small, large = early
    at, to = f"{small.early_scale:g}", f"{large.early_scale:g}"
    new = tuple((-weight, replace(one, task=NEW)) for weight, one in _less(small, large))
    accuracy = "accuracy on the reused operation at kappa ="
    return (
        Claim(f"{accuracy} {at} less at {to}", _SMALLER, _EARLY, _less(small, large)),
        Claim(f"{accuracy} {at} less at 1", _SMALLER, _EARLY, _less(small, base)),
        Claim(
            f"{accuracy} {at} less at {to}, less the same on the new operation",
            "that holds for tasks that rely on a subset more than for new ones",
            _EARLY,
            (*_less(small, large), *new),
        ),
    )


def _dependence(
    knob: tuple[Condition, Condition], names: tuple[str, str], ends: tuple[float, float]
) -> tuple[Claim, ...]:
    """At the larger end pretraining is worth less, the reused task has less of a lead, features change less."""
    (small, large), (symbol, larger) = knob, names
    upward, downward = (f"{symbol} = {one:g} less at {other:g}" for one, other in (ends[::-1], ends))
    return (
        Claim(
            f"what pretraining is worth on the reused operation at {downward}",
            f"{larger}: {_LESS}",
            _DEPENDENCE,
            (*_worth(small), *_times(-1.0, _worth(large))),
        ),
        Claim(
            f"accuracy on the reused less the new operation at {downward}",
            f"{larger}: {_LESS}",
            _DEPENDENCE,
            (*_reused(small), *_times(-1.0, _reused(large))),
        ),
        Claim(
            f"similarity of features before and after fine-tuning at {upward}",
            f"{larger}: {_LAZIER}",
            _DEPENDENCE,
            (*_likeness(large), *_times(-1.0, _likeness(small))),
        ),
    )


def _at_the_base(base: Condition) -> tuple[Claim, ...]:
    new = replace(base, task=NEW)
    return (
        Claim(
            "all scales at their base: what pretraining is worth on the reused operation",
            "a network that depends on pretraining gains from features it shares",
            _DEPENDENCE,
            _worth(base),
        ),
        Claim(
            "all scales at their base: what pretraining costs on the new operation",
            "a network that depends on pretraining loses where its features do not serve",
            f"{A26}, Proposition 5.1, overlap 0 (protocol ours)",
            _times(-1.0, _worth(new)),
        ),
    )


def _less(first: Condition, second: Condition) -> Terms:
    return ((1.0, first), (-1.0, second))


def _worth(condition: Condition) -> Terms:
    """Accuracy from pretrained less from random weights."""
    return _less(condition, replace(condition, start=RANDOM))


def _reused(condition: Condition) -> Terms:
    return _less(condition, replace(condition, task=NEW))


def _likeness(condition: Condition) -> Terms:
    """Mean over both tasks of the similarity of features before and after."""
    return tuple((0.5, replace(condition, task=task, column="similarity")) for task in (REUSE, NEW))


def _times(factor: float, terms: Terms) -> Terms:
    return tuple((factor * weight, condition) for weight, condition in terms)


def contrast(table: "pd.DataFrame", terms: Terms, *, confidence: float = 0.95) -> Estimate:
    """The weighted sum of the conditions, mean over seeds."""
    values = sum(weight * _by_seed(table, condition) for weight, condition in terms)
    return mean_over_runs(values.to_numpy(), confidence=confidence)


def why_not(table: "pd.DataFrame", condition: Condition) -> str:
    """Why nothing is concluded from a condition: its encoder does not beat its random start, or samples unfitted."""
    where = f"at c = {condition.scale:g}, kappa = {condition.early_scale:g}"
    own = _own(table, condition)
    if condition.start == TRAINED:
        reuse = _own(table, replace(condition, task=REUSE))
        gained = (reuse["probe_pretrained"] - reuse["probe_random"]).groupby(reuse["seed"]).mean()
        if reason := at_random_start({f"{where} the pretrained encoder": mean_over_runs(gained.to_numpy())}):
            return reason
    if (own["fitted"] < FITTED).any():
        return (
            f"{where}, gamma = {condition.readout:g} a fine-tuning on the {condition.task} task from "
            f"{condition.start} weights has {own['fitted'].min():.0%} of its samples right, below {FITTED:.0%}"
        )
    return ""


def _own(table: "pd.DataFrame", condition: Condition) -> "pd.DataFrame":
    same = True
    for column in ("scale", "early_scale", "readout", "task", "start"):
        same = same & (table[column] == getattr(condition, column))
    return table[same]


def _by_seed(table: "pd.DataFrame", condition: Condition) -> "pd.Series":
    """Mean over the numbers of samples for each seed of the table; NaN where a run failed."""
    values = _own(table, condition).pivot(index="seed", columns="samples", values=condition.column)
    return values.astype(float).mean(axis=1, skipna=False).reindex(sorted(table["seed"].unique()))
