"""docs/sweeps.md: its configs mean the cells that it says, its Python runs, and its script for Slurm, too."""

import os
import re
import stat
import sys
from pathlib import Path

import pytest

from carryover._core.strict import build
from carryover.adaptation.specs import AdaptSpec
from carryover.diagnosis.specs import DiagnosisSpec
from carryover.experiments.cells import COMMANDS, plan_sweep
from carryover.experiments.shards.spec import FeaturesSpec, over_all_shards
from carryover.experiments.spec import SweepSpec, overlaid, read_sweep
from carryover.experiments.store import existing_store
from carryover.experiments.theory_cells import TheoryCell
from carryover.models.features import SHARD_ROWS
from carryover.pretraining.specs import PretrainSpec

PAGE = (Path(__file__).parents[2] / "docs" / "sweeps.md").read_text(encoding="utf-8")
CONFIGS = re.findall(r"```toml\n(.*?)```", PAGE, re.DOTALL)
PYTHON = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
SPECS = {
    "theory": TheoryCell,
    "pretrain": PretrainSpec,
    "adapt": AdaptSpec,
    "diagnose": DiagnosisSpec,
    "features": FeaturesSpec,
}


def read(config: str, folder: Path) -> SweepSpec:
    path = folder / "sweep.toml"
    path.write_text(config)
    spec = read_sweep(path)
    return over_all_shards(spec) if spec.sweep.command == "features" else spec


def test_every_config_means_the_cells_that_the_page_counts(tmp_path):
    counted = [
        ("theory", 24),
        ("pretrain", 3),
        ("adapt", 20),
        ("diagnose", 12),
        ("features", 16),
        ("features", 3),
    ]
    specs = [read(config, tmp_path) for config in CONFIGS]
    assert [(spec.sweep.command, len(spec.assignments())) for spec in specs] == counted
    assert all(f"{number} cells" in PAGE for _, number in counted)
    for spec in specs:
        cells = [build(SPECS[spec.sweep.command], overlaid(spec.base, one)) for one in spec.assignments()]
        assert len({repr(cell) for cell in cells}) == len(cells)


def test_the_page_names_every_command():
    table = re.findall(r"^\| `(\w+)` \|", PAGE.split("| command |")[1], re.MULTILINE)
    assert table == list(COMMANDS) == list(SPECS)
    (comment,) = re.findall(r'command = "theory" +# (.*)', PAGE)
    assert re.split(r", | or ", comment) == table


def test_numbers_on_the_page_are_those_of_the_code():
    assert f"its last {SHARD_ROWS:,} images" in PAGE
    assert f"multiples of `batch_size` ({FeaturesSpec.batch_size})" in PAGE


def test_the_python_of_the_page_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scales.toml").write_text(CONFIGS[0])
    space = {}
    exec(PYTHON[1].replace("workers=2", "workers=1"), space)
    rows = existing_store(tmp_path / "scales").read().table.to_pylist()
    least = min(rows, key=lambda row: row["generalization_error"])
    said = f"24 cells; the least error at alpha {least['alpha']}, scale {least['network.scale']}\n"
    assert capsys.readouterr().out == said and len(space["table"]) == 24


SBATCH = """#!/bin/bash
grep -E '^#SBATCH' "$1" >> {folder}/asked
cp "$1" {folder}/job
setsid bash -c "sleep 11; bash {folder}/job" >/dev/null 2>&1 &  # longer than joblib itself would wait
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/bash
kill -- -"$1"
"""


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning")
def test_the_script_for_slurm_runs_where_jobs_are_processes_of_this_machine(tmp_path, monkeypatch, capsys):
    """``sbatch`` here starts the job's script at once, and ``scancel`` ends that process group."""
    pytest.importorskip("dask_jobqueue")
    for name, text in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text.format(folder=tmp_path))
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
    monkeypatch.setattr("carryover.experiments.backends._QUEUE", 60)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "scales.toml").write_text(CONFIGS[0])
    script = PYTHON[0].replace("=16", "=1").replace("64GB", "2GB").replace("jobs=4", "jobs=1")
    exec(script.replace("workers=64", "workers=2"), {"__name__": "__main__"})
    assert capsys.readouterr().out.endswith("24 computed, 0 failed\n")
    asked = (tmp_path / "asked").read_text()
    assert all(
        f"#SBATCH {flag}" in asked for flag in ("-p cpu", "-A my_project", "-t 04:00:00", "--cpus-per-task=1")
    )
    assert set(existing_store(tmp_path / "scales").read().status.values()) == {"ok"}
    expected = plan_sweep("scales.toml").cells
    assert len(existing_store(tmp_path / "scales").read().table) == len(expected)
