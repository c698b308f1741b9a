"""State evolution and message passing: the predicted fixed point, the finite solution, and each other."""

import numpy as np
import pytest
from theory_examples import NETWORKS

from carryover._core.errors import InputError
from carryover.theory import (
    FineTuning,
    HyperbolicEntropy,
    Network,
    Task,
    draw_task,
    interpolate,
    message_passing,
    ridge_fit,
    starting_regularization,
    state_evolution,
)

STEPS = 600
TASK = Task(0.2, 0.1, 0.5, label_noise_std=0.2)
MODELS = {
    "II": (FineTuning(TASK, NETWORKS["II"]), 0.4),
    "III": (FineTuning(TASK, NETWORKS["III"]), 0.4),
    "IV": (FineTuning(TASK, NETWORKS["IV"]), 0.4),
    "fixed": (FineTuning(Task(0.2, 0.1, 0.5, teacher="fixed"), Network(0.1)), 0.3),
    "ridge": (FineTuning(TASK, NETWORKS["II"], ridge_strength=0.01), 0.4),
    "ridge beyond one": (FineTuning(TASK, Network(0.1), ridge_strength=0.05), 1.5),
}


@pytest.mark.parametrize("name", MODELS)
def test_state_evolution_converges_to_the_prediction(name):
    model, alpha = MODELS[name]
    path, found = state_evolution(model, alpha, steps=STEPS), model.predict(alpha)
    assert path.generalization_error[-1] == pytest.approx(float(found.generalization_error), rel=1e-8, abs=0)
    assert path.effective_noise[-1] == pytest.approx(float(found.effective_noise), rel=1e-8, abs=0)
    assert path.effective_regularization[-1] == pytest.approx(
        float(found.effective_regularization), rel=1e-8, abs=0
    )


@pytest.mark.parametrize("factor", [0.3, 4.0])
def test_the_end_does_not_depend_on_the_regularization_at_the_start(factor):
    model, alpha = MODELS["II"]
    start = factor * starting_regularization(model, alpha)
    path = state_evolution(model, alpha, steps=STEPS, regularization=start)
    assert path.effective_regularization[0] == start
    assert path.generalization_error[-1] == pytest.approx(
        float(model.predict(alpha).generalization_error), rel=1e-8, abs=0
    )


def test_the_first_step_sees_the_whole_signal():
    """beta = 0: s^2 = (noise + E X^2) / alpha."""
    model, alpha = MODELS["II"]
    path = state_evolution(model, alpha, steps=1)
    assert path.effective_noise[0] == pytest.approx((0.04 + 1.0) / alpha, rel=1e-12, abs=0)
    assert path.effective_regularization[0] == starting_regularization(model, alpha)


@pytest.mark.parametrize("name", ["II", "III", "ridge", "ridge beyond one"])
def test_message_passing_ends_at_the_finite_solution(name):
    """d = 400: to 1e-8 of the Newton solution."""
    model, alpha = MODELS[name]
    task = draw_task(model, alpha, 400, np.random.default_rng(0))
    potential = HyperbolicEntropy(model.network.sqrt_k(task.pretraining))
    if model.ridge_strength:
        expected = ridge_fit(task.features, task.labels, potential, strength=model.ridge_strength)
    else:
        expected = interpolate(task.features, task.labels, potential)
    found, path = message_passing(
        task.features,
        task.labels,
        potential,
        regularization=starting_regularization(model, alpha),
        strength=model.ridge_strength,
        steps=1500,
    )
    gap = np.linalg.norm(found - expected.raise_if_failed()) / np.linalg.norm(found)
    assert gap < 1e-8
    assert np.isnan(path.generalization_error).all()


def test_message_passing_follows_state_evolution():
    """d = 4000, the first 12 steps: noise, regularisation and error within sampling error (5 %, ~ 4 / sqrt n)."""
    model, alpha = MODELS["II"]
    task = draw_task(model, alpha, 4000, np.random.default_rng(1))
    _, found = message_passing(
        task.features,
        task.labels,
        HyperbolicEntropy(model.network.sqrt_k(task.pretraining)),
        regularization=starting_regularization(model, alpha),
        steps=12,
        teacher=task.teacher,
    )
    expected = state_evolution(model, alpha, steps=12)
    signal = np.mean(task.teacher**2)  # of this draw; 1 on average
    assert signal == pytest.approx(1.0, abs=0.3)
    for name, scale in (
        ("effective_noise", signal),
        ("effective_regularization", 1.0),
        ("generalization_error", signal),
    ):
        np.testing.assert_allclose(getattr(found, name), scale * getattr(expected, name), rtol=0.12)


def test_bad_input():
    model, _ = MODELS["II"]
    with pytest.raises(InputError, match=r"alpha must lie in \(0, 1\) without ridge_strength, got 1\.5"):
        state_evolution(model, 1.5)
    with pytest.raises(InputError, match=r"alpha must lie in \(0, inf\), got 0"):
        starting_regularization(model, 0.0)
    with pytest.raises(InputError, match=r"alpha must be a single number, got an array of shape \(2,\)"):
        state_evolution(model, [0.2, 0.5])
    with pytest.raises(InputError, match="state evolution follows one task and one network, got arrays"):
        state_evolution(FineTuning(TASK, Network(np.array([0.1, 1.0]))), 0.5)
    with pytest.raises(InputError, match="starts from beta = 0: give a network with protocol='symmetrized'"):
        state_evolution(FineTuning(TASK, Network(0.1, 0.0, 0.5, "kept")), 0.5)
    potential = HyperbolicEntropy(1.0)
    with pytest.raises(
        InputError, match=r"y must have shape \(2,\), one value for each row of X, got \(3,\)"
    ):
        message_passing(np.ones((2, 5)), np.ones(3), potential, regularization=1.0)
    with pytest.raises(InputError, match=r"regularization must lie in \(0, inf\), got 0"):
        message_passing(np.ones((2, 5)), np.ones(2), potential, regularization=0.0)
