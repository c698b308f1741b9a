"""Information between the weights and the whole training set: known by counting, or through added noise."""

import math

import numpy as np
from jaxtyping import Float

from carryover._core.checks import check_features, check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption
from carryover.bounds.expectation import ExpectationBound, expectation_bound

_LEAST_SETS = 3
_LEAST_DIVERGENCE = 0.01  # over n; its square-root bound is .07/n, far below what n examples can tell
_BOUNDED = "expected error rate, over draws of the training set and of the training's own randomness"


def information_gap(information: float, *, n: int) -> float:
    """sqrt(I / (2n)): the most that the expected error exceeds the expected training error, losses in [0, 1].

    With W' independent of the n examples the training error is 1/(2 sqrt n)-sub-Gaussian (Hoeffding), so a change
    of measure gives t gap <= I(W; S) + t^2/(8n) for all t.  Reference: Xu and Raginsky, NIPS 2017 (arXiv
    1705.07809), theorem 1.  ``information`` in nats.  Raises InputError if it is negative or n < 1.

    >>> information_gap(8.0, n=100)
    0.2
    """
    check_range("information", information, 0, math.inf)
    check_range("n", n, 1, math.inf)
    return math.sqrt(information / (2 * n))


def known_information_bound(
    training_errors: Float[np.ndarray, " r"], *, information: float, n: int
) -> ExpectationBound:
    """Expected training error + sqrt(I/(2n)) where I(W; S) <= ``information`` (nats) is known by counting.

    A choice among K predictors that were fixed before the n examples has I <= log K, however it is made: the
    choice of one head, penalty or checkpoint by these examples.  ``training_errors`` (r,), r >= 1, are the errors
    of the chosen predictor on its own training set, for r training sets drawn independently.
    Raises InputError for
    errors outside [0, 1], a negative information or n < 1.
    """
    errors = _check_errors(training_errors, at_least=1)
    return _bound(
        errors,
        information_gap(information, n=n),
        n=n,
        assumptions=(Assumption("The information is no more than was stated.", "not_checkable"),),
        stats={"information": information},
    )


def noisy_weights_bound(
    weights: Float[np.ndarray, "r p"],
    training_errors: Float[np.ndarray, " r_errors"],
    *,
    noise_std: float,
    n: int,
    representation_independent: bool | None = None,
) -> ExpectationBound:
    """Xu and Raginsky's bound for weights with Gaussian noise, from r independent training sets of n examples.

    Row j of ``weights`` is A(S_j), what training set j gives before noise N(0, noise_std^2) is added to every
    weight; ``training_errors`` (r,) are the mean errors of the noisy weights on their own sets, exact or over
    noise drawn independently.  Without noise the information is infinite, and nothing is estimated from the
    weights' own law.

    I(W; S) <= E ||A(S) - c||^2 / (2 noise_std^2) for every centre c that S did not choose, and
    sqrt(I/(2n)) <= I/(n t) + t/8 for every t > 0.  For each set, c is the mean of the other sets' weights and t is
    the best for their own divergences: both are independent of the set, so that the mean over sets of
    ||A(S_j) - c_j||^2 / (2 noise_std^2 n t_j) + t_j/8 is in expectation no smaller than sqrt(I/(2n)), for any r.
    (The root of a mean divergence would be too small on average.)  It is the price of the information's bound, not
    of the information: weights that differ between sets only where no prediction depends on them are paid for.
    ``representation_independent``: whether the features were chosen without the examples (None: not known).
    Raises InputError for fewer than 3 sets, errors outside [0, 1], or noise that is not > 0.
    """
    check_range("noise_std", noise_std, 0, math.inf, open_low=True, open_high=True)
    check_range("n", n, 1, math.inf)
    weights = check_features(weights, "weights")
    errors = _check_errors(training_errors, at_least=_LEAST_SETS)
    if len(weights) != len(errors):
        raise InputError(
            f"weights must have one row for each of the {len(errors)} errors, got {len(weights)}"
        )
    divergences, others = _divergences(weights / noise_std)
    slopes = np.sqrt(8 * np.maximum(others, _LEAST_DIVERGENCE / n) / n)
    return _bound(
        errors,
        float((divergences / (n * slopes) + slopes / 8).mean()),
        n=n,
        assumptions=(
            _chosen_without(representation_independent),
            Assumption("The noise is Gaussian and independent of the training set.", "not_checkable"),
        ),
        stats={"information": float(divergences.mean()), "noise_std": noise_std},
    )


def _chosen_without(representation_independent: bool | None) -> Assumption:
    state = {True: "checked", False: "violated", None: "not_checkable"}[representation_independent]
    return Assumption("The representation was chosen without the examples of any training set.", state)


def _divergences(
    weights: Float[np.ndarray, "r p"],
) -> tuple[Float[np.ndarray, " r"], Float[np.ndarray, " r"]]:
    """Half the squared distance of each row from the others' mean; the mean of the same among the others alone."""
    r = len(weights)
    squares = ((weights - weights.mean(axis=0)) ** 2).sum(axis=1)
    own = (r / (r - 1)) ** 2 * squares / 2
    scatter = squares.sum() - r / (r - 1) * squares  # of the other rows about their own mean
    others = ((r - 1) / (r - 2)) ** 2 * np.maximum(scatter, 0.0) / (r - 1) / 2
    return own, others


def _check_errors(training_errors: Float[np.ndarray, " r"], *, at_least: int) -> Float[np.ndarray, " r"]:
    if len(training_errors) < at_least:
        raise InputError(f"at least {at_least} training sets are needed, got {len(training_errors)}")
    outside = ~((training_errors >= 0) & (training_errors <= 1))
    if outside.any():
        raise InputError(f"training_errors must lie in [0, 1], got {training_errors[outside][0]}")
    return training_errors


def _bound(
    errors: Float[np.ndarray, " r"],
    gap: float,
    *,
    n: int,
    assumptions: tuple[Assumption, ...],
    stats: dict[str, float],
) -> ExpectationBound:
    return expectation_bound(
        {"training_error": float(errors.mean()), "information": gap},
        n_repeats=len(errors),
        assumptions=(
            Assumption(
                "The examples of every training set are independent draws from one law.", "not_checkable"
            ),
            *assumptions,
        ),
        bounded=_BOUNDED,
        stats={"n": n, **stats},
    )
