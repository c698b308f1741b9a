"""
A measure of your own
=====================

A measure is a function of arrays, NumPy and SciPy only, that returns a ``Result``: a value, or a status with a
reason. This one is the leave-one-out accuracy of the nearest class mean, which needs no penalty and no solver.
"""

# %%
# Misuse raises ``InputError``; what cannot be computed on good input is a value with a reason, never NaN.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

from carryover import InputError, Result
from carryover._core.checks import check_features, check_labels
from carryover.measures.ridge_loo import ridge_loo
from carryover.numerics.montecarlo import half_subsamples, jackknife_estimate


def nearest_mean(features: np.ndarray, labels: np.ndarray) -> Result:
    """Share of rows (n, d) nearest to the mean of their own class 0..K-1, when they are left out of that mean.

    With c rows in a class, leaving x out of the mean m moves it to m + (m - x) / (c - 1), so the squared distance
    is |x - m|^2 (c / (c - 1))^2.  ``stats``: n_classes.  Failed where a class has one row.  Raises InputError for
    features or labels that do not fit, and for fewer than two classes.

    >>> nearest_mean(np.array([[0.0], [1.0], [4.0], [5.0]]), np.array([0, 0, 1, 1])).value
    1.0
    """
    rows = check_features(features).astype(np.float64)
    codes = check_labels(labels, len(rows))
    names, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise InputError(f"labels must have at least 2 classes, got {len(names)}")
    if counts.min() < 2:
        return Result(
            status="failed", reason="a class has one row, so nothing is left of it when that is left out"
        )
    means = np.stack([rows[codes == code].mean(axis=0) for code in range(len(names))])
    distances = ((rows[:, None, :] - means) ** 2).sum(axis=2)
    own = np.arange(len(rows)), codes
    distances[own] *= (counts[codes] / (counts[codes] - 1.0)) ** 2
    return Result(float((distances.argmin(axis=1) == codes).mean()), stats={"n_classes": len(names)})


# %%
# Any function of a sample gets its interval from subsamples drawn without replacement (a bootstrap's duplicates
# would be their own neighbours).
def with_interval(measure, features, labels, generator):
    """The measure on all rows, with a 95 % interval by the delete-half jackknife."""
    halves = half_subsamples(labels, n_draws=20, generator=generator)
    values = [measure(features[rows], labels[rows]).raise_if_failed() for rows in halves]
    value = measure(features, labels).raise_if_failed()
    return jackknife_estimate(value, values, n=len(labels), subsample_size=len(halves[0]))


# %%
# A measure is worth adding where it says something the others do not. Here it stands beside the ridge probe, on
# digits with more and more noise.
digits = load_digits()
generator = np.random.default_rng(0)
labels, pixels = digits.target[:400], digits.data[:400] / 16.0
noises = (0.0, 0.25, 0.5, 1.0)
measures = {"nearest mean": nearest_mean, "ridge": lambda x, y: ridge_loo(x, y, n_classes=10)}
figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
for (name, measure), colour in zip(measures.items(), ("#0072b2", "#d55e00"), strict=True):
    found = [
        with_interval(measure, pixels + noise * generator.normal(size=pixels.shape), labels, generator)
        for noise in noises
    ]
    axis.plot(noises, [one.value for one in found], "o-", color=colour, label=name)
    axis.vlines(noises, *np.transpose([one.interval for one in found]), color=colour)
axis.set(xlabel="standard deviation of the noise", ylabel="leave-one-out accuracy")
axis.grid(color="#e6eaee")
axis.legend(frameon=False)
plt.show()

# %%
# To have it in every report, see :doc:`/extending`.
