"""Joint fine-tuning: what one step does by hand, that the given encoder stays, and that separable tasks are learned."""

import numpy as np
import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.experiments.entries.dhzm.joint_finetuning import (
    JointExamples,
    TuneSpec,
    encoded,
    fine_tune,
    joint_errors,
)
from carryover.objectives.denoising import DenoisingAutoencoder


@pytest.fixture
def objective():
    torch.manual_seed(0)
    return DenoisingAutoencoder(nn.Sequential(nn.Flatten(), nn.Linear(16, 6)), nn.Identity())


@pytest.fixture(scope="module")
def examples():
    """Brightness of the upper and of the left half are the classes of two tasks."""
    generator = np.random.default_rng(0)
    targets = {"upper": generator.integers(0, 2, 60), "left": generator.integers(0, 2, 60)}
    images = generator.integers(0, 40, (60, 4, 4))
    images[:, :2] += 100 * targets["upper"][:, None, None]
    images[:, :, :2] += 100 * targets["left"][:, None, None]
    return JointExamples(images.astype(np.uint8), targets)


CLASSES = {"upper": 2, "left": 2}


def test_separable_tasks_are_learned_together_and_the_given_encoder_stays(objective, examples):
    before = {name: value.clone() for name, value in objective.state_dict().items()}
    network = fine_tune(objective, examples, CLASSES, spec=TuneSpec(steps=150, learning_rate=0.05), seed=0)
    assert joint_errors(network, examples) == {"upper": 0.0, "left": 0.0}
    assert all(torch.equal(value, before[name]) for name, value in objective.state_dict().items())
    assert not np.allclose(encoded(network.objective, examples.images), encoded(objective, examples.images))


def test_the_gradient_is_that_of_the_summed_cross_entropies(objective, examples):
    """The first step of AdamW moves a weight by the rate times the gradient's sign; the last has the rate 0."""
    rate = 0.01
    network = fine_tune(
        objective, examples, CLASSES, spec=TuneSpec(steps=2, batch_size=60, learning_rate=rate), seed=0
    )
    features = encoded(objective, examples.images)
    for task, codes in examples.targets.items():
        wanted = np.eye(2)[codes] - 0.5  # minus the gradient of the cross-entropy at scores of 0
        step = rate * np.sign(wanted.T @ features)
        np.testing.assert_allclose(network.heads[task].weight.detach().numpy(), step, atol=1e-4)


def test_one_task_alone_gives_one_head_and_repeats(objective, examples):
    spec = TuneSpec(steps=5)
    first, second = (
        fine_tune(objective, examples.only("left"), CLASSES, spec=spec, seed=3) for _ in range(2)
    )
    assert list(first.heads) == ["left"] and list(joint_errors(first, examples)) == ["left"]
    np.testing.assert_array_equal(
        encoded(first.objective, examples.images), encoded(second.objective, examples.images)
    )
    other = fine_tune(objective, examples.only("left"), CLASSES, spec=spec, seed=4)
    assert not torch.equal(other.heads["left"].weight, first.heads["left"].weight)


def test_errors_are_counted_by_hand(objective, examples):
    network = fine_tune(objective, examples, CLASSES, spec=TuneSpec(steps=2), seed=0)
    scores = network(torch.from_numpy(examples.images)[:, None].float() / 255.0)
    for task, error in joint_errors(network, examples).items():
        right = sum(
            int(row.argmax()) == code for row, code in zip(scores[task], examples.targets[task], strict=True)
        )
        assert error == pytest.approx(1.0 - right / 60)


def test_no_task_is_refused(objective, examples):
    with pytest.raises(InputError, match="there is no task to fine-tune on: targets are empty"):
        fine_tune(objective, JointExamples(examples.images, {}), CLASSES, spec=TuneSpec(), seed=0)
