"""Errors that are known in closed form: isotropic inputs, ridgeless or least squares."""

import numpy as np
from jaxtyping import Float

from carryover._core.errors import InputError
from carryover.theory.checks import check_between


def minimum_norm_error(alpha: Float[np.ndarray, "*n"], signal: float = 1.0) -> Float[np.ndarray, "*n"]:
    """Error per coordinate of the minimum-norm interpolator without noise: signal (1 - alpha), 0 from alpha = 1 on.

    It sees the coefficients' projection on a random subspace of dimension n = alpha d; ``signal`` = E beta^2.

    >>> float(minimum_norm_error(0.25))
    0.75
    """
    alpha = check_between("alpha", alpha, 0.0, np.inf, open_low=True)
    return check_between("signal", signal, 0.0, np.inf) * np.maximum(1.0 - alpha, 0.0)


def ridgeless_error(
    alpha: Float[np.ndarray, "*n"], label_noise_variance: float = 0.0, signal: float = 1.0
) -> Float[np.ndarray, "*n"]:
    """Error per coordinate of least squares, of least norm for alpha < 1; x ~ N(0, I / d), alpha = n / d.

    alpha < 1: signal (1 - alpha) + noise alpha / (1 - alpha); alpha > 1: noise / (alpha - 1) (Hastie, Montanari,
    Rosset and Tibshirani, Annals of Statistics 2022, Theorem 1, gamma = 1 / alpha).
    Raises InputError at alpha = 1 with noise, where it diverges.

    >>> float(ridgeless_error(2.0, 0.5))
    0.5
    """
    alpha = check_between("alpha", alpha, 0.0, np.inf, open_low=True)
    noise = check_between("label_noise_variance", label_noise_variance, 0.0, np.inf)
    if ((alpha == 1.0) & (noise > 0.0)).any():
        raise InputError("alpha must not be 1 with label noise: the error of least squares diverges there")
    gap = np.where(alpha == 1.0, 1.0, np.abs(1.0 - alpha))
    return minimum_norm_error(alpha, signal) + noise * np.minimum(alpha, 1.0) / gap
