"""Misuse is an exception; every message says what, where and what to do about it."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(ValueError):
    """Something the user gave cannot be used.  The command line prints it and exits with code 2."""


class NotComputedError(ArithmeticError):
    """A numerical failure that the caller asked to be raised (:meth:`Result.raise_if_failed`)."""


class DiskFullError(OSError):
    """No space was left while a file was written; nothing half-written remains."""


def did_you_mean(name: str, permitted: Iterable[str]) -> str:
    """A closing clause that lists what is permitted and names the nearest match.

    >>> did_you_mean("lable", ["label", "image"])
    "there are: image, label (did you mean 'label'?)"
    """
    names = sorted(map(str, permitted))
    near = get_close_matches(name, names, n=1)
    hint = f" (did you mean {near[0]!r}?)" if near else ""
    return f"there are: {', '.join(names) if names else 'none'}{hint}"
