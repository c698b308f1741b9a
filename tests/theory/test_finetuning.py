"""Predictions: closed forms, the ridge limit, groups and forgetting, broadcasting, statuses and refusals."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from theory_examples import NETWORKS

from carryover._core.errors import InputError
from carryover.theory import FineTuning, Network, Task, order, pretraining_dependence, ridgeless_error

NOISY = Task(0.2, 0.1, 0.5, label_noise_std=0.5)


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_from_alpha_one_on_the_error_is_that_of_least_squares(network):
    alpha = np.array([1.0, 1.0001, 1.5, 20.0])
    clean = FineTuning(Task(), network).predict(alpha)
    np.testing.assert_array_equal(clean.generalization_error, 0.0)
    assert (clean.status == "ok").all()
    noisy = FineTuning(NOISY, network).predict(alpha)
    np.testing.assert_allclose(noisy.generalization_error[1:], ridgeless_error(alpha[1:], 0.25), rtol=1e-14)


def test_as_many_samples_as_dimensions_with_noise_is_a_status():
    found = FineTuning(NOISY, Network()).predict(np.array([0.5, 1.0, 2.0]))
    assert list(found.status) == ["ok", "failed", "ok"]
    assert found.reason[1].startswith("alpha = 1 with label noise")
    assert list(found.reason[[0, 2]]) == ["", ""]
    assert list(np.isnan(found.generalization_error)) == [False, True, False]


def test_error_grows_without_bound_towards_alpha_one():
    """Like noise / (1 - alpha), for any potential."""
    gaps = np.array([1e-2, 1e-3])
    errors = FineTuning(NOISY, Network(1e-3)).predict(1 - gaps).generalization_error
    assert errors[1] / errors[0] == pytest.approx(10.0, rel=0.1, abs=0)


def test_a_strength_lifts_the_limit_at_alpha_one():
    found = FineTuning(NOISY, Network(), ridge_strength=0.1).predict(np.array([0.5, 1.0, 2.0]))
    assert (found.status == "ok").all()
    assert (found.generalization_error > 0).all()


@pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)
def test_ridge_of_strength_tending_to_0_is_the_interpolator(network):
    """The difference falls in proportion to the strength."""
    alpha = np.array([0.1, 0.6])
    limit = FineTuning(NOISY, network).predict(alpha).generalization_error
    unit = float(network.sqrt_k(0.0))
    gaps = []
    for strength in (1e-3 * unit, 1e-5 * unit, 1e-10 * unit):
        found = FineTuning(NOISY, network, ridge_strength=strength).predict(alpha).generalization_error
        gaps.append(np.abs(found / limit - 1))
    assert (gaps[0] > 0).all()
    assert (gaps[1] < 0.02 * gaps[0]).all()
    assert (gaps[2] < 1e-8).all()


def test_ridge_of_endless_strength_predicts_nothing():
    """The error tends to the signal, 1 per coordinate, also where the noise is far larger."""
    task = Task(0.2, 0.1, 0.5, label_noise_std=1e3)
    found = FineTuning(task, Network(1e-3, 0.0, 10.0), ridge_strength=1e15).predict(0.5)
    assert found.generalization_error == pytest.approx(1.0, rel=1e-4, abs=0)


def test_least_squares_is_the_ridge_of_no_strength_beyond_alpha_one():
    limit = FineTuning(NOISY, Network()).predict(2.0).generalization_error
    found = FineTuning(NOISY, Network(), ridge_strength=1e-9).predict(2.0).generalization_error
    assert found == pytest.approx(float(limit), rel=1e-6, abs=0)


@settings(max_examples=25)
@given(st.floats(0.02, 0.98), st.floats(0, 1), st.sampled_from(list(NETWORKS.values())), st.booleans())
def test_groups_add_up_to_the_prediction(alpha, overlap, network, noisy):
    task = Task(0.2, 0.1, overlap, label_noise_std=0.3 * noisy, teacher="fixed" if noisy else "gaussian")
    model = FineTuning(task, network)
    groups = model.by_group(alpha)
    assert np.nansum(groups.share * groups.error) == pytest.approx(
        float(model.predict(alpha).generalization_error), rel=1e-8, abs=0
    )


def test_groups_without_a_new_coefficient_forget_what_they_err():
    """Where teacher and pretraining agree (0, or both the fixed size), forgetting is the error."""
    size = 0.1**-0.5
    model = FineTuning(Task(0.2, 0.1, 0.5, teacher="fixed", amplitude=size), Network(1e-2))
    groups = model.by_group(np.array([0.1, 0.6]))
    for name in ("shared", "neither"):
        column = groups.name.index(name)
        np.testing.assert_allclose(groups.forgetting[:, column], groups.error[:, column], rtol=1e-10)


def test_a_reset_network_with_next_to_no_samples_forgets_everything():
    """beta = 0 then: forgetting is amplitude^2 on pretrained coordinates and 0 elsewhere."""
    task = Task(0.3, 0.1, 0.5, amplitude=2.0)
    found = FineTuning(task, Network(1.0)).by_group(1e-5)
    np.testing.assert_allclose(found.forgetting, [4.0, 4.0, 0.0, 0.0], atol=1e-3)


def test_weights_that_are_kept_forget_nothing_at_first():
    """Without samples a kept network stays at its start (gamma / sqrt 2) (w+ - w-)."""
    network = Network(0.5, 0.0, 0.8, "kept")
    found = FineTuning(Task(0.3, 0.1, 0.5), network).by_group(1e-6)
    start = float(network.start(1.0))
    assert start > 0.3
    np.testing.assert_allclose(found.forgetting[:2], (start - 1.0) ** 2, atol=1e-3)


def test_arrays_broadcast_and_equal_their_parts():
    alpha = np.array([0.1, 0.4, 1.5])
    overlap, scale = np.array([0.0, 1.0])[:, None], np.array([1e-3, 1.0, 10.0])[:, None, None]
    found = FineTuning(Task(0.2, 0.1, overlap, 0.1), Network(scale)).predict(alpha)
    assert found.generalization_error.shape == found.status.shape == (3, 2, 3)
    groups = FineTuning(Task(0.2, 0.1, overlap, 0.1), Network(scale)).by_group(alpha[:2])
    assert groups.error.shape == groups.forgetting.shape == groups.share.shape == (3, 2, 2, 4)
    for i in range(3):
        for j in range(2):
            single = FineTuning(Task(0.2, 0.1, overlap[j, 0], 0.1), Network(scale[i, 0, 0]))
            np.testing.assert_allclose(
                found.generalization_error[i, j], single.predict(alpha).generalization_error, rtol=1e-10
            )
            np.testing.assert_allclose(groups.error[i, j], single.by_group(alpha[:2]).error, rtol=1e-8)


def test_a_large_batch_is_solved_in_parts_that_do_not_show():
    alpha = np.linspace(0.01, 0.99, 700)
    model = FineTuning(Task(0.2, 0.1, 0.5), NETWORKS["IV"])
    whole = model.predict(alpha).generalization_error
    np.testing.assert_allclose(
        whole[::70], [float(model.predict(a).generalization_error) for a in alpha[::70]], rtol=1e-10
    )


def test_order_and_dependence_are_those_of_a_typical_coefficient():
    task, network = Task(0.2, 0.05, 1.0, amplitude=2.0), Network(1e-2, -0.5)
    model = FineTuning(task, network)
    assert model.order == order(0.05**-0.5, network.sqrt_k(2.0))
    assert model.pretraining_dependence == pretraining_dependence(0.05**-0.5, 2.0, network)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: FineTuning(Task(), Network()).predict(0.0), r"alpha must lie in \(0, inf\), got 0"),
        (lambda: FineTuning(Task(), Network()).predict([0.5, -1]), r"alpha must lie in \(0, inf\), got -1"),
        (lambda: FineTuning(Task(), Network()).predict(np.nan), "alpha must be finite, got nan"),
        (lambda: FineTuning(Task(), Network()).by_group(-0.5), r"alpha must lie in \(0, inf\), got -0.5"),
        (
            lambda: FineTuning(Task(), Network()).by_group([0.5, 1.5]),
            r"alpha must lie in \(0, 1\) without ridge_strength, got 1.5",
        ),
        (
            lambda: FineTuning(Task(), Network(), ridge_strength=[0.1, 1.0]),
            r"ridge_strength must be a single number, got an array of shape \(2,\)",
        ),
        (
            lambda: FineTuning(Task(), Network(), pretraining_alpha=np.array([0.1, 1.0])),
            "pretraining_alpha must be a single number, got an array",
        ),
        (lambda: FineTuning(Task(), Network(), -1.0), r"ridge_strength must lie in \[0, inf\), got -1"),
        (
            lambda: FineTuning(Task(), Network(), pretraining_alpha=0.0),
            r"pretraining_alpha must lie in \(0, inf\], got 0.0",
        ),
        (
            lambda: FineTuning(Task(), Network(), pretraining_alpha=np.nan),
            r"pretraining_alpha must lie in \(0, inf\], got nan",
        ),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(InputError, match=message):
        call()
