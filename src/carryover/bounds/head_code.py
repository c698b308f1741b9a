"""A prefix-free code for linear heads: few whole numbers along random directions, from a reference head on."""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import helmert, qr

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.bounds.heads import Head
from carryover.bounds.reference_head import ReferenceHead
from carryover.numerics.enumeration import (
    arrangement_at,
    arrangement_count,
    arrangement_number,
    composition_at,
    composition_count,
    composition_number,
)

WIDTHS = (0, 1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024)
LEVELS = (1, 2, 4, 8)
STEPS = tuple(float(step) for step in 2.0 ** (4 - np.arange(32) / 2))


@dataclass(frozen=True)
class Codebook:
    """What is declared before the data: the grids that a head's code chooses from, and the seed of the directions.

    ``widths``: how many random directions of the d features and the constant are used (a width above d + 1 means
    all d + 1); ``levels``: symbols are whole numbers from -level to level; ``steps``: what one unit is worth
    beside a reference of length 1.  Raises InputError for empty grids, widths < 0, levels < 1, steps that are not
    > 0.
    """

    widths: tuple[int, ...] = WIDTHS
    levels: tuple[int, ...] = LEVELS
    steps: tuple[float, ...] = STEPS
    seed: int = 0

    def __post_init__(self) -> None:
        for name, grid, least in (("widths", self.widths, 0), ("levels", self.levels, 1)):
            if not grid or not all(isinstance(one, int) and one >= least for one in grid):
                raise InputError(f"{name} must be one or more whole numbers >= {least}, got {grid}")
        if not self.steps or not all(0 < step < math.inf for step in self.steps):
            raise InputError(f"steps must be one or more finite numbers > 0, got {self.steps}")


@dataclass(frozen=True)
class CodedHead:
    """Symbols (K - 1, m), whole numbers in [-level, level], one row for each contrast of the classes.

    ``width``, ``level`` and ``step`` are places in the codebook's grids.  ``with_reference`` False: the head
    starts from zero, and the step, which then changes no prediction, is not coded (``step`` = 0).
    """

    with_reference: bool
    width: int
    level: int
    step: int
    symbols: Int[np.ndarray, "p m"]


def used_width(codebook: Codebook, place: int, n_features: int) -> int:
    """Directions at this place of the grid: there are n_features + 1, with the constant's."""
    return min(codebook.widths[place], n_features + 1)


def code_length(coded: CodedHead, codebook: Codebook) -> int:
    """Bits of the code, without writing it."""
    total = 1 + _digits(len(codebook.widths))
    if coded.symbols.size == 0:
        return total
    total += _digits(len(codebook.levels)) + coded.with_reference * _digits(len(codebook.steps))
    counts = _counts(coded.symbols, codebook.levels[coded.level])
    ways = composition_count(coded.symbols.size, len(counts))
    return total + _digits(ways) + _digits(arrangement_count(counts))


def encode(coded: CodedHead, codebook: Codebook) -> str:
    """The code, as a string of 0 and 1.

    One bit for the reference, the places of width, level and step, then the symbols: the number of their counts
    among all counts, and the number of their order among all orders with these counts.  Each field has as many
    bits as the largest number it may hold needs, known from the fields before it; so no code begins another, and
    the sum of 2^-bits over all codes is at most 1 (Kraft).
    """
    fields = [f"{int(coded.with_reference)}", _written(coded.width, len(codebook.widths))]
    if coded.symbols.size:
        level = codebook.levels[coded.level]
        counts, sequence = _counts(coded.symbols, level), (coded.symbols.ravel() + level).tolist()
        fields.append(_written(coded.level, len(codebook.levels)))
        if coded.with_reference:
            fields.append(_written(coded.step, len(codebook.steps)))
        fields.append(_written(composition_number(counts), composition_count(len(sequence), len(counts))))
        fields.append(_written(arrangement_number(sequence, counts), arrangement_count(counts)))
    return "".join(fields)


def decode(code: str, *, n_classes: int, n_features: int, codebook: Codebook) -> CodedHead:
    """The head that a code stands for.  Raises InputError for what is no code, or is longer than one."""
    bits = iter(code)
    with_reference = _read(bits, 2) == 1
    width = _read(bits, len(codebook.widths))
    shape = (n_classes - 1, used_width(codebook, width, n_features))
    level = step = 0
    symbols = np.zeros(shape, dtype=np.int64)
    if symbols.size:
        level = _read(bits, len(codebook.levels))
        step = _read(bits, len(codebook.steps)) if with_reference else 0
        n_symbols = 2 * codebook.levels[level] + 1
        counts = composition_at(
            _read(bits, composition_count(symbols.size, n_symbols)), symbols.size, n_symbols
        )
        sequence = arrangement_at(_read(bits, arrangement_count(counts)), counts)
        symbols = np.array(sequence, dtype=np.int64).reshape(shape) - codebook.levels[level]
    if next(bits, None) is not None:
        raise InputError("code goes on after its end")
    return CodedHead(with_reference, width, level, step, symbols)


def head_of(coded: CodedHead, *, reference: ReferenceHead, codebook: Codebook) -> Head:
    """Coefficients (K, d) and intercept (K,) on the reference's divided rows: H (B + step Q R^T).

    H (K, K-1) are Helmert's contrasts, orthonormal and orthogonal to what all classes share; B the reference in
    them, of length 1; Q the symbols; R (d+1, m) the directions.
    """
    n_classes, n_features = reference.coefficients.shape
    contrasts = np.zeros((n_classes - 1, n_features + 1))
    if coded.symbols.size:
        contrasts = coded.symbols @ directions(n_features, codebook)[:, : coded.symbols.shape[1]].T
    if coded.with_reference:
        contrasts = unit_contrasts(reference) + codebook.steps[coded.step] * contrasts
    both = helmert(n_classes).T @ contrasts
    return both[:, :-1], both[:, -1]


def directions(n_features: int, codebook: Codebook) -> Float[np.ndarray, "d_and_1 m"]:
    """Orthonormal random directions (d+1, m), m the largest width; a function of the seed and d alone."""
    most = min(max(codebook.widths), n_features + 1)
    generator = derive_generator(codebook.seed, "directions of a coded head", n_features)
    drawn = generator.normal(size=(n_features + 1, most))
    return qr(drawn, mode="economic")[0]


def unit_contrasts(reference: ReferenceHead) -> Float[np.ndarray, "p d_and_1"]:
    """The reference in Helmert's contrasts at length 1; zeros where it prefers no class anywhere."""
    both = np.column_stack([reference.coefficients, reference.intercept])
    contrasts = helmert(len(both)) @ (both / (np.abs(both).max() or 1.0))
    length = np.linalg.norm(contrasts)
    return contrasts / length if length > 1e-12 else np.zeros_like(contrasts)


def _counts(symbols: Int[np.ndarray, "p m"], level: int) -> list[int]:
    return np.bincount(symbols.ravel() + level, minlength=2 * level + 1).tolist()


def _digits(ways: int) -> int:
    """Bits that tell this many things apart."""
    return (ways - 1).bit_length()


def _written(number: int, ways: int) -> str:
    digits = _digits(ways)
    return f"{number:0{digits}b}" if digits else ""


def _read(bits: Iterator[str], ways: int) -> int:
    field = "".join(bit for _, bit in zip(range(_digits(ways)), bits, strict=False))
    if len(field) < _digits(ways) or field.strip("01"):
        raise InputError(f"code must be 0s and 1s and not end before its head, got {field!r} for a field")
    number = int(field, 2) if field else 0
    if number >= ways:
        raise InputError(f"code holds the number {number} where there are {ways} choices")
    return number
