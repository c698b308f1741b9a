"""The contrastive bound on tuples drawn without replacement from labelled rows: valid, and no looser than it must be.

Four classes without spread, at two opposite ends, of unequal shares: the inequality is an equality, and the loss of
the mean classifier at the shares of the sample is a sum over pairs of classes.
"""

import numpy as np
import pytest
from finite_laws import permitted
from latent_classes import two_directions

from carryover.bounds.contrastive import collision_probability, contrastive_bound, contrastive_losses
from carryover.bounds.contrastive_tuples import disjoint_tuples

SHARES = np.array([0.4, 0.3, 0.2, 0.1])


def _true_loss(shares: np.ndarray) -> float:
    """Classes at one end cannot be told apart and cost 1, those at opposite ends cost 0."""
    ends = np.array([0, 0, 1, 1])
    pairs = [(c, k) for c in range(4) for k in range(4) if c != k]
    weights = np.array([shares[c] * shares[k] for c, k in pairs])
    return float(weights @ [ends[c] == ends[k] for c, k in pairs] / weights.sum())


def _draws(n: int, draws: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, float]:
    """Bounds, those with half of the confidence term, the true losses, and the share of tuples that were filled."""
    cells = two_directions().cells[:, 0]
    found, filled = [], []
    for seed in range(draws):
        generator = np.random.default_rng([n, seed])
        labels = generator.choice(4, n, p=SHARES)
        shares = np.bincount(labels, minlength=4) / n
        rows = cells[labels]
        tuples = disjoint_tuples(labels, class_shares=shares, generator=generator)
        losses = contrastive_losses(
            rows[tuples.anchors], rows[tuples.positives], rows[tuples.negatives], loss="hinge"
        )
        bound = contrastive_bound(
            np.where(tuples.filled, losses, 1.0),
            collision=collision_probability(shares),
            largest_loss=1.0,
            collided=tuples.collided,
        )
        found.append((bound.value, bound.value - bound.terms["confidence"] / 2, _true_loss(shares)))
        filled.append(tuples.filled.mean())
    return *np.array(found).T, float(np.mean(filled))


@pytest.mark.parametrize(("n", "all_filled"), [(1500, True), (60, False)])
def test_it_holds_on_a_thousand_draws(n, all_filled):
    bounds, halved, true, filled = _draws(n, 1000)
    assert (filled > 0.999) == all_filled
    assert np.sum(bounds < true) <= permitted(1000)
    if all_filled:
        assert np.sum(halved < true) > permitted(1000)
