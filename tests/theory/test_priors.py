"""The law of coefficients: shares, energies, and each refusal with its message."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.theory import FineTuning, Mixture, Network, Task
from carryover.theory.priors import GROUP_NAMES

densities = st.tuples(st.floats(0, 1), st.floats(1e-3, 1), st.floats(0, 1)).filter(
    lambda t: t[1] * t[2] <= t[0] and t[0] + t[1] * (1 - t[2]) <= 1
)


@given(densities, st.sampled_from(["gaussian", "fixed"]), st.floats(-3, 3))
def test_groups_carry_the_densities_and_unit_energy(numbers, teacher, amplitude):
    pretrained, finetuned, overlap = numbers
    mixture = Task(pretrained, finetuned, overlap, teacher=teacher, amplitude=amplitude).mixture
    share = dict(zip(mixture.name, mixture.share, strict=True))
    assert mixture.name == GROUP_NAMES
    assert mixture.share.sum() == pytest.approx(1.0, abs=1e-12)
    assert share["shared"] + share["new"] == pytest.approx(finetuned, abs=1e-12)
    assert share["shared"] + share["pretrained only"] == pytest.approx(pretrained, abs=1e-12)
    assert share["shared"] == pytest.approx(overlap * finetuned, abs=1e-12)
    assert mixture.signal == pytest.approx(1.0, rel=1e-12)
    assert (mixture.share * mixture.pretraining**2).sum() == pytest.approx(pretrained * amplitude**2)


def test_arrays_broadcast_to_one_mixture_each():
    tasks = Task(np.array([0.1, 0.2])[:, None], 0.1, np.array([0.0, 0.5, 1.0])).mixture
    assert tasks.share.shape == (2, 3, 4)
    np.testing.assert_array_equal(tasks.share[1, 2], Task(0.2, 0.1, 1.0).mixture.share)


def test_the_teachers_differ_in_law_and_not_in_size():
    gaussian, fixed = (Task(0.1, 0.04, 0.5, teacher=law).mixture for law in ("gaussian", "fixed"))
    np.testing.assert_allclose(gaussian.variance[[0, 2]], 25.0)
    np.testing.assert_allclose(fixed.mean[[0, 2]], 5.0)
    assert not gaussian.mean.any()
    assert not fixed.variance.any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"overlap": -0.1}, r"overlap must lie in \[0, 1\], got -0.1"),
        ({"overlap": [0.5, 1.5]}, r"overlap must lie in \[0, 1\], got 1.5"),
        ({"rho_finetuning": 0.0}, r"rho_finetuning must lie in \(0, 1\], got 0"),
        ({"rho_finetuning": np.inf}, "rho_finetuning must be finite, got inf"),
        ({"rho_pretraining": 1.1}, r"rho_pretraining must lie in \[0, 1\], got 1.1"),
        ({"label_noise_std": -1.0}, r"label_noise_std must lie in \[0, inf\), got -1"),
        ({"amplitude": np.nan}, "amplitude must be finite, got nan"),
        ({"amplitude": "large"}, "amplitude must be a number, got 'large'"),
        ({"teacher": "laplace"}, r"teacher must be one of \('gaussian', 'fixed'\), got 'laplace'"),
        (
            {"rho_pretraining": 0.1, "rho_finetuning": 0.2},
            r"densities do not add up: rho_shared = overlap \* rho_finetuning "
            r"must lie in \[0, rho_pretraining\], got 0.2",
        ),
        (
            {"rho_pretraining": 0.6, "rho_finetuning": 0.5, "overlap": [1.0, 0.0]},
            r"densities do not add up: rho_pretraining \+ \(1 - overlap\) \* rho_finetuning "
            r"must lie in \[0, 1\], got 1.1",
        ),
    ],
)
def test_tasks_that_cannot_be_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Task(**arguments)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"share": [0.5, 0.6]}, "mixture share must add up to 1 over the groups, got 1.1"),
        ({"share": [1.5, -0.5]}, r"mixture share must lie in \[0, 1\], got 1.5"),
        ({"share": [1.0]}, r"mixture share must end in one axis of 2 groups, got \(1,\)"),
        ({"share": 1.0}, r"mixture share must end in one axis of 2 groups, got \(\)"),
        ({"variance": [1.0, -1.0]}, r"mixture variance must lie in \[0, inf\), got -1"),
        ({"mean": [np.nan, 0.0]}, "mixture mean must be finite, got nan"),
        ({"pretraining": [np.inf, 0.0]}, "mixture pretraining must be finite, got inf"),
    ],
)
def test_mixtures_that_cannot_be_are_refused(fields, message):
    good = {"share": [0.5, 0.5], "mean": [0.0, 0.0], "variance": [1.0, 0.0], "pretraining": [1.0, 0.0]}
    with pytest.raises(InputError, match=message):
        Mixture(**{**good, **fields}, name=("one", "other"))


def test_no_overlap_and_no_pretraining_is_one_law():
    """With no pretrained coordinate, overlap 0 is all that is left, and amplitude changes nothing."""
    errors = [
        float(
            FineTuning(Task(0.0, 0.1, 0.0, amplitude=size), Network(1e-2)).predict(0.3).generalization_error
        )
        for size in (1.0, 7.0)
    ]
    assert errors[0] == errors[1]
