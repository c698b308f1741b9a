"""Constants of transferability against brute force: never violated, attained where said so, refused otherwise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.transfer_pairs import (
    HardMargin,
    Lipschitz,
    LowNoise,
    Squared,
    TransferPair,
    transfer_pair,
)
from carryover.measures.transferability import readable_head, squared_score_error


def _projected(target, features):
    """Rows of ``target`` less their projection on the row space of ``features``: what no linear map reaches."""
    return target - target @ np.linalg.pinv(features) @ features


def _linear_problem(seed, inputs=6, outputs=4, width=3):
    """x ~ N(0, I), E[z|x] = W* A* x, best score u^T W* A* x, and another encoder A x, some near A*, some far."""
    generator = np.random.default_rng(seed)
    best, decoder = generator.normal(size=(width, inputs)), generator.normal(size=(outputs, width))
    readout = generator.normal(size=outputs)
    encoder = best + 10 ** generator.uniform(-3, 1) * generator.normal(size=best.shape)
    excess = 0.5 * np.linalg.norm(_projected(decoder @ best, encoder)) ** 2
    missed = float(np.linalg.norm(_projected((readout @ decoder @ best)[None], encoder)))
    return readout @ decoder, decoder, excess, missed


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_squared_pretraining_bounds_squared_and_absolute_loss(seed):
    """Exact risks: 1/2 E(s - s*)^2 = missed^2 / 2, and E|s - s*| = sqrt(2/pi) missed for Gaussian inputs."""
    head, decoder, excess, missed = _linear_problem(seed)
    error = squared_score_error(head[None], decoder)
    assert missed**2 / 2 <= transfer_pair(error, Squared(0.5)).excess(excess) * (1 + 1e-9)
    assert math.sqrt(2 / math.pi) * missed <= transfer_pair(error, Lipschitz(1.0)).excess(excess) * (1 + 1e-9)


def test_constants_of_the_design():
    head, decoder = np.array([[0.6, 0.8]]), np.eye(2)
    error = squared_score_error(head * 3, decoder)
    lipschitz, half, whole = (
        transfer_pair(error, one) for one in (Lipschitz(2.0), Squared(0.5), Squared(1.0))
    )
    assert (lipschitz.constant, lipschitz.exponent) == (pytest.approx(math.sqrt(2) * 2 * 3), 0.5)
    assert (half.constant, half.exponent) == (pytest.approx(9.0), 1.0)
    assert (whole.constant, whole.exponent) == (pytest.approx(18.0), 1.0)


def test_linear_case_is_attained():
    """One output z with 1/2 (g - z)^2, and the downstream target is z itself: the two excesses are one number."""
    generator = np.random.default_rng(2)
    target, encoder = generator.normal(size=(2, 1, 5))
    excess = 0.5 * np.linalg.norm(_projected(target, encoder)) ** 2
    pair = transfer_pair(squared_score_error(np.eye(1), np.eye(1)), Squared(0.5))
    assert pair.excess(excess) == pytest.approx(excess)


def two_point_family(size):
    """Exact excesses of h = m + size * v, m and v independent fair signs; z = y = m, heads and decoders scalar.

    Pretraining min_W 1/2 E(W h - m)^2; downstream min_theta E|theta h - m|, by a fine search over theta.
    """
    features = np.array([1 + size, 1 - size])
    pretraining = 0.5 * (1 - features.mean() ** 2 / (features**2).mean())
    heads = np.unique(np.concatenate([1 / features[features > 0], np.linspace(0, 2, 2001)]))
    downstream = np.abs(heads[:, None] * features - 1).mean(axis=1).min()
    return pretraining, downstream


def test_one_half_and_root_two_are_sharp():
    """The exponent is 1/2 and not more, and sqrt 2 G R_u is reached in the limit of a small perturbation."""
    sizes = np.array([1e-2, 1e-3, 1e-4])
    pretraining, downstream = np.array([two_point_family(size) for size in sizes]).T
    np.testing.assert_allclose(pretraining, sizes**2 / (2 * (1 + sizes**2)), rtol=1e-6)
    np.testing.assert_allclose(downstream, sizes / (1 + sizes), rtol=1e-9)
    slope = np.diff(np.log(downstream)) / np.diff(np.log(pretraining))
    assert np.all(np.abs(slope - 0.5) < 0.003)
    pair = transfer_pair(squared_score_error(np.eye(1), np.eye(1)), Lipschitz(1.0))
    ratio = downstream / np.array([pair.excess(excess) for excess in pretraining])
    assert np.all(ratio <= 1) and ratio[-1] > 0.9998
    assert np.all(
        np.diff(downstream / pretraining**0.51) > 0
    )  # a larger exponent would need an infinite constant


def test_a_limit_on_heads_breaks_it_and_is_found_out():
    """The encoder h*/4 with decoder 4 W* has no pretraining excess; heads of length 1 lose."""
    decoder, head = np.eye(2), np.array([[1.0, 0.0]])
    lost = np.abs(
        1.0 - 0.25
    )  # the best allowed head reaches a quarter of s*; in units of |s*| under absolute loss
    arguments = {"head_radius": 1.0, "law_known": True}
    broken = squared_score_error(head, decoder, trained_decoder=4 * decoder, **arguments)
    assert lost > 0 and broken.status == "abstained" and broken.factor is None and not broken.exact
    assert "of norm 4, is allowed (norm at most 1)" in broken.reason
    assert [one.state for one in broken.assumptions][:2] == ["checked", "violated"]
    kept = squared_score_error(head, decoder, trained_decoder=decoder, **arguments)
    assert kept.exact and kept.factor == pytest.approx(2.0)
    unknown = squared_score_error(head, decoder, head_radius=1.0)
    assert unknown.ok and not unknown.exact
    pair = transfer_pair(broken, Lipschitz(1.0))
    assert (pair.constant, pair.status, pair.reason) == (None, "abstained", broken.reason)
    with pytest.raises(InputError, match=r"there is no pair \(C, beta\) to use: no constants are known"):
        pair.excess(0.1)


def test_a_head_outside_the_span_abstains():
    decoder, head = np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]), np.array([[1.0, 1.0, 0.1]])
    error = squared_score_error(head, decoder)
    assert error.status == "abstained" and "lies in the span of the decoder's rows" in error.reason
    assert readable_head(head, decoder).residual == pytest.approx(0.1 / math.sqrt(2.01))
    assert squared_score_error(head, decoder, span_tolerance=0.1).ok


def test_a_direction_that_is_nearly_lost_counts_as_lost():
    decoder = np.diag([1.0, 1e-8])
    assert readable_head(np.array([[1.0, 1.0]]), decoder).rank == 1
    assert not readable_head(np.array([[1.0, 1.0]]), decoder).in_span
    kept = readable_head(np.array([[1.0, 1.0]]), decoder, rank_tolerance=1e-9)
    assert kept.in_span and kept.radius == pytest.approx(1e8)


def test_a_head_of_zeros_is_readable():
    assert readable_head(np.zeros((1, 2)), np.zeros((3, 2))).radius == 0.0
    assert readable_head(np.zeros((1, 2)), np.zeros((3, 2))).in_span


@settings(max_examples=40)
@given(st.integers(0, 10**6))
def test_the_readout_is_the_shortest_and_units_of_features_do_not_matter(seed):
    generator = np.random.default_rng(seed)
    decoder, readout = generator.normal(size=(5, 3)), generator.normal(size=(2, 5))
    change = generator.normal(size=(3, 3)) + 3 * np.eye(3)
    plain = readable_head(readout @ decoder, decoder)
    assert plain.radius <= np.linalg.norm(readout, 2) + 1e-9
    assert readable_head(readout @ decoder @ change, decoder @ change).radius == pytest.approx(plain.radius)


def _adversary(scores, probabilities, budget):
    """The score with E(s - s*)^2 <= budget that flips the signs of the smallest |s*|: the worst one."""
    cost = np.cumsum(scores**2 * probabilities)
    flipped = cost <= budget
    return float((np.abs(scores) * probabilities)[flipped].sum())


@pytest.mark.parametrize("noise", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("budget", [1e-4, 1e-2])
def test_low_noise_pair_covers_an_adversary(noise, budget):
    """|s*| with P(|s*| <= t) = t^a (a = 0: one atom where sqrt(budget) just flips it)."""
    n = 200_000
    if noise:
        scores = ((np.arange(n) + 0.5) / n) ** (1 / noise)
        excess = _adversary(scores, np.full(n, 1 / n), budget)
    else:
        excess = math.sqrt(budget)
    pair = transfer_pair(squared_score_error(np.eye(1), np.eye(1), weight=1.0), LowNoise(noise, 1.0))
    assert pair.exponent == pytest.approx((1 + noise) / (2 + noise))
    assert excess <= pair.excess(budget) * (1 + 1e-6)
    assert excess > 0.4 * pair.excess(budget)


def test_hard_margin_pair_covers_an_adversary_and_is_attained():
    """One output: a fifth of the inputs, all at |s*| = margin, flipped at least cost."""
    margin, flipped = 0.7, 0.2
    error = squared_score_error(np.eye(1), np.eye(1), weight=1.0)
    pair = transfer_pair(error, HardMargin(margin))
    assert pair.excess(flipped * margin**2) == pytest.approx(flipped)
    outputs = transfer_pair(error, HardMargin(margin, n_outputs=3))
    scores = np.array([margin, 0.0, -5.0])
    moved = np.array([margin / 2, margin / 2, -5.0])
    assert outputs.excess(flipped * float(((scores - moved) ** 2).sum())) == pytest.approx(flipped)


def test_what_is_exact_and_what_is_assumed():
    known = squared_score_error(np.eye(1), np.eye(1), law_known=True)
    assert known.exact
    assert transfer_pair(known, Lipschitz(1.0)).exact
    assert not transfer_pair(known, Squared(0.5)).exact
    assert transfer_pair(known, Squared(0.5), law_known=True).exact
    guessed = squared_score_error(np.eye(1), np.eye(1))
    assert guessed.ok and not guessed.exact and not transfer_pair(guessed, Lipschitz(1.0)).exact


def test_misuse_is_named():
    one = np.eye(1)
    with pytest.raises(InputError, match="must act on the same features, got widths 1 and 2"):
        readable_head(one, np.eye(2))
    with pytest.raises(InputError, match=r"rank_tolerance must lie in \(0, 1\), got 0"):
        readable_head(one, one, rank_tolerance=0.0)
    with pytest.raises(InputError, match=r"span_tolerance must lie in \(0, 1\), got 1"):
        readable_head(one, one, span_tolerance=1.0)
    with pytest.raises(InputError, match=r"weight must lie in \(0, inf\), got 0"):
        squared_score_error(one, one, weight=0.0)
    with pytest.raises(InputError, match=r"head_radius must lie in \(0, inf\], got -1"):
        squared_score_error(one, one, head_radius=-1.0)
    with pytest.raises(InputError, match="trained_decoder must have the 1 outputs of decoder, got 2"):
        squared_score_error(one, one, head_radius=1.0, trained_decoder=np.eye(2))
    with pytest.raises(InputError, match="head has 1 values that are NaN or infinite"):
        squared_score_error(np.array([[math.nan]]), one)
    error = squared_score_error(one, one)
    for loss, name in (
        (Squared(0.0), "weight"),
        (Lipschitz(-1.0), "constant"),
        (HardMargin(0.0), "margin"),
        (HardMargin(1.0, n_outputs=0), "n_outputs"),
        (LowNoise(-1.0), "exponent"),
        (LowNoise(1.0, scale=0.0), "scale"),
    ):
        with pytest.raises(InputError, match=f"{name} must lie in"):
            transfer_pair(error, loss)
    with pytest.raises(InputError, match=r"pretraining_excess must lie in \[0, inf\], got -1"):
        TransferPair(1.0, 0.5, "squared", "0-1", ()).excess(-1.0)
