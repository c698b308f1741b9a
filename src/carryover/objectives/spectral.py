"""The spectral contrastive loss (HaoChen, Wei, Gaidon and Ma, NeurIPS 2021, equation 6)."""

from torch import Tensor

from carryover._core.errors import InputError


def spectral_contrastive(first: Tensor, second: Tensor) -> Tensor:
    """-2 E f(x)^T f(x+) + E (f(x)^T f(x'))^2, x' the second view of another image of the batch.

    ``first``, ``second``: features (b, d) of two views, b >= 2; not normalised.  Its expectation is, up to a constant,
    the squared Frobenius distance of F F^T from the normalised adjacency of the augmentation graph.

    >>> import torch
    >>> float(spectral_contrastive(torch.eye(2), torch.eye(2)))
    -2.0
    """
    if first.shape != second.shape or first.ndim != 2 or len(first) < 2:
        raise InputError(
            f"two views must be features of one shape (b >= 2, d), got {tuple(first.shape)} and {tuple(second.shape)}"
        )
    b = len(first)
    products = first @ second.T
    squares = products.square()
    return -2.0 * products.diagonal().mean() + (squares.sum() - squares.diagonal().sum()) / (b * (b - 1))
