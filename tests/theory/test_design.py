"""The best initialisation: no grid point beats it, the compromise's regret, sensitivities, refusals."""

from collections.abc import Iterator
from itertools import product

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.theory import Design, FineTuning, MixedTask, Network, Task, best_initialization, design
from carryover.theory.design import LOG_RANGES

SHARED = Task(0.1, 0.05, overlap=1.0, label_noise_std=0.05)
FRESH = Task(0.2, 0.3, overlap=0.0, label_noise_std=0.3)
ALPHA = 0.4


def error(task: Task, network: Network) -> np.ndarray:
    return FineTuning(task, network).predict(ALPHA).generalization_error


def coarse_grid() -> Network:
    """Five values of each scale over the decades searched, off the search's own grid."""
    scale, first, readout = np.array(
        list(product(*(np.linspace(low, high, 5) for low, high in LOG_RANGES.values())))
    ).T
    return Network(10.0**scale, np.minimum(10.0**first - 1.0, 1.0), 10.0**readout)


@pytest.fixture(scope="module", params=[1, pytest.param(4, marks=pytest.mark.slow)], autouse=True)
def refinements(request) -> Iterator[None]:
    """The search refines its four best grid points; its best one alone must do for these tasks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(design, "_STARTS", request.param)
        yield


@pytest.fixture(scope="module")
def singles(refinements) -> list[Design]:
    return [best_initialization(task, ALPHA) for task in (SHARED, FRESH)]


@pytest.fixture(scope="module")
def compromise(refinements) -> Design:
    return best_initialization([SHARED, FRESH], ALPHA)


def test_no_point_of_a_grid_is_better(singles):
    for task, found in zip((SHARED, FRESH), singles, strict=True):
        grid = error(task, coarse_grid())
        assert grid.min() >= found.errors[0] * (1 - 1e-9)
        assert grid.max() > 2 * found.errors[0]  # the choice matters


def test_errors_are_those_of_the_network_found(singles, compromise):
    for task, found in zip((SHARED, FRESH), singles, strict=True):
        np.testing.assert_allclose(found.errors, error(task, found.network), rtol=1e-9)
        np.testing.assert_array_equal(found.best_errors, found.errors)
        assert found.regret == 0.0
    both = [float(error(task, compromise.network)) for task in (SHARED, FRESH)]
    np.testing.assert_allclose(compromise.errors, both, rtol=1e-9)


def test_regret_is_the_largest_share_above_each_tasks_own_best(singles, compromise):
    own = np.array([found.errors[0] for found in singles])
    np.testing.assert_allclose(compromise.best_errors, own, rtol=1e-6)
    ratio = compromise.errors / compromise.best_errors
    assert compromise.regret == pytest.approx(ratio.max() - 1, abs=1e-12)
    assert compromise.regret > 0.01  # these two tasks disagree
    # Tasks that pull in opposite directions regret the same at the least largest regret.
    assert ratio[0] == pytest.approx(ratio[1], rel=1e-3)


def test_no_network_has_a_smaller_regret(singles, compromise):
    """Neither task's own best, nor any point of a grid."""
    best = compromise.best_errors

    def regret(network: Network) -> np.ndarray:
        both = np.stack([error(task, network) for task in (SHARED, FRESH)], axis=-1)
        return (both / best).max(axis=-1) - 1

    slack = 1e-4 * (1 + compromise.regret)
    for found in singles:
        assert regret(found.network) >= compromise.regret - slack
    assert regret(coarse_grid()).min() >= compromise.regret - slack


@pytest.mark.slow
def test_one_task_twice_is_that_task(singles):
    twice = best_initialization([FRESH, FRESH], ALPHA)
    assert twice.errors[0] == pytest.approx(singles[1].errors[0], rel=1e-4)
    assert twice.regret == pytest.approx(0.0, abs=1e-9)


def test_sensitivities_are_the_growth_of_the_worst_tasks_error(compromise):
    """log10 of the factor by which it grows as a scale is halved and doubled."""
    scale, relative = (float(x) for x in (compromise.network.scale, compromise.network.relative_scale))
    for index, factor in enumerate((0.5, 2.0)):
        for name, moved in (
            ("scale", Network(scale * factor, relative, compromise.network.readout)),
            ("relative_scale", Network(scale, (1 + relative) * factor - 1, compromise.network.readout)),
        ):
            both = np.array([float(error(task, moved)) for task in (SHARED, FRESH)])
            growth = np.log10(both / compromise.errors)
            assert growth.max() > growth.min() + 1e-3
            assert compromise.sensitivity[name][index] == pytest.approx(growth.max(), abs=1e-9)


def test_no_small_step_lowers_the_error_at_a_minimum(singles, compromise):
    for found in (*singles, compromise):
        assert set(found.sensitivity) == {"scale", "relative_scale", "readout"}
        for pair in found.sensitivity.values():
            assert min(pair) >= -1e-5


def test_scales_at_a_limit_are_named():
    """Dense and unrelated: ridge is best, and every large scale is alike."""
    found = best_initialization(Task(0.1, 0.9, overlap=0.0), ALPHA)
    scale = np.log10(float(found.network.scale))
    assert ("scale" in found.at_limit) == (min(scale + 6, 2 - scale) < 0.01)
    assert found.errors[0] == pytest.approx(0.6, rel=0.01)  # minimum norm: 1 - alpha
    assert max(abs(x) for pair in found.sensitivity.values() for x in pair) < 0.05


def test_protocol_and_mixtures_are_handed_on(singles):
    kept = best_initialization(SHARED, ALPHA, protocol="kept")
    assert kept.network.protocol == "kept"
    np.testing.assert_allclose(kept.errors, error(SHARED, kept.network), rtol=1e-9)
    mixed = best_initialization(MixedTask(FRESH.mixture, FRESH.label_noise_std), ALPHA)
    np.testing.assert_array_equal(mixed.errors, singles[1].errors)


@pytest.mark.parametrize(
    ("tasks", "alpha", "message"),
    [
        ([], 0.5, "tasks must hold at least one task, got none"),
        (SHARED, 1.0, r"alpha must lie in \(0, 1\), got 1"),
        (SHARED, 0.0, r"alpha must lie in \(0, 1\), got 0"),
        (SHARED, [0.3, 0.4], r"alpha must be a single number, got an array of shape \(2,\)"),
        (Task(0.2, np.array([0.1, 0.2])), 0.5, "tasks must have single numbers, got arrays"),
        ([SHARED, Task(label_noise_std=np.array([0.1, 0.2]))], 0.5, "tasks must have single numbers"),
    ],
)
def test_bad_input(tasks, alpha, message):
    with pytest.raises(InputError, match=message):
        best_initialization(tasks, alpha)
    with pytest.raises(InputError, match="protocol must be one of"):
        best_initialization(SHARED, 0.5, protocol="frozen")
