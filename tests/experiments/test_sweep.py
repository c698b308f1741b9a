"""Rows are the same whatever the order, the batches and the number of workers; what fails keeps its row."""

import subprocess
import sys

import pytest
from sweep_examples import ALPHAS, SCALES, half, numbered, swept, theory_sweep

from carryover._core.errors import DiskFullError, InputError
from carryover.experiments import worker
from carryover.experiments.backends import check_backend
from carryover.experiments.batch import Batch
from carryover.experiments.compute import Compute
from carryover.experiments.rows import as_columns
from carryover.experiments.store import open_store
from carryover.experiments.sweep import Progress, run_sweep
from carryover.theory import FineTuning, Network, Task


def halves(specs):
    return {"half": [half(spec, None)["half"] for spec in specs]}


def test_rows_are_what_the_theory_says(tmp_path):
    store, found = swept(theory_sweep(), tmp_path / "x")
    assert (found.n_cells, found.n_computed, found.n_before, found.n_failed) == (12, 12, 0, 3)
    rows = {(row["network.scale"], row["alpha"]): row for row in store.read().table.to_pylist()}
    assert set(rows) == {(scale, alpha) for scale in SCALES for alpha in ALPHAS}
    for (scale, alpha), row in rows.items():
        model = FineTuning(Task(overlap=0.5, label_noise_std=0.3), Network(scale))
        error = model.predict(alpha)
        assert row["status"] == str(error.status) and row["regime"] == model.regime
        if alpha == 1.0:
            assert row["generalization_error"] is None and "as many samples as dimensions" in row["reason"]
        else:
            assert row["generalization_error"] == float(error.generalization_error)


def test_order_batches_and_going_on_change_no_bit(tmp_path):
    plan = theory_sweep()
    whole = swept(plan, tmp_path / "whole")[0].read().table
    for name, cells, options in [
        ("reversed", plan.cells[::-1], {"batch": 5}),
        ("single", plan.cells, {"batch": 1}),
        ("shuffled", plan.cells[::2] + plan.cells[1::2], {"batch": 7}),
    ]:
        store = open_store(tmp_path / name, command="theory")
        run_sweep(cells, plan.compute, store, backend="sequential", limit=4)
        found = run_sweep(cells, plan.compute, store, backend="sequential", **options)
        assert (found.n_before, found.n_computed) == (4, 8)
        assert store.read().table.select(whole.column_names).equals(whole)


@pytest.mark.slow
def test_two_workers_give_the_rows_of_one(tmp_path):
    plan = theory_sweep()
    one, two = (
        swept(plan, tmp_path / backend, backend=backend, workers=workers, batch=3)[0].read().table
        for backend, workers in (("sequential", 1), ("loky", 2))
    )
    assert one.equals(two)


SCRIPT = """
import sys
from dataclasses import dataclass
from pathlib import Path

from carryover.experiments.compute import Cell, Compute
from carryover.experiments.store import open_store
from carryover.experiments.sweep import run_sweep


@dataclass(frozen=True)
class Square:
    side: int


def area(spec, folder):
    return {"area": spec.side**2}


store = open_store(Path(sys.argv[1]), command="squares")
run_sweep([Cell(f"{n:02d}", Square(n)) for n in range(6)], Compute(area), store, workers=2)
print(store.read().table.column("area").to_pylist())
"""


