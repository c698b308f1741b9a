"""Argument checks: what they give back, and messages that name the argument, the value and the range."""

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.theory.checks import check_between, check_finite, check_number, check_samples


def test_numbers_come_back_as_doubles_of_the_same_shape():
    found = check_between("alpha", [[1, 2]], 0.0, np.inf)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, [[1.0, 2.0]])


@pytest.mark.parametrize(
    ("options", "inside", "outside", "message"),
    [
        ({}, [0.0, 1.0], 1.0000001, r"x must lie in \[0, 1\], got 1$"),
        ({}, [0.5], -2.0, r"x must lie in \[0, 1\], got -2"),
        ({"open_low": True}, [1e-300, 1.0], 0.0, r"x must lie in \(0, 1\], got 0"),
        ({"open_high": True}, [0.0, 0.999], 1.0, r"x must lie in \[0, 1\), got 1"),
    ],
)
def test_ends_belong_where_they_are_said_to(options, inside, outside, message):
    check_between("x", inside, 0.0, 1.0, **options)
    with pytest.raises(InputError, match=message):
        check_between("x", [*inside, outside], 0.0, 1.0, **options)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([1.0, np.inf], "x must be finite, got inf"),
        (np.nan, "x must be finite, got nan"),
        ("three", "x must be a number, got 'three'"),
        (None, "x must be finite, got nan"),
        ([[1.0], [1.0, 2.0]], "x must be a number, got"),
    ],
)
def test_what_is_not_a_finite_number_is_refused(value, message):
    with pytest.raises(InputError, match=message):
        check_finite("x", value)


def test_single_numbers_are_floats_and_arrays_are_refused():
    assert type(check_number("x", np.array(2), 0.0, 3.0)) is float
    with pytest.raises(InputError, match=r"x must be a single number, got an array of shape \(1,\)"):
        check_number("x", [2.0], 0.0, 3.0)
    with pytest.raises(InputError, match=r"x must lie in \(2, 3\], got 2"):
        check_number("x", 2.0, 2.0, 3.0, open_low=True)


def test_samples_come_back_as_doubles():
    matrix, values = check_samples([[1, 2]], [3])
    assert matrix.dtype == values.dtype == np.float64
    assert (matrix.shape, values.shape) == ((1, 2), (1,))
