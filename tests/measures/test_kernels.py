"""Kernel distance and alignment: known values, invariances, failures and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.measures.kernels import kernel_distance, kernel_target_alignment


def _kernel(n: int, d: int, seed: int = 0) -> np.ndarray:
    rows = np.random.default_rng([seed, n, d]).normal(size=(n, d))
    return rows @ rows.T


def test_distance_is_the_definition_entry_by_entry():
    first, second = _kernel(5, 3), _kernel(5, 4)
    inner = sum(first[i, j] * second[i, j] for i in range(5) for j in range(5))
    sizes = [sum(one[i, j] ** 2 for i in range(5) for j in range(5)) ** 0.5 for one in (first, second)]
    assert kernel_distance(first, second).value == pytest.approx(1 - inner / (sizes[0] * sizes[1]), abs=1e-12)


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(1e-150, 1e150))
def test_distance_ignores_scale_and_rotation_and_is_symmetric(seed, factor):
    first, second = _kernel(6, 3, seed), _kernel(6, 5, seed + 1)
    value = kernel_distance(first, second).value
    assert 0.0 < value < 1.0
    assert kernel_distance(factor * first, second).value == pytest.approx(value, abs=1e-12)
    assert kernel_distance(second, first).value == pytest.approx(value, abs=1e-12)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(6, 6)))[0]
    turned = kernel_distance(turn @ first @ turn.T, turn @ second @ turn.T).value
    assert turned == pytest.approx(value, abs=1e-10)
    assert kernel_distance(first, factor * first).value < 1e-12


def test_alignment_of_the_target_kernel_itself_is_one():
    labels = np.array([0, 1, 2, 0, 1, 2, 2])
    ideal = np.eye(3)[labels] @ np.eye(3)[labels].T
    assert kernel_target_alignment(2.0 * ideal + 7.0, labels).value == pytest.approx(1.0, abs=1e-12)


def test_alignment_is_the_definition_with_centring_matrices():
    kernel, labels = _kernel(8, 3), np.array([0, 1, 2, 0, 1, 2, 2, 1])
    centring, codes = np.eye(8) - 1 / 8, np.eye(3)[labels]
    parts = [centring @ one @ centring for one in (kernel, codes @ codes.T)]
    expected = np.trace(parts[0] @ parts[1]) / np.prod([np.linalg.norm(part) for part in parts])
    assert kernel_target_alignment(kernel, labels).value == pytest.approx(expected, abs=1e-12)


def test_alignment_with_two_classes_is_that_of_signs():
    kernel, labels = _kernel(9, 4), np.array([0, 1, 1, 0, 1, 1, 0, 1, 0])
    signs = 2.0 * labels - 1.0
    by_signs = kernel_target_alignment(kernel, 1e200 * signs, task="regression").value
    assert kernel_target_alignment(kernel, labels).value == pytest.approx(by_signs, abs=1e-12)


def test_alignment_ignores_constants_scale_and_names_of_classes():
    kernel, labels = _kernel(9, 4), np.array([0, 1, 2, 0, 1, 2, 0, 1, 2])
    value = kernel_target_alignment(kernel, labels).value
    assert kernel_target_alignment(1e3 * kernel + 50.0, labels).value == pytest.approx(value, abs=1e-9)
    assert kernel_target_alignment(kernel, (labels + 1) % 3).value == pytest.approx(value, abs=1e-12)


def test_what_has_no_direction_fails():
    assert kernel_distance(np.zeros((2, 2)), np.eye(2)).status == "failed"
    constant = kernel_target_alignment(np.full((4, 4), 0.1), [0, 1, 0, 1])
    assert constant.status == "failed" and "same for every pair" in constant.reason
    one_class = kernel_target_alignment(np.eye(3), [0, 0, 0])
    assert one_class.status == "failed" and "nothing to predict" in one_class.reason


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (np.eye(2), np.eye(3), "same examples, got 2 and 3 rows"),
        (
            np.eye(2),
            np.array([[1.0, np.nan], [0.0, 1.0]]),
            "after has values that are NaN or infinite, the first in row 0",
        ),
        (np.array([["a", "b"], ["c", "d"]]), np.eye(2), "before must be real numbers"),
        (np.ones(4), np.eye(2), "before must be a square matrix"),
        (np.array([[1.0, 0.5], [0.4, 1.0]]), np.eye(2), "before must be symmetric"),
    ],
)
def test_misuse_is_named(before, after, message):
    with pytest.raises(InputError, match=message):
        kernel_distance(before, after)
