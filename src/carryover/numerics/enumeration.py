"""Numbering of arrangements and of their counts: what turns a sequence of symbols into one whole number.

An arrangement is a sequence with given counts of the symbols 0..A-1; a composition is the counts themselves, A
parts >= 0 with a given sum.  Both are numbered in lexicographic order from 0 on, in exact integers, so that a
sequence of known length is its composition's number and its arrangement's number and nothing else.
Reference: Cover, Enumerative source encoding, IEEE Transactions on Information Theory 19 (1973).
"""

import math
from collections.abc import Sequence
from itertools import accumulate


def arrangement_count(counts: Sequence[int]) -> int:
    """How many sequences have these counts: the multinomial coefficient.

    >>> arrangement_count([2, 1, 1])
    12
    """
    found = 1
    for total, count in zip(accumulate(counts), counts, strict=True):
        found *= math.comb(total, count)
    return found


def arrangement_number(symbols: Sequence[int], counts: Sequence[int]) -> int:
    """The place of a sequence among those with its counts.

    >>> [arrangement_number(s, [2, 1]) for s in ([0, 0, 1], [0, 1, 0], [1, 0, 0])]
    [0, 1, 2]
    """
    left, ways, number = list(counts), arrangement_count(counts), 0
    for remaining, symbol in zip(range(len(symbols), 0, -1), symbols, strict=True):
        number += ways * sum(left[:symbol]) // remaining
        ways = ways * left[symbol] // remaining
        left[symbol] -= 1
    return number


def arrangement_at(number: int, counts: Sequence[int]) -> list[int]:
    """The sequence in this place: the inverse of :func:`arrangement_number`.

    >>> arrangement_at(1, [2, 1])
    [0, 1, 0]
    """
    left, ways, found = list(counts), arrangement_count(counts), []
    for remaining in range(sum(counts), 0, -1):
        symbol = 0
        while number >= (first := ways * left[symbol] // remaining):
            number -= first
            symbol += 1
        found.append(symbol)
        ways = first
        left[symbol] -= 1
    return found


def composition_count(total: int, n_parts: int) -> int:
    """How many compositions of ``total`` into ``n_parts`` >= 1 parts there are.

    >>> composition_count(2, 3)
    6
    """
    return math.comb(total + n_parts - 1, n_parts - 1)


def composition_number(parts: Sequence[int]) -> int:
    """The place of a composition among those of its sum and length.

    >>> [composition_number(parts) for parts in ([0, 2], [1, 1], [2, 0])]
    [0, 1, 2]
    """
    left, number = sum(parts), 0
    for n_parts, part in zip(range(len(parts), 1, -1), parts, strict=False):
        number += composition_count(left, n_parts) - composition_count(left - part, n_parts)
        left -= part
    return number


def composition_at(number: int, total: int, n_parts: int) -> list[int]:
    """The composition in this place: the inverse of :func:`composition_number`.

    >>> composition_at(1, 2, 2)
    [1, 1]
    """
    found = []
    for rest in range(n_parts - 1, 0, -1):
        part = 0
        while number >= (first := composition_count(total - part, rest)):
            number -= first
            part += 1
        found.append(part)
        total -= part
    return [*found, total]
