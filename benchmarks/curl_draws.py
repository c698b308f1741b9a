"""Disjoint tuples from labelled images, and what the contrastive bound says on them beside the truth."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carryover.bounds.contrastive import (
    contrastive_bound,
    contrastive_losses,
    largest_contrastive_loss,
    named_loss,
)

RADIUS = 1.0


@dataclass(frozen=True)
class Pool:
    """Unit features (n, d) of images and their classes 0..k-1 (n,), the same number of images of each."""

    features: np.ndarray
    labels: np.ndarray

    @property
    def n_classes(self) -> int:
        return int(self.labels.max()) + 1

    @property
    def rows(self) -> np.ndarray:
        """Positions of the images, (k, images of a class)."""
        return np.argsort(self.labels, kind="stable").reshape(self.n_classes, -1)


@dataclass(frozen=True)
class Tuples:
    """Positions: anchors (m,), positives and negatives (m, b); ``collided`` (m,) where both classes are one."""

    anchors: np.ndarray
    positives: np.ndarray
    negatives: np.ndarray
    collided: np.ndarray


def n_tuples(pool: Pool, block: int) -> int:
    """So many that a class runs out of images rarely: mean use + 4.5 deviations = the images of a class."""
    own, other, size = 1 + block, block, pool.rows.shape[1]
    # Of k m tuples a class is Poisson(m) times the anchor's and Poisson(m) times the negative's.
    spread = 4.5 * math.sqrt(own**2 + other**2)
    root = (-spread + math.sqrt(spread**2 + 4 * (own + other) * size)) / (2 * (own + other))
    return int(pool.n_classes * root**2)


def draw_tuples(pool: Pool, block: int, *, generator: np.random.Generator) -> Tuples:
    """Tuples with two independent classes each, uniform over the k; no image is in two tuples or twice in one.

    Where a class runs out of images all classes are drawn anew (:func:`n_tuples` makes that rare).
    """
    m, k = n_tuples(pool, block), pool.n_classes
    while True:
        classes = generator.integers(k, size=(m, 2))
        used = np.bincount(classes[:, 0], minlength=k) * (1 + block)
        used += np.bincount(classes[:, 1], minlength=k) * block
        if used.max() <= pool.rows.shape[1]:
            break
    shuffled = generator.permuted(pool.rows, axis=1)
    taken, found = np.zeros(k, dtype=int), []
    for first, second in classes:
        own = shuffled[first, taken[first] : taken[first] + 1 + block]
        taken[first] += 1 + block
        other = shuffled[second, taken[second] : taken[second] + block]
        taken[second] += block
        found.append(np.concatenate([own, other]))
    rows = np.array(found)
    return Tuples(rows[:, 0], rows[:, 1 : 1 + block], rows[:, 1 + block :], classes[:, 0] == classes[:, 1])


def one_draw(pool: Pool, block: int, *, losses: tuple[str, ...], seed: tuple[int, ...]) -> dict[str, Any]:
    """By loss: empirical L_un, the bound, its estimate without confidence, the losses of collided tuples, and L_un
    of the same tuples with the first 1, 2, ... ``block`` positives and negatives (``nested``)."""
    tuples = draw_tuples(pool, block, generator=np.random.default_rng(seed))
    parts = [pool.features[rows] for rows in (tuples.anchors, tuples.positives, tuples.negatives)]
    tau, found = 1 / pool.n_classes, {}
    for loss in losses:
        values = contrastive_losses(*parts, loss=loss)
        bound = contrastive_bound(
            values,
            collision=tau,
            largest_loss=largest_contrastive_loss(RADIUS, loss=loss),
            collided=tuples.collided,
            encoder_independent=True,
            positives_from_class=True,
        )
        found[loss] = {
            "n_tuples": len(values),
            "contrastive_loss": float(values.mean()),
            "estimate": float((values.mean() - tau) / (1 - tau)),
            "bound": float(bound.value),
            "apart": bound.terms["apart"],
            "collision": bound.terms["collision"],
            "apart_mean": float(values[~tuples.collided].mean()),
            "collided": [float(one) for one in values[tuples.collided]],
            "nested": [
                float(contrastive_losses(parts[0], parts[1][:, :b], parts[2][:, :b], loss=loss).mean())
                for b in range(1, block + 1)
            ],
        }
    return found


def left_out_loss(pool: Pool, *, loss: str) -> float:
    """L_sup^mu with each image left out of its own class's mean, uniform classes."""
    means = pool.features[pool.rows].mean(axis=1)
    size, n = pool.rows.shape[1], len(pool.labels)
    own = np.einsum("nd,nd->n", pool.features, means[pool.labels])
    own = (size * own - np.einsum("nd,nd->n", pool.features, pool.features)) / (size - 1)
    losses = named_loss(loss).of_gap(own[:, None] - pool.features @ means.T)
    losses[np.arange(n), pool.labels] = 0
    return float(losses.sum() / (n * (pool.n_classes - 1)))


def pairwise_accuracy(pool: Pool) -> float:
    """AVG-2: over pairs of classes, the mean share of their images that the two's mean classifier gets right."""
    means = pool.features[pool.rows].mean(axis=1)
    scores = pool.features @ means.T
    right = scores[np.arange(len(scores)), pool.labels][:, None] > scores
    return float(right.sum() / (len(scores) * (pool.n_classes - 1)))


def subset(features: np.ndarray, labels: np.ndarray, n_classes: int) -> Pool:
    """The images of the first classes."""
    rows = labels < n_classes
    return Pool(features[rows], labels[rows])


def summary(draws: list[Mapping[str, Any]], truth: float) -> dict[str, Any]:
    """Over the draws: means, the spread of the bound, how many bounds (and estimates) are below the truth."""
    bounds = np.array([one["bound"] for one in draws])
    collided = np.concatenate([one["collided"] for one in draws])
    nested = np.array([one["nested"] for one in draws])
    gains = nested[:, :1] - nested
    low, high = np.quantile(bounds, [0.025, 0.975])
    return {
        "n_draws": len(draws),
        "n_tuples": draws[0]["n_tuples"],
        **{name: float(np.mean([one[name] for one in draws]))
           for name in ("contrastive_loss", "estimate", "bound", "apart", "collision", "apart_mean")},
        "contrastive_loss_se": float(np.std([one["contrastive_loss"] for one in draws]) / math.sqrt(len(draws))),
        "bound_low": float(low), "bound_high": float(high),
        "collided_loss": float(collided.mean()) if len(collided) else float("nan"),
        "gain_of_block": float(gains[:, -1].mean()),
        "gain_of_block_se": float(gains[:, -1].std() / math.sqrt(len(draws))),
        "estimate_below": int(sum(one["estimate"] < truth for one in draws)),
        "violations": int((bounds < truth).sum()),
    }  # fmt: skip
