"""Where batches run: processes of this machine, or a Dask or Ray cluster, each through joblib's own backend."""

import importlib.util
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal, get_args

from joblib import Parallel, parallel_config

from carryover._core.errors import InputError

Backend = Literal["loky", "dask", "ray", "sequential"]
_NEEDS = {"dask": "distributed", "ray": "ray"}
_QUEUE = 7 * 24 * 3600
"""Seconds to wait for a Dask cluster's first worker, whose job may stand in a queue; joblib's own are 10."""


def check_backend(backend: str, address: str | None = None) -> None:
    """Raises InputError for a backend that is not known or not installed, and for an address where it has none."""
    if backend not in get_args(Backend):
        raise InputError(f"backend must be one of {', '.join(get_args(Backend))}, got {backend!r}")
    if address is not None and backend not in _NEEDS:
        raise InputError(f"backend {backend!r} has no address: it runs on this machine; use dask or ray")
    if backend in _NEEDS and importlib.util.find_spec(_NEEDS[backend]) is None:
        raise InputError(
            f"backend {backend!r} needs a package that is not installed: pip install 'carryover[{backend}]'"
        )


@contextmanager
def running(backend: Backend, *, address: str | None, workers: int) -> Iterator[Parallel]:
    """joblib's Parallel on that backend; what was started for it is stopped when the block ends.

    ``address`` of a Dask scheduler or Ray cluster, on whose workers carryover is installed; without one a local
    cluster of so many processes of one thread is started.  A cluster without workers is waited for.  Raises InputError
    where nobody answers there.
    """
    start = {"dask": _dask, "ray": _ray}.get(backend, _local)
    with start(backend, address, workers) as config, parallel_config(**config):
        # Batches are made by the sweep; joblib must not put several into one.  How many are handed out at a time must
        # not follow the workers of the first moment: a cluster grows while it has work.
        yield Parallel(n_jobs=workers, batch_size=1, pre_dispatch=2 * workers)


@contextmanager
def _local(backend: str, _: str | None, workers: int) -> Iterator[dict[str, Any]]:
    with warnings.catch_warnings():
        # loky replaces a process that has grown, as one does that first solved the theory and then loaded torch.
        warnings.filterwarnings("ignore", message="A worker stopped while some jobs", category=UserWarning)
        yield {"backend": backend if workers > 1 else "sequential", "n_jobs": workers}


@contextmanager
def _dask(_: str, address: str | None, workers: int) -> Iterator[dict[str, Any]]:
    from distributed import Client, LocalCluster

    if address is None:
        with (
            LocalCluster(
                n_workers=workers, threads_per_worker=1, dashboard_address=None, silence_logs=50
            ) as cluster,
            Client(cluster, set_as_default=False) as client,
        ):
            yield {"backend": "dask", "client": client, "wait_for_workers_timeout": _QUEUE}
        return
    try:
        client = Client(address, set_as_default=False, timeout=10)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address!r}: {error}") from error
    with client:
        yield {"backend": "dask", "client": client, "wait_for_workers_timeout": _QUEUE}


@contextmanager
def _ray(_: str, address: str | None, workers: int) -> Iterator[dict[str, Any]]:
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ours = not ray.is_initialized()
    if ours:
        _check_listening(address or "")
        local = {"num_cpus": workers, "include_dashboard": False} if address is None else {}
        try:
            ray.init(address=address or "local", log_to_driver=False, logging_level="error", **local)
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise InputError(f"no Ray cluster answers at {address!r}: {error}") from error
    try:
        yield {"backend": "ray", "n_jobs": workers}
    finally:
        if ours:
            ray.shutdown()


def _check_listening(address: str) -> None:
    """Ray itself would go on asking for minutes.  Names without a port, such as "auto", are left to it."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if not (host and port.isdecimal()):
        return
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except OSError as error:
        raise InputError(f"no Ray cluster answers at {address!r}: {error}") from error
