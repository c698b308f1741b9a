"""Finite latent-class laws: every contrastive quantity is a finite sum over cells."""

from dataclasses import dataclass

import numpy as np

from carryover.bounds.contrastive import contrastive_bound, contrastive_losses


@dataclass(frozen=True)
class LatentClasses:
    """Class c has share ``shares[c]`` and equally likely cells, with features ``cells[c]`` (r, d)."""

    shares: np.ndarray
    cells: np.ndarray

    @property
    def collision(self):
        return float((self.shares**2).sum())

    def rows(self):
        """Each cell once, with its class."""
        n_classes, size, d = self.cells.shape
        return self.cells.reshape(-1, d), np.repeat(np.arange(n_classes), size)

    def tuples(self, m, block, generator):
        """Anchors, blocks of positives and negatives, and which tuples have both classes the same."""
        size = self.cells.shape[1]
        first, second = generator.choice(len(self.shares), size=(2, m), p=self.shares)
        anchors = self.cells[first, generator.integers(0, size, m)]
        positives = self.cells[first[:, None], generator.integers(0, size, (m, block))]
        negatives = self.cells[second[:, None], generator.integers(0, size, (m, block))]
        return anchors, positives, negatives, first == second

    def exact_losses(self, of_gap):
        """L_un over distinct and over equal classes, and L_sup^mu, by loops over all cells (blocks of 1)."""
        apart = same = supervised = 0.0
        means = self.cells.mean(axis=1)
        for c, rho in enumerate(self.shares):
            for other, rho_other in enumerate(self.shares):
                loss = np.mean(
                    [
                        of_gap(x @ (p - n))
                        for x in self.cells[c]
                        for p in self.cells[c]
                        for n in self.cells[other]
                    ]
                )
                if c == other:
                    same += rho * rho_other * loss / self.collision
                else:
                    weight = rho * rho_other / (1 - self.collision)
                    apart += weight * loss
                    supervised += weight * np.mean(
                        [of_gap(x @ (means[c] - means[other])) for x in self.cells[c]]
                    )
        return apart, same, supervised


def spread_classes(generator, *, n_classes=4, size=5, d=3, noise=0.5, shares=None, radius=1.0):
    """Cells about directions of their class, the longest of length ``radius``."""
    centres = generator.normal(size=(n_classes, 1, d))
    cells = centres + noise * generator.normal(size=(n_classes, size, d))
    cells = radius * cells / np.linalg.norm(cells, axis=2).max()
    return LatentClasses(np.full(n_classes, 1 / n_classes) if shares is None else np.asarray(shares), cells)


def two_directions():
    """Four classes without spread, two at each of two opposite ends: L_un = .5, L_sup^mu = 1/3, hinge 0 or 1."""
    ends = np.array([[[1.0]], [[1.0]], [[-1.0]], [[-1.0]]])
    return LatentClasses(np.full(4, 0.25), ends)


def contrastive_draw(generator, *, law, true, m, largest_loss, loss="hinge", block=1, collision=None):
    """The contrastive bound from m tuples, beside the mean classifier's loss ``true``."""
    anchors, positives, negatives, collided = law.tuples(m, block, generator)
    losses = contrastive_losses(anchors, positives, negatives, loss=loss)
    tau = law.collision if collision is None else collision
    return contrastive_bound(losses, collision=tau, largest_loss=largest_loss, collided=collided), true
