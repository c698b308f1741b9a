"""From the contrastive loss of a fixed encoder to the loss of its mean classifier: collisions and blocks."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from carryover._core.checks import check_range
from carryover._core.errors import InputError, did_you_mean
from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence, error_bound, sample_assumptions
from carryover.numerics.divergences import binary_kl_upper


@dataclass(frozen=True)
class ContrastiveLoss:
    """A convex, decreasing loss of v = f(x)^T (f(x+) - f(x-)) with value 1 at 0, so that it is at least 1[v <= 0].

    ``slope`` is its Lipschitz constant.  A collision, where x- is of the class of x+, costs at least 1 on average
    and at most 1 + slope/sqrt(2) times the spread of :func:`carryover.bounds.contrastive_spread.collision_spread`.
    """

    of_gap: Callable[[np.ndarray], np.ndarray]
    slope: float


LOSSES = {
    "hinge": ContrastiveLoss(lambda gap: np.maximum(0.0, 1 - gap), 1.0),
    "logistic": ContrastiveLoss(lambda gap: np.logaddexp(0.0, -gap) / math.log(2), 1 / math.log(2)),
}
"""The hinge, and the logistic loss in base 2 (in natural logarithms it is .69 at 0 and no bound holds)."""


def named_loss(loss: str) -> ContrastiveLoss:
    """The loss of that name; raises InputError for a name that is not in ``LOSSES``."""
    if loss not in LOSSES:
        raise InputError(f"there is no contrastive loss {loss!r}: {did_you_mean(loss, LOSSES)}")
    return LOSSES[loss]


def largest_contrastive_loss(radius: float, *, loss: str) -> float:
    """The loss at v = -2 radius^2, the largest for features of length <= radius, in blocks too.

    >>> largest_contrastive_loss(1.0, loss="hinge")
    3.0
    """
    check_range("radius", radius, 0, math.inf, open_high=True)
    return float(named_loss(loss).of_gap(np.array(-2.0 * radius**2)))


def collision_probability(class_shares: Float[np.ndarray, " k"]) -> float:
    """tau = P(c = c') of two independent classes: the sum of the squared shares.

    Raises InputError for shares that are negative or do not sum to 1, or of a single class.

    >>> import numpy as np
    >>> collision_probability(np.array([0.5, 0.5]))
    0.5
    """
    if (class_shares < 0).any() or abs(class_shares.sum() - 1) > 1e-9 or (class_shares > 1 - 1e-12).any():
        raise InputError(
            f"class_shares must be >= 0, sum to 1 and name at least 2 classes, got a sum of {class_shares.sum()}"
        )
    return float((class_shares**2).sum())


def contrastive_losses(
    anchors: Float[np.ndarray, "m d"],
    positives: Float[np.ndarray, "m b d"],
    negatives: Float[np.ndarray, "m b d"],
    *,
    loss: str,
) -> Float[np.ndarray, " m"]:
    """Loss of f(x)^T (mean of f(x+) - mean of f(x-)) for M tuples with b positives and b negatives each.

    b = 1 is the usual loss; as the loss is convex, a larger block's is in expectation never above it.
    """
    gaps = np.einsum("md,md->m", anchors, positives.mean(axis=1) - negatives.mean(axis=1))
    return named_loss(loss).of_gap(gaps)


def contrastive_bound(
    losses: Float[np.ndarray, " m"],
    *,
    collision: float,
    largest_loss: float,
    collided: Bool[np.ndarray, " m_collided"] | None = None,
    confidence: float = 0.95,
    groups: Shaped[np.ndarray, " m_groups"] | None = None,
    encoder_independent: bool | None = None,
    positives_from_class: bool | None = None,
) -> Bound:
    """Bound on the mean classifier's loss on pairs of distinct classes, from M tuples of a fixed encoder.

        L_sup^mu <= (L_un - tau) / (1 - tau),   L_un <= B kl^-1(mean loss / B, log(1/risk) / M)

    Tuple: classes c, c' independent with P(c = c') = tau = ``collision``; x and a block of x+ from c, a block of
    x- from c'.  Jensen in the blocks: L_un >= E loss(f(x)^T (mu_c - mu_c')), which is loss(0) = 1 where c = c' and
    L_sup^mu on average where not; the class means mu are the mean classifier's rows.  So the encoder is fixed
    before the tuples, nothing is said of its complexity, and blocks only lower L_un.  Losses lie in [0, B], B =
    ``largest_loss`` (:func:`largest_contrastive_loss`); the limit is Chernoff's, as for coins (Maurer,
    cs/0411099).  Reference: Arora et al., ICML 2019 (arXiv 1902.09229), lemma 4.3 and the part on blocks.

    ``collided`` (M,) says which tuples have c = c', where classes are known, and parts the loss: ``apart`` and
    ``collision``, which is what collisions cost above their least.  ``positives_from_class``: True where x and x+
    were drawn independently from one class, False for two views of one image, where the model does not hold.
    Raises InputError for losses outside [0, B], a collision probability outside [0, 1), a confidence outside
    (0, 1).
    """
    risk = check_confidence(confidence)
    check_range("collision", collision, 0, 1, open_high=True)
    check_range("largest_loss", largest_loss, 1, math.inf, open_high=True)
    m = _check_losses(losses, largest_loss)
    mean = float(losses.mean())
    limit = largest_loss * binary_kl_upper(min(1.0, mean / largest_loss), math.log(1 / risk) / m)
    drawn = {True: "checked", False: "violated", None: "not_checkable"}[positives_from_class]
    assumptions = sample_assumptions(
        m, groups=groups, representation_independent=encoder_independent, sample="contrastive"
    )
    return error_bound(
        {**_parts(losses, collision, collided), "confidence": (limit - mean) / (1 - collision)},
        confidence=confidence,
        assumptions=(
            *assumptions,
            Assumption(
                "x and x+ are independent draws from one latent class, x- from an independent one.", drawn
            ),
            Assumption("The collision probability is that of the latent classes.", "not_checkable"),
        ),
        bounded="loss of the mean classifier on pairs of distinct classes, no less than its error rate there",
        stats={"n": m, "contrastive_loss": mean, "collision_probability": collision},
    )


def _check_losses(losses: Float[np.ndarray, " m"], largest_loss: float) -> int:
    if len(losses) == 0:
        raise InputError("losses must be a non-empty vector, got shape (0,)")
    outside = ~((losses >= 0) & (losses <= largest_loss * (1 + 1e-12)))
    if outside.any():
        row = int(np.flatnonzero(outside)[0])
        raise InputError(
            f"losses must lie in [0, largest_loss = {largest_loss}], got {losses[row]} in tuple {row}"
        )
    return len(losses)


def _parts(
    losses: Float[np.ndarray, " m"], collision: float, collided: Bool[np.ndarray, " m_collided"] | None
) -> dict[str, float]:
    """The empirical (L_un - tau)/(1 - tau) in parts."""
    if collided is None:
        return {
            "contrastive_loss": float(losses.mean()) / (1 - collision),
            "least_collision": -collision / (1 - collision),
        }
    if collided.shape != losses.shape:
        raise InputError(
            f"collided must have one entry for each of the {len(losses)} tuples, got {len(collided)}"
        )
    return {
        "apart": float((losses * ~collided).mean()) / (1 - collision),
        "collision": (float((losses * collided).mean()) - collision) / (1 - collision),
    }


def mean_classifier_loss(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    class_shares: Float[np.ndarray, " k"],
    loss: str,
) -> float:
    """L_sup^mu of these rows: the mean of loss(f(x)^T (mu_c - mu_c')), x from c.

    Classes c, c' are drawn from the shares, independently, until they are distinct.  The means mu are those of the
    rows themselves.  Raises InputError where a class of positive share has no row.

    >>> import numpy as np
    >>> two = np.array([[1.0, 0.0], [0.0, 1.0]])
    >>> mean_classifier_loss(two, np.array([0, 1]), class_shares=np.array([0.5, 0.5]), loss="hinge")
    0.0
    """
    of_gap, shares = named_loss(loss).of_gap, class_shares
    counts = np.bincount(labels, minlength=len(shares))
    if len(counts) > len(shares) or (counts[shares > 0] == 0).any():
        raise InputError(
            f"each of the {len(shares)} classes of positive share needs rows, got counts {counts.tolist()}"
        )
    means = np.eye(len(shares))[labels].T @ features / np.maximum(counts, 1)[:, None]
    scores = features @ means.T
    weights = (shares / np.maximum(counts, 1))[labels][:, None] * shares
    weights[np.arange(len(labels)), labels] = 0
    losses = of_gap(scores[np.arange(len(labels)), labels][:, None] - scores)
    return float((weights * losses).sum() / (1 - collision_probability(shares)))
