"""What every runner does: read the problems, score each, print JSON.

PROBLEMS.npz holds ``labels`` (n,), for each candidate ``features/NAME`` (n, d) and, where it has a source head,
``source/NAME`` (n, z), and for each draw of labels ``rows/DRAW``: the rows that are labelled.  Printed on the last
line: {candidate: {draw: {score: value}}}, NaN and infinities as Python's json writes them, and {"error": ...} in the
place of a value where the score raised.
"""

import json
import sys
from collections.abc import Callable, Mapping

import numpy as np

Score = Callable[[np.ndarray, np.ndarray], float]


def answer(scores: Mapping[str, Score], of_source: Mapping[str, Score] | None = None) -> None:
    """Print the scores of every candidate and draw; ``of_source`` look at source probabilities, not at features."""
    with np.load(sys.argv[2]) as file:
        problems = dict(file)
    found: dict = {}
    for role, functions in (("features", scores), ("source", of_source or {})):
        for candidate, rows in _named(problems, role).items():
            for draw, kept in _named(problems, "rows").items():
                values = {
                    name: _value(function, rows[kept], problems["labels"][kept])
                    for name, function in functions.items()
                }
                found.setdefault(candidate, {}).setdefault(draw, {}).update(values)
    print(json.dumps(found))


def _named(problems: Mapping[str, np.ndarray], role: str) -> dict[str, np.ndarray]:
    return {key.partition("/")[2]: value for key, value in problems.items() if key.startswith(f"{role}/")}


def _value(function: Score, rows: np.ndarray, labels: np.ndarray) -> float | dict[str, str]:
    try:
        return float(function(rows, labels))
    except Exception as error:  # whatever a release raises is its answer
        return {"error": f"{type(error).__name__}: {error}"}
