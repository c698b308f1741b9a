"""``carryover reproduce`` as a person runs it."""

import contextlib
import os
import signal
import subprocess
import sys
import time

import pytest

from carryover.cli.main import run
from carryover.experiments.catalogue import CATALOGUE
from carryover.reports.costs import cost_said
from carryover.reports.reproduction_page import REPRODUCTION_FILES


def test_the_list_names_every_entry_with_its_costs(capsys):
    assert run(["reproduce", "--list"]) == 0
    said = capsys.readouterr().out
    for entry in CATALOGUE.values():
        assert entry.name in said and entry.description in said
        for name, size in entry.sizes.items():
            assert f"{name}: {cost_said(size.cost)}" in said


def test_run_twice_it_computes_nothing_again_and_says_the_same(tmp_path, capsys):
    out = str(tmp_path / "out")
    assert run(["reproduce", "a26_figure2", "--out", out, "--size", "smoke"]) == 0
    first = capsys.readouterr().out
    assert "agrees" in first and "8 comparisons: 8 agrees." in first
    assert {*REPRODUCTION_FILES, "rows", "sweep.json"} == {path.name for path in (tmp_path / "out").iterdir()}
    kept = (tmp_path / "out" / "table.csv").read_bytes()
    assert run(["reproduce", "a26_figure2", "--out", out, "--size", "smoke", "--quiet"]) == 0
    assert capsys.readouterr().out == "" and (tmp_path / "out" / "table.csv").read_bytes() == kept


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["a26_figure4", "--out", "{out}"], "did you mean 'a26_figure"),
        (["lpft"], "--out DIR is missing"),
        ([], "NAME is missing"),
        (["lpft", "--out", "{out}", "--workers", "0"], "workers must be >= 1, got 0"),
        (["lpft", "--out", "{out}", "--address", "tcp://x"], "backend 'loky' has no address"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(arguments, said, tmp_path, capsys):
    given = [one.format(out=tmp_path / "out") for one in arguments]
    assert run(["reproduce", *given]) == 2
    assert said in capsys.readouterr().err


def test_where_every_cell_failed_the_command_says_so(tmp_path, monkeypatch, capsys):
    from carryover.experiments import theory_cells

    def broken(*_):
        raise RuntimeError("no luck")

    monkeypatch.setattr(theory_cells, "_columns", broken)
    assert run(["reproduce", "a26_figure2", "--out", str(tmp_path / "out"), "--size", "smoke"]) == 1
    assert "Every cell failed" in capsys.readouterr().out
    assert not (tmp_path / "out" / "report.html").exists()


@pytest.mark.slow
def test_interrupted_ends_with_130_and_goes_on_to_the_same_table(tmp_path):
    command = ["reproduce", "a26_figure3", "--size", "smoke", "--out"]
    process = subprocess.Popen(
        [sys.executable, "-m", "carryover", *command, str(tmp_path / "stopped")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    rows, until = tmp_path / "stopped" / "rows", time.monotonic() + 60
    try:
        while not rows.is_dir() or len(list(rows.iterdir())) < 20:
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=60)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(process.pid, signal.SIGKILL)
    assert process.returncode == 130 and "interrupted" in said.decode()
    assert not (tmp_path / "stopped" / "table.csv").exists()
    for name in ("stopped", "whole"):
        assert run([*command, str(tmp_path / name), "--quiet"]) == 0
    stopped, whole = ((tmp_path / name / "table.csv").read_bytes() for name in ("stopped", "whole"))
    assert stopped == whole


def test_the_list_is_quick_since_it_loads_neither_torch_nor_pandas_nor_matplotlib():
    program = (
        "import sys; from carryover.cli.main import run; run(['reproduce', '--list']);"
        "sys.exit(', '.join({'torch', 'pandas', 'matplotlib'} & set(sys.modules)) or 0)"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert found.returncode == 0, found.stderr
