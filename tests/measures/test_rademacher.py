"""Rademacher complexity against enumeration of all signs, closed forms and the laws of its limits."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from carryover._core.errors import InputError
from carryover.measures.rademacher import rademacher_complexity, rademacher_complexity_from_blocks

HEADS = ("l2", "frobenius", "l1")


def _enumerate(features, head, n_outputs, radius):
    """The exact mean over all 2^(n K) signs; the inner maximum is written from the definition of a dual norm."""
    n = len(features)
    total = 0.0
    for signs in itertools.product((-1.0, 1.0), repeat=n * n_outputs):
        sums = features.T @ np.array(signs).reshape(n, n_outputs)
        total += np.abs(sums).max() if head == "l1" else np.sqrt((sums**2).sum())
    return radius * total / (n * 2 ** (n * n_outputs))


@pytest.mark.parametrize(("head", "n_outputs", "n"), [("l2", 1, 8), ("frobenius", 2, 5), ("l1", 1, 8)])
def test_agrees_with_every_sign_enumerated(head, n_outputs, n):
    features = np.random.default_rng(1).normal(size=(n, 3)) * [1.0, 3.0, 0.2]
    exact = _enumerate(features, head, n_outputs, 1.7)
    measured = rademacher_complexity(
        features,
        head=head,
        n_outputs=n_outputs,
        radius=1.7,
        n_draws=20_000,
        generator=np.random.default_rng(2),
    )
    assert abs(measured.estimate.value - exact) < 4 * measured.estimate.std_error
    assert measured.estimate.std_error < 0.01 * exact
    assert measured.lower_cap <= exact <= measured.upper_cap


def test_inner_maximum_is_attained_by_a_head_in_the_class():
    """For one sign the l1 maximum is a linear programme, and the l2 one is reached by the head along H^T s."""
    features = np.random.default_rng(3).normal(size=(6, 4))
    signs = np.array([1.0, -1, -1, 1, 1, -1])
    flipped = signs[:, None] * features
    direction = flipped.sum(0)
    best_l2 = (flipped @ direction / np.linalg.norm(direction)).sum()
    programme = linprog(-np.r_[direction, -direction], A_ub=np.ones((1, 8)), b_ub=[1.0], bounds=(0, None))
    single_row = {"n_outputs": 1, "n_draws": 2, "generator": np.random.default_rng(0)}
    # One row alone has the same maximum for both of its signs: no Monte-Carlo error.
    assert rademacher_complexity(direction[None], head="l2", **single_row).estimate.value == pytest.approx(
        best_l2
    )
    assert rademacher_complexity(direction[None], head="l1", **single_row).estimate.value == pytest.approx(
        -programme.fun
    )


@pytest.mark.parametrize(
    ("features", "ratio", "tolerance"),
    [
        (np.random.default_rng(4).normal(size=(50, 4)), 0.94, 0.015),
        (np.random.default_rng(5).normal(size=(500, 192)), 0.9985, 0.001),
        (np.outer(np.random.default_rng(6).choice([-1.0, 1.0], 400), [1.0, 2.0]), 0.798, 0.01),
    ],
    ids=["n50-d4", "isotropic", "rank-1"],
)
def test_ratio_to_the_cap(features, ratio, tolerance):
    measured = rademacher_complexity(
        features, head="l2", n_outputs=1, n_draws=8000, generator=np.random.default_rng(7)
    )
    assert measured.estimate.value / measured.upper_cap == pytest.approx(ratio, abs=tolerance)


def test_frobenius_closed_form_on_orthogonal_rows():
    """Orthogonal rows make ||H^T S||_F the same for every S: the cap is attained, K outputs give sqrt(K)."""
    features = np.diag([1.0, 2.0, 2.0])
    measured = rademacher_complexity(features, n_outputs=4, radius=3.0, generator=np.random.default_rng(0))
    assert measured.estimate.value == pytest.approx(3.0 / 3 * 2 * 3.0)
    assert measured.estimate.value == pytest.approx(measured.upper_cap)
    assert measured.estimate.std_error == pytest.approx(0, abs=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(HEADS), st.integers(0, 1000), st.floats(1e-8, 1e8))
def test_scales_with_features_and_radius(head, seed, scale):
    features = np.random.default_rng(seed).normal(size=(20, 5))

    def measure(scaled, radius):
        return rademacher_complexity(
            scaled, head=head, n_outputs=1, radius=radius, n_draws=5, generator=np.random.default_rng(seed)
        )

    plain, larger, wider = measure(features, 1.0), measure(scale * features, 1.0), measure(features, scale)
    assert larger.estimate.value == pytest.approx(scale * plain.estimate.value, rel=1e-9)
    assert wider.estimate.value == pytest.approx(scale * plain.estimate.value, rel=1e-9)
    assert larger.normalized.value == pytest.approx(plain.normalized.value, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000))
def test_rotation_changes_nothing_for_euclidean_heads(seed):
    generator = np.random.default_rng(seed)
    features = generator.normal(size=(20, 6))
    rotation = np.linalg.qr(generator.normal(size=(6, 6)))[0]
    pair = [
        rademacher_complexity(given, n_outputs=3, n_draws=4, generator=np.random.default_rng(seed))
        for given in (features, features @ rotation)
    ]
    assert pair[0].estimate.value == pytest.approx(pair[1].estimate.value, rel=1e-10)
    assert pair[0].lipschitz == pytest.approx(pair[1].lipschitz, rel=1e-8)


@pytest.mark.parametrize("head", HEADS)
def test_blocks_merge_to_the_whole(head):
    features = np.random.default_rng(8).normal(size=(300, 7))
    outputs = 3 if head == "frobenius" else 1
    whole = rademacher_complexity(
        features, head=head, n_outputs=outputs, n_draws=37, generator=np.random.default_rng(9)
    )
    blocks = (features[a:b] for a, b in [(0, 1), (1, 130), (130, 300)])
    merged = rademacher_complexity_from_blocks(
        blocks, head=head, n_outputs=outputs, n_draws=37, generator=np.random.default_rng(9)
    )
    assert merged.estimate.value == pytest.approx(whole.estimate.value, rel=1e-10)
    assert merged.upper_cap == pytest.approx(whole.upper_cap, rel=1e-10)
    assert merged.n == 300


@pytest.mark.parametrize("head", HEADS)
def test_interval_and_upper_limit_cover(head):
    """500 draws of the signs: the 95 % interval covers in at least 93 %, is no wider than 1.6 times the
    oracle's, and the distribution-free limit at 95 % is above the true mean in at least 95 %."""
    features = np.random.default_rng(10).normal(size=(12, 3)) * [3.0, 1.0, 0.3]
    truth = _enumerate(features, head, 1, 1.0)
    runs = [
        rademacher_complexity(features, head=head, n_outputs=1, n_draws=50, generator=generator)
        for generator in np.random.default_rng(11).spawn(500)
    ]
    intervals = np.array([run.estimate.interval for run in runs])
    covered = np.mean((intervals[:, 0] <= truth) & (truth <= intervals[:, 1]))
    oracle = 2 * 1.96 * np.std([run.estimate.value for run in runs])
    assert covered >= 0.93
    assert np.mean(intervals[:, 1] - intervals[:, 0]) <= 1.6 * oracle
    assert np.mean([run.upper_limit(0.95) >= truth for run in runs]) >= 0.95


