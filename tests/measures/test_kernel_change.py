"""How kernels change: against the definitions, with intervals that cover what more examples give."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.measures.kernel_change import kernel_distance_estimate, kernel_growth
from carryover.measures.kernels import kernel_distance
from carryover.measures.prediction_distance import prediction_distance


def _rows(n: int, d: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng([seed, n, d]).normal(size=(n, d))


def _pair(n: int, seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kernels of features weighted before and after, and a learned function of them."""
    rows = _rows(n, 6, seed) + 3.0
    weights = np.array([1.0, 1.0, 1.0, 1.0, 4.0, 9.0])
    return (
        rows @ rows.T,
        (rows * weights) @ rows.T,
        rows @ np.array([[0.0, 0, 0, 1, 1, 1], [1, 0, 0, 0, 0, 0]]).T,
    )


def test_distance_is_that_of_the_whole_batch_and_centring_is_that_of_centred_rows():
    before, after, _ = _pair(20, 0)
    found = kernel_distance_estimate(before, after)
    assert found.value == kernel_distance(before, after).value and found.n_samples == 20
    assert 0.0 <= found.interval[0] <= found.value <= found.interval[1] <= 1.0
    centring = np.eye(20) - 1 / 20
    expected = kernel_distance(centring @ before @ centring, centring @ after @ centring).value
    assert kernel_distance_estimate(before, after, centred=True).value == pytest.approx(expected)
    assert expected > 2.0 * found.value  # the mean is most of both kernels


def test_growth_is_the_ratio_along_what_was_learned():
    before, after, learned = _pair(20, 0)
    rows = learned - learned.mean(axis=0)
    expected = sum(f @ after @ f for f in rows.T) / sum(f @ before @ f for f in rows.T)
    found = kernel_growth(before, after, learned)
    assert found.value == pytest.approx(expected) and found.interval[0] < expected < found.interval[1]
    for other in (1e200 * learned, learned + 7.0, learned @ np.array([[0.6, 0.8], [-0.8, 0.6]])):
        assert kernel_growth(before, after, other).value == pytest.approx(expected)
    assert kernel_growth(1e-200 * before, 1e-200 * after, learned).value == pytest.approx(expected)
    assert kernel_growth(before, 3.0 * before, learned).value == pytest.approx(3.0)
    assert kernel_growth(after, before, learned).value == pytest.approx(1.0 / expected)


def test_growth_does_not_see_what_all_gradients_share():
    before, after, learned = _pair(20, 0)
    whole = kernel_growth(before, after, learned).value
    assert kernel_growth(before + 5.0, after + 900.0, learned).value == pytest.approx(whole)


@pytest.mark.parametrize("name", ["growth", "distance", "predictions"])
def test_intervals_cover_what_very_many_examples_give(name):
    """95 % intervals from 60 examples, 60 draws: at least 85 % hold the value of 4,000 examples."""

    def measure(n: int, seed: int):
        before, after, learned = _pair(n, seed)
        if name == "growth":
            return kernel_growth(before, after, learned)
        if name == "distance":
            return kernel_distance_estimate(before, after)
        return prediction_distance(learned, learned + _rows(n, 2, seed))

    rows = _rows(200_000, 6, 9) + 3.0
    weights = np.array([1.0, 1.0, 1.0, 1.0, 4.0, 9.0])
    if name == "growth":
        learned = rows @ np.array([[0.0, 0, 0, 1, 1, 1], [1, 0, 0, 0, 0, 0]]).T
        cross = (learned - learned.mean(axis=0)).T @ rows
        truth = np.sum(cross**2 * weights) / np.sum(cross**2)
    elif name == "distance":
        second = rows.T @ rows / len(rows)
        scaled = second * np.sqrt(weights) * np.sqrt(weights)[:, None]
        half = np.sqrt(weights)[:, None] * second
        truth = 1.0 - np.sum(half**2) / np.linalg.norm(second) / np.linalg.norm(scaled)
    else:
        truth = 2.0 / (
            2 * (3.0 + 1.0) + 2.0
        )  # noise of variance 1 in each of two outputs of variance 3 and 1
    hits = [measure(60, seed).interval for seed in range(60)]
    assert np.mean([low <= truth <= high for low, high in hits]) >= 0.85


def test_prediction_distance_is_0_for_alike_1_for_unrelated_and_2_for_opposite():
    p, q = _rows(20_000, 3), _rows(20_000, 3, 1)
    assert prediction_distance(p, p).value == 0.0
    assert prediction_distance(p, q).value == pytest.approx(1.0, abs=0.02)
    assert prediction_distance(p, -p + 2 * p.mean(axis=0)).value == pytest.approx(2.0)
    assert prediction_distance(1e200 * p, 1e200 * q).value == pytest.approx(prediction_distance(p, q).value)


def test_prediction_distance_leaves_each_example_out_exactly():
    p, q = _rows(9, 2), _rows(9, 2, 1)

    def whole(p: np.ndarray, q: np.ndarray) -> float:
        scatter = sum(np.sum((one - one.mean(axis=0)) ** 2) for one in (p, q))
        return float(np.sum((p - q) ** 2) / scatter)

    values = np.array([whole(np.delete(p, i, 0), np.delete(q, i, 0)) for i in range(9)])
    found = prediction_distance(p, q)
    assert found.value == pytest.approx(whole(p, q))
    assert found.std_error == pytest.approx(np.sqrt(8) * values.std(ddof=1))


def test_what_cannot_be_measured_is_said():
    kernel = _pair(10, 0)[0]
    assert "no output" in kernel_growth(kernel, kernel, np.ones((10, 1))).reason
    assert kernel_growth(np.ones((10, 10)), kernel, _rows(10, 1)).status == "failed"
    assert kernel_distance_estimate(np.zeros((10, 10)), kernel).status == "failed"
    assert prediction_distance(np.ones((9, 1)), 2 * np.ones((9, 1))).status == "failed"
    spike = np.eye(9)[:, :1]
    assert "all but one" in prediction_distance(spike, spike).reason


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda k: kernel_growth(k, k[:9, :9], _rows(10, 1)), "same examples, got 10 and 9"),
        (lambda k: kernel_growth(k, k, _rows(9, 1)), "a row for each of 10 examples, got 9"),
        (lambda k: kernel_growth(k[:7, :7], k[:7, :7], _rows(7, 1)), "8 examples or more, got 7"),
        (lambda k: prediction_distance(_rows(7, 1), _rows(7, 1)), "8 examples or more, got 7"),
        (lambda k: prediction_distance(_rows(9, 1), _rows(9, 2)), r"one shape, got \(9, 1\) and \(9, 2\)"),
    ],
)
def test_misuse_is_refused(call, words):
    with pytest.raises(InputError, match=words):
        call(_pair(10, 0)[0])
