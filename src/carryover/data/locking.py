"""One writer at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def sole_writer(folder: Path) -> Iterator[bool]:
    """Whether nobody else holds ``folder``, which is then held until the block ends; it never waits.

    A lock on the folder itself (flock), among those who ask for it: it leaves no file, and goes with its process
    however that ends.  Where a file system has no locks everyone is told True.
    """
    number = os.open(folder, os.O_RDONLY)
    try:
        yield _held(number)
    finally:
        os.close(number)


def _held(number: int) -> bool:
    try:
        fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:  # the file system has no locks
        pass
    return True
