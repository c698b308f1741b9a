"""Capacity of fully connected networks by the norms of their layers, such as context encoders made of dense
layers.

Reference: Bartlett, Foster and Telgarsky, Spectrally-normalized margin bounds for neural networks, NIPS 2017.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num

from carryover._core.checks import check_features, check_range
from carryover._core.errors import InputError
from carryover._core.results import Assumption, Bound
from carryover.bounds.base import check_confidence

_STEPS_PER_OCTAVE = 4
_ROUNDING = 8.0  # 2 for the ceiling in Maurey's lemma, 4 for centres inside the class


@dataclass(frozen=True)
class SpectralComplexity:
    """Norms of the layers A_i of x -> s_L(A_L s_{L-1}(... s_1(A_1 x))), s_i r_i-Lipschitz with s_i(0) = 0.

    ``spectral`` ||A_i||_2, ``distances`` ||(A_i - M_i)^T||_{2,1} (sum over the layer's outputs of the length of
    their row) from the reference M_i, and ``lipschitz`` = prod r_i ||A_i||_2, that of the whole network.  The
    complexity is

        R = prod_i r_i ||A_i||_2 * (sum_i (distance_i / ||A_i||_2)^(2/3))^(3/2)

    evaluated so that a layer of zeros is no division by zero.  ``width``: largest number of inputs or outputs
    of a layer.
    """

    spectral: Float[np.ndarray, " l"]
    distances: Float[np.ndarray, " l"]
    activations: Float[np.ndarray, " l"]
    width: int

    @property
    def lipschitz(self) -> float:
        return float(np.prod(self.activations * self.spectral))

    @property
    def value(self) -> float:
        return _complexity(self.spectral, self.distances, self.activations)


def spectral_complexity(
    weights: Sequence[Num[np.ndarray, "_ _"]],
    *,
    references: Sequence[Num[np.ndarray, "_ _"]] | None = None,
    activations: Sequence[float] | None = None,
) -> SpectralComplexity:
    """:class:`SpectralComplexity` of a network from its matrices (outputs, inputs), first layer first.

    ``references``: matrices fixed before the data (the initial weights; None: zeros).  ``activations``:
    Lipschitz constants of the maps after the layers (None: all 1).  No biases: append a constant input. Raises
    InputError for no layers, layers that do not fit onto one another, and constants that are not positive.

    >>> found = spectral_complexity([np.diag([3.0, 0.0]), np.array([[0.0, 2.0]])])
    >>> found.lipschitz, round(found.value, 6)  # 6 * (1 + 1)^1.5
    (6.0, 16.970563)
    """
    if len(weights) == 0:
        raise InputError("weights must hold at least one layer, got none")
    layers = [check_features(matrix, f"weights[{at}]") for at, matrix in enumerate(weights)]
    for at in range(1, len(layers)):
        if layers[at].shape[1] != len(layers[at - 1]):
            raise InputError(
                f"weights[{at}] must take the {len(layers[at - 1])} outputs of the layer before, "
                f"got {layers[at].shape[1]} inputs"
            )
    differences = [
        matrix - reference
        for matrix, reference in zip(layers, _checked_references(references, layers), strict=True)
    ]
    slopes = np.ones(len(layers)) if activations is None else np.asarray(activations, dtype=np.float64)
    if slopes.shape != (len(layers),) or not (slopes > 0).all() or not np.isfinite(slopes).all():
        raise InputError(f"activations must be {len(layers)} constants > 0, one for each layer, got {slopes}")
    return SpectralComplexity(
        spectral=np.array([np.linalg.norm(matrix, 2) for matrix in layers]),
        distances=np.array([np.linalg.norm(change, axis=1).sum() for change in differences]),
        activations=slopes,
        width=max(max(matrix.shape) for matrix in layers),
    )


def log_covering_number(complexity: SpectralComplexity, *, input_norm: float, radius: float) -> float:
    """ln N <= 8 ||X||_F^2 ln(2 W^2) R^2 / radius^2: outputs of all such networks on n inputs, in the Frobenius
    norm.

    "Such networks" have no norm above those of ``complexity``.  Bartlett et al., theorem 3.3, have 1 in place
    of 8: they leave out the ceiling in Maurey's lemma (at most a factor 2 where it matters) and centres that
    keep the layers' spectral norms (half the radius, a factor 4).
    """
    check_range("radius", radius, 0, math.inf, open_low=True)
    check_range("input_norm", input_norm, 0, math.inf, open_high=True)
    squared = (input_norm * complexity.value / radius) ** 2
    return _ROUNDING * squared * math.log(2 * complexity.width**2)


def network_rademacher(
    complexity: SpectralComplexity, *, input_norm: float, n: int, lipschitz: float, loss_range: float
) -> float:
    """Rademacher complexity of the losses of all networks within these norms, at n inputs of Frobenius norm
    ||X||_F.

        (12 K / sqrt n) (1 + log(B sqrt n / (3 K))),   K = G ||X||_F R sqrt(8 ln(2 W^2) / n),   at most B / 2

    Dudley's entropy integral 4 a + (12/sqrt n) int_a^B sqrt(ln N(e)) de with ln N(e) = (K/e)^2, at its best a =
    3 K / sqrt n. ``lipschitz`` G: of the loss in the network's outputs (2-norm); ``loss_range`` B.
    """
    check_range("lipschitz", lipschitz, 0, math.inf, open_low=True, open_high=True)
    check_range("loss_range", loss_range, 0, math.inf, open_low=True, open_high=True)
    check_range("n", n, 1, math.inf, open_high=True)
    log_at_one = log_covering_number(complexity, input_norm=input_norm, radius=math.sqrt(n) / lipschitz)
    return dudley_integral(math.sqrt(log_at_one), n=n, loss_range=loss_range)


def dudley_integral(scale: float, *, n: int, loss_range: float) -> float:
    """The entropy integral for ln N(e) = (scale/e)^2 in the normalised 2-norm, at most half the range."""
    if scale == 0:
        return 0.0
    lowest = 3 * scale / math.sqrt(n)
    if lowest >= loss_range:
        return loss_range / 2
    return min(loss_range / 2, 4 * lowest * (1 + math.log(loss_range / lowest)))


def spectral_bound(
    complexity: SpectralComplexity,
    losses: Num[np.ndarray, " n"],
    *,
    input_norm: float,
    lipschitz: float,
    loss_range: float = 1.0,
    references_fixed: bool | None = None,
    confidence: float = 0.95,
) -> Bound:
    """Bound on the population loss of a trained fully connected network: training loss, complexity, confidence.

        mean loss + 2 Rad + 3 B sqrt(log(1/risk) / (2n))

    Norms are known only after training, so every one is rounded up to a power 2^(j/4) and the risk is shared
    over all integers j and the norm 0: shares 3/pi^2 of 1/(1+|j|)^2 and of 1, independently for each norm.
    ``losses`` in [0, B] on the n training inputs.  ``references_fixed``: whether the references (zeros count)
    were fixed before the data; None if unknown.  Vacuous from B on, which it is for most networks. Raises
    InputError for losses outside the range, and arguments outside theirs.
    """
    risk = check_confidence(confidence)
    values = np.asarray(losses, dtype=np.float64)
    if values.ndim != 1 or len(values) == 0 or not ((values >= 0) & (values <= loss_range)).all():
        raise InputError(f"losses must be a vector in [0, {loss_range:g}], not empty, got {_shown(values)}")
    rounded, log_shares = _rounded_up(complexity)
    n = len(values)
    rademacher = network_rademacher(
        rounded, input_norm=input_norm, n=n, lipschitz=lipschitz, loss_range=loss_range
    )
    terms = {
        "training_loss": float(values.mean()),
        "complexity": 2 * rademacher,
        "confidence": 3 * loss_range * math.sqrt((math.log(1 / risk) - log_shares) / (2 * n)),
    }
    state = {True: "checked", False: "violated", None: "not_checkable"}[references_fixed]
    value = math.fsum(terms.values())
    return Bound(
        value=value,
        confidence=confidence,
        terms=terms,
        assumptions=(
            Assumption("The training examples are independent draws from one law.", "not_checkable"),
            Assumption("The reference matrices were fixed before the data.", state),
        ),
        vacuous=value >= loss_range,
        bounded="mean loss of the trained network",
        stats={"n": n, "complexity": complexity.value, "rounded_complexity": rounded.value},
    )


def _checked_references(
    references: Sequence[np.ndarray] | None, layers: list[np.ndarray]
) -> list[np.ndarray]:
    if references is None:
        return [np.zeros_like(matrix) for matrix in layers]
    shapes = [np.shape(reference) for reference in references]
    if shapes != [matrix.shape for matrix in layers]:
        raise InputError(f"references must have the shapes of weights, got {shapes}")
    return [check_features(reference, f"references[{at}]") for at, reference in enumerate(references)]


def _complexity(spectral: np.ndarray, distances: np.ndarray, activations: np.ndarray) -> float:
    slopes = activations * spectral
    others = [activations[at] * float(np.prod(np.delete(slopes, at))) for at in range(len(slopes))]
    return float(((distances * others) ** (2 / 3)).sum() ** 1.5)


def _rounded_up(complexity: SpectralComplexity) -> tuple[SpectralComplexity, float]:
    """Norms on the grid of powers, and the logarithm of the share of the risk of this point."""
    norms = np.concatenate([complexity.spectral, complexity.distances])
    positive = norms > 0
    powers = np.zeros(len(norms))
    powers[positive] = np.ceil(_STEPS_PER_OCTAVE * np.log2(norms[positive]) - 1e-9)
    rounded = np.where(positive, 2.0 ** (powers / _STEPS_PER_OCTAVE), 0.0)
    rounded = np.maximum(rounded, norms)
    log_share = float((-2 * np.log1p(np.abs(powers))).sum() - len(norms) * math.log(math.pi**2 / 3))
    half = len(complexity.spectral)
    return SpectralComplexity(
        rounded[:half], rounded[half:], complexity.activations, complexity.width
    ), log_share


def _shown(values: np.ndarray) -> str:
    if values.ndim != 1 or len(values) == 0:
        return f"shape {values.shape}"
    return f"{values[~(values >= 0)][0] if (~(values >= 0)).any() else values.max():.4g}"
