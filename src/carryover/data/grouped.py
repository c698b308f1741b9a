"""Choosing whole groups for the test side so that the class counts come near a wanted fraction."""

import numpy as np
from jaxtyping import Bool, Int


def best_group_side(
    table: Int[np.ndarray, "g k"],
    test_fraction: float,
    generator: np.random.Generator,
    *,
    n_restarts: int = 20,
) -> Bool[np.ndarray, " g"]:
    """Which groups to test on: True (g,) for those.

    ``table`` counts the examples of each group (rows) and class (columns).  Minimises
    sum_k (t_k - f n_k)^2 / n_k, with t_k the class's test count and n_k its total, plus a penalty for each
    class that is wholly on one side.  Each restart goes through the groups, large first with ties and
    near-ties in random order, then moves single groups while that helps; the best of all is returned.  It
    need not be the optimum.
    """
    best, best_loss = None, np.inf
    for _ in range(n_restarts if len(table) <= 1_000 else 2):
        side = _greedy(table, test_fraction, generator)
        side, loss = _improve(table, test_fraction, side)
        if loss < best_loss:
            best, best_loss = side, loss
    return best


def _losses(test_counts: np.ndarray, totals: np.ndarray, fraction: float) -> np.ndarray:
    """The loss for each row of candidate test counts (c, k)."""
    fit = ((test_counts - fraction * totals) ** 2 / np.maximum(totals, 1)).sum(axis=-1)
    one_sided = ((test_counts == 0) | (test_counts == totals)) & (totals > 0)
    return fit + totals.sum() * one_sided.sum(axis=-1)


def _greedy(table: np.ndarray, fraction: float, generator: np.random.Generator) -> np.ndarray:
    totals = table.sum(axis=0)
    sizes = table.sum(axis=1) * generator.uniform(0.5, 1.5, len(table))
    side = np.zeros(len(table), dtype=bool)
    test_counts = np.zeros(table.shape[1])
    for group in np.argsort(-sizes):
        without, with_group = _losses(np.stack([test_counts, test_counts + table[group]]), totals, fraction)
        if with_group < without:
            side[group] = True
            test_counts = test_counts + table[group]
    return side


def _improve(
    table: np.ndarray, fraction: float, side: np.ndarray, max_moves: int = 50
) -> tuple[np.ndarray, float]:
    totals = table.sum(axis=0)
    loss = float(_losses(table[side].sum(axis=0), totals, fraction))
    for _ in range(max_moves):
        signs = np.where(side, -1, 1)[:, None]
        moved = _losses(table[side].sum(axis=0) + signs * table, totals, fraction)
        group = int(np.argmin(moved))
        if moved[group] >= loss - 1e-12:
            break
        side = side.copy()
        side[group] = ~side[group]
        loss = float(moved[group])
    return side, loss
