"""Kernel ridge by leave-one-out against n refits, against ridge on features, and its refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.kernel_ridge import fit_kernel_ridge_path, kernel_spectrum
from carryover.measures.ridge import fit_ridge_path
from carryover.measures.ridge_loo import ridge_loo

PENALTIES = np.logspace(-3, 2, 6)


def _rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, n, d]).normal(size=(n, d))


def _gaussian_kernel(rows: np.ndarray) -> np.ndarray:
    return np.exp(-0.5 * ((rows[:, None] - rows[None]) ** 2).sum(axis=2) / rows.shape[1])


def _refitted(kernel: np.ndarray, targets: np.ndarray, penalty: float) -> np.ndarray:
    """Leave-one-out predictions (n, k): the system (K + penalty I) a + b 1 = y, 1^T a = 0 without each row."""
    n, out = len(kernel), np.empty_like(targets)
    for i in range(n):
        rest = np.flatnonzero(np.arange(n) != i)
        system = np.ones((n, n))
        system[:-1, :-1] = kernel[np.ix_(rest, rest)] + penalty * np.eye(n - 1)
        system[-1, -1] = 0.0
        solved = np.linalg.solve(system, np.vstack([targets[rest], np.zeros(targets.shape[1])]))
        out[i] = kernel[i, rest] @ solved[:-1] + solved[-1]
    return out


@pytest.mark.parametrize("shift", [0.0, 5.0])
def test_classes_against_refits(shift):
    kernel, labels = _gaussian_kernel(_rows(24, 3)) + shift, np.arange(24) % 3
    path = fit_kernel_ridge_path(kernel, labels, penalties=PENALTIES)
    truth = np.eye(3)[labels]
    expected = np.stack([_refitted(kernel, truth, penalty) for penalty in PENALTIES])
    np.testing.assert_allclose(path.loo_scores, expected, atol=1e-9)
    errors = ((expected - truth) ** 2).sum(axis=2).mean(axis=1)
    np.testing.assert_allclose(path.loo_squared_error, errors, rtol=1e-9)
    np.testing.assert_array_equal(path.loo_accuracy, (expected.argmax(axis=2) == labels).mean(axis=1))
    assert path.selected == errors.argmin()
    assert path.penalty == PENALTIES[errors.argmin()]
    np.testing.assert_array_equal(path.scores, path.loo_scores[path.selected])
    assert path.loo_r2 is None


def test_numbers_against_refits():
    rows = _rows(20, 4)
    kernel, targets = _gaussian_kernel(rows), np.column_stack([rows[:, 0] ** 2, rows[:, 1]])
    path = fit_kernel_ridge_path(kernel, targets, task="regression", penalties=PENALTIES)
    expected = np.stack([_refitted(kernel, targets, penalty) for penalty in PENALTIES])
    np.testing.assert_allclose(path.loo_scores, expected, atol=1e-9)
    squared = ((expected - targets) ** 2).sum(axis=(1, 2))
    spread = ((targets - targets.mean(axis=0)) ** 2).sum()
    np.testing.assert_allclose(path.loo_r2, 1.0 - squared / spread, rtol=1e-9)
    assert path.loo_accuracy is None


@pytest.mark.parametrize("d", [5, 40])
def test_linear_kernel_is_ridge_on_the_features(d):
    rows, labels = _rows(30, d), np.arange(30) % 2
    ours = fit_kernel_ridge_path(rows @ rows.T, labels, penalties=PENALTIES)
    theirs = fit_ridge_path(rows, labels, penalties=PENALTIES)
    np.testing.assert_allclose(ours.loo_squared_error, theirs.loo_squared_error, rtol=1e-8)
    np.testing.assert_array_equal(ours.loo_accuracy, theirs.loo_accuracy)


def test_penalty_is_chosen_as_the_probe_chooses_it():
    rows, labels = _rows(30, 50), np.arange(30) % 2
    rows[:, 0] += 2 * labels
    path, probe = fit_kernel_ridge_path(rows @ rows.T, labels), ridge_loo(rows, labels)
    assert path.penalty == pytest.approx(probe.stats["penalty"], rel=1e-9)
    assert path.loo_accuracy[path.selected] == probe.value


@settings(max_examples=20)
@given(st.integers(0, 10_000), st.floats(1e-6, 1e6))
def test_scale_and_order_change_nothing(seed, factor):
    kernel, labels = _gaussian_kernel(_rows(15, 3, seed)), np.arange(15) % 3
    path = fit_kernel_ridge_path(kernel, labels)
    scaled = fit_kernel_ridge_path(factor * kernel, labels)
    np.testing.assert_allclose(scaled.loo_scores, path.loo_scores, atol=1e-6)
    order = np.random.default_rng(seed).permutation(15)
    moved = fit_kernel_ridge_path(kernel[np.ix_(order, order)], labels[order])
    np.testing.assert_allclose(moved.loo_scores, path.loo_scores[:, order], atol=1e-6)


def test_single_precision_kernel_is_accepted():
    rows, labels = _rows(40, 3), np.arange(40) % 2
    exact = rows @ rows.T
    path = fit_kernel_ridge_path(exact.astype(np.float32), labels)
    np.testing.assert_allclose(path.scores, fit_kernel_ridge_path(exact, labels).scores, atol=1e-4)


def test_constant_kernel_and_targets_fail_with_the_means_of_the_others():
    labels = np.array([0, 0, 0, 1, 1])
    path = fit_kernel_ridge_path(np.full((5, 5), 0.3), labels)
    assert path.status == "failed" and "same for every pair" in path.reason
    others = (np.array([3.0, 2.0]) - np.eye(2)[labels]) / 4
    np.testing.assert_allclose(path.scores, others, atol=1e-12)
    constant = fit_kernel_ridge_path(np.eye(4), np.full(4, 0.1), task="regression")
    assert constant.status == "failed" and "nothing to predict" in constant.reason


def test_spectrum_is_that_of_the_centred_rows():
    rows = _rows(12, 30)
    spectrum = kernel_spectrum(rows @ rows.T, np.arange(12) % 2, 2)
    sizes = np.linalg.svd(rows - rows.mean(axis=0), compute_uv=False)[:11] ** 2
    np.testing.assert_allclose(spectrum.eigenvalues[::-1], sizes, rtol=1e-9)


@pytest.mark.parametrize(
    ("kernel", "labels", "message"),
    [
        (np.eye(3)[:2], [0, 1], "square matrix of two or more examples, got shape \\(2, 3\\)"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), [0, 1], "symmetric, got a difference of 2"),
        (np.diag([1.0, -1.0, 0.0]), [0, 1, 1], "no negative eigenvalues"),
        (np.diag([3.0, -1.0, 0.0]), [0, 1, 1], "no negative eigenvalues"),
        (np.eye(3), [0, 1], "vector of length 3"),
    ],
)
def test_misuse_is_named(kernel, labels, message):
    with pytest.raises(InputError, match=message):
        fit_kernel_ridge_path(kernel, labels)
