"""What ``ranking_small_n`` is compared with: taus of synthetic hubs, the orders they imply, and controls."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.entries.ranking.rivals import RIVALS, VARIABLE
from carryover.experiments.entries.ranking.specs import CANDIDATE, CHANCE, EVERY, SCORE, START
from carryover.experiments.summaries import CORRELATION, joint_confidence, mean_over_runs

if TYPE_CHECKING:
    import pandas as pd

SYNTHETIC = "measured for this project on 8 synthetic hubs of 10 models, 100 labels, widths 128 to 1,024"
OPEN = "open question; the prediction of the evidence kept whole where features are wider than the sample"
BASELINE = "open question; what a baseline is for"
AT = 100
"""Labels of the published taus."""
TAUS = {
    "thuml.logme": 0.09,
    "logme": 0.86,
    "ridge_loo": 0.89,
    "h_score": 0.80,
    "tllib.h_score": 0.08,
    "tllib.transrate": 0.07,
}
"""Kendall's tau of scores and probe accuracy there; "as released" is one of the names with a dot."""
CALLED = {
    "logme": "exact evidence",
    "h_score": "shrunk H-score",
    "ridge_loo": "leave-one-out ridge probe",
    "thuml.logme": "LogME as released (thuml/LogME)",
    "tllib.logme": "LogME as released (TLlib)",
    "tllib.h_score": "H-score as released (TLlib)",
    "tllib.transrate": "TransRate as released (TLlib)",
    "transformer_ranker.logme": "LogME as released (transformer-ranker)",
    CHANCE: "a pick at random",
}


@dataclass(frozen=True)
class Claim:
    """``better`` is above ``worse`` in tau, or loses less by its pick (``metric`` "regret")."""

    better: str
    worse: str
    labels: int
    metric: str
    published: Published


def compare_ranking(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """Published taus (of other hubs: not comparable), their order, open questions, the pretrained encoders.

    Intervals of the orders hold jointly at 95 % (Bonferroni over all of them).
    """
    sizes = sorted({int(n) for n in table.loc[table["kind"] == SCORE, "labels"].dropna()})
    claims = _claims(sizes)
    confidence = joint_confidence(max(len(claims), 1))
    return (
        *(_value(table, score, tau) for score, tau in TAUS.items()),
        *(_order(table, claim, confidence) for claim in claims),
        *(_control(table, name) for name in _pretrained(table)),
    )


def _claims(sizes: list[int]) -> list[Claim]:
    """Declared before anything was run."""
    found = []
    for better, worse in (
        ("logme", "thuml.logme"),
        ("ridge_loo", "thuml.logme"),
        ("ridge_loo", "logme"),
        ("logme", "h_score"),
        ("h_score", "tllib.h_score"),
        ("ridge_loo", "tllib.transrate"),
    ):
        said = f"{TAUS[better]:.2f} against {TAUS[worse]:.2f}"
        found.append(Claim(better, worse, AT, "tau", Published(SYNTHETIC, claim=said)))
    whole = Published(OPEN, claim="the exact evidence ranks better than what leaves part of it out")
    found += [
        Claim("logme", other, AT, "tau", whole) for other in ("tllib.logme", "transformer_ranker.logme")
    ]
    for n in sizes:
        if n != AT:
            found.append(Claim("logme", "thuml.logme", n, "tau", whole))
        better = Published(
            BASELINE, claim="a probe that needs no theory picks better than the released score"
        )
        found.append(Claim("ridge_loo", "thuml.logme", n, "regret", better))
        better = Published(BASELINE, claim="so many labels suffice to pick better than at random")
        found.append(Claim("ridge_loo", CHANCE, n, "regret", better))
    return found


def _value(table: "pd.DataFrame", score: str, tau: float) -> Comparison:
    ours = _absent(table, score) or mean_over_runs(_by_target(table, score, AT, "tau"), limits=CORRELATION)
    unlike = "the hubs there are synthetic, these are real networks; which is above which is compared below"
    return compare_value(
        f"{CALLED[score]}, {AT} labels: Kendall's tau, mean over targets",
        Published(SYNTHETIC, tau, 0.005),
        ours,
        matters=0.1,
        unlike=unlike if ours.ok else "",
    )


def _order(table: "pd.DataFrame", claim: Claim, confidence: float) -> Comparison:
    if claim.metric == "regret":
        signs = (claim.worse, claim.better)
        lost, less = (_pick(score) for score in signs)
        what = f"{claim.labels} labels: accuracy that {lost} loses, less what {less} loses"
    else:
        signs = (claim.better, claim.worse)
        high, low = (CALLED[score] for score in signs)
        what = f"{claim.labels} labels: Kendall's tau of {high} less that of {low}"
    for score in signs:
        if missing := _absent(table, score):
            return compare_order(what, claim.published, missing)
    first, second = (_by_target(table, score, claim.labels, claim.metric) for score in signs)
    return compare_order(what, claim.published, mean_over_runs(first - second, confidence=confidence))


def _pick(score: str) -> str:
    return CALLED[score] if score == CHANCE else f"the pick of {CALLED[score]}"


def _absent(table: "pd.DataFrame", score: str) -> Estimate | None:
    """Why there is no value of a rival that was not asked; None for a score that was."""
    rival = score.partition(".")[0]
    if "." not in score or rival not in RIVALS or (table["name"] == score).any():
        return None
    return Estimate.missing(
        "not_applicable", f"{rival} is not installed in a folder that {VARIABLE} names, and was not asked"
    )


def _by_target(table: "pd.DataFrame", score: str, labels: int, metric: str) -> np.ndarray:
    """The metric of a score on each target; NaN where it was not computed."""
    own = table[(table["hub"] == EVERY) & (table["name"] == score) & (table["labels"] == labels)]
    targets = list(dict.fromkeys(table["target"]))
    return own.set_index("target")[metric].reindex(targets).astype(float).to_numpy()


def _pretrained(table: "pd.DataFrame") -> list[str]:
    names = table.loc[table["kind"] == CANDIDATE, "name"]
    return [name.removesuffix(START) for name in dict.fromkeys(names) if name.endswith(START)]


def _control(table: "pd.DataFrame", name: str) -> Comparison:
    own = table[table["kind"] == CANDIDATE].pivot(index="target", columns="name", values="accuracy")
    own = own.reindex(list(dict.fromkeys(table["target"])))
    claim = (
        "pretraining helps on these targets; an encoder that it does not help stays in the hub, as poor candidates "
        "do in any, and nothing is concluded from it"
    )
    return compare_order(
        f"control, {name}: accuracy with all labels, pretrained less before training, mean over targets",
        Published("control of this experiment", claim=claim),
        mean_over_runs((own[name] - own[name + START]).astype(float).to_numpy()),
    )
