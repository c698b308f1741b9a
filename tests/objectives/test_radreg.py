"""RadReg's torch form: the NumPy measure, finite differences, caps, what scaling does; and its baselines."""

import itertools
import math

import numpy as np
import pytest
import torch

from carryover._core.errors import InputError
from carryover.measures.rademacher import rademacher_complexity
from carryover.objectives.penalties import feature_frobenius, uniformity, weight_decay
from carryover.objectives.radreg import radreg_penalty, signed_sums

HEADS = [("l2", 1), ("l1", 1), ("frobenius", 3)]


def features(n: int = 12, d: int = 5, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def all_signs(n: int, outputs: int, head: str) -> torch.Tensor:
    every = torch.tensor(list(itertools.product([-1.0, 1.0], repeat=n * outputs)), dtype=torch.float64)
    return every.reshape(-1, n, outputs) if head == "frobenius" else every


@pytest.mark.parametrize(("head", "outputs"), HEADS)
@pytest.mark.parametrize("radius", [1.0, 2.5])
def test_it_is_the_measure_on_the_same_signs(head, outputs, radius, monkeypatch):
    H, draws = features(), 40
    signs = np.random.default_rng(3).choice([-1.0, 1.0], size=(12, draws * outputs))
    monkeypatch.setattr("carryover.measures.rademacher._signs", lambda *_: signs)
    measured = rademacher_complexity(
        H.numpy(),
        head=head,
        n_outputs=outputs,
        radius=radius,
        n_draws=draws,
        generator=np.random.default_rng(0),
    )
    by_draw = torch.tensor(signs.reshape(12, draws, outputs)).permute(1, 0, 2)
    given = by_draw if head == "frobenius" else by_draw[:, :, 0]
    assert float(radreg_penalty(H, given, head=head, radius=radius)) == pytest.approx(
        measured.estimate.value, rel=1e-12
    )
    assert float(radreg_penalty(H, given, head=head, radius=radius, normalize=True)) == pytest.approx(
        measured.normalized.value, rel=1e-12
    )
    in_single = float(radreg_penalty(H.float(), given.float(), head=head, radius=radius))
    assert in_single == pytest.approx(measured.estimate.value, rel=1e-6)


@pytest.mark.parametrize(("head", "outputs"), [("l2", 1), ("l1", 1), ("frobenius", 2)])
def test_over_all_signs_it_lies_between_its_caps(head, outputs):
    H = features(5, 3)
    value = float(radreg_penalty(H, all_signs(5, outputs, head), head=head))
    if head == "l1":
        column = float(H.norm(dim=0).max()) / 5
        low, high = column / math.sqrt(2), column * math.sqrt(2 * math.log(6))
    else:
        high = math.sqrt(outputs) * float(H.norm()) / 5
        low = high / math.sqrt(2)
    assert low <= value <= high


@pytest.mark.parametrize(("head", "outputs"), HEADS)
@pytest.mark.parametrize("normalize", [False, True])
def test_gradient_is_that_of_finite_differences(head, outputs, normalize):
    signs = all_signs(3, outputs, head)[::7] if outputs == 1 else all_signs(3, outputs, head)[::37]
    H = features(3, 4).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda one: radreg_penalty(one, signs, head=head, normalize=normalize), (H,), eps=1e-6, atol=1e-7
    )


def test_scaling_scales_it_unless_it_is_normalized():
    H, signs = features(), all_signs(12, 1, "l2")[::97]
    plain, scaled = (radreg_penalty(x, signs, head="l2") for x in (H, 3.0 * H))
    assert float(scaled) == pytest.approx(3.0 * float(plain), rel=1e-12)
    plain, scaled = (radreg_penalty(x, signs, head="l2", normalize=True) for x in (H, 3.0 * H))
    assert float(scaled) == pytest.approx(float(plain), rel=1e-12)
    # Nothing is to be gained by shrinking: the gradient of the normalized form has no part along H.
    H.requires_grad_()
    radreg_penalty(H, signs, head="l2", normalize=True).backward()
    assert abs(float((H.grad * H.detach()).sum())) < 1e-12


def test_features_of_zero_have_no_gradient_and_no_nan():
    H = torch.zeros(4, 3, requires_grad=True)
    for normalize in (False, True):
        value = radreg_penalty(H, torch.ones(2, 4), head="l2", normalize=normalize)
        value.backward()
        assert float(value.detach()) == 0.0 and torch.isfinite(H.grad).all()


def test_sums_of_parts_are_the_sums_of_the_whole():
    H, signs = features(), all_signs(12, 1, "l2")[::500]
    parts = signed_sums(H[:5], signs[:, :5]) + signed_sums(H[5:], signs[:, 5:])
    assert torch.allclose(parts, signed_sums(H, signs), rtol=1e-13)


def test_at_fixed_size_it_favours_low_rank_and_uniformity_does_not():
    spread = torch.eye(8, dtype=torch.float64)
    line = torch.zeros(8, 8, dtype=torch.float64)
    line[:, 0] = 1.0
    signs = all_signs(8, 1, "l2")
    assert feature_frobenius(spread) == feature_frobenius(line)
    assert radreg_penalty(line, signs, head="l2") < radreg_penalty(spread, signs, head="l2")
    assert uniformity(line) == 1.0 and uniformity(spread) == 0.0


def test_uniformity_is_the_mean_over_pairs():
    H = features(6, 3)
    pairs = [
        float(H[i] @ H[j] / (H[i].norm() * H[j].norm())) ** 2 for i, j in itertools.permutations(range(6), 2)
    ]
    assert float(uniformity(H)) == pytest.approx(np.mean(pairs), rel=1e-12)
    assert float(uniformity(5.0 * H)) == pytest.approx(np.mean(pairs), rel=1e-12)


def test_weight_decay_leaves_biases_and_norms():
    network = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    with torch.no_grad():
        expected = 0.5 * float(network[0].weight.square().sum())
        assert float(weight_decay(network)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: radreg_penalty(features(), torch.ones(2, 12), head="l3"), "head must be one of"),
        (lambda: radreg_penalty(features(), torch.ones(2, 12), head="l2", radius=0.0), "radius must be > 0"),
        (lambda: radreg_penalty(features(), torch.ones(2, 11), head="l2"), r"signs \(draws, n\)"),
        (lambda: radreg_penalty(features(), torch.ones(2, 12), head="frobenius"), r"\(draws, n, outputs\)"),
        (lambda: uniformity(torch.ones(1, 2)), "n >= 2"),
        (lambda: feature_frobenius(torch.ones(3)), "matrix"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
