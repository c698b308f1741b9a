"""Dask and Ray clusters started here give the rows of one process, bit for bit."""

import gc

import pytest
from sweep_examples import swept, theory_sweep

from carryover._core.errors import InputError
from carryover.experiments.store import open_store
from carryover.experiments.sweep import run_sweep

# Dask's, Ray's and their dependencies' own, 2026-11-21.
QUIET = ("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning",
         "ignore::pytest.PytestUnraisableExceptionWarning")  # fmt: skip


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    return swept(theory_sweep(), tmp_path_factory.mktemp("serial") / "x")[0].read().table


@pytest.mark.slow
@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_a_local_cluster_gives_the_rows_of_one_process(backend, package, serial, tmp_path):
    pytest.importorskip(package)
    told = []
    options = {"backend": backend, "workers": 2, "batch": 3, "progress": told.append}
    store, found = swept(theory_sweep(), tmp_path / "x", **options)
    assert store.read().table.equals(serial)
    assert (found.n_computed, found.n_failed) == (12, 3) and told[-1].n_done == 12
    gc.collect()  # Ray drops its processes without waiting for them: the warning belongs here


@pytest.mark.slow
@pytest.mark.filterwarnings(*QUIET)
def test_a_dask_cluster_that_runs_already_is_reached_by_its_address(serial, tmp_path):
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, dashboard_address=None, silence_logs=50
    ) as cluster:
        address = cluster.scheduler_address
        store, _ = swept(theory_sweep(), tmp_path / "x", backend="dask", address=address, workers=2, batch=2)
        assert len(cluster.workers) == 1
    assert store.read().table.equals(serial)


@pytest.mark.slow
def test_an_address_where_nobody_answers_is_named(tmp_path):
    pytest.importorskip("distributed")
    store, plan = open_store(tmp_path / "x", command="theory"), theory_sweep()
    with pytest.raises(InputError, match=r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"):
        run_sweep(plan.cells, plan.compute, store, backend="dask", address="tcp://127.0.0.1:9")
