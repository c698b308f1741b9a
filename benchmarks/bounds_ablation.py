"""The transfer bound's terms on real encoders: which of them predicts downstream error.  Part `family`.

    python benchmarks/bounds_ablation.py --folder DIR [--only-measure --share 0 --shares 2]

DIR holds the runs of bounds_family.py; as many as are finished are used.  Prints the tables of
docs/transfer_in_practice.md and leaves runs.csv and transfer_terms.png in DIR.
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from adaptation_cells import interval
from bounds_family import OBJECTIVES, REGULARIZED_STEPS
from bounds_measuring import SCORES, measured
from bounds_ranks import FEWEST, PREDICTORS, rank_correlation, settings
from bounds_runs import LOOSE, PRECISION, Found, paired, run_table, transferability, with_terms
from bounds_terms_figure import terms_figure
from validate_pretraining import environment

from carryover.measures.transfer_envelope import MeasuredTransferability

RISKS = {"error_few": "0-1 error, 1,000 labels", "soft_many": "soft error, 9,000 labels"}
TERMS = ("transferability", "rademacher", "confidence", "total_variation", "residual", "sum")


def _row(*cells: object) -> None:
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def _head(*cells: str) -> None:
    print()
    _row(*cells)
    print("|" + "---|" * len(cells), flush=True)


def _span(values: pd.Series, digits: int = 3) -> str:
    known = values.dropna()
    return f"{known.min():.{digits}g} to {known.max():.{digits}g}" if len(known) else "none"


def summary(table: pd.DataFrame) -> None:
    """What was measured, by objective."""
    _head("objective", "runs", "pretraining excess E_U", "its largest standard error", "error, 1,000 labels, %",
          "error, 9,000 labels, %", "head norm", "total variation, at least")  # fmt: skip
    for name, part in table.groupby("objective", sort=False):
        spans = [_span(100 * part[f"error_{labels}"]) for labels in ("few", "many")]
        _row(name, len(part), _span(part["excess"][~part["is_best"]]), f"{part['excess_se'].max():.2g}", *spans,
             _span(part["head_norm"]), _span(part["term_total_variation"] / 2))  # fmt: skip


def _pair_words(found: MeasuredTransferability) -> tuple[str, str, str]:
    if not found.ok:
        return "abstained", "", found.exponent.reason or ""
    (low, high), (least, most) = found.exponent.interval, found.constant.interval
    return (
        f"{found.exponent.value:.2f} [{low:.2f}, {high:.2f}]",
        f"{found.constant.value:.3g} [{least:.3g}, {most:.3g}]",
        "",
    )


def transferabilities(table: pd.DataFrame) -> None:
    """Measured (C, beta) by objective, over two sets of runs, for two risks, at two demands on the interval."""
    _head("objective", "runs", "downstream risk", "used", f"beta (+-{PRECISION:g} asked)",
          f"beta (+-{LOOSE:g} asked)", "C", "why it abstains")  # fmt: skip
    for name, part in table.groupby("objective", sort=False):
        for words, rows in (("unregularised", part[part["regularizer"] == "none"]), ("all", part)):
            for risk, said in RISKS.items():
                strict = transferability(rows, risk)
                loose = transferability(rows, risk, precision=LOOSE)
                reasons = strict.exponent.reason or ""
                _row(name, f"{len(rows)} {words}", said, strict.n_used, _pair_words(strict)[0],
                     *_pair_words(loose)[:2], reasons)  # fmt: skip


def terms(table: pd.DataFrame) -> None:
    """Medians over the runs of an objective: each term, their sum, the risk it stands against and the ratio."""
    _head("objective", *(name.replace("_", " ") for name in TERMS), "without the first", "true risk",
          "sum / risk", "without the first / risk")  # fmt: skip
    for name, part in table.groupby("objective", sort=False):
        medians = [part[f"term_{term}"].median() for term in TERMS]
        cells = ["abstained" if pd.isna(one) else f"{one:.3g}" for one in medians]
        rest, risk = part["term_sum_without_transferability"], part["soft_few"]
        whole = (part["term_sum"] / risk).median()
        _row(name, *cells, f"{rest.median():.3g}", f"{risk.median():.3f}",
             "abstained" if pd.isna(whole) else f"{whole:.3g}", f"{(rest / risk).median():.3g}")  # fmt: skip


def correlations(table: pd.DataFrame) -> None:
    """Spearman's correlation of every predictor with the downstream error, in the four settings."""
    parts = settings(table)
    _head("predictor", *(f"({name}) {len(part)} runs" for name, (part, _) in parts.items()))
    for words, (column, sign) in PREDICTORS.items():
        cells = []
        for part, within in parts.values():
            found = rank_correlation(part, column, sign, within=within)
            cells.append("-" if found is None else "{:.2f} [{:.2f}, {:.2f}]".format(*found))
        _row(words, *cells)


