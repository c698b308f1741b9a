"""The contrastive loss that is bounded is the one that is trained: NumPy against torch, with and without blocks."""

import numpy as np
import pytest
import torch

from carryover.bounds.contrastive import contrastive_losses
from carryover.objectives.curl import curl_loss


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
@pytest.mark.parametrize("block", [1, 4])
def test_mean_loss_is_that_of_the_objective(loss, block):
    generator = np.random.default_rng(block)
    anchors, positives = generator.normal(size=(30, 5)), generator.normal(size=(30, block, 5))
    negatives = generator.normal(size=(30, block, 5))
    trained = curl_loss(
        torch.from_numpy(anchors),
        torch.from_numpy(positives),
        torch.from_numpy(negatives)[:, None],
        loss=loss,
    )
    ours = contrastive_losses(anchors, positives, negatives, loss=loss).mean()
    assert ours == pytest.approx(float(trained), rel=1e-12)
