"""`make bench`: every benchmark, one table.  Ratios are measured in one run, interleaved, medians of several.

python benchmarks/run.py [TOPIC ...]       topics: startup, scores, other_scores, extraction, diagnosis, theory,
                                           pretraining, regimes, adaptation, sweep, large
"""

import importlib
import sys
from collections.abc import Sequence

TOPICS = (
    "startup", "scores", "other_scores", "extraction", "diagnosis", "theory", "pretraining", "regimes", "adaptation",
    "sweep",
)  # fmt: skip
"""Run by default; `large` (a million rows, half an hour) only when it is named."""


def main(topics: Sequence[str]) -> None:
    """Print the table as it comes."""
    print("| work | measured | target | met |")
    print("|---|---|---|---|", flush=True)
    for topic in topics:
        for row in importlib.import_module(f"bench_{topic}").rows():
            met = {True: "yes", False: "no", None: ""}[row.met]
            note = f" ({row.note})" if row.note else ""
            print(f"| {row.work}{note} | {row.measured:.3g} {row.unit} | {row.target} | {met} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:] or TOPICS)
