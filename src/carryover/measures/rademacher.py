"""Rademacher complexity that a representation induces in the linear heads put on it.

For features H (n, d) and independent fair signs the complexity is the mean over the signs of the largest
correlation with them that a head of bounded norm reaches.  For these classes the inner maximum is a norm:

    head         class             n_outputs   inner maximum               upper cap on its mean
    l2           ||w||_2 <= R      1           R ||H^T s||_2 / n           (R/n) ||H||_F
    frobenius    ||W||_F <= R      K           R ||H^T S||_F / n           (R/n) sqrt(K) ||H||_F
    l1           ||w||_1 <= R      1           R max_j |(H^T s)_j| / n     (R/n) sqrt(2 log 2d) max_j ||H[:, j]||_2

The mean is at least the first two caps over sqrt 2, and at least (R/n) max_j ||H[:, j]||_2 / sqrt 2 for the third
(Khinchine's inequality with the constant of Szarek 1976; Latala and Oleszkiewicz 1994 for vectors).
Heads have no intercept: append a constant feature to allow one.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Num
from scipy.stats import t as student_t

from carryover._core.checks import check_features, check_range
from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.moments import FeatureMoments

Head = Literal["l2", "frobenius", "l1"]
_HEADS = ("l2", "frobenius", "l1")
_SIGNS_AT_ONCE = 2**23


@dataclass(frozen=True)
class RademacherComplexity:
    """Complexity of a class of linear heads on given features, by Monte Carlo over ``n_draws`` sets of signs.

    ``estimate``: mean of the exact inner maxima, its standard error and Student interval over the draws.
    ``upper_cap``, ``lower_cap``: deterministic limits of the true mean.  ``normalized``: the estimate divided by
    the root mean square of the entries of the features, which scaling the encoder cannot change; missing
    where every feature is zero.  ``lipschitz``: how fast the inner maximum moves with the signs (2-norm).
    """

    estimate: Estimate
    normalized: Estimate
    upper_cap: float
    lower_cap: float
    lipschitz: float
    head: Head
    n_outputs: int
    radius: float
    n: int
    n_features: int
    n_draws: int

    def upper_limit(self, confidence: float) -> float:
        """A limit above the true mean with probability at least ``confidence`` over the signs, for every n.

        The average of M inner maxima is a convex function of the signs with Lipschitz constant
        ``lipschitz`` / sqrt(M), so it lies t or more below its mean with probability at most
        exp(-M t^2 / (8 lipschitz^2)) (Samson, Ann. Probab. 28, 2000, for coordinates in [0, 1]; signs span 2).
        No normal approximation enters.  The deterministic upper cap is returned where it is smaller.
        """
        check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
        margin = self.lipschitz * math.sqrt(8 * math.log(1 / (1 - confidence)) / self.n_draws)
        return min(self.estimate.value + margin, self.upper_cap)


@dataclass
class _Sums:
    """What one pass over the rows leaves behind: signed sums, the Gram matrix and the number of rows."""

    n: int
    signed: np.ndarray
    gram: np.ndarray


def _signs(rows: int, columns: int, generator: np.random.Generator) -> Float[np.ndarray, "rows columns"]:
    """Fair signs, one stretch of whole 32-bit words a row, so that cutting rows into blocks changes nothing."""
    words = -(-columns // 32)
    bits = np.frombuffer(generator.bytes(4 * words * rows), dtype=np.uint8).reshape(rows, 4 * words)
    return 2.0 * np.unpackbits(bits, axis=1, count=columns) - 1.0


def _accumulate(blocks: Iterable[Any], columns: int, generator: np.random.Generator) -> _Sums:
    sums = None
    for block in blocks:
        block = check_features(block)
        if sums is None:
            d = block.shape[1]
            sums = _Sums(0, np.zeros((d, columns)), np.zeros((d, d)))
        if block.shape[1] != len(sums.gram):
            raise InputError(f"blocks must share one width: got {block.shape[1]} after {len(sums.gram)}")
        step = max(1, _SIGNS_AT_ONCE // columns)
        for start in range(0, len(block), step):
            rows = block[start : start + step]
            sums.signed += rows.T @ _signs(len(rows), columns, generator)
        sums.gram += block.T @ block
        sums.n += len(block)
    if sums is None:
        raise InputError("blocks must hold at least one block of features, got none")
    return sums


def _maxima(sums: _Sums, head: Head, n_draws: int) -> Float[np.ndarray, " draws"]:
    by_draw = sums.signed.reshape(len(sums.gram), n_draws, -1)
    if head == "l1":
        return np.abs(by_draw).max(axis=(0, 2))
    return np.sqrt(np.einsum("ijk,ijk->j", by_draw, by_draw))


def _caps(sums: _Sums, head: Head, n_outputs: int) -> tuple[float, float, float]:
    """Upper cap, lower cap and Lipschitz constant, each to be multiplied by radius / n."""
    squares = np.diag(sums.gram)
    if head == "l1":
        largest = math.sqrt(squares.max())
        return math.sqrt(2 * math.log(2 * len(squares))) * largest, largest / math.sqrt(2), largest
    whole = math.sqrt(n_outputs * squares.sum())
    operator_norm = math.sqrt(max(np.linalg.eigvalsh(sums.gram)[-1], 0.0))
    return whole, whole / math.sqrt(2), min(operator_norm, whole)


def mean_of_draws(draws: Float[np.ndarray, " draws"], confidence: float = 0.95) -> Estimate:
    """The mean of at least two independent draws, its standard error and Student interval."""
    mean, std_error = float(draws.mean()), float(draws.std(ddof=1) / math.sqrt(len(draws)))
    half = std_error * float(student_t.ppf((1 + confidence) / 2, len(draws) - 1))
    return Estimate(mean, std_error, (mean - half, mean + half), len(draws), confidence)


def frobenius_cap(moments: FeatureMoments) -> float:
    """sqrt(K) ||H||_F / n, the upper cap for head "frobenius" of radius 1, from the sums over features and K targets.

    >>> frobenius_cap(FeatureMoments.from_rows([[3.0, 4.0], [0.0, 0.0]], [[0.5], [1.5]]))
    2.5
    """
    mean = moments.mean + moments.mean_residual
    square = float(np.trace(moments.scatter)) + moments.n_rows * float(mean @ mean)
    return math.sqrt(moments.n_targets * square) / moments.n_rows


def _check_arguments(head: str, n_outputs: int, radius: float, n_draws: int) -> None:
    if head not in _HEADS:
        raise InputError(f"head must be one of {', '.join(_HEADS)}, got {head!r}")
    if n_outputs < 1 or (head != "frobenius" and n_outputs != 1):
        wanted = (
            "at least 1" if head == "frobenius" else f"1 for head {head!r} (use head 'frobenius' for more)"
        )
        raise InputError(f"n_outputs must be {wanted}, got {n_outputs}")
    check_range("radius", radius, 0, math.inf, open_low=True, open_high=True)
    if n_draws < 2:
        raise InputError(f"n_draws must be at least 2, got {n_draws}")


def rademacher_complexity_from_blocks(
    blocks: Iterable[Any],
    *,
    head: Head = "frobenius",
    n_outputs: int,
    radius: float = 1.0,
    n_draws: int = 100,
    confidence: float = 0.95,
    generator: np.random.Generator,
) -> RademacherComplexity:
    """:func:`rademacher_complexity` of features that arrive in blocks of rows, read once.

    Holds one block, its signs, the (d, n_draws n_outputs) signed sums and the (d, d) Gram matrix.  How the rows
    are cut into blocks changes the result only by rounding.  Raises InputError as the whole-matrix form.
    """
    _check_arguments(head, n_outputs, radius, n_draws)
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    sums = _accumulate(blocks, n_draws * n_outputs, generator)
    scale = radius / sums.n
    maxima = scale * _maxima(sums, head, n_draws)
    upper, lower, lipschitz = (scale * number for number in _caps(sums, head, n_outputs))
    root_mean_square = math.sqrt(np.trace(sums.gram) / (sums.n * len(sums.gram)))
    if root_mean_square > 0:
        normalized = mean_of_draws(maxima / root_mean_square, confidence)
    else:
        normalized = Estimate.missing(
            "not_applicable", "every feature is zero, so there is no scale to divide by"
        )
    return RademacherComplexity(
        estimate=mean_of_draws(maxima, confidence),
        normalized=normalized,
        upper_cap=upper,
        lower_cap=lower,
        lipschitz=lipschitz,
        head=head,
        n_outputs=n_outputs,
        radius=float(radius),
        n=sums.n,
        n_features=len(sums.gram),
        n_draws=n_draws,
    )


def rademacher_complexity(
    features: Num[np.ndarray, "n d"],
    *,
    head: Head = "frobenius",
    n_outputs: int,
    radius: float = 1.0,
    n_draws: int = 100,
    confidence: float = 0.95,
    generator: np.random.Generator,
) -> RademacherComplexity:
    """Rademacher complexity that ``features`` (n, d) induce in the linear heads of norm at most ``radius``.

        E over signs of  max over the class of  (1/n) sum_i sum_k S_ik (W h_i)_k

    ``head``: "l2" or "l1" (one output) or "frobenius" (``n_outputs`` outputs, an independent sign for each).
    Units: those of a score.  Conditional on the features; the signs are drawn from ``generator``.
    Reference: Bartlett and Mendelson, JMLR 3 (2002); of frozen features, Deng et al., arXiv 2403.06871.
    Raises InputError for a head, number of outputs, radius or number of draws that is not permitted.

    >>> import numpy as np
    >>> one_row = np.array([[3.0, 4.0]])  # |s| = 1 whatever the sign, so the mean is ||h|| exactly
    >>> measured = rademacher_complexity(one_row, head="l2", n_outputs=1, generator=np.random.default_rng(0))
    >>> measured.estimate.value, measured.upper_cap
    (5.0, 5.0)
    """
    return rademacher_complexity_from_blocks(
        [features],
        head=head,
        n_outputs=n_outputs,
        radius=radius,
        n_draws=n_draws,
        confidence=confidence,
        generator=generator,
    )
