"""The decomposition adds up, and in a linear task whose population loss is known it says what is true."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.adaptation.decomposition import decompose

GENERATOR = np.random.default_rng(0)


def arrays(n: int = 30, t: int = 50) -> dict:
    sizes = {"train_losses": n, "test_losses": t, "best_train_losses": n, "best_test_losses": t}
    return {name: GENERATOR.exponential(size=size) for name, size in sizes.items()}


def test_the_parts_add_up_to_the_whole():
    for _ in range(5):
        losses = arrays()
        found = decompose(**losses)
        assert list(found.parts) == [
            "best_constrained",
            "misjudged_best",
            "fit_beyond_best",
            "generalization_gap",
        ]
        total = sum(part.value for part in found.parts.values())
        assert total == pytest.approx(found.whole.value, abs=1e-12)
        assert found.whole.value == pytest.approx(losses["test_losses"].mean(), abs=1e-12)
        assert found.training_loss == pytest.approx(losses["train_losses"].mean(), abs=1e-12)


def test_without_a_pool_the_best_is_bounded_and_said_so():
    losses = arrays()
    found = decompose(losses["train_losses"], losses["test_losses"])
    for name in ("best_constrained", "misjudged_best", "fit_beyond_best"):
        assert found.parts[name].status == "abstained" and "pool" in found.parts[name].reason
    gap = losses["test_losses"].mean() - losses["train_losses"].mean()
    assert found.parts["generalization_gap"].value == pytest.approx(gap, abs=1e-12)
    assert found.best_is_at_most == found.whole.interval[1]
    assert found.optimization_gap.status == "abstained"


def test_least_squares_whose_population_loss_is_known():
    """y = x w + noise: the best is w, its loss the noise's variance, and ERM fits the training labels better."""
    generator = np.random.default_rng(3)
    d, n, t, noise = 8, 40, 20_000, 0.5
    truth = generator.normal(size=d)
    train_x, test_x = generator.normal(size=(n, d)), generator.normal(size=(t, d))
    train_y, test_y = (x @ truth + noise * generator.normal(size=len(x)) for x in (train_x, test_x))
    erm = np.linalg.lstsq(train_x, train_y, rcond=None)[0]
    halfway = 0.7 * erm

    def losses(weights):
        return (train_x @ weights - train_y) ** 2, (test_x @ weights - test_y) ** 2

    best_train, best_test = losses(truth)
    for weights in (erm, halfway):
        train, test = losses(weights)
        found = decompose(
            train,
            test,
            best_train_losses=best_train,
            best_test_losses=best_test,
            longer_train_losses=losses(erm)[0],
        )
        population = noise**2 + np.sum((weights - truth) ** 2)
        assert found.whole.interval[0] <= population <= found.whole.interval[1]
        best = found.parts["best_constrained"]
        assert best.interval[0] <= noise**2 <= best.interval[1]
        gap = found.parts["generalization_gap"]
        assert gap.interval[0] <= population - train.mean() <= gap.interval[1]
        assert found.optimization_gap.value == pytest.approx(train.mean() - losses(erm)[0].mean(), abs=1e-12)
        # What is fitted beyond the best is at most the optimisation gap, for ERM at most 0.
        assert found.parts["fit_beyond_best"].value <= found.optimization_gap.value
    assert found.best_is_at_most >= noise**2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"best_test_losses": None}, "go together"),
        ({"best_train_losses": np.ones(3)}, "best_train_losses must have 30 numbers"),
        ({"longer_train_losses": np.ones(3)}, "longer_train_losses must have 30 numbers"),
        ({"train_losses": [np.nan, 1.0]}, "train_losses must be a list of finite numbers"),
        ({"test_losses": []}, "test_losses must be a list of finite numbers"),
    ],
)
def test_bad_input(changes, message):
    with pytest.raises(InputError, match=message):
        decompose(**{**arrays(), **changes})
