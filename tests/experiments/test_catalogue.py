"""Every entry: its smoke size runs, an interruption changes nothing, published numbers are those of their source."""

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest

from carryover._core.errors import InputError
from carryover.experiments.catalogue import CATALOGUE, entry_named
from carryover.experiments.entries.a26 import figures as a26_figures
from carryover.experiments.entries.a26.values import EXACT, EXACT_ALPHAS
from carryover.experiments.entry import SIZES
from carryover.experiments.inputs import Inputs
from carryover.experiments.reproduction import Reproduction, reproduce
from carryover.experiments.store import open_store
from carryover.experiments.sweep import run_sweep
from carryover.reports.reproduction_page import write_reproduction
from carryover.theory import FineTuning

QUICK = [name for name, entry in CATALOGUE.items() if entry.sizes["smoke"].cost.seconds <= 8.0]
TRAINING = [name for name in CATALOGUE if name not in QUICK]


@pytest.fixture(scope="module")
def inputs(data_root) -> Inputs:
    return Inputs(data_root)


@pytest.fixture(scope="module")
def smoke(tmp_path_factory, inputs) -> Callable[[str], Reproduction]:
    """Each entry's smoke size, run once."""
    return cache(
        lambda name: reproduce(CATALOGUE[name], "smoke", tmp_path_factory.mktemp(name) / "out", inputs=inputs)
    )


