"""Shell patterns of names of parameters and layers, each of which must match something."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from fnmatch import fnmatchcase

from carryover._core.errors import InputError


def matching(names: Iterable[str], patterns: Sequence[str], *, what: str = "parameter") -> list[str]:
    """The names that one pattern at least matches, in their order.

    Raises InputError for a pattern that matches none, with near matches.

    >>> matching(["encoder.a", "encoder.b", "head.weight"], ["head.*"])
    ['head.weight']
    """
    names = list(names)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise InputError(f"pattern {pattern!r} matches no {what}; {_near(pattern, names)}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]


def _near(pattern: str, names: Sequence[str]) -> str:
    plain = pattern.replace("*", "")
    parents = {name.rpartition(".")[0] for name in names}
    near = get_close_matches(plain, [*names, *parents], n=6, cutoff=0.4)
    return f"near matches: {', '.join(near) or 'none'}; there are {len(names)} from {names[0]} to {names[-1]}"
