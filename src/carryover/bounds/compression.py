"""A compression bound: a head that few bits describe cannot err much more than it does on its training rows."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Num, Shaped
from scipy.linalg import eigh, helmert

from carryover._core.checks import check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence, check_sample, error_bound, sample_assumptions
from carryover.bounds.head_code import (
    Codebook,
    CodedHead,
    code_length,
    decode,
    directions,
    encode,
    head_of,
    unit_contrasts,
    used_width,
)
from carryover.bounds.heads import PENALTIES, centred_codes
from carryover.bounds.reference_head import ReferenceHead, named_rows, refuse_seen
from carryover.numerics.binomial import binomial_limit
from carryover.numerics.divergences import binary_kl, binary_kl_upper

JUDGED_ON = 2000
_CLIPPINGS = 2.0 ** (np.arange(5) / 2)
_CODEBOOK = Codebook()


def compression_terms(n_errors: int, *, n: int, bits: int, risk: float) -> dict[str, float]:
    """Parts of the exact limit on the error rate of a predictor that a prefix-free code writes in ``bits`` bits.

    Predictor h was given the share 2^-bits(h) of the risk before the data, and by Kraft's inequality the shares
    add up to at most 1.  Each fails its own Clopper-Pearson limit at risk * 2^-bits with at most that
    probability, so that with probability 1 - risk no predictor does, the chosen one included.  ``complexity`` is
    what the bits add to the training error, ``confidence`` what the risk then adds.
    Raises InputError for bits < 0, a risk outside (0, 1) and counts outside [0, n].
    """
    check_range("bits", bits, 0, math.inf, open_high=True)
    check_range("risk", risk, 0, 1, open_low=True, open_high=True)
    nats = bits * math.log(2)
    limit = binomial_limit(n_errors, n, log_risk=math.log(risk) - nats)
    error = n_errors / n
    # At one bit the limit is a median, which is never below the training error; at none there is nothing to pay.
    coded = binomial_limit(n_errors, n, log_risk=-nats) if bits else error
    return {"training_error": error, "complexity": coded - error, "confidence": limit - coded}


def compression_bound(
    features: Num[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    reference: ReferenceHead,
    codebook: Codebook = _CODEBOOK,
    confidence: float = 0.95,
    hashes: Iterable[str] | None = None,
    groups: Shaped[np.ndarray, " n_groups"] | None = None,
    representation_independent: bool | None = None,
) -> Bound:
    """Bound on the error rate of a deterministic linear head, from the bits that write it down.

        P(Binomial(n, value) <= training errors) = (1 - confidence) 2^-bits,  so kl(error || value) <= (bits ln 2
        + log(1 / (1 - confidence))) / n

    The head is the reference plus whole numbers times a step, along m random directions of the rows and their
    constant (:func:`head_of`); m, the step and the largest number come from the ``codebook``, declared before the
    data, and are paid for in the code (:func:`encode`), as is whether the reference is used at all.  The numbers
    are a ridge regression in these directions on what the reference leaves of the centred one-hot codes, rounded.
    Width, penalty, rounding and level are those with the smallest bound in its kl form on at most 2,000 rows: any
    choice is covered, as each head has its own share of the risk.  A reference that does not agree with the labels
    at all is dropped, and then the head starts from zero.

    ``stats``: ``coefficients`` (K, d) and ``intercept`` (K,) of the rounded head on the rows divided as the
    reference's are, so that its predictions are :func:`linear_predictions` at ``reference.rows(features)``;
    ``code`` is what :func:`decode` reads, ``bits`` its length, ``k`` how many whole numbers it holds.
    ``hashes`` are the content hashes of the rows (default: of each row of features as given).
    After Lotfi et al., PAC-Bayes compression bounds so tight that they can explain generalization, NeurIPS 2022
    (arXiv 2211.13609); the union over codes is Langford's Occam's razor bound, JMLR 6 (2005), section 4.
    Raises InputError where the reference has seen a row, and for data that cannot be used.
    """
    risk = check_confidence(confidence)
    n_classes, n_features = reference.coefficients.shape
    features, labels = check_sample(features, labels, n_classes)
    if features.shape[1] != n_features:
        raise InputError(f"the reference head takes {n_features} features, got {features.shape[1]}")
    refuse_seen(reference, named_rows(features, hashes))
    rows = reference.rows(features)
    code = encode(_best(rows, labels, reference=reference, codebook=codebook, risk=risk), codebook)
    coded = decode(code, n_classes=n_classes, n_features=n_features, codebook=codebook)
    coefficients, intercept = head_of(coded, reference=reference, codebook=codebook)
    wrong = linear_predictions(rows, coefficients=coefficients, intercept=intercept) != labels
    assumptions = sample_assumptions(
        len(rows), groups=groups, representation_independent=representation_independent, sample="training"
    )
    unseen = "not_checkable" if reference.seen is None else "checked"
    declared = "checked" if codebook == _CODEBOOK else "not_checkable"
    return error_bound(
        compression_terms(int(wrong.sum()), n=len(rows), bits=len(code), risk=risk),
        confidence=confidence,
        assumptions=(
            *assumptions,
            Assumption("The reference head was fitted to none of the training examples.", unseen),
            Assumption("The codebook was fixed before the data.", declared),
        ),
        bounded="error rate of the compressed head",
        stats={
            "n": len(rows),
            "bits": len(code),
            "k": coded.symbols.size,
            "code": code,
            "coefficients": coefficients,
            "intercept": intercept,
        },
    )


def linear_predictions(
    rows: Float[np.ndarray, "n d"],
    *,
    coefficients: Float[np.ndarray, "k d"],
    intercept: Float[np.ndarray, " k"],
) -> Int[np.ndarray, " n"]:
    """The class argmax(W r + b) of each row, the first of equal ones.

    >>> import numpy as np
    >>> linear_predictions(np.eye(2), coefficients=np.eye(2), intercept=np.array([0.0, 2.0])).tolist()
    [1, 1]
    """
    return (rows @ coefficients.T + intercept).argmax(axis=1)


@dataclass(frozen=True)
class _Problem:
    """Regression in the directions: rows there, the reference's contrast scores, and what is left to predict."""

    projected: Float[np.ndarray, "n m"]
    scores: Float[np.ndarray, "n p"]
    left: Float[np.ndarray, "n p"]
    size: float


