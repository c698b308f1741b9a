"""All bounds in the terminal: within the width, names as text, the estimate last."""

from io import StringIO

import pytest
from rich.console import Console

from carryover.reports.bounds_terminal import print_bounds


def _printed(pairs, width):
    console = Console(width=width, record=True, file=StringIO(), force_terminal=False)
    print_bounds(pairs, console)
    return console.export_text()


@pytest.mark.parametrize("width", [30, 50, 100])
def test_the_terminal_says_it_all_within_the_width(examples, width):
    printed = _printed([("resnet [bold red]x\x07", examples.all_bounds())], width)
    assert all(len(line.rstrip()) <= width for line in printed.splitlines())
    said = "".join(printed.split())
    for wanted in (
        "resnet[boldred]x\N{REPLACEMENT CHARACTER}",
        "1.5timesthetesterroritbounds",
        "≤38.0%",
        "26.0%(23.5to28.5%)",
        "1.46",
        "vacuous",
        "failed:",
        "≈270.0%",
        "Thetermtransferabilityisanestimate.",
    ):
        assert wanted in said
    order = [
        said.index(words) for words in ("Hold-out", "Inexpectation", "f-CMI", "Anestimate,notabound", "≈")
    ]
    assert order == sorted(order)


def test_several_classifiers_follow_each_other_and_none_prints_nothing(examples):
    printed = _printed([("first", examples.all_bounds()), ("second", examples.vacuous_bounds())], 100)
    second = printed.index("second\n", printed.index("An estimate"))
    assert (
        printed.index("first")
        < second
        < printed.index("At a confidence level every bound besides hold-out is vacuous")
    )
    assert "An estimate" not in printed[second:]
    assert _printed([], 100) == ""
