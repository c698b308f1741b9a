"""Contrastive losses against naive loops, known values, invariances, and gradients that are due or not."""

import itertools
import math

import numpy as np
import pytest
import torch

from carryover._core.errors import InputError
from carryover.objectives.curl import curl_loss
from carryover.objectives.simclr import nt_xent
from carryover.objectives.spectral import spectral_contrastive

GENERATOR = torch.Generator().manual_seed(0)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=GENERATOR, dtype=torch.float64)


@pytest.mark.parametrize("temperature", [0.1, 0.5, 2.0])
def test_nt_xent_is_the_double_loop(temperature):
    first, second = draw(5, 3), draw(5, 3)
    every = [*first, *second]
    total = 0.0
    for i, anchor in enumerate(every):

        def weight(j, anchor=anchor):
            cosine = float(anchor @ every[j] / (anchor.norm() * every[j].norm()))
            return math.exp(cosine / temperature)

        total -= math.log(weight((i + 5) % 10) / sum(weight(j) for j in range(10) if j != i))
    assert float(nt_xent(first, second, temperature=temperature)) == pytest.approx(total / 10, rel=1e-12)


def test_nt_xent_invariances_and_values():
    first, second = draw(6, 4), draw(6, 4)
    value = nt_xent(first, second)
    rotation = torch.linalg.qr(draw(4, 4))[0]
    order = torch.randperm(6, generator=GENERATOR)
    for other in ((second, first), (3.0 * first, second), (first @ rotation, second @ rotation)):
        assert float(nt_xent(*other)) == pytest.approx(float(value), rel=1e-12)
    assert float(nt_xent(first[order], second[order])) == pytest.approx(float(value), rel=1e-12)
    same = torch.ones(6, 4, dtype=torch.float64)
    assert float(nt_xent(same, same)) == pytest.approx(math.log(11), rel=1e-12)
    # Scaling an embedding changes nothing, so its gradient has no part along the embedding itself.
    first.requires_grad_()
    nt_xent(first, second).backward()
    assert torch.allclose((first.grad * first).sum(dim=1), torch.zeros(6, dtype=torch.float64), atol=1e-12)


def test_spectral_is_the_double_loop():
    first, second = draw(5, 3), draw(5, 3)
    positive = sum(float(a @ b) for a, b in zip(first, second, strict=True)) / 5
    pairs = [float(first[i] @ second[j]) ** 2 for i, j in itertools.permutations(range(5), 2)]
    expected = -2.0 * positive + sum(pairs) / len(pairs)
    assert float(spectral_contrastive(first, second)) == pytest.approx(expected, rel=1e-12)


def test_spectral_is_the_factorization_of_the_augmentation_graph():
    """On a small graph the population loss plus ||Abar||_F^2 is ||Abar - F F^T||_F^2, F with rows sqrt(w_x) f(x)."""
    generator = np.random.default_rng(1)
    conditional = generator.dirichlet(np.ones(6), size=3)  # p(view | image), three images, six views
    joint = conditional.T @ conditional / 3.0
    weight = joint.sum(axis=1)
    normalised = joint / np.sqrt(np.outer(weight, weight))
    features = generator.normal(size=(6, 2))
    loss = -2.0 * np.einsum("xy,xd,yd->", joint, features, features)
    loss += np.einsum("x,y,xy->", weight, weight, (features @ features.T) ** 2)
    scaled = np.sqrt(weight)[:, None] * features
    assert loss + (normalised**2).sum() == pytest.approx(
        ((normalised - scaled @ scaled.T) ** 2).sum(), rel=1e-12
    )
    # The batch loss is unbiased for it: views of one image are positives, those of another image negatives.
    draws = torch.Generator().manual_seed(2)
    table, value = torch.tensor(features), []
    for _ in range(300):
        images = torch.randint(0, 3, (40,), generator=draws)
        views = [
            torch.multinomial(torch.tensor(conditional)[images], 1, generator=draws).squeeze(1)
            for _ in range(2)
        ]
        value.append(float(spectral_contrastive(table[views[0]], table[views[1]])))
    spread = np.std(value) / np.sqrt(len(value))
    assert abs(np.mean(value) - loss) < 4.0 * spread and spread < 0.1 * abs(loss)


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
def test_curl_is_the_loop_over_negatives(loss):
    anchor, positive, negatives = draw(4, 3), draw(4, 3), draw(4, 5, 3)
    total = 0.0
    for x, p, many in zip(anchor, positive, negatives, strict=True):
        margins = [float(x @ (p - n)) for n in many]
        if loss == "hinge":
            total += max(0.0, 1.0 + max(-v for v in margins))
        else:
            total += math.log2(1.0 + sum(math.exp(-v) for v in margins))
    assert float(curl_loss(anchor, positive, negatives, loss=loss)) == pytest.approx(total / 4, rel=1e-12)


@pytest.mark.parametrize("loss", ["hinge", "logistic"])
def test_blocks_are_their_means_and_never_looser(loss):
    anchor, positive, negatives = draw(30, 3), draw(30, 4, 3), draw(30, 1, 4, 3)
    block = float(curl_loss(anchor, positive, negatives, loss=loss))
    assert block == pytest.approx(
        float(curl_loss(anchor, positive.mean(1), negatives.mean(2), loss=loss)), rel=1e-12
    )
    # Jensen: the loss of the means is at most the mean loss over matched members.
    members = [float(curl_loss(anchor, positive[:, i], negatives[:, :, i], loss=loss)) for i in range(4)]
    assert block <= np.mean(members) + 1e-12


def test_a_hinge_that_is_met_has_no_gradient():
    anchor = torch.tensor([[10.0, 0.0]], requires_grad=True)
    curl_loss(anchor, torch.tensor([[1.0, 0.0]]), torch.tensor([[[-1.0, 0.0]]]), loss="hinge").backward()
    assert torch.equal(anchor.grad, torch.zeros(1, 2))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: nt_xent(torch.ones(1, 2), torch.ones(1, 2)), "b >= 2"),
        (
            lambda: nt_xent(torch.ones(3, 2), torch.ones(3, 2), temperature=0.0),
            "temperature must be > 0, got 0",
        ),
        (lambda: spectral_contrastive(torch.ones(3, 2), torch.ones(2, 2)), "of one shape"),
        (lambda: curl_loss(torch.ones(2, 2), torch.ones(2, 2), torch.ones(2, 2)), "must agree"),
        (
            lambda: curl_loss(torch.ones(2, 2), torch.ones(2, 2), torch.ones(2, 1, 2), loss="square"),
            "loss must be",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
