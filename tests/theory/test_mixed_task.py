"""Any mixture of groups is a task: the same answers as the named task, and agreement with simulation."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.theory import FineTuning, MixedTask, Mixture, Network, Task, simulate

NETWORK = Network(1e-3, -0.5)


@pytest.mark.parametrize("teacher", ["gaussian", "fixed"])
def test_the_groups_of_a_task_are_that_task(teacher):
    task = Task(0.1, 0.2, overlap=0.5, label_noise_std=0.3, teacher=teacher)
    named, mixed = FineTuning(task, NETWORK), FineTuning(MixedTask(task.mixture, 0.3), NETWORK)
    alpha = [0.1, 0.5, 0.9]
    np.testing.assert_array_equal(
        mixed.predict(alpha).generalization_error, named.predict(alpha).generalization_error
    )
    assert float(mixed.order) == pytest.approx(float(named.order), rel=1e-12)
    assert mixed.regime == named.regime


def test_a_mixture_no_named_task_has_agrees_with_simulation():
    mixture = Mixture(
        share=[0.05, 0.05, 0.1, 0.8],
        mean=[2.0, 0.0, 1.0, 0.0],
        variance=[0.0, 3.0, 0.5, 0.0],
        pretraining=[1.0, 0.5, 0.0, 0.0],
        name=("fixed", "random", "both", "none"),
    )
    model = FineTuning(MixedTask(mixture, label_noise_std=0.1), NETWORK)
    predicted = float(model.predict(0.4).generalization_error)
    found = simulate(model, 0.4, dimension=1000, seeds=12).estimate
    assert abs(found.value - predicted) < 4.0 * found.std_error
    assert found.std_error < 0.1 * predicted
    # Splitting off the law's mean matters: without it the prediction is another.
    flat = Mixture(mixture.share, np.zeros(4), mixture.variance, mixture.pretraining, mixture.name)
    other = float(FineTuning(MixedTask(flat, label_noise_std=0.1), NETWORK).predict(0.4).generalization_error)
    assert abs(found.value - other) > 10.0 * found.std_error


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"share": [0.5, 0.6]}, "add up to 1"),
        ({"share": [-0.1, 1.1]}, r"mixture share must lie in \[0, 1\], got -0.1"),
        ({"variance": [-1.0, 0.0]}, "mixture variance"),
        ({"mean": [np.nan, 0.0]}, "mixture mean must be finite"),
        ({"name": ("one",)}, "1 groups"),
    ],
)
def test_a_mixture_that_does_not_add_up_is_refused(change, message):
    fields = {"share": [0.2, 0.8], "mean": [1.0, 0.0], "variance": [0.0, 0.0], "pretraining": [1.0, 0.0]}
    fields |= {"name": ("a", "b")} | change
    with pytest.raises(InputError, match=message):
        Mixture(**fields)