@pytest.mark.slow
@pytest.mark.parametrize("name", TRAINING)
def test_the_smoke_size_of_a_training_entry_goes_on_where_it_was_interrupted(name, tmp_path, inputs):
    entry = CATALOGUE[name]
    store = open_store(tmp_path / "out", command=f"reproduce {name}")
    parts = entry.sizes["smoke"].parts(inputs)
    n_before = 0
    for part in parts:
        n_before += run_sweep(part.cells, part.compute, store, limit=max(1, len(part.cells) // 2)).n_computed
    found = reproduce(entry, "smoke", tmp_path / "out", inputs=inputs)
    assert 0 < n_before < found.n_cells and found.n_computed == found.n_cells - n_before
    assert found.n_failed == 0 and len(found.comparisons) > 0 and (found.table["status"] == "ok").all()
    assert all(one.sentence for one in found.comparisons)
    assert write_reproduction(found, tmp_path / "out").is_file()


@pytest.mark.parametrize("name", QUICK)
def test_the_smoke_size_runs_and_goes_on_where_it_was_interrupted(name, tmp_path, smoke, inputs):
    entry, whole = CATALOGUE[name], smoke(name)
    assert whole.n_failed == 0 and whole.n_computed == whole.n_cells > 0
    assert len(whole.comparisons) > 3 and (whole.table["status"] == "ok").all()
    store = open_store(tmp_path / "parts", command=f"reproduce {name}")
    for part in entry.sizes["smoke"].parts(inputs):
        run_sweep(part.cells, part.compute, store, limit=max(1, len(part.cells) // 2))
    resumed = reproduce(entry, "smoke", tmp_path / "parts", inputs=inputs)
    assert 0 < resumed.n_computed < whole.n_cells
    pd.testing.assert_frame_equal(resumed.table, whole.table, check_exact=True)
    assert resumed.comparisons == whole.comparisons


@pytest.mark.slow
@pytest.mark.parametrize("name", QUICK)
def test_two_workers_give_the_same_numbers(name, tmp_path, smoke):
    two = reproduce(CATALOGUE[name], "smoke", tmp_path / "two", workers=2)
    pd.testing.assert_frame_equal(smoke(name).table, two.table, check_exact=True)


def test_a_folder_that_has_a_size_gives_another_of_its_own(tmp_path, smoke):
    """Rows of the small size in the same folder leave the smoke size as it is."""
    entry = CATALOGUE["a26_figure2"]
    reproduce(entry, "small", tmp_path / "both")
    both = reproduce(entry, "smoke", tmp_path / "both")
    assert both.n_computed == 0
    pd.testing.assert_frame_equal(smoke("a26_figure2").table, both.table, check_exact=True)


def test_a_folder_of_another_experiment_is_refused(tmp_path):
    reproduce(CATALOGUE["a26_figure2"], "smoke", tmp_path / "out")
    with pytest.raises(InputError, match="holds a sweep of 'reproduce a26_figure2', not of 'reproduce lpft'"):
        reproduce(CATALOGUE["lpft"], "smoke", tmp_path / "out")


@pytest.mark.parametrize("name", CATALOGUE)
def test_larger_sizes_can_be_planned_and_hold_more(name, inputs):
    counts = [
        sum(len(part.cells) for part in CATALOGUE[name].sizes[size].parts(inputs))
        for size in ("smoke", "small", "full")
    ]
    assert counts[0] < counts[1] <= counts[2]
    costs = [CATALOGUE[name].sizes[size].cost.seconds for size in SIZES]
    assert 0 < costs[0] < costs[1] <= costs[2] and costs[0] <= 60 and costs[1] <= 3 * 3600


def test_exact_values_are_those_of_the_reference(data_root):
    rows = json.loads((data_root / "reference" / "replica_golden.json").read_text())["rows"]
    assert len(rows) == len(EXACT)
    for row, curve in zip(rows, EXACT, strict=True):
        assert curve.task.rho_finetuning == row["rho_ft"] and curve.task.overlap == row["overlap"]
        network = curve.network
        scales = (network.scale, network.relative_scale, network.readout)
        assert scales == (row["scale_c"], row["relative_scale"], row["gamma"])
        assert tuple(row["alpha"]) == EXACT_ALPHAS and curve.errors == tuple(row["generalization_error"])


def test_an_exact_value_that_was_changed_shows_as_a_difference(smoke, monkeypatch):
    """The comparison can fail: 1e-4 of one value is seen."""
    table = smoke("a26_figure3").table
    first = EXACT[0]
    moved = replace(first, errors=(first.errors[0] * 1.0001, *first.errors[1:]))
    monkeypatch.setattr(a26_figures.published, "EXACT", (moved, *EXACT[1:]))
    verdicts = [one.verdict for one in CATALOGUE["a26_figure3"].compare(table) if "exact errors" in one.what]
    assert verdicts == ["differs", *["agrees"] * 5]


def test_a_point_that_was_not_solved_gives_no_verdict(smoke):
    table = smoke("a26_figure3").table.copy()
    at = (table["kind"] == "predicted") & (table["network"] == "c = 1e-6") & (table["alpha"] == 0.2)
    table.loc[at, "status"], table.loc[at, "generalization_error"] = "failed", np.nan
    found = [
        one for one in CATALOGUE["a26_figure3"].compare(table) if one.what.startswith("overlap 0, c = 1e-6: ")
    ]
    assert [one.verdict for one in found] == ["cannot tell"]
    assert found[0].sentence == "Ours has no value: a cell that it needs failed."


def test_simulated_points_stand_beside_the_prediction_of_the_same_cell(smoke):
    table = smoke("a26_figure5").table
    points = table[table["kind"] == "simulated"]
    assert len(points) == 3 * 4 * 5 and (points["std_error"] > 0).all()
    for _, point in points.iloc[::17].iterrows():
        model = FineTuning(a26_figures.FIGURE5_TASKS[point["task"]], a26_figures.EXAMPLES[point["network"]])
        half = (point["high"] - point["low"]) / 2
        assert half / point["std_error"] == pytest.approx(3.182446, rel=1e-6)  # Student, 3 degrees of freedom
        if point["generalization_error"] > 0.1:
            predicted = float(model.predict(point["alpha"]).generalization_error)
            assert abs(point["generalization_error"] - predicted) < 2 * half


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(
        InputError, match=r"no experiment is called 'a26_figur3'; .*did you mean 'a26_figure3'"
    ):
        entry_named("a26_figur3")
    with pytest.raises(InputError, match=r"no size is called 'smal'; .*did you mean 'small'"):
        CATALOGUE["lpft"].size("smal")


def test_seeds_that_settings_were_chosen_on_are_not_reported():
    with pytest.raises(
        InputError, match=r"lpft, smoke: seeds \[5\] are reported, but settings were chosen on them"
    ):
        replace(CATALOGUE["lpft"], chosen_on=(5, 2000))


def test_an_entry_has_every_size():
    with pytest.raises(InputError, match="lpft must have the sizes smoke, small, full, got smoke"):
        replace(CATALOGUE["lpft"], sizes={"smoke": CATALOGUE["lpft"].sizes["smoke"]})


def test_smoke_of_the_whole_catalogue_is_said_to_take_under_five_minutes_of_two_cores():
    assert sum(entry.sizes["smoke"].cost.seconds for entry in CATALOGUE.values()) <= 2 * 300
    assert sum(entry.sizes["small"].cost.seconds for entry in CATALOGUE.values()) <= 2 * 10 * 3600
