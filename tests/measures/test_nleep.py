"""NLEEP against scikit-learn's own steps, its invariances, and small samples."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import entropy
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from carryover._core.errors import InputError
from carryover.measures.leep import leep
from carryover.measures.nleep import default_components, nleep


def _problem(seed, n=90, d=6):
    rng = np.random.default_rng(seed)
    labels = np.repeat(np.arange(3), n // 3)
    return rng.normal(size=(n, d)) * np.linspace(2, 0.3, d) + 4 * np.eye(d)[labels], labels


def _value(features, labels, **options):
    return nleep(features, labels, generator=np.random.default_rng(7), **options).value


@pytest.mark.parametrize("shape", [(90, 6), (30, 50)])
def test_same_steps_by_other_hands(shape):
    features, labels = _problem(0, *shape)
    rows = PCA(0.8, svd_solver="full").fit_transform(features)
    rows *= np.sign(rows[np.abs(rows).argmax(axis=0), np.arange(rows.shape[1])])
    rows /= np.sqrt((rows**2).mean())
    seed = int(np.random.default_rng(7).integers(2**31))
    mixture = GaussianMixture(
        4, covariance_type="diag", reg_covar=1e-3, init_params="k-means++", random_state=seed, max_iter=200
    )
    theta = mixture.fit(rows).predict_proba(rows)
    assert _value(features, labels, n_components=4) == pytest.approx(leep(theta, labels).value, abs=1e-9)


@settings(deadline=None, max_examples=8)
@given(st.integers(0, 2**32), st.sampled_from([1e-8, 3.0, 1e8]))
def test_invariances(seed, scale):
    features, labels = _problem(seed)
    rng = np.random.default_rng(seed)
    value = _value(features, labels)
    turn = np.linalg.qr(rng.normal(size=(6, 6)))[0]
    assert _value(scale * features @ turn + 5 * scale, labels) == pytest.approx(value, abs=1e-6)
    assert _value(features, rng.permutation(3)[labels]) == pytest.approx(value, abs=1e-9)


def test_clusters_that_are_classes_and_one_cluster():
    rng = np.random.default_rng(2)
    labels = np.repeat(np.arange(3), 30)
    apart = 100 * np.eye(3)[labels] + rng.normal(size=(90, 3))
    assert _value(apart, labels, n_components=3) == pytest.approx(0, abs=1e-6)
    assert _value(apart, labels, n_components=1) == pytest.approx(-entropy([1, 1, 1]), abs=1e-9)


def test_row_order_stays_within_the_noise_of_the_starts():
    features, labels = _problem(3)
    starts = [nleep(features, labels, generator=np.random.default_rng(s)).value for s in range(20)]
    rows = np.random.default_rng(0).permutation(90)
    moved = _value(features[rows], labels[rows])
    assert min(starts) - 0.1 <= moved <= max(starts) + 0.1


def test_components_by_default_and_degenerate_input():
    assert [default_components(n, k) for n, k in [(5000, 10), (2000, 10), (100, 60), (3, 3)]] == [
        50,
        50,
        25,
        1,
    ]
    features, labels = _problem(4)
    doubled = np.column_stack([features, features, np.zeros(90)])
    assert _value(doubled, labels) == pytest.approx(_value(features, labels), abs=1e-6)
    many = np.arange(90) % 60  # more classes than n / 2
    assert np.isfinite(_value(features, many)) and np.isfinite(_value(features[:3], labels[[0, 40, 80]]))
    constant = nleep(np.zeros((6, 2)), np.array([0, 0, 0, 1, 1, 1]), generator=np.random.default_rng(0))
    assert constant.status == "failed" and "no feature varies" in constant.reason
    with pytest.raises(InputError, match=r"n_components must lie in \[1, 90\]"):
        _value(features, labels, n_components=91)
