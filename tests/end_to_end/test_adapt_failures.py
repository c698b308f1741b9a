"""``carryover adapt`` where something is wrong: what is said, the exit code, and what is kept."""

import json
from pathlib import Path

import pandas as pd
import pytest
from adapt_files import STRIPES_CONFIG as CONFIG
from adapt_files import adapted, write_stripes
from datasets import Dataset

from carryover.adaptation.config import read_adaptation
from carryover.adaptation.plans import PLANS
from carryover.adaptation.run import AdaptOptions, adapt
from carryover.cli.main import run

WILD = 'learning_rate = 1e3\noptimizer = "sgd"'
KEEP = 'keep = "best_on_validation"'


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_stripes(tmp_path)


def changed(config: Path, old: str, new: str) -> Path:
    text = CONFIG.replace(old, new)
    assert text != CONFIG
    config.write_text(text)
    return config


def test_a_plan_that_diverges_loses_no_other(config, tmp_path, capsys, monkeypatch):
    """It fails in the middle of the plans, one later is interrupted, and the run ends as an undisturbed one."""
    monkeypatch.setattr("carryover.adaptation.specs.PLANS", {"linear_probe": PLANS["linear_probe"]})
    first = f'[[plans]]\nname = "wild"\n[[plans.phases]]\nname = "all"\n{WILD}\n\n'
    changed(config, '[[plans]]\nname = "late', f'{first}[[plans]]\nname = "late')
    out = tmp_path / "run"
    assert adapted(config, out) == 0
    printed = capsys.readouterr().out
    record = json.loads((out / "result.json").read_text())
    rows = {row["plan"]: row for row in record["plans"]}
    failed = rows.pop("wild")
    assert failed["status"] == "failed" and "phase 'all' diverged: the loss is " in failed["reason"]
    assert f"wild: failed, {failed['reason']}" in printed
    assert set(rows) == {"linear_probe", "late layers"} and all(
        row["status"] == "ok" for row in rows.values()
    )
    assert record["winner"] in rows and set(record["choice"]["excess"]) == set(rows)
    stripes, table = str(tmp_path / "stripes.parquet"), str(tmp_path / "found.csv")
    assert run(["predict", str(out), stripes, "--out", table]) == 0 and len(pd.read_csv(table)) == 160
    # Plans are asked whether to stop after each step; the last one is told so after its third.
    spec, asked = read_adaptation(config), []

    def stop() -> bool:
        asked.append(announced[-1])
        return asked.count("plan late layers") == 3

    announced = []
    options = AdaptOptions(announce=announced.append, stop=stop)
    assert not adapt(spec, tmp_path / "broken", options).done
    assert not (tmp_path / "broken" / "result.json").exists()
    assert adapt(spec, tmp_path / "broken").done
    assert json.loads((tmp_path / "broken" / "result.json").read_text()) == record


def test_where_no_plan_is_finished_the_sentence_says_why(config, tmp_path, capsys):
    changed(config, KEEP, WILD)
    assert adapted(config, tmp_path / "run", "--plan", "late layers") == 2
    said = capsys.readouterr().err
    assert "no plan was finished" in said and "late layers: phase 'late' diverged: " in said
    assert 'Try a smaller learning rate, or keep = "best_on_validation"' in said
    assert not (tmp_path / "run" / "result.json").exists()
    assert run(["predict", str(tmp_path / "run"), str(tmp_path / "stripes.parquet")]) == 2
    assert "holds no finished run of carryover adapt" in capsys.readouterr().err


def test_a_divergence_after_good_weights_is_a_warning(config, tmp_path, capsys):
    changed(config, KEEP, f"{KEEP}\n{WILD}")
    assert adapted(config, tmp_path / "run", "--plan", "late layers") == 0
    row = json.loads((tmp_path / "run" / "result.json").read_text())["plans"][0]
    phase = row["history"][0]
    assert phase["diverged_at"] > phase["best_step"] >= 1 and phase["steps"] == phase["diverged_at"] - 1
    assert row["warnings"] == [phase["warning"]]
    assert f"Warning, late layers: {phase['warning']}" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            '"encoder.encoder.8.*"',
            '"encoder.encodr.8.*"',
            "plan 'late layers', phase 'late': pattern 'encoder.encodr.8.*' matches no parameter; near matches: "
            "encoder.encoder.8",
        ),
        (KEEP, 'lora = { layers = ["nothing"] }', "'nothing' matches no linear or convolutional layer"),
        ('trains = ["encoder.encoder.8.*", "head.*"]', "trains = []", "phase 'late' trains nothing"),
        ('[[plans.phases]]\nname = "late"', "[plans.other]", "plans"),
    ],
)
def test_a_slip_in_the_last_plan_is_found_before_the_first_trains(
    config, tmp_path, capsys, old, new, message
):
    changed(config, old, new)
    assert adapted(config, tmp_path / "run") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_plan_after_low_rank_additions_names_its_layers_as_they_are_then(config, tmp_path, capsys):
    more = '\n[[plans.phases]]\nname = "then"\nshare = 0.5\ntrains = ["encoder.encoder.8.{}weight"]\n'
    first = "share = 0.5\nlora = { rank = 2 }"
    config.write_text(CONFIG.replace(KEEP, first) + more.format(""))
    assert adapted(config, tmp_path / "run", "--plan", "late layers") == 2
    assert "phase 'then': pattern 'encoder.encoder.8.weight' matches no parameter" in capsys.readouterr().err
    config.write_text(CONFIG.replace(KEEP, first) + more.format("base_layer."))
    assert adapted(config, tmp_path / "run", "--plan", "late layers") == 0


def test_one_class_is_nothing_to_learn(config, tmp_path, capsys):
    table = Dataset.from_parquet(str(tmp_path / "stripes.parquet"), cache_dir=str(tmp_path / "cache"))
    table.select(range(0, 160, 3)).to_parquet(tmp_path / "alike.parquet")
    flags = ("--target.path", str(tmp_path / "alike.parquet"), "--target.n-labels", "20")
    assert adapted(config, tmp_path / "run", *flags) == 2
    assert "class" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_threads_are_at_least_one(config, tmp_path, capsys):
    assert run(["adapt", str(config), "--out", str(tmp_path / "run"), "--threads", "0"]) == 2
    assert "threads must be >= 1, got 0" in capsys.readouterr().err


def test_a_predictor_whose_head_has_another_width_is_refused(config, tmp_path, capsys):
    assert adapted(config, tmp_path / "run", "--plan", "linear_probe", "--quiet") == 0
    path = tmp_path / "run" / "model" / "predictor.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "width": 15}))
    stripes = str(tmp_path / "stripes.parquet")
    assert run(["predict", str(tmp_path / "run"), stripes, "--out", str(tmp_path / "p.csv")]) == 2
    assert "does not fit the network that predictor.json describes" in capsys.readouterr().err
