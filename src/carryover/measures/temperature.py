"""Softmax temperature of scores, chosen by log loss, so that a ridge fit gives probabilities."""

import numpy as np
from jaxtyping import Float, Int
from scipy.special import logsumexp, softmax

_MAX_STEPS = 50


def fit_temperature(scores: Float[np.ndarray, "n k"], labels: Int[np.ndarray, " n"]) -> float:
    """The temperature T > 0 that minimises the log loss of softmax(scores / T) against smoothed labels.

    The loss is convex in 1/T, and Newton's method with halved steps finds the minimum.  Each label counts as
    one-hot with weight 1 - 1/(n + 2) and as uniform with the rest (after Platt, 1999), so that scores
    which separate the classes perfectly still give a positive T.  Scores that say nothing or point the wrong
    way give the largest T considered: 1e6 times their standard deviation within a row.
    """
    spread = float(np.sqrt(np.mean(np.var(scores, axis=1))))
    if spread == 0.0:
        return 1.0
    scaled = (scores - scores.mean(axis=1, keepdims=True)) / spread
    weight = 1.0 - 1.0 / (len(labels) + 2.0)
    gain = weight * float(scaled[np.arange(len(labels)), labels].mean())  # the uniform part: rows have mean 0

    def loss(inverse: float) -> float:
        return float(logsumexp(inverse * scaled, axis=1).mean()) - inverse * gain

    inverse = 1.0
    value = loss(inverse)
    for _ in range(_MAX_STEPS):
        probabilities = softmax(inverse * scaled, axis=1)
        means = np.einsum("ik,ik->i", probabilities, scaled)
        slope = float(means.mean()) - gain
        curvature = float((np.einsum("ik,ik,ik->i", probabilities, scaled, scaled) - means**2).mean())
        step = -slope / max(curvature, 1e-12)
        step = float(np.clip(step, 1e-6 - inverse, 4.0 * inverse))
        while loss(inverse + step) > value and abs(step) > 1e-12 * inverse:
            step *= 0.5
        inverse += step
        value = loss(inverse)
        if abs(step) <= 1e-8 * inverse:
            break
    return spread / inverse
