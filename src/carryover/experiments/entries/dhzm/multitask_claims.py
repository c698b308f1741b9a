"""What the table of dhzm_multitask says: do tasks share features, and do single-task terms predict the joint error."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import numpy as np

from carryover._core.results import Estimate
from carryover.experiments.comparisons import Comparison, Published, compare_order, compare_value
from carryover.experiments.entries.dhzm.claims import DHZM24, ENCODER
from carryover.experiments.entries.dhzm.digit_attributes import CLASSES
from carryover.experiments.entries.random_start import PREMISE, beats_random_start
from carryover.experiments.summaries import CORRELATION, joint_confidence, mean_over_runs, rank_correlations

if TYPE_CHECKING:
    import pandas as pd

NOTHING = "nothing"
"""The objective of an encoder that is fine-tuned from its random start."""
LL24 = "Lippl and Lindsey, NeurIPS 2024 (LL24, arXiv 2310.02396), in words"
OPEN = f"{DHZM24}, open question 4"
MATTERS = 0.01 * len(CLASSES)
"""The smallest difference between sums of the tasks' errors that matters: a hundredth for each task."""
FEWEST = 4
"""Encoders that a rank correlation is taken over at least."""
_NONE_LEFT = (
    "no encoder beats its random start (sum of the tasks' probe errors), so that nothing can be concluded"
)
_TERMS: Mapping[str, str] = {
    "frozen_radreg": "RadReg of the frozen encoder with the outputs of all tasks",
    "multi_radreg": "RadReg of the jointly fine-tuned encoder with the outputs of all tasks",
    "single_radreg": "the sum of the single-task fine-tunes' RadReg",
    "probe_error": "the sum of the single-task probes' errors",
    "single_error": "the sum of the single-task fine-tunes' errors",
    "total_variation": "total variation between pretraining and pool",
}


def compare_multitask(table: "pd.DataFrame") -> tuple[Comparison, ...]:
    """Claims of LL24, then of DHZM24's question; the intervals of each kind hold jointly at 95 % (Bonferroni)."""
    encoders = per_encoder(table)
    usable = usable_encoders(encoders)
    kept = encoders[encoders.index.droplevel("seed").isin(usable)]
    return (
        _premise(encoders, len(usable)),
        *_shared(table, encoders, kept),
        *_predicted(kept),
    )


def per_encoder(table: "pd.DataFrame") -> "pd.DataFrame":
    """By objective, source, steps and seed: the sum over tasks of what is of a task, and what is of the encoder."""
    of_task = ["random_error", "probe_error", "multi_error", "single_error", "single_radreg"]
    of_encoder = ["frozen_radreg", "multi_radreg", "multi_dimensions", "multi_share", "singles_dimensions",
                  "total_variation"]  # fmt: skip
    grouped = table.groupby([*ENCODER, "seed"], sort=False)
    found = grouped[of_task].sum(min_count=len(CLASSES))
    return found.join(grouped[of_encoder].first())


def usable_encoders(encoders: "pd.DataFrame") -> list[tuple[str, str, int]]:
    """Pretrained encoders whose probes' errors add up to less than their random start's, by a 95 % interval."""
    gains = (encoders["random_error"] - encoders["probe_error"]).groupby(ENCODER, sort=False)
    gained = {name: mean_over_runs(own.to_numpy()) for name, own in gains}
    return [name for name, gain in gained.items() if name[0] != NOTHING and beats_random_start(gain)]


def _premise(encoders: "pd.DataFrame", n_usable: int) -> Comparison:
    trained = encoders.drop(NOTHING, level="objective", errors="ignore")
    gains = _by_seed(trained["random_error"] - trained["probe_error"])
    return compare_order(
        "sum of the tasks' probe errors: of the random start less of the pretrained encoder, mean over encoders "
        f"({n_usable} of {len(trained.groupby(ENCODER))} beat it)",
        Published(PREMISE, claim="pretraining lowers the errors of the probes"),
        mean_over_runs(gains),
    )


