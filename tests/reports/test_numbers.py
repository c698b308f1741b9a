"""Numbers as text: digits the interval supports, true minus signs, no claim of certainty."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover.reports import numbers

_SUPERSCRIPTS = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")
finite = st.floats(allow_nan=False, allow_infinity=False, allow_subnormal=False)


def _back(text: str) -> float:
    """The number that a reader would take the text for."""
    mantissa, _, power = text.replace("\N{MINUS SIGN}", "-").partition(" × 10")
    return float(mantissa) * 10.0 ** int(power.translate(_SUPERSCRIPTS) or 0)


@given(finite.filter(lambda x: abs(x) < 1e300))
def test_three_significant_digits_are_within_half_a_digit(value):
    assert _back(numbers.significant(value)) == pytest.approx(value, rel=5.1e-3, abs=1e-306)


@given(st.floats(-1e4, 1e4), st.floats(1e-4, 1e3))
def test_the_value_is_within_a_twentieth_of_its_interval(value, half_width):
    estimate = {"value": value, "interval": [value - half_width, value + half_width]}
    shown = _back(numbers.plain_value(estimate))
    assert abs(shown - value) <= max(0.051 * half_width, 1e-6)


@given(st.floats(0, 1))
def test_chances_never_claim_certainty(probability):
    said = numbers.chance(probability)
    assert not re.search(r"(?<![<>\d.])(100|0)\D", said.replace("\u202f", " ")) or said[0] in "<>"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ({"value": -1.2345, "interval": [-1.3, -1.1]}, ("−1.23", "−1.30 to −1.10")),
        ({"value": 37.5, "interval": [12.0, 63.0]}, ("38", "12 to 63")),
        ({"value": -1.6e-5, "interval": [-1.7e-5, -1.5e-5]}, ("−1.60 × 10⁻⁵", "(−1.70 to −1.50) × 10⁻⁵")),
        ({"value": 0.5, "interval": None}, ("0.500", "")),
        ({"value": 0.5, "interval": [0.5, 0.5]}, ("0.500", "0.500 to 0.500")),
    ],
)
def test_values_with_intervals(value, said):
    assert (numbers.plain_value(value), numbers.plain_interval(value)) == said


def test_small_words():
    assert numbers.percent_interval({"value": 0.5, "interval": [0.4, 0.6]}) == "40.0 to 60.0\u202f%"
    assert numbers.percent_interval({"value": 0.5, "interval": None}) == ""
    assert (numbers.points(0.00001), numbers.points(-0.03)) == ("0.0 points", "−3.0 points")
    assert (numbers.duration(59.94), numbers.duration(3599.6)) == ("59.9 s", "1 h 0 min")
    assert (numbers.whole(999), numbers.whole(1_000_000)) == ("999", "1\u202f000\u202f000")
