"""The result in the terminal: ranking, verdicts, and where the report is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from carryover.reports import numbers
from carryover.reports.adaptation_view import adapted_runs
from carryover.reports.adaptation_words import run_line
from carryover.reports.metric import Metric, metric_of
from carryover.reports.wording import LIMITS, display_name, headline

NARROW = 60


def print_summary(record: Mapping[str, Any], console: Console, report_path: Path | None = None) -> None:
    """Print the answer, the ranking, the verdict of each model, adaptation runs, failures and the report's path.

    Below 60 columns the ranking becomes a list.  Names are printed as text: rich markup in them has no effect.
    """
    console.print()
    console.print(Text(headline(record)["sentence"], style="bold"))
    console.print()
    (_print_list if console.width < NARROW else _print_table)(record, console)
    for verdict in record["verdicts"]:
        console.print()
        heading = Text(display_name(verdict["model"]), style="bold")
        console.print(heading.append(f" · {LIMITS[verdict['limited_by']]}", style="cyan"))
        console.print(Text(verdict["sentence"]))
    for one in adapted_runs(record):
        console.print()
        console.print(Text(run_line(one.run, one.model, metric_of(record))))
    for warning in record["warnings"]:
        console.print(Text(f"\nWarning: {warning}", style="yellow"))
    if report_path is not None:
        console.print()
        console.print(Text("Report: ").append(str(report_path), style="bold"), soft_wrap=True)


def _cells(row: Mapping[str, Any], metric: Metric) -> tuple[str, str, str]:
    estimate = row["accuracy"]
    if estimate["status"] != "ok":
        return f"{estimate['status'].replace('_', ' ')}: {estimate['reason']}", "–", "–"
    best = "–" if row["probability_best"] is None else numbers.chance(row["probability_best"])
    return metric.value(estimate), metric.interval(estimate) or "–", best


def _unranked(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    ranked = {row["name"] for row in record["ranking"]}
    return [model for model in record["models"] if model["name"] not in ranked]


def _print_table(record: Mapping[str, Any], console: Console) -> None:
    metric = metric_of(record)
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("#", justify="right")
    table.add_column("model", overflow="fold", min_width=12)
    table.add_column(f"test {metric.name}", justify="right")
    table.add_column("95 % interval", justify="right")
    table.add_column("best of these", justify="right")
    for rank, row in enumerate(record["ranking"], start=1):
        style = "bold" if rank == 1 else ""
        table.add_row(
            str(rank), Text(display_name(row["name"]), style=style), *map(Text, _cells(row, metric))
        )
    console.print(table)
    for model in _unranked(record):
        console.print(Text(f"–  {display_name(model['name'])}: {_why(model)}", style="red"))


def _print_list(record: Mapping[str, Any], console: Console) -> None:
    metric = metric_of(record)
    for rank, row in enumerate(record["ranking"], start=1):
        value, interval, best = _cells(row, metric)
        console.print(Text(f"{rank}. {display_name(row['name'])}", style="bold" if rank == 1 else ""))
        console.print(Text(f"   {metric.name} {value} ({interval}), best with {best}"))
    for model in _unranked(record):
        console.print(Text(f"–  {display_name(model['name'])}: {_why(model)}", style="red"))


def _why(model: Mapping[str, Any]) -> str:
    return f"{model['status'].replace('_', ' ')}: {model['reason']}" if model["reason"] else "not ranked"
