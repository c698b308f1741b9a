"""One target: its images through every candidate, truth with all labels, and every score with few of them."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from carryover._core.errors import NotComputedError
from carryover._core.seeding import derive_generator
from carryover.data.images import ImageColumn
from carryover.data.sources import open_dataset
from carryover.data.splits import make_split, stratified_subset
from carryover.data.targets import encode_targets
from carryover.experiments.entries.ranking.hub import SIDE, hub_candidates
from carryover.experiments.entries.ranking.scores import (
    Draw,
    Pool,
    judged_columns,
    our_scores,
    their_scores,
)
from carryover.experiments.entries.ranking.specs import (
    RankingCell,
    Target,
    candidate_key,
    reason_key,
    release_key,
)
from carryover.experiments.rows import Row
from carryover.measures.logistic import fit_logistic_probe
from carryover.measures.ridge_scores import ridge_scores

SHARED = "encoders"
"""The folder beside ``runs`` in which cells share what they pretrain."""


@dataclass(frozen=True)
class HeldOut:
    """What truth is measured on: features (t, d) by candidate and class codes (t,) of the test images."""

    features: Mapping[str, Float[np.ndarray, "t d"]]
    labels: Int[np.ndarray, " t"]


def run_ranking(cell: RankingCell, folder: Path) -> Row:
    """Accuracies of the candidates, and how well each score finds the best of them."""
    seed, name = cell.hub.seed, cell.target.name
    images, labels = load_target(cell.target, seed=seed)
    generator = derive_generator(seed, "test images", name)
    split = make_split(labels, generator=generator, test_fraction=cell.target.test_share)
    candidates = hub_candidates(cell.hub, images, split.train, folder.parent.parent / SHARED)
    pool = Pool(
        {one.name: one.features[split.train] for one in candidates},
        {one.name: one.source[split.train] for one in candidates if one.source is not None},
        labels[split.train],
    )
    held_out = HeldOut({one.name: one.features[split.test] for one in candidates}, labels[split.test])
    del candidates, images
    draws = label_draws(cell, pool.labels)
    truth = {one: accuracy_with_all(one, pool, held_out, seed=seed) for one in pool.features}
    at_n = {draw: accuracies_with(rows, pool, held_out) for draw, rows in draws.items()}
    found = dict(our_scores(pool, draws, seed=seed))
    row: Row = {}
    for rival in cell.rivals:
        asked = {draw: rows for draw, rows in draws.items() if draw[1] < rival.draws}
        theirs = their_scores(rival.name, pool, asked, folder)
        row |= {release_key(rival.name): rival.release, reason_key(rival.name): theirs.reason}
        found |= theirs.value if theirs.ok else {}
    for one, features in pool.features.items():
        row |= {candidate_key(one, "accuracy"): truth[one], candidate_key(one, "width"): features.shape[1]}
    return row | judged_columns(found, pool, truth=truth, at_n=at_n)


def load_target(target: Target, *, seed: int) -> tuple[ImageColumn, Int[np.ndarray, " n"]]:
    """RGB images of 32 x 32 and their class codes 0..K-1."""
    where = {target.column: list(target.kept)} if target.column else None
    source = open_dataset(target.data, split=target.split, where=where)
    column = source.label_column(target.label)
    encoded = encode_targets(
        source.values(column), class_names=source.class_names(column), task="classification", name=column
    )
    images, labels = source.images(size=SIDE, channels=3).take(encoded.rows), encoded.values
    if target.max_images < len(labels):
        generator = derive_generator(seed, "images", target.name)
        kept = stratified_subset(labels, target.max_images, generator=generator)
        images, labels = images.take(kept), labels[kept]
    return images, labels


def label_draws(cell: RankingCell, labels: Int[np.ndarray, " n"]) -> dict[Draw, np.ndarray]:
    """Stratified rows for each draw; within one draw the fewer labels are among the more."""
    names = (cell.hub.seed, "labels", cell.target.name)
    return {
        (n, draw): stratified_subset(labels, n, generator=derive_generator(*names, draw))
        for n in cell.labels
        for draw in range(cell.draws)
    }


def accuracy_with_all(name: str, pool: Pool, held_out: HeldOut, *, seed: int) -> float:
    """Test accuracy of a logistic probe on the whole pool, its penalty chosen by cross-validation there.

    Raises NotComputedError where the probe has no features to go by.
    """
    generator = derive_generator(seed, "folds", name)
    probe = fit_logistic_probe(pool.features[name], pool.labels, generator=generator)
    if probe.status != "ok":
        raise NotComputedError(f"{name} has no accuracy: {probe.reason}")
    return _accuracy(probe.predict_scores(held_out.features[name]), held_out.labels)


def accuracies_with(rows: Int[np.ndarray, " n"], pool: Pool, held_out: HeldOut) -> dict[str, float]:
    """By candidate the test accuracy of a ridge probe on the labelled rows; leave-one-out chooses its penalty."""
    return {
        name: _accuracy(
            ridge_scores(
                features[rows].astype(np.float64),
                pool.labels[rows],
                held_out.features[name],
                n_classes=pool.n_classes,
            ),
            held_out.labels,
        )
        for name, features in pool.features.items()
    }


def _accuracy(scores: Float[np.ndarray, "t k"], labels: Int[np.ndarray, " t"]) -> float:
    return float((scores.argmax(axis=1) == labels).mean())
