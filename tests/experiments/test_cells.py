"""Cells: specs that build before anything runs, and ids that are a hash of what changes results."""

import hashlib
import subprocess
import sys
from dataclasses import dataclass, field

import pytest
from sweep_examples import theory_sweep

from carryover._core.errors import InputError
from carryover.experiments import identity
from carryover.experiments.cells import plan_sweep
from carryover.experiments.identity import cell_id


@dataclass(frozen=True)
class Inner:
    depth: int = 2


@dataclass(frozen=True)
class Old:
    width: int
    inner: Inner = field(default_factory=Inner)


@dataclass(frozen=True)
class NewInner:
    depth: int = 2
    heads: int = 4


@dataclass(frozen=True)
class New:
    width: int
    inner: NewInner = field(default_factory=NewInner)
    noise: float = 0.0
    names: tuple[str, ...] = ()


def test_a_new_field_with_a_default_leaves_ids_as_they_are():
    assert cell_id("x", Old(3), version=1) == cell_id("x", New(3), version=1)
    assert cell_id("x", Old(3, Inner(5)), version=1) == cell_id("x", New(3, NewInner(5)), version=1)
    ids = {
        cell_id(command, spec, version=version)
        for command, spec, version in [
            ("x", New(3), 1),
            ("y", New(3), 1),
            ("x", New(3), 2),
            ("x", New(4), 1),
            ("x", New(3, noise=0.5), 1),
            ("x", New(3, NewInner(heads=5)), 1),
        ]
    }
    assert len(ids) == 6


def test_a_theory_cells_id_is_this_one():
    """Rows of an earlier version must be found again: a changed id is a changed spec version."""
    (cell,) = theory_sweep({}, alpha=0.2).cells
    said = '{"command":"theory","spec":{"alpha":0.2,"task":{"label_noise_std":0.3,"overlap":0.5}},"spec_version":1}'
    assert cell.id == hashlib.sha256(said.encode()).hexdigest()


def test_contents_stand_for_paths(tmp_path):
    @dataclass(frozen=True)
    class Spec:
        path: str
        weights: tuple[str, ...] = ()

    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(text)
    ids = {
        name: cell_id("x", Spec(str(tmp_path / name)), version=1, path_keys=("path",))
        for name in ("a", "b", "c")
    }
    assert ids["a"] == ids["b"] != ids["c"]
    listed = [
        cell_id("x", Spec("hub/id", (str(tmp_path / name),)), version=1, path_keys=("path", "weights"))
        for name in ("a", "b", "c")
    ]
    assert listed[0] == listed[1] != listed[2]
    function = [
        cell_id("x", Spec(f"{tmp_path / name}:make"), version=1, path_keys=("path",)) for name in ("a", "b")
    ]
    assert function[0] == function[1] != ids["a"]


def test_paths_are_found_however_deep_they_stand(tmp_path):
    @dataclass(frozen=True)
    class Spec:
        models: tuple[dict, ...]
        path: dict

    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(text)
    ids = [
        cell_id(
            "x", Spec(({"path": str(tmp_path / name)},), {"path": [name]}), version=1, path_keys=("path",)
        )
        for name in ("a", "b", "c")
    ]
    assert len(set(ids)) == 3  # the plain names differ
    same = [
        cell_id("x", Spec(({"path": str(tmp_path / name)},), {}), version=1, path_keys=("path",))
        for name in ("a", "b", "c")
    ]
    assert same[0] == same[1] != same[2]


def test_a_package_that_is_not_there_is_said_to_be(monkeypatch):
    monkeypatch.setattr(identity, "PACKAGES", ("numpy", "no-such-package"))
    found = identity.environment.__wrapped__()
    assert found["no-such-package"] == "not installed" and found["numpy"] != "not installed"


def test_a_finished_run_is_known_by_its_model(tmp_path):
    @dataclass(frozen=True)
    class Spec:
        path: str

    for name, log in (("a", "12 s"), ("b", "13 s")):
        (tmp_path / name / "model").mkdir(parents=True)
        (tmp_path / name / "run.json").write_text(log)
        (tmp_path / name / "model" / "weights").write_text("w")
    first, second = (
        cell_id("x", Spec(str(tmp_path / name)), version=1, path_keys=("path",)) for name in ("a", "b")
    )
    assert first == second


def test_defaults_that_are_written_out_change_nothing():
    plain, written = theory_sweep(), theory_sweep(seed=0, pretraining_alpha=float("inf"))
    assert [cell.id for cell in plain.cells] == [cell.id for cell in written.cells]


def test_cells_that_say_the_same_are_one():
    plan = theory_sweep({"alpha": [0.1, 0.1, 0.2]})
    assert [cell.parameters for cell in plan.cells] == [{"alpha": 0.1}, {"alpha": 0.2}]


@pytest.mark.parametrize(
    ("over", "base", "said"),
    [
        (
            {"network.scal": [1.0]},
            {"alpha": 0.2},
            "cell 1 of 1.*network.scal = 1.0.*unknown key network.scal;",
        ),
        ({"alpha": [0.1, "x"]}, {}, r"cell 2 of 2 \(alpha = 'x'\): alpha must be a number, got 'x'"),
        ({"alpha": [0.1, -1.0]}, {}, r"cell 2 of 2.*alpha must lie in \(0, inf\), got -1"),
        ({"network.scale": [1.0]}, {}, "key alpha is missing"),
        ({}, {"alpha": 0.2, "seeds": 3}, "cell 1 of 1: unknown key seeds; .*did you mean 'seed'"),
        ({"ridge_strength": [-1.0]}, {"alpha": 0.2}, "ridge_strength must lie in"),
    ],
)
def test_every_spec_is_built_before_anything_runs(over, base, said):
    with pytest.raises(InputError, match=said):
        theory_sweep(over, **base)


def test_a_sweep_of_the_theory_loads_no_torch():
    code = (
        "import sys; from carryover.experiments.cells import plan_sweep; "
        "plan_sweep({'sweep': {'command': 'theory'}, 'base': {'alpha': 0.2}}); "
        "import carryover.experiments.sweep; sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow  # loads torch and all that trains
def test_pretraining_recipes_are_swept_with_contents_for_paths(tmp_path):
    for name, text in (("a", "1"), ("b", "1"), ("c", "2")):
        (tmp_path / name).write_text(text)
    plan = plan_sweep(
        {
            "sweep": {"command": "pretrain"},
            "base": {"objective": {"kind": "mae"}},
            "over": {"data.path": [str(tmp_path / name) for name in ("a", "b", "c")]},
        }
    )
    assert [cell.parameters["data.path"][-1] for cell in plan.cells] == ["a", "c"]
    assert plan.compute.leaves_folder and plan.compute.uses_torch
