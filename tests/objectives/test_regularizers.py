"""Regularisers on an objective: what they look at, signs by example, and heads that climb to the closed form."""

from types import SimpleNamespace

import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.objectives.denoising import DenoisingAutoencoder
from carryover.objectives.dual_heads import DualHeads
from carryover.objectives.keyed import Key
from carryover.objectives.mae import vit_mae
from carryover.objectives.penalties import feature_frobenius, uniformity, weight_decay
from carryover.objectives.radreg import radreg_penalty
from carryover.objectives.regularizers import Regularizer, draw_signs

POOL = torch.rand(30, 1, 3, 3, generator=torch.Generator().manual_seed(0))
KEY = Key(0, 4, torch.arange(30))


def objective() -> DenoisingAutoencoder:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder = nn.Sequential(nn.Flatten(), nn.Linear(9, 5), nn.Tanh())
        return DenoisingAutoencoder(encoder, nn.Linear(5, 9))


@torch.no_grad()
def test_each_kind_is_its_penalty_on_the_downstream_features():
    own = objective()
    features = own.encode(POOL)
    radreg = Regularizer("radreg", 0.1, head="l2", n_draws=3)
    expected = {
        "none": torch.zeros(()),
        "l2": weight_decay(own.encoder),
        "frobenius": feature_frobenius(features),
        "uniformity": uniformity(features),
        "radreg": radreg_penalty(features, draw_signs(radreg, KEY), head="l2"),
    }
    for kind, value in expected.items():
        given = radreg if kind == "radreg" else Regularizer(kind, 0.1)
        torch.testing.assert_close(given.penalty(own, POOL, KEY), value)