def _best(
    rows: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    reference: ReferenceHead,
    codebook: Codebook,
    risk: float,
) -> CodedHead:
    """The candidate of the smallest kl bound on at most 2,000 rows."""
    problem = _problem(rows, labels, reference=reference, codebook=codebook)
    part = slice(None, None, -(-len(rows) // JUDGED_ON))
    projected, scores, judged = problem.projected[part], problem.scores[part], labels[part]
    to_classes, log_risk = helmert(len(reference.coefficients)), math.log(risk)
    best, least = None, math.inf
    for coded in _candidates(problem, reference.coefficients.shape[1], codebook):
        budget = (code_length(coded, codebook) * math.log(2) - log_risk) / len(rows)
        if -math.expm1(-budget) >= least:
            continue  # not even without errors
        made = projected[:, : coded.symbols.shape[1]] @ coded.symbols.T
        if coded.with_reference:
            made = scores + codebook.steps[coded.step] * made
        error = float(((made @ to_classes).argmax(axis=1) != judged).mean())
        if best is None or (error < least and binary_kl(error, min(least, 1.0)) > budget):
            best, least = coded, binary_kl_upper(error, budget)
    return best


def _problem(
    rows: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    reference: ReferenceHead,
    codebook: Codebook,
) -> _Problem:
    """A reference in units of its own is first brought to the size at which it predicts the codes best."""
    n_classes, n_features = reference.coefficients.shape
    constant = np.column_stack([rows, np.ones(len(rows))])
    scores = constant @ unit_contrasts(reference).T
    targets = centred_codes(labels, n_classes) @ helmert(n_classes).T
    size = max(0.0, float((scores * targets).sum() / ((scores**2).sum() or 1.0)))
    return _Problem(constant @ directions(n_features, codebook), scores, targets - size * scores, size)


def _candidates(problem: _Problem, n_features: int, codebook: Codebook) -> Iterator[CodedHead]:
    """Rounded regressions for every width, penalty, level and rounding, short codes first."""
    n, p = problem.left.shape
    used = problem.size > 0
    gram, shared = problem.projected.T @ problem.projected, problem.projected.T @ problem.left
    tried = set()
    for place in range(len(codebook.widths)):
        width = used_width(codebook, place, n_features)
        if width in tried or (tried and p * width > n):
            continue
        tried.add(width)
        if width == 0:
            yield CodedHead(used, place, 0, 0, np.zeros((p, 0), dtype=np.int64))
            continue
        values, vectors = eigh(gram[:width, :width])
        for penalty in PENALTIES:
            weights = 1 / (np.maximum(values, 0.0) + n * penalty)
            solution = (vectors * weights) @ (vectors.T @ shared[:width])
            yield from _roundings(solution.T, place, size=problem.size, codebook=codebook)


def _roundings(
    solution: Float[np.ndarray, "p m"], place: int, *, size: float, codebook: Codebook
) -> Iterator[CodedHead]:
    """The solution in whole steps, for each level and for steps from the one that clips nothing upwards."""
    largest = float(np.abs(solution).max()) or 1.0
    steps = np.array(codebook.steps) * size
    for at, level in enumerate(codebook.levels):
        wanted = largest / level / _CLIPPINGS
        places = [0] * len(wanted)
        if size > 0:
            places = sorted({int(np.abs(np.log(steps / one)).argmin()) for one in wanted})
            wanted = steps[places]
        for step, unit in zip(places, wanted, strict=True):
            symbols = np.rint(np.clip(solution / unit, -level, level)).astype(np.int64)
            yield CodedHead(size > 0, place, at, step, symbols)
