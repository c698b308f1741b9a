"""The probability of being best: sums to one, ties share, and what it says happens that often."""

import numpy as np
import pytest
from scipy.stats import norm

from carryover._core.errors import InputError
from carryover.measures.learning_curve import LearningCurve
from carryover.measures.ranking import probability_best

N_TRAIN, N_TEST, N_PARTITIONS = 100, 300, 10


def simulated_hub(
    offsets: np.ndarray, generator: np.random.Generator
) -> tuple[list[LearningCurve], np.ndarray]:
    """Paired curves of models that err where example + model x example + rows' mean effect + noise > -offset.

    All terms are Gaussian, so that the true error at all rows is Phi(offset / total standard deviation).
    """
    m, row_scale = len(offsets), 2.0
    shared = generator.standard_normal((N_TRAIN, 1))
    effects = row_scale * (0.7 * shared + 0.7 * generator.standard_normal((N_TRAIN, m)))
    example = generator.standard_normal(N_TEST)[:, None] + 0.5 * generator.standard_normal((N_TEST, m))

    def losses(rows: np.ndarray) -> np.ndarray:
        noise = 0.3 * generator.standard_normal((N_TEST, m))
        return (example + offsets + effects[rows].mean(axis=0) + noise > 0).astype(float)

    halves = np.empty((1, N_PARTITIONS, 2, N_TEST, m))
    for p in range(N_PARTITIONS):
        order = generator.permutation(N_TRAIN)
        halves[0, p, 0], halves[0, p, 1] = losses(order[: N_TRAIN // 2]), losses(order[N_TRAIN // 2 :])
    full = losses(np.arange(N_TRAIN))
    curves = [
        LearningCurve(
            task="classification",
            sizes=np.array([N_TRAIN / 2.0, float(N_TRAIN)]),
            accuracy=np.array([1 - halves[..., j].mean(), 1 - full[:, j].mean()]),
            estimates=(),
            half_losses=np.ascontiguousarray(halves[..., j]),
            full_losses=full[:, j],
        )
        for j in range(m)
    ]
    return curves, norm.cdf(offsets / (1 + 0.25 + 0.09 + row_scale**2 * 0.98 / N_TRAIN) ** 0.5)


def test_it_sums_to_one_and_a_clear_winner_wins() -> None:
    curves, _ = simulated_hub(np.array([-0.2, -1.5, -0.3]), np.random.default_rng(0))
    ranking = probability_best(curves, generator=np.random.default_rng(1))
    assert np.isclose(ranking.probability_best.sum(), 1)
    assert ranking.order[0] == 1 and ranking.probability_best[1] > 0.99


def test_exact_ties_share() -> None:
    (first, second), _ = simulated_hub(np.array([-0.8, -0.1]), np.random.default_rng(2))
    found = probability_best(
        [first, first, second, first], generator=np.random.default_rng(3)
    ).probability_best
    np.testing.assert_allclose(found[[0, 1, 3]], found[0], atol=1e-12)
    alone = probability_best([first, first], generator=np.random.default_rng(3)).probability_best
    np.testing.assert_allclose(alone, 0.5)


def test_one_model_is_the_best() -> None:
    curves, _ = simulated_hub(np.array([-0.5]), np.random.default_rng(0))
    assert probability_best(curves, generator=np.random.default_rng(0)).probability_best.tolist() == [1.0]


def test_the_order_of_models_does_not_matter() -> None:
    curves, _ = simulated_hub(np.array([-0.5, -0.55, -0.6]), np.random.default_rng(4))
    first, second = (
        probability_best(models, generator=np.random.default_rng(0), n_draws=20_000).probability_best
        for models in (curves, curves[::-1])
    )
    np.testing.assert_allclose(first, second[::-1], atol=0.02)


def test_refusals() -> None:
    with pytest.raises(InputError, match="at least one learning curve"):
        probability_best([], generator=np.random.default_rng(0))
    curves, _ = simulated_hub(np.array([-0.5, -0.5]), np.random.default_rng(0))
    other = LearningCurve(
        **{**vars(curves[1]), "full_losses": np.zeros(5), "half_losses": np.zeros((1, 2, 2, 5))}
    )
    with pytest.raises(InputError, match="curves must be paired"):
        probability_best([curves[0], other], generator=np.random.default_rng(0))


@pytest.mark.slow
def test_probabilities_are_calibrated() -> None:
    """Hubs of five models, alike or not: among cases where it says p, about p are right."""
    generator = np.random.default_rng(11)
    said, right = [], []
    for hub in range(400):
        offsets = -0.6 + (0.0, 0.05, 0.15, 0.4)[hub % 4] * generator.standard_normal(5) + 1e-6 * np.arange(5)
        curves, truth = simulated_hub(offsets, generator)
        said.append(probability_best(curves, generator=generator, n_draws=1000).probability_best)
        right.append(truth == truth.min())
    said, right = np.concatenate(said), np.concatenate(right)
    for low in np.arange(0, 1, 0.2):
        cases = (said >= low) & (said <= low + 0.2)
        gap = abs(said[cases].mean() - right[cases].mean())
        assert gap <= 0.05 + 3 * (0.25 / cases.sum()) ** 0.5, (low, gap, cases.sum())
    surely = said > 0.9
    print(said[surely].mean(), right[surely].mean(), surely.sum())
    assert right[surely].mean() > said[surely].mean() - 3 * (0.05 / surely.sum()) ** 0.5
