"""Random balanced partitions of the training rows into halves, quarters, eighths, ...: whom to train on, how often.

A partition uses every row exactly once at every level, so that the part of an error that is additive in
the training rows cancels when it is averaged over the parts of one level, and the difference of two
halves carries it whole (the delete-half jackknife; Shao and Wu 1989, Annals of Statistics 17, 1176).
"""

import numpy as np
from jaxtyping import Int

from carryover._core.errors import InputError


def count_levels(n_units: int, *, smallest: int, at_most: int = 4) -> int:
    """How often ``n_units`` can be halved so that no part has fewer than ``smallest`` units; at most ``at_most``.

    >>> count_levels(100, smallest=10), count_levels(100, smallest=60)
    (3, 0)
    """
    levels = 0
    while levels < at_most and n_units >> (levels + 1) >= max(smallest, 1):
        levels += 1
    return levels


def balanced_partitions(
    strata: Int[np.ndarray, " n"],
    *,
    n_partitions: int,
    n_levels: int,
    generator: np.random.Generator,
    groups: Int[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, "p n"]:
    """Codes in 0..2^n_levels - 1: at level k a row lies in part ``code >> (n_levels - k)`` of 2^k.

    Rows are shuffled within their stratum, the strata follow each other in random order, and position i
    goes to the part whose number is i with its bits reversed: neighbours lie in different halves, so that
    the parts of one level differ by at most one row in all and by at most two in any stratum.  With
    ``groups`` whole groups are dealt out (a group's stratum is its most frequent one).

    Raises InputError where n_partitions < 1 or n_levels < 0.
    """
    if n_partitions < 1 or n_levels < 0:
        raise InputError(f"n_partitions must be >= 1 and n_levels >= 0, got {n_partitions} and {n_levels}")
    units = np.arange(len(strata)) if groups is None else np.unique(groups, return_inverse=True)[1]
    unit_strata = _majority(units, strata)
    position_codes = _reversed_bits(np.arange(len(unit_strata)) % 2**n_levels, n_levels)
    codes = np.empty((n_partitions, len(unit_strata)), dtype=np.int64)
    for partition in codes:
        stratum_rank = generator.permutation(int(unit_strata.max()) + 1)[unit_strata]
        partition[np.lexsort((generator.random(len(unit_strata)), stratum_rank))] = position_codes
    return codes[:, units]


def _majority(units: Int[np.ndarray, " n"], strata: Int[np.ndarray, " n"]) -> Int[np.ndarray, " u"]:
    """The most frequent stratum of each unit, the lowest where two are equally frequent."""
    counts = np.zeros((int(units.max()) + 1, int(strata.max()) + 1), dtype=np.int64)
    np.add.at(counts, (units, strata), 1)
    return counts.argmax(axis=1)


def _reversed_bits(numbers: Int[np.ndarray, " n"], n_bits: int) -> Int[np.ndarray, " n"]:
    """0..2^n_bits - 1 with the order of the bits reversed (van der Corput's sequence)."""
    reversed_numbers = np.zeros_like(numbers)
    for bit in range(n_bits):
        reversed_numbers |= ((numbers >> bit) & 1) << (n_bits - 1 - bit)
    return reversed_numbers
