"""Dask and Ray clusters, started here or running already, give the rows of one process, bit for bit."""

import contextlib
import gc
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sweep_examples import swept, theory_sweep

from carryover._core.errors import InputError
from carryover.experiments.store import existing_store, open_store
from carryover.experiments.sweep import run_sweep

# Dask's, Ray's and their dependencies' own, 2026-11-21.
QUIET = ("ignore::DeprecationWarning", "ignore::ResourceWarning", "ignore::FutureWarning",
         "ignore::pytest.PytestUnraisableExceptionWarning")  # fmt: skip
CONFIG = """
[sweep]
command = "theory"
[base]
task = { overlap = 0.5, label_noise_std = 0.3 }
[over]
"network.scale" = [1e-6, 1e-3, 1.0]
alpha = [0.1, 0.2, 0.3, 1.0]
"""
WAIT = 90  # seconds, on a machine that does other work


@pytest.fixture(scope="module")
def serial(tmp_path_factory):
    return swept(theory_sweep(), tmp_path_factory.mktemp("serial") / "x")[0].read().table


@contextlib.contextmanager
def process(*command, **more):
    """In a session of its own, which ends with the block: nothing that others started is touched."""
    with subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        **more,
    ) as found:
        try:
            yield found
        finally:
            found.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                found.wait(timeout=10)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(found.pid, signal.SIGKILL)


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def wait_until(listening, *processes) -> None:
    until = time.monotonic() + WAIT
    while not listening():
        assert time.monotonic() < until and all(one.poll() is None for one in processes)
        time.sleep(0.1)


def answers(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def by_command(tmp_path: Path, *flags: str):
    """The rows of ``carryover sweep`` in a process of its own, as on a login node."""
    (tmp_path / "sweep.toml").write_text(CONFIG)
    command = [
        sys.executable,
        "-m",
        "carryover",
        "sweep",
        str(tmp_path / "sweep.toml"),
        "--out",
        str(tmp_path / "x"),
    ]
    done = subprocess.run([*command, *flags], capture_output=True, text=True, timeout=WAIT, check=False)
    assert done.returncode == 0, done.stderr
    assert "12 of 12 cells computed" in done.stdout and "3 failed" in done.stdout
    return existing_store(tmp_path / "x").read().table


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
def test_a_dask_scheduler_that_runs_already_is_reached_by_its_address(serial, tmp_path):
    """With one worker of two threads: each cell's threads are set all the same."""
    pytest.importorskip("distributed")
    port, file = free_port(), tmp_path / "scheduler.json"
    scheduler = ("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", port, "--no-dashboard",
                 "--scheduler-file", file)  # fmt: skip
    worker = ("distributed.cli.dask_worker", "--scheduler-file", file, "--nthreads", 2, "--no-dashboard",
              "--no-nanny")  # fmt: skip
    with process(*scheduler, cwd=tmp_path) as first:
        wait_until(lambda: file.exists() and answers(port), first)
        with process(*worker, cwd=tmp_path) as second:
            address = f"tcp://127.0.0.1:{port}"
            table = by_command(
                tmp_path, "--backend", "dask", "--address", address, "--workers", "2", "--batch", "2"
            )
            assert first.poll() is None and second.poll() is None  # the cluster is not ours to stop
    assert table.equals(serial)


@pytest.mark.slow
def test_a_ray_head_that_runs_already_is_reached_by_its_address(serial, tmp_path):
    pytest.importorskip("ray")
    port = free_port()
    head = ("ray.scripts.scripts", "start", "--head", "--block", "--node-ip-address", "127.0.0.1", "--port", port,
            "--num-cpus", 2, "--include-dashboard", "false", "--disable-usage-stats")  # fmt: skip
    with process(*head, cwd=tmp_path) as first:
        wait_until(lambda: answers(port), first)
        table = by_command(
            tmp_path, "--backend", "ray", "--address", f"127.0.0.1:{port}", "--workers", "2", "--batch", "2"
        )
        assert first.poll() is None
    assert table.equals(serial)


@pytest.mark.slow
@pytest.mark.filterwarnings(*QUIET)
@pytest.mark.parametrize(
    ("backend", "package", "address", "said"),
    [
        ("dask", "distributed", "tcp://127.0.0.1:9", r"no Dask scheduler answers at 'tcp://127\.0\.0\.1:9'"),
        ("ray", "ray", "127.0.0.1:9", r"no Ray cluster answers at '127\.0\.0\.1:9': .*refused"),
        ("ray", "ray", "nonsense", "no Ray cluster answers at 'nonsense'"),
    ],
)
def test_an_address_where_nobody_answers_is_named(tmp_path, backend, package, address, said):
    pytest.importorskip(package)
    store, plan = open_store(tmp_path / "x", command="theory"), theory_sweep()
    with pytest.raises(InputError, match=said):
        run_sweep(plan.cells, plan.compute, store, backend=backend, address=address)