def _shared(table: "pd.DataFrame", encoders: "pd.DataFrame", kept: "pd.DataFrame") -> tuple[Comparison, ...]:
    """LL24 in words: joint fine-tuning helps, most where features are shared, in fewer directions, pretrained ones."""
    gains = {task: _gain(table, kept, task) for task in CLASSES}
    scratch = _scratch(encoders)
    claims: dict[str, tuple[str, Callable[[], pd.Series]]] = {
        f"{task}: error of the single-task fine-tune less that of the joint one": (
            "multi-task learning favours features that tasks share: the joint fine-tune errs less",
            lambda task=task: gains[task],
        )
        for task in CLASSES
    }
    claims |= {
        "that gain of parity less the mean of thickness and slant": (
            "what shares its features with another task (parity with the digit) gains most",
            lambda: gains["parity"] - (gains["thickness"] + gains["slant"]) / 2.0,
        ),
        "dimensions of the four single-task encoders side by side less those of the joint one": (
            "tasks share directions of a joint encoder",
            lambda: kept["singles_dimensions"] - kept["multi_dimensions"],
        ),
        "share of the joint encoder's directions that it had before: pretrained less random start": (
            "fine-tuning favours pretrained features",
            lambda: kept["multi_share"] - scratch["multi_share"].reindex(kept.index, level="seed"),
        ),
        "sum of errors of the joint fine-tune: from the random start less from pretraining": (
            "pretrained features are reused",
            lambda: scratch["multi_error"].reindex(kept.index, level="seed") - kept["multi_error"],
        ),
    }
    return tuple(
        compare_order(what, Published(LL24, claim=claim), _mean(values, kept, len(claims)))
        for what, (claim, values) in claims.items()
    )


def _gain(table: "pd.DataFrame", kept: "pd.DataFrame", task: str) -> "pd.Series":
    own = table[table["task"] == task].set_index([*ENCODER, "seed"])
    return (own["single_error"] - own["multi_error"]).reindex(kept.index)


def _scratch(encoders: "pd.DataFrame") -> "pd.DataFrame":
    """The encoders that were fine-tuned from their random start, by seed."""
    own = encoders[encoders.index.get_level_values("objective") == NOTHING]
    return own.droplevel(ENCODER)


def _predicted(kept: "pd.DataFrame") -> tuple[Comparison, ...]:
    """Whether sums of single-task quantities, or the terms of the bound, tell the joint error."""
    source = Published(f"{OPEN}: does the sum of single tasks predict several heads at once?", 0.0)
    apart = _mean(lambda: kept["multi_error"] - kept["single_error"], kept, 1)
    found = [
        compare_value(
            "sum of errors: of the joint fine-tune less of the single-task fine-tunes",
            source,
            apart,
            matters=MATTERS,
        ),
        compare_order(
            "sum of errors: of the probes less of the joint fine-tune",
            Published(OPEN, claim="fine-tuning several heads at once is better than probing"),
            _mean(lambda: kept["probe_error"] - kept["multi_error"], kept, 1),
        ),
    ]
    for term, said in _TERMS.items():
        found.append(
            compare_order(
                f"rank correlation over {len(kept.groupby(ENCODER))} encoders of {said} with the joint fine-tune's "
                "sum of errors, mean over seeds",
                Published(OPEN, claim="the error grows with the term"),
                correlation(kept, term),
            )
        )
    return tuple(found)


def correlation(kept: "pd.DataFrame", term: str) -> Estimate:
    """Spearman's correlation of ``term`` with the joint error over the encoders of each seed: mean over seeds."""
    if len(kept.groupby(ENCODER)) < FEWEST:
        reason = f"fewer than {FEWEST} encoders beat their random start, so that nothing can be concluded"
        return Estimate.missing("abstained", reason)
    pairs = [own[[term, "multi_error"]].to_numpy().T[:, None] for _, own in kept.groupby("seed")]
    values = np.concatenate([rank_correlations(*pair) for pair in pairs])
    if not np.isfinite(values).all():
        return Estimate.missing("failed", "for some seed a value is missing, or the same for all encoders")
    return mean_over_runs(values, confidence=joint_confidence(len(_TERMS)), limits=CORRELATION)


def _mean(values: Callable[[], "pd.Series"], kept: "pd.DataFrame", n: int) -> Estimate:
    """The mean over seeds of the mean over encoders that beat their random start."""
    if kept.empty:
        return Estimate.missing("abstained", _NONE_LEFT)
    return mean_over_runs(_by_seed(values()), confidence=joint_confidence(n))


def _by_seed(values: "pd.Series") -> np.ndarray:
    """The mean over encoders for each seed; NaN where one of them failed."""
    return values.groupby("seed").apply(lambda own: own.mean(skipna=False)).to_numpy()
