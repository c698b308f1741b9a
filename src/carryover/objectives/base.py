"""What every pretraining objective is: an encoder, a loss of a batch, and the features the encoder gives."""

from typing import Protocol, runtime_checkable

from torch import Tensor, nn

from carryover.objectives.keyed import Key


@runtime_checkable
class Objective(Protocol):
    """An ``nn.Module`` that holds an encoder and whatever else pretraining needs (decoder, projection head).

    Images (b, c, h, w) are floats in [0, 1], which the objective normalises itself; all randomness comes from the
    ``key`` of the batch's examples.
    """

    encoder: nn.Module
    couples_batch: bool
    """Whether an example's loss depends on the others of its batch (contrastive objectives).

    The ``loss`` of such an objective also takes ``processes``, and is that of the batch which they share.
    """

    def loss(self, images: Tensor, key: Key) -> Tensor:
        """The mean loss of the batch, a scalar."""
        ...

    def losses(self, images: Tensor, key: Key) -> Tensor:
        """The loss of each example (b,), whose mean is ``loss``; InputError where the objective couples the batch."""
        ...

    def encode(self, images: Tensor) -> Tensor:
        """Features (b, d) of whole images, as a probe or RadReg sees them."""
        ...
