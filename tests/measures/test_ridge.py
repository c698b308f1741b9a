"""Ridge paths against refitting without each row; invariances; failure and misuse."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.linear_model import Ridge

from carryover._core.errors import InputError
from carryover.measures.moments import FeatureMoments
from carryover.measures.ridge import fit_ridge_path, loo_from_blocks
from carryover.measures.ridge_loo import ridge_loo
from carryover.measures.spectrum import spectrum_from_rows
from carryover.measures.temperature import fit_temperature


def _task(n: int, d: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng([seed, n, d])
    labels = generator.permutation(np.arange(n) % 3)
    features = generator.normal(size=(n, d)) * np.logspace(0, 0.7, d) + 4.0
    features[:, 0] += 1.5 * labels
    return features, labels


def _refitted(features: np.ndarray, targets: np.ndarray, penalties: np.ndarray) -> np.ndarray:
    """Leave-one-out predictions (p, n, k), by fitting without each row."""
    out = np.empty((len(penalties), *targets.shape))
    for i in range(len(features)):
        rest = np.arange(len(features)) != i
        for p, penalty in enumerate(penalties):
            model = Ridge(alpha=penalty, solver="svd").fit(features[rest], targets[rest])
            out[p, i] = model.predict(features[i : i + 1])
    return out


def _degenerate(features: np.ndarray) -> np.ndarray:
    features = features.copy()
    features[:, 1], features[:, 2] = 7.1, features[:, 3]
    return features


@pytest.mark.parametrize(("n", "d"), [(60, 6), (30, 9), (14, 30), (12, 11), (12, 12)])
@pytest.mark.parametrize("degenerate", [False, True])
def test_leave_one_out_is_refitting(n, d, degenerate):
    features, labels = _task(n, d)
    features = _degenerate(features) if degenerate else features
    path = fit_ridge_path(features, labels, penalties=np.logspace(-2, 4, 7))
    expected = _refitted(features, np.eye(3)[labels], path.penalties)
    np.testing.assert_allclose(path.loo_scores, expected[path.selected], atol=1e-8)
    errors = ((expected - np.eye(3)[labels]) ** 2).sum(axis=2).mean(axis=1)
    np.testing.assert_allclose(path.loo_squared_error, errors, rtol=1e-8)
    np.testing.assert_array_equal(path.loo_accuracy, (expected.argmax(axis=2) == labels).mean(axis=1))


def test_factored_path_is_the_plain_one():
    """Many rows use a factorization of the path: exact to 1e-8 against every penalty on its own."""
    features, labels = _task(400, 20)
    path = fit_ridge_path(features, labels)
    for p, penalty in enumerate(path.penalties):
        single = fit_ridge_path(features, labels, penalties=[penalty])
        assert path.loo_squared_error[p] == pytest.approx(single.loo_squared_error[0], rel=1e-8)
        assert path.loo_accuracy[p] == single.loo_accuracy[0]


@pytest.mark.parametrize(("n", "d"), [(40, 8), (15, 40)])
def test_regression_with_several_targets(n, d):
    features, _ = _task(n, d)
    targets = features[:, :2] + np.random.default_rng(1).normal(size=(n, 2)) + 100.0
    path = fit_ridge_path(features, targets, task="regression")
    oracle = Ridge(alpha=path.penalty, solver="svd").fit(features, targets)
    np.testing.assert_allclose(path.coefficients, oracle.coef_.T, atol=1e-8)
    np.testing.assert_allclose(path.intercept, oracle.intercept_, rtol=1e-9)
    np.testing.assert_allclose(path.predict_scores(features), oracle.predict(features), rtol=1e-9)
    expected = _refitted(features, targets, path.penalties[path.selected :][:1])[0]
    np.testing.assert_allclose(path.loo_scores, expected, rtol=1e-8)
    press = ((expected - targets) ** 2).sum()
    total = ((targets - targets.mean(axis=0)) ** 2).sum()
    assert path.loo_r2[path.selected] == pytest.approx(1 - press / total, rel=1e-8)
    assert path.selected == np.argmax(path.loo_r2)


def test_degrees_of_freedom_are_the_trace_of_the_hat_matrix():
    features, labels = _task(30, 5)
    path = fit_ridge_path(features, labels, penalties=[3.0])
    hat = np.stack([Ridge(alpha=3.0).fit(features, e).predict(features) for e in np.eye(30)])
    assert path.effective_degrees_of_freedom[0] == pytest.approx(np.trace(hat), rel=1e-9)


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 1000),
    shape=st.sampled_from([(50, 7), (20, 35)]),
    scale=st.sampled_from([1e-8, 3.0, 1e8]),
    offset=st.floats(-10, 10),
)
def test_invariances(seed, shape, scale, offset):
    """Rotation, scale, translation, and the orders of rows and of classes."""
    features, labels = _task(*shape, seed=seed)
    generator = np.random.default_rng(seed)
    rotation = np.linalg.qr(generator.normal(size=(shape[1], shape[1])))[0]
    order, names = generator.permutation(shape[0]), generator.permutation(3)
    plain = fit_ridge_path(features, labels)
    moved = fit_ridge_path(((features @ rotation + offset) * scale)[order], names[labels[order]])
    np.testing.assert_allclose(moved.loo_squared_error, plain.loo_squared_error, rtol=1e-7)
    assert ridge_loo(features, labels).value == pytest.approx(
        ridge_loo(features[order] * scale, names[labels[order]]).value, abs=1e-12
    )


def test_blocks_give_the_same_path():
    features, labels = _task(70, 12)
    blocks = [(features[:25], labels[:25]), (features[25:], labels[25:])]
    moments = FeatureMoments.from_rows(*blocks[0], 3).merge(FeatureMoments.from_rows(*blocks[1], 3))
    streamed, whole = loo_from_blocks(moments, blocks), fit_ridge_path(features, labels)
    np.testing.assert_allclose(streamed.loo_scores, whole.loo_scores, atol=1e-10)
    np.testing.assert_allclose(streamed.coefficients, whole.coefficients, atol=1e-10)
    np.testing.assert_allclose(streamed.loo_accuracy, whole.loo_accuracy)
    assert streamed.temperature == pytest.approx(whole.temperature)


def test_selection_breaks_ties_by_squared_error():
    features, labels = _task(40, 5)
    path = fit_ridge_path(features, labels)
    best = path.loo_accuracy == path.loo_accuracy.max()
    assert best[path.selected]
    assert path.loo_squared_error[path.selected] == path.loo_squared_error[best].min()


def test_known_spectrum_is_used():
    features, labels = _task(40, 6)
    path = fit_ridge_path(features, labels, eigen=spectrum_from_rows(features, labels))
    np.testing.assert_array_equal(path.loo_scores, fit_ridge_path(features, labels).loo_scores)


def test_temperature_minimises_the_smoothed_log_loss():
    generator = np.random.default_rng(0)
    labels = generator.integers(0, 4, 300)
    scores = np.eye(4)[labels] * 0.3 + 0.4 * generator.normal(size=(300, 4))
    smooth = (1 - 1 / 302) * np.eye(4)[labels] + 1 / 302 / 4

    def loss(log_temperature: float) -> float:
        return float(-(smooth * log_softmax(scores / np.exp(log_temperature), axis=1)).sum())

    found = minimize_scalar(loss, bounds=(-5, 5), method="bounded", options={"xatol": 1e-10})
    assert fit_temperature(scores, labels) == pytest.approx(np.exp(found.x), rel=1e-5)


def test_temperature_is_finite_for_separated_and_useless_scores():
    labels = np.arange(30) % 3
    assert 0.0 < fit_temperature(np.eye(3)[labels], labels) < 1.0
    assert fit_temperature(-np.eye(3)[labels], labels) >= 1e5
    assert fit_temperature(np.zeros((30, 3)), labels) == 1.0


@pytest.mark.parametrize(("n", "d"), [(20, 3), (5, 9)])
def test_constant_features_fail_and_predict_the_shares(n, d):
    labels = np.arange(n) % 2
    path = fit_ridge_path(np.full((n, d), 0.1), labels)
    assert path.status == "failed"
    assert "every feature is constant" in path.reason
    np.testing.assert_allclose(path.predict_scores(np.zeros((1, d)))[0], np.bincount(labels) / n)
    result = ridge_loo(np.full((n, d), 0.1), labels)
    assert (result.status, result.value) == ("failed", None)
    assert (
        "same label" in ridge_loo(np.random.default_rng(0).normal(size=(n, d)), np.zeros(n, dtype=int)).reason
    )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: fit_ridge_path([[1.0]], [0]), "at least 2 rows to leave one out, got 1"),
        (lambda: fit_ridge_path(np.eye(3), [0, 1, 1], task="ranking"), "task must be 'classification' or"),
        (lambda: fit_ridge_path(np.eye(3), [0.5, 1, 1]), "integer class codes"),
        (lambda: fit_ridge_path(np.eye(3), [0, 1, 1], penalties=[0.0]), "finite numbers > 0"),
        (lambda: fit_ridge_path(np.eye(3), [0.0, 1, 1], task="regression", n_classes=2), "no meaning"),
        (
            lambda: fit_ridge_path(np.eye(3), [0, 1, 1]).predict_scores(np.eye(2)),
            "must have 3 columns, got 2",
        ),
        (
            lambda: fit_ridge_path(np.eye(3), [0.0, 1, 1], task="regression").predict_probabilities(
                np.eye(3)
            ),
            "task='classification'",
        ),
        (
            lambda: loo_from_blocks(FeatureMoments.from_rows(np.eye(3), [0, 1, 1]), iter([])),
            "whose __iter__ starts afresh",
        ),
        (
            lambda: loo_from_blocks(
                FeatureMoments.from_rows(np.eye(3), [0, 1, 1]), [(np.eye(3)[:2], [0, 1])]
            ),
            "must hold the 3 rows of moments, got 2",
        ),
        (
            lambda: loo_from_blocks(FeatureMoments.from_rows(np.eye(3), [0, 1, 1]), [(np.eye(2), [0, 1])]),
            "blocks must have 3 features each, got 2",
        ),
    ],
)
def test_misuse_is_named(make, message):
    with pytest.raises(InputError, match=message):
        make()
