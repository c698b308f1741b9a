"""The call to ``datasets.load_dataset``: local paths apart from hub ids, quiet, and every failure a sentence."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from carryover._core.errors import DiskFullError, InputError, did_you_mean

if TYPE_CHECKING:
    from datasets import Dataset

FILE_READERS = {".parquet": "parquet", ".csv": "csv", ".json": "json", ".jsonl": "json", ".arrow": "arrow"}
_HUB_TIMEOUT_SECONDS = 10


def load_splits(path_or_hub_id: str | Path, *, config: str | None = None) -> dict[str, "Dataset"]:
    """All splits by name.  Data is converted once into the cache of ``datasets`` (HF_DATASETS_CACHE, HF_HOME).

    Something that exists is a path; something that looks like one (it begins with . / or ~, has more than
    one slash or the suffix of a data file) must exist; anything else is a hub id.  InputError otherwise.
    """
    path = Path(path_or_hub_id).expanduser()
    if path.is_file():
        return _local_file(path)
    if path.is_dir():
        if not any(one.is_file() for one in path.rglob("*")):
            raise InputError(f"the folder {path} has no files: put Parquet files or an image folder there")
        return _load(str(path), where=f"the folder {path}", name=config)
    text = str(path_or_hub_id)
    if (
        text.startswith((".", "/", "~"))
        or text.count("/") > 1
        or path.suffix.lower() in FILE_READERS
        or not text
    ):
        parent = path.parent
        there = [one.name for one in parent.iterdir()][:20] if parent.is_dir() else []
        found = f"in {parent} {did_you_mean(path.name, there)}" if parent.is_dir() else f"nor does {parent}"
        raise InputError(f"{text or 'the path'} does not exist; {found}")
    _check_hub(text)
    return _load(text, where=f"the hub's data set {text}", name=config)


def _local_file(path: Path) -> dict[str, "Dataset"]:
    reader = FILE_READERS.get(path.suffix.lower())
    if reader is None:
        raise InputError(
            f"{path} has a format that is not read as a data set: give {', '.join(FILE_READERS)} or a folder"
        )
    return _load(reader, where=f"the file {path}", data_files=str(path))


def _load(target: str, *, where: str, **options: Any) -> dict[str, "Dataset"]:
    import datasets

    try:
        with without_progress_bars():
            loaded = datasets.load_dataset(target, **options)
    except Exception as error:  # load_dataset passes on whatever its builders, Arrow and the network raise
        raise _as_sentence(error, where) from error
    return dict(loaded)


def _as_sentence(error: Exception, where: str) -> Exception:
    causes: list[BaseException] = [error]
    while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
        causes.append(cause)
    if any(isinstance(one, OSError) and one.errno in (errno.ENOSPC, errno.EDQUOT) for one in causes):
        return DiskFullError(
            errno.ENOSPC, f"no space is left to cache {where}: free some, or set HF_DATASETS_CACHE"
        )
    if any(isinstance(one, PermissionError) for one in causes):
        return InputError(f"{where} could not be cached or read ({causes[-1]}): set HF_DATASETS_CACHE to a folder "
                          "that can be written")  # fmt: skip
    if isinstance(error, ConnectionError):
        return _unreachable(where, error)
    root = str(causes[-1]).strip().splitlines() or [type(causes[-1]).__name__]
    return InputError(f"{where} could not be read as a data set: {root[0][:300]}")


def _unreachable(where: str, error: Exception) -> InputError:
    first = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
    return InputError(
        f"{where} could not be reached ({first}). It is neither a local path nor in the cache: give the path of a "
        "local folder or Parquet file, or connect to the network and run again"
    )


def _check_hub(hub_id: str) -> None:
    """Fail at once where ``load_dataset`` would retry for half a minute: no such id, no access, no network.

    A data set that is in the cache already is left to ``load_dataset``, which reads it offline.
    """
    import datasets
    import huggingface_hub
    from huggingface_hub import errors

    cached = Path(datasets.config.HF_DATASETS_CACHE) / hub_id.replace("/", "___")
    if huggingface_hub.constants.HF_HUB_OFFLINE or cached.exists():
        return
    where = f"the hub's data set {hub_id}"
    try:
        huggingface_hub.HfApi().dataset_info(hub_id, timeout=_HUB_TIMEOUT_SECONDS)
    except errors.GatedRepoError as error:
        raise InputError(
            f"{where} asks for an agreement: accept it on its page and log in to the hub"
        ) from error
    except (errors.RepositoryNotFoundError, errors.HFValidationError) as error:
        raise InputError(
            f"{hub_id} is neither a local path nor a data set on the hub that you may read: check the spelling"
        ) from error
    except Exception as error:  # the HTTP library's own hierarchy, which changed between hub releases
        raise _unreachable(where, error) from error


@contextmanager
def without_progress_bars() -> Iterator[None]:
    """Without progress bars, left afterwards as they were."""
    import datasets

    disabled_before = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        yield
    finally:
        if not disabled_before:
            datasets.enable_progress_bars()
