"""A driver that is killed, stopped or doubled loses no row: going on ends with those of an undisturbed one."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from carryover.cli.main import run
from carryover.experiments.store import existing_store

CONFIG = """
[sweep]
command = "theory"
[base]
alpha = 0.2
simulate = { dimension = 250, seeds = 4 }
[over]
"network.scale" = [1e-4, 1e-2, 1.0]
seed = [0, 1, 2, 3, 4, 5, 6, 7]
"""


@pytest.fixture
def config(tmp_path) -> Path:
    path = tmp_path / "sweep.toml"
    path.write_text(CONFIG)
    return path


def driver(config: Path, out: Path, workers: int = 2, **more) -> subprocess.Popen:
    command = [sys.executable, "-m", "carryover", "sweep", str(config), "--out", str(out)]
    return subprocess.Popen(
        [*command, "--workers", str(workers)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
        preexec_fn=_heed_interrupts,
        **more,
    )


def _heed_interrupts() -> None:
    """Whoever runs the tests in the background of a shell has them inherit that SIGINT is ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def n_rows(out: Path) -> int:
    """Segments that are whole; what is being written has a dot in front."""
    return len([path for path in (out / "rows").glob("[!.]*.parquet")])


def wait_for_rows(process: subprocess.Popen, out: Path, n: int) -> None:
    until = time.monotonic() + 60
    while n_rows(out) < n:
        assert process.poll() is None and time.monotonic() < until
        time.sleep(0.02)


def end(process: subprocess.Popen) -> None:
    """Its workers, too: they are in its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.communicate()


def serial(config: Path, out: Path):
    assert run(["sweep", str(config), "--out", str(out), "--quiet"]) == 0
    return existing_store(out).read().table


@pytest.mark.slow
def test_killed_half_way_and_taken_up_again(config, tmp_path):
    expected = serial(config, tmp_path / "serial")
    process = driver(config, tmp_path / "killed")
    try:
        wait_for_rows(process, tmp_path / "killed", 6)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert 6 <= len(existing_store(tmp_path / "killed").read().table) < 24
    finally:
        end(process)
    assert run(["sweep", str(config), "--out", str(tmp_path / "killed"), "--workers", "2", "--quiet"]) == 0
    assert existing_store(tmp_path / "killed").read().table.equals(expected)


@pytest.mark.slow
@pytest.mark.parametrize("whole_group", [False, True], ids=["the driver alone", "as Ctrl-C in a terminal"])
def test_interrupted_ends_with_130_and_goes_on(config, tmp_path, whole_group):
    out = tmp_path / "stopped"
    process = driver(config, out)
    try:
        wait_for_rows(process, out, 4)
        (os.killpg if whole_group else os.kill)(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=60)
        assert process.returncode == 130
        assert said.decode().strip() == "carryover: interrupted; what was finished is kept"
    finally:
        end(process)
    there = len(existing_store(out).read().table)
    assert 4 <= there < 24
    assert run(["sweep", str(config), "--out", str(out), "--quiet"]) == 0
    assert len(existing_store(out).read().table) == 24


@pytest.mark.slow
def test_two_drivers_on_one_folder_lose_and_damage_nothing(config, tmp_path):
    expected = serial(config, tmp_path / "serial")
    both = [driver(config, tmp_path / "shared", workers=1) for _ in range(2)]
    try:
        assert [one.wait(timeout=80) for one in both] == [0, 0]
    finally:
        for one in both:
            end(one)
    store = existing_store(tmp_path / "shared")
    assert store.read().table.equals(expected)
    assert {one.n_failed for one in store.segments()} == {0}
    n_written = sum(one.n for one in store.segments())
    assert 24 <= n_written < 40  # cells computed twice are few
