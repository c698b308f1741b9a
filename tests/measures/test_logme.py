"""LogME against brute-force maximisation of the marginal likelihood, its invariances and its limits."""

import mpmath
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.stats import multivariate_normal

from carryover.measures.linear_scores import linear_scores
from carryover.measures.logme import logme, logme_from_moments
from carryover.measures.moments import FeatureMoments


def _task(n: int, d: int, *, offset: float = 1.0, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, n, d])
    labels = np.arange(n) % 3
    features = generator.normal(size=(n, d)) + offset
    features[:, 0] += 2.0 * labels
    return features, labels


def _brute_force(features: np.ndarray, target: np.ndarray) -> float:
    """The maximum of log N(y; 0, I / beta + F F^T / alpha) over both precisions, by search."""
    kernel = features @ features.T

    def negative(precisions: np.ndarray) -> float:
        covariance = np.eye(len(target)) * np.exp(-precisions[1]) + kernel * np.exp(-precisions[0])
        return -multivariate_normal(cov=covariance, allow_singular=False).logpdf(target)

    options = {"xatol": 1e-8, "fatol": 1e-10, "maxiter": 4000}
    return max(-minimize(negative, (a, 1.0), method="Nelder-Mead", options=options).fun for a in (0.0, 5.0))


@pytest.mark.parametrize(("n", "d", "offset"), [(30, 6, 2.0), (20, 40, 1.0), (20, 19, 0.2), (20, 20, 5.0)])
def test_evidence_is_the_largest_marginal_likelihood(n, d, offset):
    features, labels = _task(n, d, offset=offset)
    expected = [_brute_force(features, (labels == k) * 1.0) / n for k in range(3)]
    result = logme(features, labels)
    np.testing.assert_allclose(result.stats["log_evidence"], expected, atol=1e-8)
    assert result.value == pytest.approx(np.mean(expected), abs=1e-8)


@pytest.mark.parametrize(("n", "d"), [(40, 6), (25, 60)])
def test_every_term_of_the_written_formula(n, d):
    """D/2 log alpha + N/2 log beta - E(m) - 1/2 log|A| - N/2 log 2 pi, at the alpha and beta returned."""
    features, _ = _task(n, d)
    target = features[:, 0] - 0.5 * features[:, 1] + np.random.default_rng(3).normal(size=n)
    result = logme(features, target)
    alpha, beta = result.stats["alpha"][0], result.stats["beta"][0]
    precision = alpha * np.eye(d) + beta * features.T @ features
    mean = beta * np.linalg.solve(precision, features.T @ target)
    energy = 0.5 * beta * ((target - features @ mean) ** 2).sum() + 0.5 * alpha * mean @ mean
    evidence = 0.5 * d * np.log(alpha) + 0.5 * n * np.log(beta) - energy
    evidence -= 0.5 * np.linalg.slogdet(precision)[1] + 0.5 * n * np.log(2 * np.pi)
    assert result.value == pytest.approx(evidence / n, abs=1e-9)


def test_noise_wider_than_the_sample_scores_low():
    """60 examples of 3 classes, 1,024 noise features: the exact value is -.87 (released fixed points give +63.5)."""
    values = [
        logme(np.random.default_rng(s).normal(size=(60, 1024)), np.arange(60) % 3).value for s in range(5)
    ]
    assert np.mean(values) == pytest.approx(-0.87, abs=0.005)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    shape=st.sampled_from([(40, 7), (18, 40)]),
    scale=st.sampled_from([1e-8, 0.3, 1e8]),
)
def test_invariances(seed, shape, scale):
    features, labels = _task(*shape, seed=seed)
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(shape[1], shape[1])))[0]
    order, names = generator.permutation(shape[0]), generator.permutation(3)
    moved = logme((scale * features @ rotation)[order], names[labels[order]])
    assert moved.value == pytest.approx(logme(features, labels).value, abs=1e-8)


def test_scaling_a_real_target_shifts_the_evidence_by_its_logarithm():
    features, labels = _task(30, 5)
    target = features[:, 1] + labels
    assert logme(features, 10 * target).value == pytest.approx(
        logme(features, target).value - np.log(10), abs=1e-9
    )


