"""The contrastive bound on real features: tuples of CIFAR-100's classes against the mean classifier's loss.

    python benchmarks/bounds_curl.py --folder DIR [--runs DIR]

DIR keeps the two encoders trained on class pairs; --runs (DIR by default) holds the family's SimCLR run.
Prints the tables of docs/contrastive_bound.md and leaves contrastive_bound.csv in DIR.  Part `curl` of the validation.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from curl_draws import RADIUS, Pool, left_out_loss, one_draw, pairwise_accuracy, subset, summary
from curl_encoders import test_features
from validate_pretraining import environment

from carryover.bounds.contrastive import largest_contrastive_loss, mean_classifier_loss
from carryover.bounds.contrastive_spread import collision_spread, minimiser_terms

LOSSES = ("hinge", "logistic")
BLOCKS = (1, 2, 5)
CLASSES = (10, 25, 100)
DRAWS = 200


def cells(name: str, pool: Pool) -> list[dict[str, Any]]:
    """A row for each loss and block."""
    shares = np.full(pool.n_classes, 1 / pool.n_classes)
    spread, accuracy = (
        collision_spread(pool.features, pool.labels, class_shares=shares),
        pairwise_accuracy(pool),
    )
    rows = []
    for block in BLOCKS:
        draws = [
            one_draw(pool, block, losses=LOSSES, seed=(pool.n_classes, block, at)) for at in range(DRAWS)
        ]
        for loss in LOSSES:
            truth = mean_classifier_loss(pool.features, pool.labels, class_shares=shares, loss=loss)
            left_out = left_out_loss(pool, loss=loss)
            found = summary([one[loss] for one in draws], max(truth, left_out))
            parts = minimiser_terms(
                found["apart_mean"], spread, collision=1 / pool.n_classes, generalization=0.0, loss=loss
            )
            rows.append({
                "encoder": name, "classes": pool.n_classes, "loss": loss, "block": block, **found,
                "truth": truth, "truth_left_out": left_out, "pairwise_accuracy": accuracy,
                "spread": spread, "minimiser_apart": parts["apart"], "minimiser_collision": parts["collision"],
            })  # fmt: skip
    return rows


def tables(found: pd.DataFrame) -> None:
    """The page's tables."""
    print("\n| encoder | classes | loss | block | tuples | L_un | lower than with b = 1 "
          "| (L_un - tau)/(1 - tau) | 95 % bound, its spread "
          "| L_sup^mu | the same, x left out of its mean | bound / truth | without confidence below truth "
          "| bound below truth |")  # fmt: skip
    print("|" + "---|" * 14)
    for row in found.itertuples():
        print(
            f"| {row.encoder} | {row.classes} | {row.loss} | {row.block} | {row.n_tuples} | "
            f"{row.contrastive_loss:.4f} +- {row.contrastive_loss_se:.4f} | "
            f"{_gain(row)} | {row.estimate:.3f} | "
            f"{row.bound:.3f} [{row.bound_low:.3f}, {row.bound_high:.3f}] | {row.truth:.3f} | "
            f"{row.truth_left_out:.3f} | {row.bound / max(row.truth, row.truth_left_out):.2f} | "
            f"{row.estimate_below} of {row.n_draws} | {row.violations} of {row.n_draws} |"
        )
    print("\n| encoder | classes | loss | L_un apart | L_un of collisions | limit 1 + slope s / sqrt 2 "
          "| minimiser's terms, without Gen_M | AVG-2, % |")  # fmt: skip
    print("|" + "---|" * 8)
    for row in found[found["block"] == 1].itertuples():
        slope = 1.0 if row.loss == "hinge" else 1 / np.log(2)
        print(
            f"| {row.encoder} | {row.classes} | {row.loss} | {row.apart_mean:.3f} | {row.collided_loss:.3f} | "
            f"{1 + slope * row.spread / np.sqrt(2):.3f} | "
            f"{row.minimiser_apart:.3f} + {row.minimiser_collision:.4f} | {100 * row.pairwise_accuracy:.1f} |"
        )


def _gain(row: Any) -> str:
    return "" if row.block == 1 else f"{row.gain_of_block:.4f} +- {row.gain_of_block_se:.4f}"


def curl(folder: Path, runs: Path | None = None) -> None:
    """Print the tables of docs/contrastive_bound.md; encoders that are not in ``folder`` are trained first."""
    torch.set_num_threads(1)
    features, labels = test_features(folder, runs or folder)
    largest = [f"{largest_contrastive_loss(RADIUS, loss=loss):.3f} ({loss})" for loss in LOSSES]
    print(f"{environment()}; R = {RADIUS:g}, losses at most {', '.join(largest)}")
    rows = []
    for name, of_images in features.items():
        for n_classes in CLASSES:
            rows += cells(name, subset(of_images, labels, n_classes))
    found = pd.DataFrame(rows)
    tables(found)
    rounded = found.map(lambda one: float(f"{one:.6g}") if isinstance(one, float) else one)
    rounded.to_csv(folder / "contrastive_bound.csv", index=False)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=None)
    given = parser.parse_args()
    curl(given.folder, given.runs)


if __name__ == "__main__":
    main()
