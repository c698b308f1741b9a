"""Imperfect pretraining: its own fixed point, the perfect limit, groups, and finite tasks."""

import numpy as np
import pytest
from theory_examples import NETWORKS

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.theory import FineTuning, Network, Task, draw_task, replica, solve_task
from carryover.theory.imperfect import finetuning_law

TASK = Task(0.2, 0.1, 0.5, label_noise_std=0.2)


def test_enough_samples_are_perfect_pretraining():
    perfect = FineTuning(TASK, NETWORKS["II"]).predict(0.3).generalization_error
    for enough in (1.0, 1.5, np.inf):
        found = FineTuning(TASK, NETWORKS["II"], pretraining_alpha=enough).predict(0.3)
        assert found.generalization_error == perfect


@pytest.mark.parametrize("network", [NETWORKS["II"], NETWORKS["IV"], Network(1.0)], ids=["II", "IV", "wide"])
def test_one_sample_for_each_dimension_is_the_limit(network):
    perfect = float(FineTuning(TASK, network).predict(0.3).generalization_error)
    gaps = [
        abs(
            float(FineTuning(TASK, network, pretraining_alpha=a).predict(0.3).generalization_error) / perfect
            - 1
        )
        for a in (0.5, 0.99, 0.99999)
    ]
    assert gaps[0] > gaps[1] > gaps[2]
    assert gaps[2] < 1e-4


@pytest.mark.parametrize(("scale", "alpha"), [(1e-8, 0.4), (1e-3, 0.1), (1e-3, 0.4), (0.3, 0.5)])
def test_what_is_learned_has_the_error_of_pretraining_itself(scale, alpha):
    """Pretraining is fine-tuning from nothing with sqrt k = 2 c: on fixed coefficients both are one problem."""
    rho = 0.2
    size = rho**-0.5
    mixture, target = finetuning_law(Task(rho, 0.1, 0.5, amplitude=size), Network(scale), alpha)
    scratch = FineTuning(Task(0.0, rho, 0.0, teacher="fixed"), Network(scale / 2))
    assert scratch.network.sqrt_k(0.0) == pytest.approx(2 * scale)
    expected = float(scratch.predict(alpha).generalization_error)
    found = (mixture.share * (mixture.pretraining - target) ** 2).sum()
    assert found == pytest.approx(expected, rel=1e-9, abs=0)


def test_splitting_leaves_shares_and_the_finetuning_law_as_they_were():
    whole, split = TASK.mixture, finetuning_law(TASK, Network(0.1), 0.3)[0]
    for i, name in enumerate(whole.name):
        rows = np.array(split.name) == name
        assert split.share[rows].sum() == pytest.approx(whole.share[i], rel=1e-12, abs=0)
        assert (split.mean[rows] == whole.mean[i]).all()
        assert (split.variance[rows] == whole.variance[i]).all()


@pytest.mark.parametrize("network", [NETWORKS["II"], Network(0.3, -0.5, 0.2, "kept")], ids=["II", "kept"])
def test_groups_add_up_and_keep_their_names(network):
    model = FineTuning(TASK, network, pretraining_alpha=0.3)
    groups = model.by_group(np.array([0.2, 0.5]))
    assert groups.name == TASK.mixture.name
    np.testing.assert_allclose(groups.share, np.tile(TASK.mixture.share, (2, 1)), rtol=1e-12)
    total = (groups.share * groups.error).sum(axis=1)
    np.testing.assert_allclose(total, model.predict(np.array([0.2, 0.5])).generalization_error, rtol=1e-8)


@pytest.mark.parametrize("protocol", ["symmetrized", "kept"])
@pytest.mark.parametrize("pretraining_alpha", [np.inf, 0.3])
def test_errors_and_forgetting_by_group_agree_with_finite_tasks(protocol, pretraining_alpha):
    """d = 500, 12 tasks: within 4 standard errors and 3 %, for every group."""
    network = Network(0.05, -0.2, 0.3, protocol)
    model = FineTuning(TASK, network, pretraining_alpha=pretraining_alpha)
    alpha, rows = 0.4, []
    for seed in range(12):
        generator = derive_generator(seed, "forgetting", protocol, str(pretraining_alpha))
        task = draw_task(model, alpha, 500, generator)
        found = solve_task(model, task, generator)
        size = np.bincount(task.group, minlength=4)
        rows.append(
            [
                np.bincount(task.group, (found - goal) ** 2, minlength=4) / size
                for goal in (task.teacher, task.pretraining)
            ]
        )
    predicted = model.by_group(alpha)
    simulated = np.array(rows)
    slack = 4 * simulated.std(axis=0, ddof=1) / np.sqrt(len(rows))
    for kind, expected in enumerate((predicted.error, predicted.forgetting)):
        assert (np.abs(simulated[:, kind].mean(axis=0) - expected) <= slack[kind] + 0.03 * expected).all()


@pytest.mark.parametrize("model", [(Task(0.2, np.array([0.1, 0.2]), 0.5), Network()),
                                   (TASK, Network(np.array([1e-3, 1.0])))])  # fmt: skip
def test_arrays_are_refused(model):
    with pytest.raises(
        InputError, match="pretraining_alpha < 1 needs a task and a network of single numbers"
    ):
        FineTuning(*model, pretraining_alpha=0.5).predict(0.3)


def test_pretraining_that_is_not_solved_is_refused(monkeypatch):
    monkeypatch.setattr(replica, "_STEPS", 2)
    with pytest.raises(InputError, match=r"pretraining_alpha = 0\.5: the equations of pretraining itself"):
        FineTuning(TASK, Network(), pretraining_alpha=0.5).predict(0.3)
