"""Which examples train and which test: seeded, stratified, and by group where examples belong together."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Shaped

from carryover._core.checks import check_labels, check_range
from carryover._core.errors import InputError
from carryover.data.grouped import best_group_side

N_REGRESSION_STRATA = 10


@dataclass(frozen=True)
class Split:
    """Sorted positions (int64) of training and test examples, and a sentence that describes them."""

    train: np.ndarray
    test: np.ndarray
    sentence: str


def make_split(
    targets: Int[np.ndarray, " n"] | Float[np.ndarray, " n"],
    *,
    generator: np.random.Generator,
    test_fraction: float = 0.25,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> Split:
    """A stratified split into training and test examples, every class on both sides.

    Integer targets are class codes: of n_c examples, round(test_fraction * n_c), at least 1 and at most
    n_c - 1, are tested on, chosen at random.  Float targets are stratified by their deciles (fewer where
    there are under 40 examples).  With ``groups`` no group is on both sides, and the class counts come as
    near to those numbers as was found among greedy assignments with random restarts.

    InputError: test_fraction outside (0, 1), a class with one example, groups of another length, a class
    that occurs in one group only, or no grouped split that has every class on both sides.
    """
    check_range("test_fraction", test_fraction, 0, 1, open_low=True, open_high=True)
    strata, is_classes = _strata(targets)
    if groups is not None:
        return _grouped(strata, _group_codes(groups, len(strata)), is_classes=is_classes,
                        generator=generator, test_fraction=test_fraction)  # fmt: skip
    _check_two_each(strata, is_classes)
    counts = np.bincount(strata)
    n_test = np.clip(np.round(test_fraction * counts), 1, np.maximum(counts - 1, 1)).astype(np.int64)
    picked = [generator.permutation(np.flatnonzero(strata == c))[: n_test[c]] for c in range(len(counts))]
    in_test = np.zeros(len(strata), dtype=bool)
    in_test[np.concatenate(picked)] = True
    kind = f"each of the {len(counts)} classes on both sides" if is_classes else "stratified by quantiles"
    return _split(in_test, f"seeded and stratified, {kind}")


def stratified_subset(
    targets: Int[np.ndarray, " n"] | Float[np.ndarray, " n"],
    n_labels: int,
    *,
    generator: np.random.Generator,
    groups: Shaped[np.ndarray, " n"] | None = None,
) -> Int[np.ndarray, " m"]:
    """Sorted positions of ``n_labels`` examples, at least one of each class, in proportion to the classes.

    Nested: under the same generator state the subset of 100 lies inside that of 500.  With ``groups`` whole
    groups are taken in random order (after the first example of each class), the last one cut, so that few
    labels mean few groups; the proportions then hold on average only.

    InputError: n_labels outside [number of classes, n], groups of another length.
    """
    strata, is_classes = _strata(targets)
    n_strata = len(np.unique(strata)) if is_classes else 1
    if not n_strata <= n_labels <= len(strata):
        why = f"one for each of the {n_strata} classes" if is_classes else "one"
        raise InputError(f"n_labels must lie in [{n_strata}, {len(strata)}] (at least {why}), got {n_labels}")
    if groups is None:
        order = _stratified_order(strata, generator)
    else:
        order = _grouped_order(strata, _group_codes(groups, len(strata)), generator)
    return np.sort(order[:n_labels])


def _strata(targets: np.ndarray) -> tuple[np.ndarray, bool]:
    """Codes to stratify by, and whether they are classes (else quantile bins of a regression target)."""
    array = np.asarray(targets)
    if np.issubdtype(array.dtype, np.integer):
        if not array.size:
            raise InputError("labels are empty: there is nothing to split")
        codes = check_labels(array)
        return np.unique(codes, return_inverse=True)[1].astype(np.int64), True
    if array.ndim != 1 or len(array) < 2 or not np.issubdtype(array.dtype, np.floating):
        raise InputError(
            f"targets must be integer class codes or at least 2 floats, got {array.dtype} {array.shape}"
        )
    n_bins = max(1, min(N_REGRESSION_STRATA, len(array) // 4))
    ranks = np.argsort(np.argsort(array, kind="stable"), kind="stable")
    return (ranks * n_bins) // len(array), False


def _group_codes(groups: np.ndarray, n: int) -> np.ndarray:
    array = np.asarray(groups)
    if array.shape != (n,):
        raise InputError(f"groups must have one entry for each of the {n} examples, got shape {array.shape}")
    return np.unique(array, return_inverse=True)[1]


def _check_two_each(strata: np.ndarray, is_classes: bool) -> None:
    counts = np.bincount(strata)
    if is_classes and counts.min() < 2:
        listed = ", ".join(str(code) for code in np.flatnonzero(counts < 2)[:10])
        raise InputError(
            f"classes with one example cannot be on both sides of a split (codes {listed}): drop or merge them"
        )


def _grouped(
    strata: np.ndarray,
    groups: np.ndarray,
    *,
    is_classes: bool,
    generator: np.random.Generator,
    test_fraction: float,
) -> Split:
    table = np.zeros((groups.max() + 1, strata.max() + 1), dtype=np.int64)
    np.add.at(table, (groups, strata), 1)
    if len(table) < 2:
        raise InputError("all examples belong to one group: a grouped split needs at least 2 groups")
    alone = np.flatnonzero((table > 0).sum(axis=0) < 2)
    if is_classes and len(alone):
        raise InputError(
            f"classes that occur in one group only cannot be on both sides of a grouped split (codes "
            f"{', '.join(map(str, alone[:10]))}): drop or merge them, or split without groups"
        )
    in_test = best_group_side(table, test_fraction, generator)
    test_counts = table[in_test].sum(axis=0)
    if (
        in_test.all()
        or not in_test.any()
        or (is_classes and ((test_counts == 0) | (test_counts == table.sum(axis=0))).any())
    ):
        raise InputError(
            "no grouped split with every class on both sides was found: give a test split, merge classes, "
            "or split without groups"
        )
    return _split(
        in_test[groups],
        f"seeded, by group ({int((~in_test).sum()):,} groups train, {int(in_test.sum()):,} test, none on both "
        f"sides), as {'stratified by class' if is_classes else 'evenly spread over quantiles'} as they allow",
    )


def _split(in_test: np.ndarray, how: str) -> Split:
    train, test = np.flatnonzero(~in_test), np.flatnonzero(in_test)
    return Split(train, test, (
        f"{len(train):,} examples train and {len(test):,} test ({len(test) / len(in_test):.0%}): {how}."
    ))  # fmt: skip


def _stratified_order(strata: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """An order each prefix of which is near the class proportions, after one example of each class.

    Example j (from 0) of a class with n_c stands at (j + 1/2) / n_c; ties are broken by a random order of
    the classes.
    """
    counts = np.bincount(strata)
    position = np.empty(len(strata))
    for code, count in enumerate(counts):
        members = generator.permutation(np.flatnonzero(strata == code))
        position[members] = (np.arange(count) + 0.5) / count
        position[members[:1]] = -1.0
    class_rank = generator.permutation(len(counts))
    return np.lexsort((class_rank[strata], position))


def _grouped_order(strata: np.ndarray, groups: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    group_rank = generator.permutation(groups.max() + 1)
    order = np.lexsort((generator.random(len(strata)), group_rank[groups]))
    firsts = np.sort(np.unique(strata[order], return_index=True)[1])
    rest = np.delete(np.arange(len(order)), firsts)
    return order[np.concatenate([firsts, rest])]
