"""Classification tasks whose error has a planted cause, from three unlike families of laws.

Each law mixes points like its pretraining sample ("near"), whose features know the label as far as the
setting lets them, with a share ``far_share`` of points that lie elsewhere and whose features know nothing.
The settings of a family plant: few labels for a law with many directions ("labels"), information that the
features have lost ("representation"), a large far share ("domain"), two of these equal, or nothing ("none").
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

Points = tuple[np.ndarray, np.ndarray]  # features (n, d), labels (n,)


@dataclass(frozen=True)
class PlantedLaw:
    """A law of (features, label, near?): ``near(n, generator)`` and ``far(n, generator)`` draw points of its parts.

    ``pretraining_shift`` is added to the first feature of the pretraining sample: a law without a planted
    domain may still have a sample that is far from all of the target.
    """

    near: Callable[[int, np.random.Generator], Points]
    far: Callable[[int, np.random.Generator], Points]
    n_classes: int
    far_share: float
    pretraining_shift: float = 0.0

    def draw(
        self, n: int, generator: np.random.Generator
    ) -> tuple[Float[np.ndarray, "n d"], Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
        """n points in random order: features, labels, and whether each is near."""
        is_near = generator.random(n) >= self.far_share
        near, far = self.near(int(is_near.sum()), generator), self.far(int((~is_near).sum()), generator)
        features, labels = np.empty((n, near[0].shape[1])), np.empty(n, dtype=np.int64)
        features[is_near], labels[is_near] = near
        features[~is_near], labels[~is_near] = far
        return features, labels, is_near

    def draw_pretraining(self, n: int, generator: np.random.Generator) -> Float[np.ndarray, "n d"]:
        """Features of n points like the near ones, shifted by ``pretraining_shift``."""
        features = self.near(n, generator)[0]
        features[:, 0] += self.pretraining_shift
        return features


def gaussian_classes(
    generator: np.random.Generator, *, n_features: int, separation: float, far_share: float = 0.0
) -> PlantedLaw:
    """Four isotropic Gaussian classes with random means of length ``separation``; far points have one mean."""
    means = generator.standard_normal((4, n_features))
    means *= separation / np.linalg.norm(means, axis=1, keepdims=True)
    offset = _direction(generator, n_features) * 5.0

    def near(n: int, rng: np.random.Generator) -> Points:
        labels = rng.integers(4, size=n)
        return means[labels] + rng.standard_normal((n, n_features)), labels

    def far(n: int, rng: np.random.Generator) -> Points:
        return offset + rng.standard_normal((n, n_features)), rng.integers(4, size=n)

    return PlantedLaw(near, far, n_classes=4, far_share=far_share)


def hidden_teacher(
    generator: np.random.Generator,
    *,
    n_features: int,
    hidden: float,
    margin: float = 0.0,
    decay: float = 0.5,
    far_share: float = 0.0,
) -> PlantedLaw:
    """Three classes by the largest of three linear scores of Student-t coordinates, some of their variance lost.

    ``hidden`` is the share of the variance that is lost.  The coordinates' scales fall as j^-decay; labels nearer
    than ``margin`` to a tie are not drawn.
    Of far points all is hidden, and they lie elsewhere.
    """
    scales = np.arange(1, n_features + 1) ** -decay
    teacher = np.linalg.qr(generator.standard_normal((n_features, 3)))[0] * (1 - hidden) ** 0.5
    offset = _direction(generator, n_features) * 5.0 * scales

    def draw(n: int, rng: np.random.Generator, teacher: np.ndarray, lost: float) -> Points:
        kept: list[Points] = []
        while sum(len(part[1]) for part in kept) < n or not kept:
            chi = np.sqrt(rng.chisquare(6, size=(n + 50, 1)) / 6)
            coordinates = rng.standard_normal((n + 50, n_features)) / chi
            scores = coordinates @ teacher + lost**0.5 * rng.standard_normal((n + 50, 3)) / chi
            top = np.sort(scores, axis=1)
            clear = top[:, -1] - top[:, -2] >= margin
            kept.append((coordinates[clear] * scales, scores[clear].argmax(axis=1)))
        features, labels = (np.concatenate(parts)[:n] for parts in zip(*kept, strict=True))
        return features, labels

    def near(n: int, rng: np.random.Generator) -> Points:
        return draw(n, rng, teacher, hidden)

    def far(n: int, rng: np.random.Generator) -> Points:
        features, labels = draw(n, rng, 0 * teacher, 1.0)
        return features + offset, labels

    return PlantedLaw(near, far, n_classes=3, far_share=far_share)


def clustered_units(
    generator: np.random.Generator,
    *,
    n_latent: int,
    n_units: int,
    n_clusters: int,
    blur: float,
    far_share: float = 0.0,
) -> PlantedLaw:
    """Five classes of ``n_clusters`` Gaussian clusters each, seen through ``n_units`` random tanh units.

    ``blur`` is the clusters' width relative to the spread of their centres.  Far points drive the units
    into saturation, where they no longer tell the clusters apart.
    """
    centres = generator.standard_normal((5, n_clusters, n_latent))
    mixing = generator.standard_normal((n_latent, n_units)) / n_latent**0.5
    thresholds = generator.standard_normal(n_units) * 0.5
    saturation = np.sign(generator.standard_normal(n_units)) * 4.0

    def draw(n: int, rng: np.random.Generator, drive: np.ndarray) -> Points:
        labels = rng.integers(5, size=n)
        latent = centres[labels, rng.integers(n_clusters, size=n)] + blur * rng.standard_normal((n, n_latent))
        units = np.tanh(latent @ mixing + thresholds + drive)
        return units + 0.1 * rng.standard_normal(units.shape), labels

    def near(n: int, rng: np.random.Generator) -> Points:
        return draw(n, rng, np.zeros(n_units))

    def far(n: int, rng: np.random.Generator) -> Points:
        return draw(n, rng, saturation)

    return PlantedLaw(near, far, n_classes=5, far_share=far_share)


def _direction(generator: np.random.Generator, n: int) -> Float[np.ndarray, " n"]:
    vector = generator.standard_normal(n)
    return vector / np.linalg.norm(vector)
