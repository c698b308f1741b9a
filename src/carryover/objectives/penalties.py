"""Regularisers on features that stand beside RadReg: the size of the features, and how evenly they are spread."""

import torch
from torch import Tensor
from torch.nn import functional

from carryover._core.errors import InputError


def feature_frobenius(features: Tensor) -> Tensor:
    """||H||_F / n of features (n, d): within a factor sqrt 2 what RadReg with an L2 head of radius 1 penalises.

    >>> float(feature_frobenius(torch.tensor([[3.0, 4.0], [0.0, 0.0]])))
    2.5
    """
    if features.ndim != 2:
        raise InputError(f"features must be a matrix (n, d), got shape {tuple(features.shape)}")
    return torch.linalg.vector_norm(features) / len(features)


def uniformity(features: Tensor) -> Tensor:
    """Mean squared cosine between the features (n, d) of different examples, in [0, 1]; n >= 2.

    Minimising it spreads features over all directions (Zhang, Wang and Wang, NeurIPS 2022: U-MAE, equation 9): the
    opposite of what RadReg favours at a fixed size of the features.

    >>> float(uniformity(torch.eye(3)))
    0.0
    """
    if features.ndim != 2 or len(features) < 2:
        raise InputError(f"features must be a matrix (n >= 2, d), got shape {tuple(features.shape)}")
    n = len(features)
    cosine = functional.normalize(features, dim=1)
    squares = (cosine @ cosine.T).square()
    return (squares.sum() - squares.diagonal().sum()) / (n * (n - 1))


def weight_decay(module: torch.nn.Module) -> Tensor:
    """Half the sum of squares of all weights of at least two dimensions (biases and norms are left alone)."""
    return 0.5 * sum(weight.square().sum() for weight in module.parameters() if weight.ndim >= 2)