def regularizers(table: pd.DataFrame, found: Found) -> None:
    """Test error with a regulariser less without, in points, at equal steps: one run each."""
    equal = table[table["steps"] == REGULARIZED_STEPS]
    kinds = equal[equal["regularizer"] != "none"][["regularizer", "strength"]].drop_duplicates()
    names = [f"{kind} {strength:g}" for kind, strength in kinds.itertuples(index=False)]
    _head("objective", "without, %", *names, "scatter of seeds")
    every: dict[str, list[float]] = {name: [] for name in names}
    for objective, part in equal.groupby("objective", sort=False):
        plain = part[part["regularizer"] == "none"]["run"]
        if plain.empty:
            continue
        without, cells = found[plain.iloc[0]]["few"]["error"], []
        for name, (kind, strength) in zip(names, kinds.itertuples(index=False), strict=True):
            same = part[(part["regularizer"] == kind) & (part["strength"] == strength)]["run"]
            with_it = None if same.empty else found[same.iloc[0]]["few"]["error"]
            cells.append("-" if with_it is None else _points(with_it, without))
            every[name] += [] if with_it is None else [paired(with_it, without)[0]]
        plain_runs = table[(table["objective"] == objective) & (table["regularizer"] == "none")]
        _row(objective, f"{100 * sum(without) / len(without):.1f}", *cells, f"{scatter(plain_runs):.1f}")
    over = [interval([100 * one for one in gaps]) for gaps in every.values() if len(gaps) > 1]
    _row("mean of the objectives", "", *("{:+.1f} [{:+.1f}, {:+.1f}]".format(*one) for one in over), "")


def scatter(runs: pd.DataFrame) -> float:
    """Deviation, in points, of the error of runs about a parabola in the logarithm of their steps."""
    if len(runs) < 5:
        return float("nan")
    steps, errors = np.log(runs["steps"].to_numpy(float)), 100 * runs["error_few"].to_numpy()
    left = errors - np.polyval(np.polyfit(steps, errors, 2), steps)
    return float(np.sqrt((left**2).sum() / (len(runs) - 3)))


def _points(values: list[float], reference: list[float]) -> str:
    mean, error = (100 * one for one in paired(values, reference))
    return f"{mean:+.1f} [{mean - 1.96 * error:+.1f}, {mean + 1.96 * error:+.1f}]"


def kept_columns(table: pd.DataFrame) -> pd.DataFrame:
    """What docs/tables/transfer_in_practice.csv holds, to six significant digits."""
    names = ["run", "objective", "steps", "regularizer", "strength", "seed", "is_best", "pretraining_loss",
             "excess", "excess_se", "error_few", "soft_few", "log_few", "error_many", "soft_many", "train_soft",
             "head_norm", "unit_complexity", *(f"term_{term}" for term in TERMS),
             "term_sum_without_transferability", *SCORES]  # fmt: skip
    return table[names].map(lambda one: float(f"{one:.6g}") if isinstance(one, float) else one)


def family(folder: Path) -> None:
    """Print the tables of docs/transfer_in_practice.md from the finished runs in ``folder``."""
    torch.set_num_threads(1)
    found = measured(folder)
    print(f"{environment()}; {len(found)} runs", flush=True)
    table, _ = with_terms(run_table(found), found)
    summary(table)
    transferabilities(table)
    terms(table)
    correlations(table)
    regularizers(table, found)
    kept_columns(table).to_csv(folder / "runs.csv", index=False)
    terms_figure(table, folder / "transfer_terms.png")
    small = [name for name in OBJECTIVES if (table["objective"] == name).sum() < FEWEST]
    if small:
        print(f"\nfewer than {FEWEST} runs, left out of correlations within objectives: {', '.join(small)}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--only-measure", action="store_true")
    parser.add_argument("--share", type=int, default=0)
    parser.add_argument("--shares", type=int, default=1)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.only_measure:
        measured(given.folder, share=given.share, shares=given.shares)
    else:
        family(given.folder)


if __name__ == "__main__":
    main()
