"""Forecasts of two plans and the probe against what the runs reached: cells, table, calibration."""

import time
from pathlib import Path
from typing import Any

import numpy as np
from adaptation_cells import all_images, examples_at, interval, network_maker
from adaptation_figures import forecast_figure
from cells import Cells
from real_input import data_root
from scipy.stats import spearmanr

from carryover._core.seeding import derive_generator
from carryover.adaptation.forecast import forecast_plan, tangent_kernel
from carryover.adaptation.measuring_specs import ForecastSpec
from carryover.adaptation.outcome import Split, run_plan
from carryover.adaptation.phases import Budget, all_features
from carryover.adaptation.plans import PLANS
from carryover.measures.kernel_change import kernel_distance_estimate
from carryover.measures.logme import logme

ROOT = Path(__file__).resolve().parents[1]
TASKS = {  # data, label, where, the split to test on or None
    "usps": ("usps", "label", {}, "test"),
    "mnist": ("mnist", "label", {}, "test"),
    "fashion": ("fashion_mnist", "label", {}, "test"),
    "photo": ("pacs32", "label", {"domain": "photo"}, None),
    "sketch": ("pacs32", "label", {"domain": "sketch"}, None),
    "cifar100": ("cifar100", "coarse_label", {}, "test"),
}
N_TEST = 500
FORECAST = {"resnet20": (30, 80, 120, 200), "resnet56": (30,)}
"""Numbers of labels: with six tasks, 30 triples."""


def forecasts(cells: Cells, _: int) -> None:
    """Forecasts of two plans and the probe for every checkpoint, task and number of labels, against the runs."""
    root = data_root()
    keys = [
        f"forecast-{name}-{task}-{n}" for name, sizes in FORECAST.items() for task in TASKS for n in sizes
    ]
    found = cells.run(keys, lambda key: _forecast_cell(root, *key.split("-")[1:]))
    print("\n| checkpoint, task, labels | probe forecast | probe | tangent probe | lp_ft | fine_tuning | "
          "kernel distance after a pilot (lp_ft, fine_tuning) | at the end | LogME |")  # fmt: skip
    print("|" + "---|" * 9)
    for key, row in found.items():
        print(_forecast_row(key, row))
    if len(found) >= 3:
        _calibration(list(found.values()))
        forecast_figure(list(found.values()), ROOT / "docs" / "images" / "forecasts.png")


def _forecast_row(key: str, row: dict[str, Any]) -> str:
    shown = [
        f"{100 * row[name]:.1f}" for name in ("probe", "probe_reached", "tangent", "lp_ft", "fine_tuning")
    ]
    for when in ("pilot", "end"):
        shown.append(", ".join(f"{row[f'{when}_{plan}']:.3f}" for plan in ("lp_ft", "fine_tuning")))
    return f"| {key[9:].replace('-', ', ')} | {' | '.join(shown)} | {row['logme']:.3f} |"


def _forecast_cell(root: Path, name: str, task: str, n: str) -> dict[str, Any]:
    data, label, where, held = TASKS[task]
    images, labels = all_images(
        root / "data" / data, split="train" if held else None, label=label, where=where
    )
    codes = np.unique(labels)
    make, preprocessing = network_maker(root, name, n_outputs=len(codes))
    generator = derive_generator(0, "forecast", task)
    order = generator.permutation(len(labels))
    chosen, judged = _with_all_classes(labels[order], int(n)), None
    train = examples_at(images, labels, order[chosen], preprocessing)
    if held:
        others, other_labels = all_images(root / "data" / data, split=held, label=label, where=where)
        judged = examples_at(
            others, other_labels, generator.permutation(len(other_labels))[:N_TEST], preprocessing
        )
    else:
        judged = examples_at(images, labels, order[-N_TEST:], preprocessing)
    split, budget = Split(train, judged), Budget(steps=100, seed=0)
    found: dict[str, Any] = {"n": len(train), "classes": len(codes)}
    features = all_features(make(), train.images).astype(np.float64)
    found["logme"] = logme(features, train.targets.numpy()).value
    before = tangent_kernel(make(), PLANS["fine_tuning"], train, seed=0, spec=ForecastSpec())
    for plan in ("linear_probe", "lp_ft", "fine_tuning"):
        start = time.perf_counter()
        forecast = forecast_plan(make, PLANS[plan], split, budget=budget)
        seconds = time.perf_counter() - start
        outcome = run_plan(make, PLANS[plan], split, budget=budget)
        reached = outcome.measures["accuracy"].value
        if plan == "linear_probe":
            found |= {"probe": forecast.expected.value, "probe_reached": reached}
            found["probe_interval"] = forecast.expected.interval
            continue
        after = tangent_kernel(outcome.network, PLANS[plan], train, seed=0, spec=ForecastSpec())
        found |= {"tangent": forecast.unchecked.value, "tangent_interval": forecast.unchecked.interval}
        found |= {
            plan: reached,
            f"pilot_{plan}": forecast.pilot_distance.value,
            f"abstained_{plan}": not forecast.expected.ok,
            f"end_{plan}": kernel_distance_estimate(before, after, centred=True).value,
            f"seconds_{plan}": seconds,
        }
    return found


def _with_all_classes(labels: np.ndarray, n: int) -> np.ndarray:
    """Positions of the first n, after one of each class."""
    firsts = np.unique(labels, return_index=True)[1]
    rest = np.setdiff1d(np.arange(len(labels)), firsts)
    return np.concatenate([firsts, rest[: n - len(firsts)]])


def _calibration(rows: list[dict[str, Any]]) -> None:
    """Error, coverage and rank correlation of what is said beforehand."""
    print(f"\n| {len(rows)} triples: forecast of | runs | mean error | mean absolute error | in its interval | "
          "Spearman |")  # fmt: skip
    print("|---|---|---|---|---|---|")
    for plan in ("lp_ft", "fine_tuning"):
        kept = [row for row in rows if not row[f"abstained_{plan}"]]
        left = [row for row in rows if row[f"abstained_{plan}"]]
        for what, some, source in (
            (f"{plan} by the tangent probe, all", rows, "tangent"),
            (f"{plan} by the tangent probe, where it does not abstain", kept, "tangent"),
            (f"{plan} by the tangent probe, where it abstains", left, "tangent"),
            (f"{plan} by the plain probe, all", rows, "probe"),
        ):
            print(_calibration_row(what, some, source, plan))
        ranks = spearmanr([row["logme"] for row in rows], [row[plan] for row in rows]).statistic
        print(f"| {plan} by LogME (no accuracy) | {len(rows)} |  |  |  | {ranks:.2f} |")
    print(_calibration_row("linear_probe by its leave-one-out", rows, "probe", "probe_reached"))


def _calibration_row(what: str, rows: list[dict[str, Any]], source: str, plan: str) -> str:
    if len(rows) < 3:
        return f"| {what} | {len(rows)} |  |  |  |  |"
    errors = [row[source] - row[plan] for row in rows]
    mean, low, high = (100 * one for one in interval(errors))
    covered = sum(row[f"{source}_interval"][0] <= row[plan] <= row[f"{source}_interval"][1] for row in rows)
    ranks = spearmanr([row[source] for row in rows], [row[plan] for row in rows]).statistic
    return (
        f"| {what} | {len(rows)} | {mean:+.1f} [{low:.1f}, {high:.1f}] | {100 * np.mean(np.abs(errors)):.1f} | "
        f"{covered} of {len(rows)} | {ranks:.2f} |"
    )