@torch.no_grad()
def test_the_masked_view_is_the_penalty_on_the_features_of_visible_patches():
    own = vit_mae(image_size=16, patch_size=4, width=12, depth=1, heads=2, decoder_width=8, decoder_depth=1,
                  decoder_heads=2)  # fmt: skip
    images = torch.rand(30, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    features = own.encode_masked(images, KEY)
    radreg = Regularizer("radreg", 0.1, head="l2", view="masked")
    expected = {
        "radreg": radreg_penalty(features, draw_signs(radreg, KEY), head="l2"),
        "frobenius": feature_frobenius(features),
        "uniformity": uniformity(features),
    }
    for kind, value in expected.items():
        given = radreg if kind == "radreg" else Regularizer(kind, 0.1, view="masked")
        torch.testing.assert_close(given.penalty(own, images, KEY), value)
        assert given.penalty(own, images, KEY.at(5)) != value  # another step, another mask


@pytest.mark.parametrize("kind", ["l2", "radreg", "frobenius", "uniformity"])
def test_the_decoder_gets_no_gradient_from_a_penalty(kind):
    own = objective()
    Regularizer(kind, 0.1).penalty(own, POOL, KEY).backward()
    assert all(weight.grad is None for weight in own.decoder.parameters())
    assert float(own.encoder[1].weight.grad.abs().sum()) > 0.0


def test_signs_follow_the_example_and_are_fresh_or_fixed():
    fresh, fixed = (
        Regularizer("radreg", 1.0, n_outputs=4, n_draws=3, signs=one) for one in ("fresh", "fixed")
    )
    signs = draw_signs(fresh, KEY)
    assert signs.shape == (3, 30, 4) and set(signs.unique().tolist()) == {-1.0, 1.0}
    order = torch.randperm(30, generator=torch.Generator().manual_seed(2))
    assert torch.equal(draw_signs(fresh, Key(0, 4, order)), signs[:, order])
    assert not torch.equal(draw_signs(fresh, KEY.at(5)), signs)
    assert torch.equal(draw_signs(fixed, KEY), draw_signs(fixed, KEY.at(5)))
    assert draw_signs(Regularizer("radreg", 1.0, head="l1", n_draws=3), KEY).shape == (3, 30)


def test_radreg_falls_on_the_pool_when_it_is_descended():
    own = objective()
    regularizer = Regularizer("radreg", 1.0, n_draws=8, normalize=False)
    optimizer = torch.optim.SGD(own.encoder.parameters(), lr=0.5)
    values = []
    for step in range(40):
        value = regularizer.penalty(own, POOL, KEY.at(step))
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
        values.append(value.item())
    assert sum(values[-5:]) < 0.5 * sum(values[:5])


@pytest.mark.parametrize("outputs", [1, 3])
def test_linear_heads_climb_to_the_closed_form(outputs):
    features = torch.randn(25, 6, generator=torch.Generator().manual_seed(1))
    regularizer = Regularizer("radreg", 1.0, n_outputs=outputs, n_draws=4, radius=1.5)
    signs = draw_signs(regularizer, Key(0, 0, torch.arange(25)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        heads = DualHeads(lambda: nn.Linear(6, outputs, bias=False), n_draws=4, radius=1.5)
    limit = float(radreg_penalty(features, signs, radius=1.5))
    before = heads.penalty(features, signs).item()
    heads.climb(features, signs, steps=200)
    after = heads.penalty(features, signs).item()
    assert before < after <= limit * (1 + 1e-5)
    assert after == pytest.approx(limit, rel=1e-3)
    for head in heads.heads:
        assert float(head.weight.detach().norm()) <= 1.5 * (1 + 1e-5)


def test_the_heads_are_held_while_the_features_descend():
    features = torch.randn(25, 6, generator=torch.Generator().manual_seed(1)).requires_grad_()
    heads = DualHeads(lambda: nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 1)), n_draws=2)
    signs = draw_signs(Regularizer("radreg", 1.0, n_draws=2), Key(0, 0, torch.arange(25)))
    heads.penalty(features, signs).backward()
    assert float(features.grad.abs().sum()) > 0.0
    assert all(weight.grad is None and weight.requires_grad for weight in heads.parameters())
    kept = features.detach().clone()
    heads.climb(features, signs, steps=3)
    assert torch.equal(features.detach(), kept)


def hidden_penalty(features: torch.Tensor, *, step: int = 0, **settings) -> torch.Tensor:
    """RadReg with a hidden layer, on an objective whose features are the images."""
    regularizer = Regularizer("radreg", 1.0, head="hidden", **settings)
    objective = SimpleNamespace(encode=lambda images: images)
    return regularizer.penalty(objective, features, Key(3, step, torch.arange(len(features))))


def test_heads_with_a_hidden_layer_reach_their_maximum_where_it_is_known():
    # One positive feature: f(h) = h sum_k w_k max(v_k, 0), at most h R^2 / 2, so the maximum is R^2 |s^T h| / (2 n).
    features = 0.5 + torch.rand(40, 1, generator=torch.Generator().manual_seed(2))
    settings = {"n_draws": 6, "radius": 1.7}
    signs = draw_signs(Regularizer("radreg", 1.0, head="l2", **settings), Key(3, 0, torch.arange(40)))
    limit = float((signs @ features).abs().mean()) / 40 * 1.7**2 / 2
    few, many = (float(hidden_penalty(features, ascent_steps=steps, **settings)) for steps in (2, 200))
    assert few < many <= limit * (1 + 1e-5)
    assert many > 0.97 * limit


def test_heads_with_a_hidden_layer_follow_seed_and_step_and_leave_the_generator_alone():
    features = torch.randn(30, 5, generator=torch.Generator().manual_seed(1)).requires_grad_()
    before = torch.get_rng_state()
    first = hidden_penalty(features, n_outputs=2)
    assert torch.equal(first, hidden_penalty(features, n_outputs=2))
    assert first != hidden_penalty(features, step=1, n_outputs=2)
    assert torch.equal(before, torch.get_rng_state())
    first.backward()
    gradient = features.grad.clone()
    # The heads are held: the value is linear along a small step of the features where no ReLU turns.
    with torch.no_grad():
        moved = features - 0.05 * gradient / gradient.norm()
    assert hidden_penalty(moved, n_outputs=2) < first
    large = hidden_penalty(9.0 * features.detach(), normalize=True)
    torch.testing.assert_close(large, hidden_penalty(features.detach(), normalize=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Regularizer("dropout", 1.0), "regularizer kind must be one of"),
        (lambda: Regularizer("radreg", 1.0, head="hidden", ascent_steps=0), "ascent_steps must be >= 1"),
        (lambda: Regularizer("radreg", -0.1), "strength must be >= 0, got -0.1"),
        (lambda: Regularizer("radreg", 0.1, radius=0.0), "radius must be > 0"),
        (lambda: Regularizer("radreg", 0.1, head="l2", n_outputs=2), "has one output, got n_outputs = 2"),
        (lambda: Regularizer("radreg", 0.1, signs="old"), "regularizer signs must be one of"),
        (lambda: Regularizer("radreg", 0.1, view="cropped"), "regularizer view must be one of"),
        (lambda: Regularizer("radreg", 0.1).penalty(objective(), None, None), "give a downstream pool"),
        (
            lambda: Regularizer("radreg", 0.1, view="masked").penalty(objective(), POOL, KEY),
            "needs an encoder that looks at visible patches only",
        ),
        (lambda: DualHeads(lambda: nn.Linear(2, 1), n_draws=0), "n_draws must be >= 1"),
        (
            lambda: DualHeads(lambda: nn.Linear(2, 1), n_draws=2).correlations(
                torch.ones(3, 2), torch.ones(1, 3, 1)
            ),
            r"signs must be \(2, 3, outputs\)",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
