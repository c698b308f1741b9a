"""NLEEP: LEEP through the clusters of the features, for models without a source head."""

import warnings

import numpy as np
from jaxtyping import Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

from carryover._core.checks import check_features, check_labels, check_range
from carryover._core.results import Result
from carryover.measures.leep import LeepTable
from carryover.measures.unit_scale import unit_scale
from carryover.numerics.principal_axes import principal_coordinates

ENERGY_KEPT = 0.8
"""Share of the variance that the principal components keep."""

VARIANCE_FLOOR = 1e-3
"""Added to each component's variances, in units of the mean variance of the kept coordinates."""


def default_components(n: int, n_classes: int) -> int:
    """min(5 K, max(K, n // 40)), and never more than n // 4: five for each class where there are examples enough.

    A diagonal Gaussian of a handful of points describes those points, and LEEP, scored on the examples
    that were clustered, then rises towards 0 for any features at all.

    >>> default_components(2000, 10), default_components(300, 10), default_components(30, 10)
    (50, 10, 7)
    """
    return max(1, min(5 * n_classes, max(n_classes, n // 40), n // 4))


def nleep(
    features: Float[np.ndarray, "n d"],
    labels: Int[np.ndarray, " n"],
    *,
    n_components: int | None = None,
    generator: np.random.Generator,
) -> Result:
    """LEEP with theta = the responsibilities of a Gaussian mixture of the features' principal components; <= 0.

    Principal components with 80 % of the variance; then V Gaussians with *diagonal* covariances (a full
    covariance of p dimensions needs more than p examples for each component), floor of the variance 1e-3
    of the mean one, started from k-means++ centres drawn with ``generator``, fitted by EM.  V is
    ``n_components``, else :func:`default_components`.  Higher is better.  Mixture and score use the same
    examples, so the value is biased upwards, the more so the fewer examples each component has.
    Unchanged, for the same state of the generator, by shifts, rotations, positive factors and label
    permutations; a permutation of the rows starts EM from other centres, and so changes the value within
    its noise.  ``stats``: components, dimensions, iterations, converged.  Fails where no feature varies.
    Reference: Li, Jia, Sang, Zhu, Green, Wang, Gong, *Ranking neural checkpoints*, CVPR 2021, section 3.2
    (full covariances there).  Raises InputError where n_components is not in 1..n.
    """
    features = check_features(features)
    labels = np.unique(check_labels(labels, len(features)), return_inverse=True)[1]
    if n_components is None:
        n_components = default_components(len(labels), int(labels.max()) + 1)
    check_range("n_components", n_components, 1, len(labels))
    scaled = unit_scale(features)
    if not scaled.ok:
        return scaled
    rows, energy = principal_coordinates(scaled.value)
    kept = 1 + int((np.cumsum(energy) < ENERGY_KEPT * energy.sum() * (1 - 1e-12)).sum())
    rows = rows[:, :kept] / np.sqrt(energy[:kept].mean() / len(rows))
    responsibilities, stats = _responsibilities(rows, n_components, generator)
    table = LeepTable.from_rows(responsibilities, labels)
    value = float(table.log_likelihoods(responsibilities, labels).mean())
    return Result(min(value, 0.0), stats={**stats, "components": n_components, "dimensions": kept})


def _responsibilities(
    rows: np.ndarray, n_components: int, generator: np.random.Generator
) -> tuple[np.ndarray, dict[str, int | bool]]:
    mixture = GaussianMixture(
        n_components,
        covariance_type="diag",
        init_params="k-means++",
        reg_covar=VARIANCE_FLOOR,
        max_iter=200,
        random_state=int(generator.integers(2**31)),
    )
    with warnings.catch_warnings():
        # Whether EM converged is told in stats, not on the screen.
        warnings.simplefilter("ignore", ConvergenceWarning)
        mixture.fit(rows)
    stats = {"iterations": int(mixture.n_iter_), "converged": bool(mixture.converged_)}
    return mixture.predict_proba(rows), stats
