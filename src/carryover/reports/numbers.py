"""Numbers as people read them: percent for accuracies, as many digits as the interval supports, a true minus."""

import math
from collections.abc import Mapping
from typing import Any

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
THIN = "\N{NARROW NO-BREAK SPACE}"


def _signed(text: str) -> str:
    return text.replace("-", "\N{MINUS SIGN}")


def significant(value: float, digits: int = 3) -> str:
    """A number with ``digits`` significant digits; powers of ten below 1e-3 and from 1e5 on.

    >>> significant(1234.5), significant(0.00012345), significant(-2.5e7)
    ('1234', '1.23 × 10⁻⁴', '−2.50 × 10⁷')
    """
    if value == 0:
        return "0"
    mantissa, exponent = f"{value:.{digits - 1}e}".split("e")
    power = int(exponent)
    if power < -3 or power >= 5:
        return f"{_signed(mantissa)}{times_power(power)}"
    return _signed(f"{value:.{max(0, digits - 1 - power)}f}")


def power_of_ten(value: float) -> int:
    """The power of ten to write apart: 0 from 1e-3 to below 1e5.

    >>> power_of_ten(0.00012), power_of_ten(12.0)
    (-4, 0)
    """
    power = int(f"{value:.2e}".split("e")[1]) if value else 0
    return power if power < -3 or power >= 5 else 0


def times_power(power: int) -> str:
    """A factor as text; empty for 1.

    >>> times_power(-5), times_power(0)
    (' × 10⁻⁵', '')
    """
    return f" × 10{str(power).translate(_SUPERSCRIPTS)}" if power else ""


def decimals_for(half_width: float | None, value: float) -> int | None:
    """Decimals that show two significant digits of the uncertainty; None where a power of ten is due."""
    if not half_width or abs(value) >= 1e5 or half_width < 1e-6:
        return None
    return min(6, max(0, 1 - math.floor(math.log10(half_width))))


def plain_value(estimate: Mapping[str, Any]) -> str:
    """The value alone, with the digits its interval supports."""
    value, interval = estimate["value"], estimate["interval"]
    half_width = (interval[1] - interval[0]) / 2 if interval else None
    decimals = decimals_for(half_width, value)
    return significant(value) if decimals is None else _signed(f"{value:.{decimals}f}")


def plain_interval(estimate: Mapping[str, Any]) -> str:
    """``low to high`` with the digits of the value; empty where there is no interval."""
    if not estimate["interval"]:
        return ""
    low, high = estimate["interval"]
    decimals = decimals_for((high - low) / 2, estimate["value"])
    if decimals is None:
        power = power_of_ten(max(abs(low), abs(high)))
        if not power:
            return f"{significant(low)} to {significant(high)}"
        return f"({_signed(f'{low / 10.0**power:.2f} to {high / 10.0**power:.2f}')}){times_power(power)}"
    return _signed(f"{low:.{decimals}f} to {high:.{decimals}f}")


def percent(fraction: float, decimals: int = 1) -> str:
    """A fraction as a percentage.

    >>> percent(0.7834)
    '78.3\\u202f%'
    """
    return f"{_signed(f'{100 * fraction:.{decimals}f}')}{THIN}%"


def percent_interval(estimate: Mapping[str, Any]) -> str:
    """``low to high %``; empty where there is no interval."""
    if not estimate["interval"]:
        return ""
    low, high = estimate["interval"]
    return f"{_signed(f'{100 * low:.1f}')} to {percent(high)}"


def points(fraction: float) -> str:
    """A difference of accuracies in percentage points, with its sign.

    >>> points(0.025), points(-0.001)
    ('+2.5 points', '−0.1 points')
    """
    rounded = round(100 * fraction, 1)
    return f"{_signed(f'{rounded:+.1f}')} points" if rounded else "0.0 points"


def chance(probability: float) -> str:
    """A probability as a percentage that never claims certainty.

    >>> chance(0.93), chance(0.9999), chance(0.0)
    ('93\\u202f%', '>\\u202f99\\u202f%', '<\\u202f1\\u202f%')
    """
    if probability > 0.99:
        return f">{THIN}99{THIN}%"
    if probability < 0.01:
        return f"<{THIN}1{THIN}%"
    return percent(probability, 0)


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(3.21), duration(75), duration(7300)
    ('3.2 s', '1 min 15 s', '2 h 1 min')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def whole(count: float) -> str:
    """A count, rounded, with narrow spaces between thousands.

    >>> whole(2000), whole(31.25)
    ('2000', '31')
    """
    count = round(count)
    return f"{count:,}".replace(",", THIN) if abs(count) >= 10_000 else str(count)
