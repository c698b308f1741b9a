"""RadReg of a whole pool: the NumPy measure on the same features and signs, whatever the batches."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.measures.rademacher import rademacher_complexity
from carryover.objectives.denoising import DenoisingAutoencoder
from carryover.objectives.keyed import Key
from carryover.objectives.mae import vit_mae
from carryover.objectives.pool import pool_penalty
from carryover.objectives.regularizers import Regularizer, draw_signs

POOL = torch.rand(50, 1, 4, 4, generator=torch.Generator().manual_seed(0))
IDS = torch.arange(100, 150)
HEADS = [("l2", 1), ("l1", 1), ("frobenius", 3)]


def objective() -> DenoisingAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(16, 5), nn.BatchNorm1d(5), nn.Tanh())
        return DenoisingAutoencoder(encoder, nn.Linear(5, 16))


def batches(size: int):
    return [(POOL[start : start + size], IDS[start : start + size]) for start in range(0, 50, size)]


@pytest.mark.parametrize(("head", "outputs"), HEADS)
def test_it_is_the_measure_on_the_same_features_and_signs(head, outputs, monkeypatch):
    own = objective()
    regularizer = Regularizer("radreg", 0.1, head=head, n_outputs=outputs, n_draws=40, radius=2.5)
    by_draw = draw_signs(regularizer, Key(7, 0, IDS)).reshape(40, 50, outputs)
    signs = by_draw.permute(1, 0, 2).reshape(50, -1).double().numpy()
    monkeypatch.setattr("carryover.measures.rademacher._signs", lambda *_: signs)
    with torch.no_grad():
        features = own.eval().encode(POOL).double().numpy()
    measured = rademacher_complexity(
        features, head=head, n_outputs=outputs, radius=2.5, n_draws=40, generator=np.random.default_rng(0)
    )
    own.train()
    for size in (50, 7):
        found = pool_penalty(regularizer, own, batches(size), seed=7)
        assert found.n == 50
        for one in ("estimate", "normalized"):
            expected = getattr(measured, one)
            assert getattr(found, one).value == pytest.approx(expected.value, rel=1e-6)
            assert getattr(found, one).interval == pytest.approx(expected.interval, rel=1e-6)
    assert own.training and not any(weight.grad is not None for weight in own.parameters())


def test_a_mini_batch_costs_more_than_the_pool_by_the_square_root():
    regularizer = Regularizer("radreg", 1.0, n_draws=400)
    pool = torch.randn(640, 1, 4, 4, generator=torch.Generator().manual_seed(3))
    ids = torch.arange(640)
    whole = pool_penalty(regularizer, objective(), [(pool, ids)], seed=0).estimate.value
    parts = [
        pool_penalty(regularizer, objective(), [(pool[i::40], ids[i::40])], seed=0).estimate.value
        for i in range(40)
    ]
    assert np.mean(parts) / whole == pytest.approx(math.sqrt(40), rel=0.1)


def test_the_masked_view_is_the_visible_patches():
    own = vit_mae(image_size=16, patch_size=4, width=12, depth=2, heads=2, decoder_width=8, decoder_depth=1,
                  decoder_heads=2).eval()  # fmt: skip
    images = torch.randn(20, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    seen = []
    handle = own.model.vit.layers[0].register_forward_hook(
        lambda _, given, __: seen.append(given[0].shape[1])
    )
    values = {
        view: pool_penalty(
            Regularizer("radreg", 1.0, n_draws=20, view=view), own, [(images, torch.arange(20))], seed=0
        ).estimate.value
        for view in ("whole", "masked")
    }
    handle.remove()
    assert seen == [17, 5] and values["whole"] != values["masked"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: pool_penalty(Regularizer("l2", 1.0), objective(), batches(50), seed=0),
            "RadReg's .* 'l2', head",
        ),
        (
            lambda: pool_penalty(Regularizer("radreg", 1.0, n_draws=1), objective(), batches(50), seed=0),
            "n_draws >= 2 for its interval, got 'radreg', head 'frobenius' and 1 draws",
        ),
        (
            lambda: pool_penalty(Regularizer("radreg", 1.0, head="hidden"), objective(), batches(50), seed=0),
            "with linear heads .* got 'radreg', head 'hidden'",
        ),
        (lambda: pool_penalty(Regularizer("radreg", 1.0), objective(), [], seed=0), "holds no images"),
        (
            lambda: pool_penalty(Regularizer("radreg", 1.0, view="masked"), objective(), batches(50), seed=0),
            "needs an encoder that looks at visible patches only, as objective 'mae' has",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()


def test_features_of_zero_have_no_normalized_value():
    own = objective()
    own.encoder[1].weight.data.zero_()
    own.encoder[1].bias.data.zero_()
    found = pool_penalty(Regularizer("radreg", 1.0), own, batches(50), seed=0)
    assert found.estimate.value == 0.0 and found.normalized.status == "not_applicable"
    assert "every feature is zero" in found.normalized.reason
