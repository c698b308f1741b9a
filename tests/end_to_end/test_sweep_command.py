"""``carryover sweep`` and ``carryover report`` as a person runs them."""

import pandas as pd
import pytest
from rich.console import Console

from carryover.cli.main import run
from carryover.cli.sweep import watch_cells
from carryover.experiments.sweep import Progress

CONFIG = """
[sweep]
command = "theory"
[base]
task = { overlap = 0.5, label_noise_std = 0.3 }
[over]
alpha = [0.1, 0.2, 1.0]
network.scale = [1e-3, 1.0]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "sweep.toml"
    path.write_text(CONFIG)
    return path


def test_swept_in_parts_and_reported(config, tmp_path, capsys):
    out = str(tmp_path / "out")
    assert run(["sweep", str(config), "--out", out, "--limit", "4"]) == 0
    said = capsys.readouterr().out
    assert "4 of 6 cells computed, 2 left out by --limit" in said and "failed" not in said
    assert run(["sweep", str(config), "--out", out]) == 0
    said = capsys.readouterr().out
    assert "2 of 6 cells computed, 4 were there before" in said and "2 failed" in said
    assert run(["sweep", str(config), "--out", out, "--retry-failed", "--quiet"]) == 0
    assert capsys.readouterr().out == ""
    assert run(["report", out]) == 0
    assert f"Report: {out}/report.html" in capsys.readouterr().out.replace("\n", "")
    table = pd.read_parquet(tmp_path / "out" / "table.parquet")
    assert len(table) == 6 and table["generalization_error"].notna().sum() == 4
    assert "4 of 6 cells have a result, 2 failed." in (tmp_path / "out" / "report.html").read_text()
    assert run(["report", out]) == 2
    assert run(["report", out, "--overwrite", "--result", "order"]) == 0


def test_where_every_cell_failed_the_command_says_so(config, tmp_path):
    config.write_text(CONFIG.replace("[0.1, 0.2, 1.0]", "[1.0]"))
    assert run(["sweep", str(config), "--out", str(tmp_path / "out"), "--quiet"]) == 1
    assert run(["report", str(tmp_path / "out")]) == 1


@pytest.mark.parametrize(
    ("change", "flags", "said"),
    [
        (("network.scale", "network.scal"), [], "unknown key network.scal"),
        (('"theory"', '"teory"'), [], "sweep.command must be one of 'theory'"),
        (("", ""), ["--backend", "loky", "--address", "tcp://x"], "backend 'loky' has no address"),
        (("", ""), ["--workers", "0"], "workers must be >= 1, got 0"),
    ],
)
def test_bad_input_ends_with_2_and_a_sentence(config, tmp_path, capsys, change, flags, said):
    config.write_text(CONFIG.replace(*change) if change[0] else CONFIG)
    assert run(["sweep", str(config), "--out", str(tmp_path / "out"), *flags]) == 2
    assert said in capsys.readouterr().err


def test_a_folder_without_rows_or_without_a_sweep_is_named(config, tmp_path, capsys):
    assert run(["report", str(tmp_path)]) == 2
    assert "holds no sweep" in capsys.readouterr().err
    assert run(["sweep", str(config), "--out", str(tmp_path / "out"), "--workers", "0"]) == 2
    capsys.readouterr()
    assert run(["report", str(tmp_path / "out")]) == 2
    assert "has no rows yet" in capsys.readouterr().err


def test_the_bar_shows_cells_and_the_time_left(capsys):
    console = Console(force_terminal=True, width=100)
    with watch_cells(console) as show:
        show(Progress(10))
        show(Progress(10, 4, 1, 8.0))
    said = capsys.readouterr().out
    assert "4/10" in said and "12.0 s left, 1 failed" in said


def test_without_a_terminal_there_is_a_line_each_tenth(capsys):
    with watch_cells(Console(force_terminal=False)) as show:
        for done in range(101):
            show(Progress(100, done, 0, float(done)))
    said = capsys.readouterr().out.splitlines()
    assert (
        len(said) == 11 and said[5] == "50 of 100 cells: 50.0 s left" and said[-1] == "100 of 100 cells: done"
    )