def test_upper_limit_tightens_with_draws_and_stays_under_the_cap():
    features = np.random.default_rng(12).normal(size=(400, 1)) * [[1.0, 2.0]]  # rank 1: far below the cap

    def limit(n_draws, confidence):
        measured = rademacher_complexity(
            features, n_outputs=1, n_draws=n_draws, generator=np.random.default_rng(13)
        )
        return measured.upper_limit(confidence), measured

    few, measured = limit(2000, 0.95)
    many, _ = limit(20_000, 0.95)
    assert measured.estimate.value < many < few < measured.upper_cap
    assert limit(100, 1 - 1e-12)[0] == measured.upper_cap
    assert math.isclose(measured.lipschitz, np.linalg.norm(features, 2) / 400, rel_tol=1e-9)


def test_all_zero_features_have_no_scale():
    measured = rademacher_complexity(np.zeros((4, 2)), n_outputs=2, generator=np.random.default_rng(0))
    assert measured.estimate.value == 0
    assert measured.normalized.status == "not_applicable"
    assert "every feature is zero" in measured.normalized.reason


def test_same_generator_same_answer():
    features = np.random.default_rng(14).normal(size=(30, 4))
    pair = [
        rademacher_complexity(features, n_outputs=2, generator=np.random.default_rng(3)).estimate
        for _ in "ab"
    ]
    assert pair[0] == pair[1]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"n_outputs": 0}, "n_outputs must be at least 1, got 0"),
        (
            {"head": "l1", "n_outputs": 3},
            "n_outputs must be 1 for head 'l1' .use head 'frobenius' for more., got 3",
        ),
        ({"radius": 0.0}, r"radius must lie in \(0, inf\), got 0.0"),
        ({"n_draws": 1}, "n_draws must be at least 2, got 1"),
        ({"confidence": 1.0}, r"confidence must lie in \(0, 1\)"),
    ],
)
def test_misuse_is_named(changed, message):
    arguments = {"n_outputs": 1, "generator": np.random.default_rng(0)} | changed
    with pytest.raises(InputError, match=message):
        rademacher_complexity(np.ones((3, 2)), **arguments)


def test_blocks_that_do_not_fit_are_refused():
    generator = np.random.default_rng(0)
    with pytest.raises(InputError, match="blocks must share one width: got 3 after 2"):
        rademacher_complexity_from_blocks(
            [np.ones((2, 2)), np.ones((2, 3))], n_outputs=1, generator=generator
        )
    with pytest.raises(InputError, match="at least one block of features, got none"):
        rademacher_complexity_from_blocks([], n_outputs=1, generator=generator)
