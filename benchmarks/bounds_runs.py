"""The family as a table: one row a run, its excesses over the best run of its objective, the bound's terms."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from bounds_family import members
from bounds_measuring import LIPSCHITZ, N_LABELS, SCORES

from carryover._core.results import Estimate
from carryover._core.seeding import derive_generator
from carryover._core.strict import build
from carryover.bounds.transfer import Conditions, TransferBoundEstimate, transfer_bound
from carryover.measures.heterogeneity import TotalVariation
from carryover.measures.probe import mean_loss_estimate
from carryover.measures.rademacher import RademacherComplexity
from carryover.measures.transfer_envelope import MeasuredTransferability, measure_transferability

Found = Mapping[str, Mapping[str, Any]]
PRECISION, LOOSE = 0.1, 0.5
"""Half widths of the interval of beta beyond which a measured pair abstains: the default, and that of the sums."""
CONDITIONS = Conditions(
    independent_draws=None,
    representation_independent=True,  # labelled rows, the regularisers' pool and CIFAR-10 are disjoint
    complexity_at_labelled=True,
    same_view=False,  # pretraining saw masked, noisy or augmented images
    head_in_class=False,  # a ridge head has its own norm, and not the least soft error of that norm
)


def paired(values: Any, reference: Any) -> tuple[float, float]:
    """Mean difference of two paired samples and its standard error."""
    gaps = np.asarray(values) - np.asarray(reference)
    return float(gaps.mean()), float(gaps.std(ddof=1) / np.sqrt(len(gaps)))


def best_runs(found: Found) -> dict[str, str]:
    """By objective, the run of the least pretraining loss: h*."""
    best: dict[str, str] = {}
    for one in members():
        if one.name in found:
            loss = np.mean(found[one.name]["pretraining_losses"])
            held = best.setdefault(one.objective, one.name)
            if loss < np.mean(found[held]["pretraining_losses"]):
                best[one.objective] = one.name
    return best


def run_table(found: Found) -> pd.DataFrame:
    """One row a measured run, in the order of :func:`bounds_family.members`; without the bound's terms."""
    best, rows = best_runs(found), []
    for one in members():
        if one.name not in found:
            continue
        mine, top = found[one.name], found[best[one.objective]]
        row = vars(one) | {"run": one.name, "is_best": one.name == best[one.objective]}
        row["pretraining_loss"] = float(np.mean(mine["pretraining_losses"]))
        row["excess"], row["excess_se"] = paired(mine["pretraining_losses"], top["pretraining_losses"])
        for labels in ("few", "many"):
            for risk in ("error", "soft", "log"):
                value, reference = mine[labels][risk], top[labels][risk]
                row[f"{risk}_{labels}"] = float(np.mean(value))
                row[f"{risk}_{labels}_excess"], row[f"{risk}_{labels}_excess_se"] = paired(value, reference)
        row["train_soft"], row["head_norm"] = mine["train_soft"], mine["head_norm"]
        row["unit_complexity"] = mine["complexity"]["normalized"]["value"] / mine["head_norm"]
        rows.append(row | {name: mine["scores"][name] for name in SCORES})
    return pd.DataFrame(rows)


def transferability(
    table: pd.DataFrame, risk: str, *, precision: float = PRECISION
) -> MeasuredTransferability:
    """(C, beta) measured over these rows for the downstream risk of that column."""
    return measure_transferability(
        table["excess"].to_numpy(),
        table[f"{risk}_excess"].to_numpy(),
        pretraining_std_error=table["excess_se"].to_numpy(),
        downstream_std_error=table[f"{risk}_excess_se"].to_numpy(),
        groups=table["run"].to_numpy(),
        precision=precision,
        generator=derive_generator(0, "transferability"),
    )


def bound_of(
    row: Mapping[str, Any], found: Found, pair: MeasuredTransferability, *, best: str
) -> TransferBoundEstimate:
    """The estimate of the transfer bound on a run's soft error; its residual is the risk left on the run ``best``.

    With that risk in place of an excess the sum stands against the risk itself, not against its excess.
    """
    mine = found[row["run"]]
    half = 1.96 * row["excess_se"]
    excess = Estimate(
        row["excess"], row["excess_se"], (row["excess"] - half, row["excess"] + half),
        len(mine["pretraining_losses"]),
    )  # fmt: skip
    return transfer_bound(
        pair,
        pretraining_excess=excess,
        complexity=build(RademacherComplexity, mine["complexity"]),
        total_variation=build(TotalVariation, mine["variation"]),
        residual=mean_loss_estimate(np.array(found[best]["many"]["soft"])),
        n=N_LABELS,
        lipschitz=LIPSCHITZ,
        conditions=CONDITIONS,
    )


def with_terms(table: pd.DataFrame, found: Found) -> tuple[pd.DataFrame, dict[str, MeasuredTransferability]]:
    """The table with a column for each term and the sums; and by objective the pair that was used.

    The pair is measured over the runs without regulariser, for the soft error of the head of many labels, which is
    the nearest to the least risk over heads that is at hand; at ``LOOSE``, as with the default there is no sum.
    """
    best, pairs, columns = best_runs(found), {}, []
    plain = table[table["regularizer"] == "none"]
    for objective in table["objective"].unique():
        mine = plain[plain["objective"] == objective]
        pairs[objective] = transferability(mine, "soft_many", precision=LOOSE)
    for row in table.to_dict("records"):
        objective = row["objective"]
        bound = bound_of(row, found, pairs[objective], best=best[objective])
        terms = {term.name: term.value for term in bound.terms}
        rest = [value for name, value in terms.items() if name != "transferability"]
        columns.append({**terms, "sum_without_transferability": sum(rest), "sum": bound.estimated_bound})
    extra = pd.DataFrame(columns, index=table.index).astype(float)
    return pd.concat([table, extra.rename(columns={name: f"term_{name}" for name in extra})], axis=1), pairs
