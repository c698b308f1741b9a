"""How often the rule of docs/verdict.md names a planted cause, names it rightly, and abstains where it should.

    python benchmarks/validate_verdicts.py [draws per kind, default 200]

Thresholds were set on ``gaussian_classes`` alone; the other families are the test.  Seeds are fixed.
"""

import sys
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from carryover._core.seeding import derive_generator
from carryover.data.planted import CAUSES_OF_KIND, FAMILIES, PLANTS, planted_task, true_decomposition
from carryover.diagnosis.verdicts import VerdictRule, judge
from carryover.measures.curve_resampling import draw_resampling
from carryover.measures.heterogeneity import likeness_to_pretraining
from carryover.measures.learning_curve import measure_learning_curve

SINGLE = ("labels", "representation", "domain")
EQUAL = tuple(kind for kind, causes in CAUSES_OF_KIND.items() if len(causes) == 2)
N_RESAMPLINGS = 400


def named_cause(family: str, kind: str, draw: int, *, rule: VerdictRule | None = None) -> str:
    """What the rule says of one task."""
    task = planted_task(family, kind, generator=derive_generator(0, "task", family, kind, draw))
    random = derive_generator(0, "judge", family, kind, draw)
    curve = measure_learning_curve(
        task.train_features,
        task.train_labels,
        task.test_features,
        test_targets=task.test_labels,
        n_classes=task.law.n_classes,
        generator=random,
        max_halvings=3,  # the sizes that the law is fitted to
    )
    likeness = likeness_to_pretraining(task.pretraining_features, task.test_features, generator=random)
    resampling = draw_resampling(curve, n_draws=N_RESAMPLINGS, generator=random)
    return judge("synthetic", curve, resampling, likeness=likeness, rule=rule).limited_by


def _named(job: tuple[str, str, int]) -> str:
    return named_cause(*job)


def print_table(n_draws: int, *, n_workers: int = 2) -> None:
    """Print the Markdown table as it comes: a row for each family and kind, then a summary for each family."""
    causes = ("labels", "representation", "domain", "cannot_tell")
    print("| family | planted | true error = labels + representation + domain | " + " | ".join(causes) + " |")
    print("|" + "---|" * 7, flush=True)
    counts: dict[tuple[str, str], Counter] = {}
    with ProcessPoolExecutor(n_workers) as pool:
        for family, kind in [(name, kind) for name, kinds in PLANTS.items() for kind in kinds]:
            jobs = [(family, kind, draw) for draw in range(n_draws)]
            counted = counts[family, kind] = Counter(pool.map(_named, jobs, chunksize=5))
            shares = [f"{counted[cause] / n_draws:.3f}" for cause in causes]
            print(
                f"| {family} | {kind} | {_true_parts(family, kind)} | " + " | ".join(shares) + " |",
                flush=True,
            )
    print("\n" + "\n".join(summary(counts, n_draws)))


def _true_parts(family: str, kind: str, n_laws: int = 4) -> str:
    """The simulated decomposition, averaged over some laws of the kind."""
    truths = []
    for draw in range(n_laws):
        task = planted_task(family, kind, generator=derive_generator(0, "task", family, kind, draw))
        truth = true_decomposition(
            task.law, len(task.train_labels), generator=derive_generator(1, family, kind, draw)
        )
        truths.append((truth.error, truth.labels, truth.representation, truth.domain))
    return "{:.3f} = {:.3f} + {:.3f} + {:.3f}".format(*np.mean(truths, axis=0))


def summary(counts: dict[tuple[str, str], Counter], n_draws: int) -> list[str]:
    """For each family: right among named, named (least of the single causes), abstained (least of the equal ones)."""
    lines = [
        "| family | right, of the causes it names where one was planted (>= .90) | named, least of the three (>= .60) "
        "| abstains where two are equal, least of the three (>= .80) | abstains where none |",
        "|---|---|---|---|---|",
    ]
    for family in FAMILIES:
        right = sum(counts[family, kind][kind] for kind in SINGLE)
        named = [n_draws - counts[family, kind]["cannot_tell"] for kind in SINGLE]
        equal = [counts[family, kind]["cannot_tell"] for kind in EQUAL]
        lines.append(
            f"| {family} | {right / max(sum(named), 1):.3f} | {min(named) / n_draws:.3f} "
            f"| {min(equal) / n_draws:.3f} | {counts[family, 'none']['cannot_tell'] / n_draws:.3f} |"
        )
    return lines


if __name__ == "__main__":
    print_table(int(sys.argv[1]) if len(sys.argv) > 1 else 200)
