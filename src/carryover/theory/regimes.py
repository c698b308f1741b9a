"""How rich a fine-tuning run is, and how much pretraining shapes it: order, pretraining dependence, regime.

Near a coefficient the potential grows like |beta_FT|^l |beta_PT|^PD (Anguita et al., 2026, Proposition 4.2).
"""

import numpy as np
from jaxtyping import Float

from carryover.theory.networks import Network

RICH_BELOW = 1.5
"""Orders below it are called rich (l = 1: L1), from it on lazy (l = 2: ridge)."""
DEPENDENT_FROM = 0.1
"""|PD| from which a run is called pretraining-dependent (the paper's nearly independent example has .07)."""
REGIMES = {
    (True, False): "I: rich, pretraining-independent",
    (False, True): "II: lazy, pretraining-dependent",
    (False, False): "III: lazy, pretraining-independent",
    (True, True): "IV: rich, pretraining-dependent",
}


def order(coefficient: Float[np.ndarray, "*n"], sqrt_k: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
    """l = d log q_k(b) / d log |b|, from 2 (ridge, |b| << sqrt k) down to 1 (L1, |b| >> sqrt k).

    With z = 4 b / sqrt k: l = z asinh(z / 2) / P(z), P(z) = 2 - sqrt(4 + z^2) + z asinh(z / 2).

    >>> float(order(0.0, 1.0))
    2.0
    """
    half = 2.0 * np.abs(np.asarray(coefficient, dtype=np.float64)) / np.asarray(sqrt_k)
    product = 2.0 * half * np.arcsinh(half)
    potential = product - 2.0 * half**2 / (1.0 + np.hypot(1.0, half))
    tiny = half < 1e-150
    return np.where(tiny, 2.0, product / np.where(tiny, 1.0, potential))


def pretraining_dependence(
    coefficient: Float[np.ndarray, "*n"], pretraining: Float[np.ndarray, "*n"], network: Network
) -> Float[np.ndarray, "*n"]:
    """PD = d log q / d log |beta_PT| = (1 - l) m, in [-1, 0] for symmetrized weights; l + PD lies in [1, 2].

    Negative: a coefficient that pretraining made larger is cheaper to use.
    """
    steepness = order(coefficient, network.sqrt_k(pretraining))
    return (1.0 - steepness) * network.sqrt_k_dependence(pretraining)


def regime(steepness: float, dependence: float) -> str:
    """One of the four regimes of the paper, from l and PD at a task's typical coefficients.

    >>> regime(1.1, -0.5)
    'IV: rich, pretraining-dependent'
    """
    return REGIMES[bool(steepness < RICH_BELOW), bool(abs(dependence) >= DEPENDENT_FROM)]