@pytest.mark.slow
def test_what_a_script_defines_itself_reaches_the_workers(tmp_path):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = [sys.executable, str(tmp_path / "script.py"), str(tmp_path / "x")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "[0, 1, 4, 9, 16, 25]\n", done.stderr


@pytest.mark.parametrize(
    "many", [lambda _: {"half": [0]}, lambda _: {"half": [float("nan"), 0]}, lambda _: {"n": [0, 1]}]
)
def test_results_together_that_make_no_rows_are_computed_one_by_one(tmp_path, many):
    store = open_store(tmp_path / "x", command="theory")
    run_sweep(numbered(2), Compute(refuse_odd, many), store, backend="sequential", batch=2)
    assert store.read().table.column("half").to_pylist() == [0, None]


def test_cells_of_imperfect_pretraining_take_long_and_few_are_put_together():
    slow, quick = (theory_sweep(pretraining_alpha=alpha).compute for alpha in (0.5, 2.0))
    assert slow.at_most < 100 < quick.at_most and slow.many is quick.many


def test_simulated_cells_have_intervals_and_their_own_time(tmp_path):
    plan = theory_sweep({"alpha": [0.2], "seed": [0, 1]}, simulate={"dimension": 60, "seeds": 3})
    assert plan.compute.many is None
    store, _ = swept(plan, tmp_path / "x")
    first, second = store.read().table.to_pylist()
    assert first["simulated_error_low"] < first["simulated_error"] < first["simulated_error_high"]
    assert first["simulated_error"] != second["simulated_error"]
    assert first["generalization_error"] == second["generalization_error"]


@pytest.mark.parametrize("compute", [Compute(half), Compute(half, halves)], ids=["one by one", "together"])
def test_a_cell_that_fails_keeps_its_row_and_the_others_theirs(tmp_path, compute):
    store = open_store(tmp_path / "x", command="theory")
    found = run_sweep(numbered(5), compute, store, backend="sequential", batch=5)
    assert found.n_failed == 2
    table = store.read().table
    assert table.column("half").to_pylist() == [0, None, 1, None, 2]
    assert table.column("reason").to_pylist() == [None, "ZeroDivisionError: odd"] * 2 + [None]


def refuse_odd(spec, folder):
    if spec % 2:
        raise InputError("numbers must be even, got an odd one")
    return {"half": spec // 2}


def test_bad_input_that_shows_among_many_is_a_row_of_its_own_cell(tmp_path):
    store = open_store(tmp_path / "x", command="theory")
    compute = Compute(refuse_odd, lambda specs: as_columns([refuse_odd(spec, None) for spec in specs]))
    assert run_sweep(numbered(3), compute, store, backend="sequential", batch=3).n_failed == 1
    assert store.read().table.column("reason").to_pylist() == [
        None,
        "numbers must be even, got an odd one",
        None,
    ]


def test_failed_cells_are_tried_again_only_when_asked(tmp_path):
    tried = []

    def fails_first(spec, folder):
        tried.append(spec)
        if tried.count(spec) == 1 and spec == 1:
            raise InputError("not yet")
        return {"n_tried": tried.count(spec)}

    store, compute = open_store(tmp_path / "x", command="theory"), Compute(fails_first)
    assert run_sweep(numbered(3), compute, store, backend="sequential").n_failed == 1
    assert run_sweep(numbered(3), compute, store, backend="sequential").n_before == 3
    assert sorted(tried) == [0, 1, 2]
    again = run_sweep(numbered(3), compute, store, backend="sequential", retry_failed=True)
    assert (again.n_before, again.n_computed, again.n_failed) == (2, 1, 0)
    assert store.read().table.column("n_tried").to_pylist() == [1, 2, 1]


def test_a_full_disk_stops_the_sweep(tmp_path):
    def full(spec, folder):
        raise DiskFullError(28, "no space")

    store = open_store(tmp_path / "x", command="theory")
    with pytest.raises(DiskFullError):
        run_sweep(numbered(2), Compute(full), store, backend="sequential")
    assert store.segments() == []


def test_threads_are_fixed_inside_recorded_and_put_back(tmp_path):
    from threadpoolctl import threadpool_info, threadpool_limits

    def threads():
        return max(pool["num_threads"] for pool in threadpool_info())

    store = open_store(tmp_path / "x", command="theory")
    compute = Compute(lambda spec, folder: {"threads_inside": threads()})
    with threadpool_limits(1):
        found = run_sweep(numbered(1), compute, store, backend="sequential", threads=2)
        assert threads() == 1
    assert found.notes == ()
    assert store.read().table.column("threads_inside").to_pylist() == [2] and store.read().threads == (2,)
    found = run_sweep(numbered(2), compute, store, backend="sequential", threads=1)
    assert "computed with 2 threads and now with 1: last digits may differ" in found.notes[0]


def test_progress_counts_rows_and_knows_the_time_left(tmp_path):
    told = []
    store = open_store(tmp_path / "x", command="theory")
    run_sweep(numbered(4), Compute(half), store, backend="sequential", progress=told.append)
    assert (told[0].n_done, told[0].n_todo, told[0].seconds_left) == (0, 4, None)
    assert (told[-1].n_done, told[-1].n_failed, told[-1].seconds_left) == (4, 2, 0.0)
    assert Progress(10, 4, 0, 8.0).seconds_left == 12.0


def test_what_another_driver_wrote_meanwhile_is_not_computed_again(tmp_path):
    store = open_store(tmp_path / "x", command="theory")
    batch = Batch.of(numbered(2), "b")
    assert worker.compute_batch(batch, Compute(half), store, 1).segment is not None
    assert worker.compute_batch(batch, Compute(half), store, 1).segment is None
    assert len(store.segments()) == 1


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"workers": 0}, "workers must be >= 1, got 0"),
        ({"threads": 0}, "threads must be >= 1"),
        ({"batch": 0}, "batch must be >= 1"),
        ({"limit": 0}, "limit must be >= 1"),
        ({"backend": "spark"}, "backend must be one of loky, dask, ray, sequential, got 'spark'"),
        ({"backend": "loky", "address": "x"}, "backend 'loky' has no address"),
        ({"backend": "sequential", "workers": 2}, "'sequential' has one worker"),
    ],
)
def test_options_out_of_range_are_named(tmp_path, options, said):
    store = open_store(tmp_path / "x", command="theory")
    with pytest.raises(InputError, match=said):
        run_sweep(numbered(1), Compute(half), store, **{"backend": "sequential", **options})


@pytest.mark.parametrize("backend", ["dask", "ray"])
def test_a_missing_extra_says_how_to_install_it(backend, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=rf"not installed: pip install 'carryover\[{backend}\]'"):
        check_backend(backend)


def test_workers_that_write_elsewhere_are_noticed(tmp_path, monkeypatch):
    store = open_store(tmp_path / "x", command="theory")
    monkeypatch.setattr(type(store), "write", lambda self, rows, **more: "b-1-0-w.parquet")
    with pytest.raises(InputError, match="on a disk that all machines share"):
        run_sweep(numbered(1), Compute(half), store, backend="sequential")


def test_the_environment_has_no_say_in_the_rows(tmp_path, monkeypatch):
    """Segments note who computed them; rows do not."""
    store, _ = swept(theory_sweep({"alpha": [0.2]}), tmp_path / "x")
    names = store.read().table.column_names
    assert not {"seconds", "host", "python", "threads"} & set(names)
    assert sorted(p.name for p in store.folder.iterdir()) == [
        "rows",
        "sweep.json",
    ]