def test_several_real_targets_are_averaged():
    features, _ = _task(30, 5)
    targets = features[:, :2] + np.random.default_rng(0).normal(size=(30, 2))
    single = [logme(features, targets[:, j]).value for j in range(2)]
    assert logme(features, targets).value == pytest.approx(np.mean(single), abs=1e-10)


@pytest.mark.parametrize(("n", "d"), [(60, 8), (15, 24)])
def test_moments_of_shards_give_the_same(n, d):
    features, labels = _task(n, d)
    parts = FeatureMoments.from_rows(features[:9], labels[:9], 3).merge(
        FeatureMoments.from_rows(features[9:], labels[9:], 3)
    )
    assert logme_from_moments(parts).value == pytest.approx(logme(features, labels).value, abs=1e-9)


def test_constant_and_duplicated_columns():
    features, labels = _task(40, 5)
    padded = np.hstack([features, np.full((40, 1), 3.0), features[:, :1]])
    expected = [_brute_force(padded, (labels == k) * 1.0) / 40 for k in range(3)]
    np.testing.assert_allclose(logme(padded, labels).stats["log_evidence"], expected, atol=1e-8)


def test_a_large_common_offset_keeps_its_digits():
    """An offset of 1e6 against 40-digit arithmetic at the returned precisions."""
    features, labels = _task(12, 3, offset=1e6)
    result = logme(features, labels)
    with mpmath.workdps(40):
        matrix, target = mpmath.matrix(features.tolist()), mpmath.matrix((labels == 0).astype(float).tolist())
        alpha, beta = (mpmath.mpf(float(result.stats[name][0])) for name in ("alpha", "beta"))
        covariance = mpmath.eye(12) / beta + matrix * matrix.T / alpha
        square = (target.T * mpmath.lu_solve(covariance, target))[0]
        evidence = -(square + mpmath.log(mpmath.det(covariance)) + 12 * mpmath.log(2 * mpmath.pi)) / 2
    assert result.stats["log_evidence"][0] == pytest.approx(float(evidence / 12), abs=1e-8)


def test_a_target_the_features_do_not_help():
    """The target is orthogonal to every feature: alpha is infinite, and the evidence that of pure noise."""
    features = np.array([[1.0], [-1.0], [1.0], [-1.0]])
    target = np.array([1.0, 1.0, -1.0, -1.0])
    result = logme(features, target)
    assert np.isinf(result.stats["alpha"][0])
    assert result.stats["n_unused"] == 1
    assert result.value == pytest.approx(-0.5 * (np.log(2 * np.pi) + 1))


@pytest.mark.parametrize(
    ("features", "targets", "reason"),
    [
        (np.full((6, 2), 0.1), np.arange(6) % 2, "every feature is constant"),
        (np.arange(12.0).reshape(6, 2), np.zeros(6, dtype=int), "same label"),
        (np.arange(6.0)[:, None] ** [1, 2], np.arange(6.0), "fit target 0 exactly"),
        (np.arange(6.0)[:, None] ** [0, 1], 2 + np.arange(6.0), "fit target 0 exactly"),
    ],
)
def test_failure_is_a_value(features, targets, reason):
    result = logme(features, targets)
    assert (result.status, result.value) == ("failed", None)
    assert reason in result.reason


def test_a_class_without_examples_fails():
    assert "target 2 is the same for every example" in logme(*_task(30, 4), n_classes=4).reason.replace(
        "3", "2"
    )


def test_linear_scores_agree_with_each_score():
    from carryover.measures.hscore import h_score
    from carryover.measures.ridge_loo import ridge_loo

    features, labels = _task(50, 7)
    scores = linear_scores(features, labels)
    assert scores["logme"].value == logme(features, labels).value
    assert scores["h_score"].value == h_score(features, labels).value
    assert scores["ridge_loo"].value == ridge_loo(features, labels).value
    real = linear_scores(features, features[:, 1] + labels, task="regression")
    assert real["h_score"].status == "not_applicable"
    assert 0.0 < real["ridge_loo"].value <= 1.0
