"""Contrastive pretraining with k negatives and blocks of views: a loop over examples, and gradients due or not."""

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from carryover._core.errors import InputError
from carryover.objectives.base import Objective
from carryover.objectives.curl_views import CurlViews, drawn_negatives
from carryover.objectives.keyed import Key
from carryover.objectives.views import Views

B = 7
IDS = torch.tensor([40, 3, 18, 7, 25, 11, 30])
KEY = Key(0, 2, IDS)
IMAGES = torch.rand(B, 3, 6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float32)
STILL = Views(least_area=1.0, flip=0.0, jitter=0.0, grey=0.0)


def linear(out: int = 4) -> nn.Module:
    encoder = nn.Sequential(nn.Flatten(), nn.Linear(108, out))
    encoder[1].weight.data = torch.randn(out, 108, generator=torch.Generator().manual_seed(1))
    encoder[1].bias.data.zero_()
    return encoder


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
@pytest.mark.parametrize(("negatives", "block"), [(1, 1), (3, 2), (6, 1)])
@torch.no_grad()
def test_it_is_the_loop_over_examples(loss, negatives, block):
    objective = CurlViews(linear(), nn.Linear(4, 3), negatives=negatives, block=block, loss=loss)
    assert isinstance(objective, Objective)
    drawn = drawn_negatives(KEY, negatives).tolist()
    names = ["anchor view"] + [f"similar view {place}" for place in range(block)]

    def embedded(example: int, name: str) -> np.ndarray:
        view = objective.views.draw(
            IMAGES[example : example + 1], Key(0, 2, IDS[example : example + 1]), name
        )
        return objective.projector(objective.encoder(view))[0].double().numpy()

    total = 0.0
    for example in range(B):
        anchor = embedded(example, names[0])
        similar = np.mean([embedded(example, name) for name in names[1:]], axis=0)
        margins = []
        for other in drawn[example]:
            margins.append(
                anchor @ (similar - np.mean([embedded(other, name) for name in names[1:]], axis=0))
            )
        if loss == "hinge":
            total += max(0.0, 1.0 - min(margins))
        else:
            total += math.log2(1.0 + sum(math.exp(-margin) for margin in margins))
    assert float(objective.loss(IMAGES, KEY)) == pytest.approx(total / B, rel=1e-5)


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
@torch.no_grad()
def test_projections_that_are_all_equal_cost_one_for_each_way_to_be_wrong(loss):
    class Same(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.ones(len(images), 5)

    for negatives, logistic in ((1, 1.0), (3, 2.0)):
        objective = CurlViews(Same(), negatives=negatives, block=2, loss=loss)
        expected = logistic if loss == "logistic" else 1.0
        assert float(objective.loss(IMAGES, KEY)) == pytest.approx(expected, rel=1e-6)


@torch.no_grad()
def test_the_order_of_the_batch_changes_nothing_but_the_step_does():
    objective = CurlViews(linear(), negatives=2, block=2)
    value = float(objective.loss(IMAGES, KEY))
    order = torch.randperm(B, generator=torch.Generator().manual_seed(3))
    other = float(objective.loss(IMAGES[order], Key(0, 2, IDS[order])))
    assert other == pytest.approx(value, rel=1e-6)
    assert float(objective.loss(IMAGES, KEY.at(3))) != value
    # Its negatives move with each example.
    ids = IDS[drawn_negatives(KEY, 2)]
    moved = IDS[order][drawn_negatives(Key(0, 2, IDS[order]), 2)]
    assert torch.equal(moved, ids[order])


def test_negatives_are_others_distinct_and_all_alike():
    steps = 3000
    pairs = np.zeros((B, B))
    subsets = {}
    for step in range(steps):
        drawn = drawn_negatives(KEY.at(step), 2).numpy()
        assert (drawn != np.arange(B)[:, None]).all() and (drawn[:, 0] != drawn[:, 1]).all()
        np.add.at(pairs, (np.arange(B)[:, None], drawn), 1)
        subset = tuple(sorted(drawn[0]))
        subsets[subset] = subsets.get(subset, 0) + 1
    assert (np.diag(pairs) == 0).all()
    others = pairs[~np.eye(B, dtype=bool)].reshape(B, B - 1)
    assert all(stats.chisquare(row).pvalue > 1e-4 for row in others)
    assert len(subsets) == 15 and stats.chisquare(list(subsets.values())).pvalue > 1e-4
    whole = drawn_negatives(KEY, B - 1)
    assert all(set(row.tolist()) == set(range(B)) - {place} for place, row in enumerate(whole))


def test_only_images_that_were_drawn_pull_and_only_theirs():
    """Through the similar view of an image: its own anchor, and the anchors that drew it, reach it; no other does."""
    taken = {}

    class Kept(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            taken["features"] = images.flatten(1).clone().requires_grad_()
            return taken["features"]

    objective = CurlViews(Kept(), negatives=1, views=STILL)
    step = next(step for step in range(99) if len(set(drawn_negatives(KEY.at(step), 1).ravel().tolist())) < B)
    drawn = drawn_negatives(KEY.at(step), 1).ravel().tolist()
    objective.loss(IMAGES, KEY.at(step)).backward()
    features = taken["features"].detach().double()
    gradient = taken["features"].grad.double()
    similar = features[B:]
    for image in range(B):
        expected = torch.zeros_like(features[0])
        for anchor in range(B):
            margin = features[anchor] @ (similar[anchor] - similar[drawn[anchor]])
            weight = 1.0 / (1.0 + torch.exp(margin)) / math.log(2.0) / B
            sign = float(drawn[anchor] == image) - float(anchor == image)
            expected += sign * weight * features[anchor]
        torch.testing.assert_close(gradient[B + image], expected, rtol=1e-4, atol=1e-6)
    undrawn = (set(range(B)) - set(drawn)).pop()
    own = gradient[B + undrawn]
    direction = features[undrawn]
    cosine = own @ direction / (own.norm() * direction.norm())
    assert float(cosine) == pytest.approx(-1.0, abs=1e-5)


def test_a_hinge_with_every_margin_above_one_has_no_gradient():
    class Apart(nn.Module):
        """Each image on an axis of its own, of length ``scale``."""

        def __init__(self, scale: float) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.tensor(scale))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.scale * torch.eye(B).repeat(len(images) // B, 1)

    for scale, met in ((1.1, True), (0.9, False)):
        objective = CurlViews(Apart(scale), negatives=4, loss="hinge")
        value = objective.loss(IMAGES, KEY)
        value.backward()
        # Every margin is scale^2, so the loss is max(0, 1 - scale^2) with the slope -2 scale.
        assert value.item() == pytest.approx(max(0.0, 1.0 - scale**2), abs=1e-6)
        gradient = objective.encoder.scale.grad.item()
        assert gradient == (0.0 if met else pytest.approx(-2.0 * scale, rel=1e-5))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: CurlViews(linear(), negatives=B).loss(IMAGES, KEY), "at most 6, .* a batch of 7, got 7"),
        (lambda: CurlViews(linear(), negatives=0), "negatives and block must be >= 1, got 0 and 1"),
        (lambda: CurlViews(linear(), block=0), "negatives and block must be >= 1, got 1 and 0"),
        (lambda: CurlViews(linear(), loss="square"), "curl_loss must be one of"),
        (lambda: CurlViews(linear()).losses(IMAGES, KEY), "no loss of one example"),
        (lambda: drawn_negatives(Key(0, 0, torch.tensor([1, 2, 1])), 1), "stands twice in the batch"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
