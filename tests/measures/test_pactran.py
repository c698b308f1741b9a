"""PACTran-Gaussian against scikit-learn's head, a Hessian by differences, and a search over posteriors."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from sklearn.linear_model import LogisticRegression

from carryover._core.errors import InputError
from carryover.measures.pactran import pactran


def _problem(seed, n=60, d=4):
    rng = np.random.default_rng(seed)
    labels = np.concatenate([np.arange(3), rng.choice(3, n - 3, p=[0.5, 0.3, 0.2])])
    return rng.normal(size=(n, d)) * np.arange(1, d + 1) + labels[:, None], labels


def _reference(features, labels):
    """The bound at its best posterior scale, found by search, with the trace by central differences."""
    n, d = features.shape
    z = features - features.mean(axis=0)
    z /= np.sqrt((z**2).mean())
    head = LogisticRegression(C=1.0, tol=1e-10, max_iter=10_000).fit(z, labels)
    weights, intercept = head.coef_.T, head.intercept_

    def loss(w):
        logits = z @ w + intercept
        log_p = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
        return -log_p[np.arange(n), labels].mean()

    trace, step = 0.0, 1e-4
    for j in np.ndindex(weights.shape):
        change = np.zeros_like(weights)
        change[j] = step
        trace += (loss(weights + change) - 2 * loss(weights) + loss(weights - change)) / step**2
    m, prior, beta = weights.size, 100 / d, n * d / 100

    def bound(log_variance):
        v = np.exp(log_variance)
        kl = 0.5 * (m * v / prior - m + (weights**2).sum() / prior + m * np.log(prior / v))
        return loss(weights) + 0.5 * v * trace + kl / beta

    return -minimize_scalar(bound, bounds=(-20, 10), method="bounded", options={"xatol": 1e-8}).fun


@pytest.mark.parametrize("shape", [(60, 4), (20, 30)])
def test_search_over_posteriors(shape):
    features, labels = _problem(0, *shape)
    assert pactran(features, labels).value == pytest.approx(_reference(features, labels), rel=2e-5)


@settings(deadline=None, max_examples=10)
@given(st.integers(0, 2**32), st.sampled_from([1e-8, 3.0, 1e8]))
def test_invariances(seed, scale):
    features, labels = _problem(seed)
    rng = np.random.default_rng(seed)
    value = pactran(features, labels).value
    turn = np.linalg.qr(rng.normal(size=(4, 4)))[0]
    rows, names = rng.permutation(60), rng.permutation(3)
    assert pactran(scale * features @ turn + 7 * scale, labels).value == pytest.approx(value, rel=1e-4)
    assert pactran(features[rows], names[labels[rows]]).value == pytest.approx(value, rel=1e-4)


def test_better_separated_classes_score_higher():
    noise = np.random.default_rng(1).normal(size=(90, 5))
    labels = np.repeat(np.arange(3), 30)
    values = [pactran(noise + gap * np.eye(5)[labels], labels).value for gap in (0.0, 2.0, 6.0)]
    assert values[0] < values[1] < values[2] < 0


def test_constants_of_a_larger_sample():
    features, labels = _problem(2)
    doubled = np.concatenate([features, features]), np.concatenate([labels, labels])
    assert pactran(*doubled).value == pytest.approx(
        pactran(features, labels, n_constants=120).value, rel=1e-5
    )


def test_degenerate_input():
    features, labels = _problem(3)
    constant = pactran(np.ones((60, 3)), labels)
    assert constant.status == "failed" and "no feature varies" in constant.reason
    alone = np.where(np.arange(60) == 7, 3, labels)
    assert np.isfinite(pactran(features, alone).value)
    assert np.isfinite(pactran(features[:3], np.array([0, 1, 2])).value)
    with pytest.raises(InputError, match="penalty must lie in"):
        pactran(features, labels, penalty=0.0)
    with pytest.raises(InputError, match="prior_logit_variance must lie in"):
        pactran(features, labels, prior_logit_variance=-1.0)
