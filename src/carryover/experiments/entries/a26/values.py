"""Exact values for diagonal networks that others computed, to stand beside ours (setting and equations: A26).

rho_PT = .1 with amplitude 1, fine-tuning coefficients N(0, 1 / rho_FT), no label noise; error per coordinate.
"""

from dataclasses import dataclass

from carryover.theory import Network, Task

A26 = "Anguita et al., ICML 2026 (arXiv 2602.20062)"
EXACT_SOURCE = f"independent solution of the equations of {A26}, Proposition 5.1, six digits"
TYPICAL_SOURCE = f"the same for the paper's four regimes ({A26}), two or three digits"
ABSTRACT = f"{A26}, abstract"
RELATIVE_ROUNDING = 5e-6
"""Half of the last of six digits, at most, in units of the value."""
EXACT_ALPHAS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)


@dataclass(frozen=True)
class ExactCurve:
    """Errors at ``EXACT_ALPHAS``."""

    task: Task
    network: Network
    errors: tuple[float, ...]


_NEW, _SAME, _SUBSET = Task(0.1, 0.1, 0.0), Task(0.1, 0.1, 1.0), Task(0.1, 0.01, 1.0)
EXACT = (
    ExactCurve(_NEW, Network(1e-6), (2.04512, 2.18529, 1.13406, 0.473236, 0.0838032, 0.00100502)),
    ExactCurve(_NEW, Network(1e-3), (1.56246, 1.41721, 0.8936, 0.440314, 0.139912, 0.0227919)),
    ExactCurve(_SAME, Network(1.0), (0.932764, 0.86633, 0.733184, 0.600639, 0.473919, 0.358467)),
    ExactCurve(_SAME, Network(1e-3), (0.520161, 0.135294, 0.000854343, 5.705e-05, 1.36116e-05, 4.99037e-06)),
    ExactCurve(_NEW, Network(1e-3, 0.0, 1.0), (0.972584, 0.925968, 0.777049, 0.596403, 0.425381, 0.284205)),
    ExactCurve(
        _SAME, Network(1e-3, -0.99), (0.685202, 0.371454, 0.0249523, 5.48762e-05, 1.05785e-06, 9.70644e-08)
    ),
    ExactCurve(_NEW, Network(1e-3, 0.99), (1.69851, 1.61437, 0.998963, 0.503337, 0.172769, 0.0335559)),
    ExactCurve(
        _SUBSET,
        Network(1e-3, -0.99),
        (0.0235314, 0.000112465, 5.03942e-07, 2.13864e-08, 3.92185e-09, 1.24733e-09),
    ),
    ExactCurve(
        _NEW,
        Network(1e-3, -0.999999, 1e-6),
        (1.11268, 0.941794, 0.495948, 0.115819, 0.00077242, 2.38163e-07),
    ),
)
