"""No conclusion from an encoder that is not above its own random start."""

from carryover._core.results import Estimate


def beyond_random(contrast: Estimate, *gains: Estimate, what: str) -> Estimate:
    """``contrast`` where every gain of ``what`` over the random network is above 0, else no value, with that reason.

    >>> from carryover._core.results import Estimate
    >>> found = Estimate(0.2, interval=(0.1, 0.3))
    >>> beyond_random(found, Estimate(0.1, interval=(-0.1, 0.3)), what="a probe").reason
    'a probe is not above that of its random start: 0.1 (-0.1 to 0.3)'
    """
    for gain in gains:
        if not gain.ok:
            return Estimate.missing("failed", f"{what} has no gain over its random start: {gain.reason}")
        low, high = gain.interval
        if not low > 0.0:
            said = f"{gain.value:.3g} ({low:.3g} to {high:.3g})"
            return Estimate.missing("failed", f"{what} is not above that of its random start: {said}")
    return contrast
