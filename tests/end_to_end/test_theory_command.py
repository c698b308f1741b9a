"""``carryover theory`` from the command line: JSON, tables, figures, exit codes."""

import json

import numpy as np
import pandas as pd
import pytest

from carryover.cli.main import run
from carryover.theory import FineTuning, Network, Task

FLAGS = ["--rho-pretraining", ".1", "--rho-finetuning", ".1", "--overlap", "1", "--scale", "1e-3",
         "--relative-scale", "-.99", "--gamma", "0", "--label-noise-std", "0"]  # fmt: skip


def test_predict_prints_the_promised_json(capsys):
    assert run(["theory", "predict", "--alpha", ".05", ".1", ".2", *FLAGS, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"alpha", "generalization_error", "status"}
    assert found["alpha"] == [0.05, 0.1, 0.2] and found["status"] == ["ok"] * 3
    # Exact values of the reference, six digits.
    np.testing.assert_allclose(found["generalization_error"], [0.685202, 0.371454, 0.0249523], rtol=1e-5)


def test_what_has_no_value_is_null_with_its_reason(capsys):
    assert run(["theory", "predict", "--alpha", "1", "2", "--label-noise-std", ".5", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["generalization_error"] == [None, 0.25]
    assert found["status"] == ["failed", "ok"] and "diverges" in found["reason"][0]
    assert run(["theory", "predict", "--alpha", "1", "--label-noise-std", ".5"]) == 1
    assert "failed: alpha = 1" in " ".join(capsys.readouterr().out.split())


def test_predict_prints_a_table_and_draws_the_curve(capsys, tmp_path):
    picture = tmp_path / "curve.png"
    command = ["theory", "predict", "--alpha", ".1", ".3", *FLAGS, "--plot", str(picture)]
    assert run(command) == 0
    printed = capsys.readouterr().out
    assert "0.371454" in printed
    assert (
        "pretraining dependence PD -0.183: regime IV: rich, pretraining-dependent\n" in printed
    )  # on one line
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert run(command) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert run([*command, "--overwrite"]) == 0


def test_simulate_stands_beside_the_prediction(capsys):
    command = [
        "theory",
        "simulate",
        "--alpha",
        ".3",
        "--dimension",
        "300",
        "--seeds",
        "6",
        "--scale",
        "1",
        "--json",
    ]
    assert run(command) == 0
    first = json.loads(capsys.readouterr().out)
    model = FineTuning(Task(0.1, 0.1, overlap=1.0), Network(1.0))
    assert first["generalization_error"] == [pytest.approx(float(model.predict(0.3).generalization_error))]
    gap = first["simulated"][0] - first["generalization_error"][0]
    assert abs(gap) < 4.0 * first["std_error"][0] + 0.02
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out) == first
    assert run(command[:-1]) == 0
    assert "d = 300, 6 tasks" in capsys.readouterr().out


def test_regimes_writes_maps_and_their_tables(capsys, tmp_path):
    out = tmp_path / "maps"
    command = ["theory", "regimes", "--out", str(out), "--cells", "8", "--alpha", ".05", ".5"]
    assert run(command) == 0
    assert {path.name for path in out.iterdir()} == {
        "regime_map.png", "regime_map.csv", "winners.png", "winners.csv"
    }  # fmt: skip
    winners = pd.read_csv(out / "winners.csv")
    assert len(winners) == 2 * 8 * 8 and winners["solved"].all()
    # With many new features and few labels nothing selects them; with many labels the rich start wins.
    few = winners[(winners["alpha"] == 0.05) & (winners["rho_new"] == winners["rho_new"].max())]
    assert few["winner"].str.startswith("III").all()
    assert (winners[winners["alpha"] == 0.5]["winner"].str.startswith("I:")).mean() > 0.8
    table = pd.read_csv(out / "regime_map.csv")
    total = table["order"] + table["pretraining_dependence"]
    assert total.between(1.0 - 1e-12, 2.0 + 1e-12).all()
    assert set(table["regime"].str.split(":").str[0]) == {"I", "II", "III", "IV"}
    capsys.readouterr()
    assert run(command) == 2
    assert "already there" in capsys.readouterr().err


def test_design_names_the_best_start(capsys):
    assert run(["theory", "design", "--alpha", ".3", "--rho-finetuning", ".05", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    network = Network(found["scale"], found["relative_scale"], found["gamma"])
    error = float(FineTuning(Task(0.1, 0.05, overlap=1.0), network).predict(0.3).generalization_error)
    assert found["generalization_error"] == [pytest.approx(error, rel=1e-6)]
    assert run(["theory", "design", "--also", "one"]) == 2
    assert "RHO_FT,OVERLAP" in capsys.readouterr().err


def test_figures_repeat_the_paper_with_simulated_points(capsys, tmp_path):
    out = tmp_path / "figures"
    assert (
        run(["theory", "figures", "--out", str(out), "--dimension", "60", "--seeds", "2", "--workers", "1"])
        == 0
    )
    pictures = sorted(path.name for path in out.glob("*.png"))
    assert pictures == ["figure2.png", "figure3.png", "figure5.png"]
    points = pd.read_csv(out / "figure5_simulated.csv")
    assert len(points) == 3 * 4 * 5 and (points["status"] == "ok").all()
    # Order of magnitude even at d = 60: the error falls with alpha where the task is shared.
    shared = points[points["task"].str.startswith("same")].groupby("alpha")["mean"].mean()
    assert shared.is_monotonic_decreasing


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--overlap", "2"], "overlap must lie in [0, 1], got 2"),
        (["--relative-scale", "-1"], "degenerate"),
        (["--relative-scale", "1.5"], "relative_scale must lie in [-1, 1], got 1.5"),
        (["--alpha", "0"], "alpha must lie in (0, inf), got 0"),
        (["--rho-pretraining", ".05"], "densities do not add up"),
        (["--plot", "curve.txt"], "must end in one of"),
    ],
)
def test_bad_input_is_a_sentence_and_exit_code_2(capsys, flags, message):
    assert run(["theory", "predict", *flags]) == 2
    error = capsys.readouterr().err
    assert error.startswith("carryover: ") and message in error
