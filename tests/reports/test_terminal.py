"""The summary in the terminal: ranking, verdicts, path; names never act as markup; narrow windows are fine."""

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from carryover.reports.terminal import print_summary


def _printed(record, width, path=None):
    console = Console(width=width, record=True, file=StringIO(), force_terminal=False)
    print_summary(record, console, path)
    return console.export_text()


@pytest.mark.parametrize("width", [30, 59, 60, 100])
def test_the_summary_says_it_all_within_the_width(examples, width):
    record = examples.troubled_record()
    printed = _printed(record, width)
    assert all(len(line.rstrip()) <= width for line in printed.splitlines())
    said = "".join(printed.split())
    for wanted in (
        "resnet56-cifar10",
        "78.1",
        "74.3to81.8",
        "90",
        "limitedbylabels",
        "raw-pixels",
        "random-conv",
    ):
        assert wanted in said
    for sentence in [verdict["sentence"] for verdict in record["verdicts"]] + record["warnings"]:
        assert "".join(sentence.split()) in said
    assert "3valuesoflayer1.0.conv1.weightareNaN" in said


def test_names_are_not_markup(examples):
    record = examples.example_record(2)
    examples.rename(record, 0, "[bold red]x[/bold red][link=http://x]y")
    assert "[bold red]x[/bold red][link=http://x]y" in _printed(record, 120)


def test_the_path_is_printed_on_one_line(examples):
    path = Path("/a/rather/long/folder/name/that/is/wider/than/the/window/report.html")
    assert f"Report: {path}" in _printed(examples.example_record(1), 40, path).splitlines()


def test_nothing_measured_is_said(examples):
    record = examples.fail_model(examples.example_record(1), 0, "the file is truncated")
    printed = _printed(record, 80)
    assert "No model could be measured." in printed
    assert "failed: the file is truncated" in printed
