"""Where an adapted network's loss comes from, arrow by arrow (Bommasani et al., arXiv 2108.07258, section 4.10).

For the weights g that a plan found on n training labels, the best weights g* that its constraint allows, the empirical
loss L_n and the population loss L:

    L(g) = L(g*)                best constrained adaptation
         + [L_n(g*) - L(g*)]    how the training labels misjudge the best
         + [L_n(g) - L_n(g*)]   how much better g fits them than the best does: at most the optimisation gap
         + [L(g) - L_n(g)]      generalisation gap
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.probe import mean_loss_estimate

NO_POOL = "no large labelled pool was given to find the best constrained adaptation on"
NO_LONGER = "training was not continued, so nothing is known of the least training loss"


@dataclass(frozen=True)
class Decomposition:
    """``parts`` by name, in the order of the equation, add up to ``whole`` = L(g) on the test examples.

    ``training_loss`` L_n(g) is what it is: a mean over the training labels, without an interval.
    ``optimization_gap``: L_n(g) less the least training loss that training on reached, a lower limit of the true gap.
    ``best_is_at_most``: an upper confidence limit of L(g*), which exists also without a pool, since g obeys the
    constraint itself.
    """

    whole: Estimate
    training_loss: float
    parts: Mapping[str, Estimate]
    optimization_gap: Estimate
    best_is_at_most: float


def decompose(
    train_losses: Any,
    test_losses: Any,
    *,
    best_train_losses: Any = None,
    best_test_losses: Any = None,
    longer_train_losses: Any = None,
    no_best: str = NO_POOL,
    no_longer: str = NO_LONGER,
    confidence: float = 0.95,
) -> Decomposition:
    """The decomposition from losses per example.

    ``train_losses`` (n,) and ``test_losses`` (t,) of the plan's weights; ``best_train_losses`` (n,) and
    ``best_test_losses`` (t,) of the same plan's weights found on a large labelled pool that holds neither the training
    nor the test examples, on the same examples in the same order; ``longer_train_losses`` (n,) after training on.
    Intervals are over draws of test examples.  Without the best's losses the parts that need g* abstain for the reason
    ``no_best``, and without ``longer_train_losses`` the optimisation gap for ``no_longer``.
    Raises InputError where lengths disagree or only one of the best's losses is given.
    """
    train, test = _losses(train_losses, "train_losses"), _losses(test_losses, "test_losses")
    if (best_train_losses is None) != (best_test_losses is None):
        raise InputError("best_train_losses and best_test_losses go together: give both or neither")
    whole = mean_loss_estimate(test, confidence=confidence)
    gap = mean_loss_estimate(test - train.mean(), confidence=confidence)
    limit = _upper(whole)
    if best_train_losses is None:
        missing = Estimate.missing("abstained", no_best)
        parts = {"best_constrained": missing, "misjudged_best": missing, "fit_beyond_best": missing}
    else:
        best_train = _losses(best_train_losses, "best_train_losses", n=len(train))
        best_test = _losses(best_test_losses, "best_test_losses", n=len(test))
        best = mean_loss_estimate(best_test, confidence=confidence)
        limit = min(limit, _upper(best))
        parts = {
            "best_constrained": best,
            "misjudged_best": mean_loss_estimate(best_train.mean() - best_test, confidence=confidence),
            "fit_beyond_best": _exact(float(train.mean() - best_train.mean()), len(train), confidence),
        }
    return Decomposition(
        whole=whole,
        training_loss=float(train.mean()),
        parts={**parts, "generalization_gap": gap},
        optimization_gap=_optimization_gap(train, longer_train_losses, confidence, no_longer),
        best_is_at_most=limit,
    )


def _optimization_gap(train: np.ndarray, longer: Any, confidence: float, reason: str) -> Estimate:
    if longer is None:
        return Estimate.missing("abstained", reason)
    least = min(float(_losses(longer, "longer_train_losses", n=len(train)).mean()), float(train.mean()))
    return _exact(float(train.mean()) - least, len(train), confidence)


def _exact(value: float, n: int, confidence: float) -> Estimate:
    """A number about the training labels themselves: nothing was sampled."""
    return Estimate(value, 0.0, (value, value), n_samples=n, confidence=confidence)


def _upper(estimate: Estimate) -> float:
    return estimate.interval[1] if estimate.ok else np.inf


def _losses(values: Any, name: str, *, n: int | None = None) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or not len(array) or not np.isfinite(array).all():
        raise InputError(f"{name} must be a list of finite numbers, one for each example")
    if n is not None and len(array) != n:
        raise InputError(f"{name} must have {n} numbers, one for each of the same examples, got {len(array)}")
    return array
