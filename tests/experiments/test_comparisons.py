"""The rule for verdicts on planted cases, and the sentences that say them."""

import pytest

from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.experiments.comparisons import Published, compare_order, compare_value, exactly, judge


def ours(value: float, half: float) -> Estimate:
    return Estimate(value, half / 2, (value - half, value + half), n_samples=10)


@pytest.mark.parametrize(
    ("value", "half", "verdict"),
    [
        (0.91, 0.02, "agrees"),  # holds .92, reaches .02 of the .05 that matter
        (0.91, 0.20, "cannot tell"),  # holds it, but would hold .8 as well
        (0.50, 0.20, "differs"),  # wide, and still far from it
        (0.93, 0.001, "agrees"),  # surely another number, by less than what matters
        (0.99, 0.03, "differs"),  # does not hold it, and may be more than what matters away
    ],
)
def test_planted_verdicts(value, half, verdict):
    found = compare_value("AVG-2", Published("a table", 0.92), ours(value, half), matters=0.05)
    assert found.verdict == verdict
    low, high = found.difference.interval
    assert low == pytest.approx(value - half - 0.92) and high == pytest.approx(value + half - 0.92)


def test_the_verdict_moves_with_the_unit_and_not_with_the_sign():
    for difference in ((-0.01, 0.03), (-0.2, 0.3), (0.1, 0.2), (0.01, 0.02), (-0.01, 0.09)):
        verdict = judge(difference, 0.05)
        low, high = difference
        assert judge((-high, -low), 0.05) == verdict
        assert judge((1e6 * low, 1e6 * high), 5e4) == verdict


def test_what_is_published_is_known_to_its_own_rounding_only():
    rounded = Published("a summary", 0.116, uncertainty=5e-4)
    assert compare_value("x", rounded, exactly(0.1158), matters=1e-6).verdict == "cannot tell"
    assert compare_value("x", rounded, exactly(0.1158), matters=5e-4).verdict == "agrees"
    assert compare_value("x", Published("s", 0.116), exactly(0.1158), matters=1e-6).verdict == "differs"


def test_a_difference_is_said_with_its_size_and_interval():
    found = compare_value("x", Published("s", 0.9), ours(0.7, 0.1), matters=0.01)
    assert found.sentence == "Ours 0.7 (0.6 to 0.8), published 0.9: ours is 0.2 lower (-0.3 to -0.1)."


def test_orders():
    claim = Published("s", claim="above 0")
    assert compare_order("x", claim, ours(0.3, 0.1)).verdict == "agrees"
    assert compare_order("x", claim, ours(-0.3, 0.1)).verdict == "differs"
    assert compare_order("x", claim, ours(0.05, 0.1)).verdict == "cannot tell"


@pytest.mark.parametrize("compare", [compare_order, lambda *a, **k: compare_value(*a, matters=0.1, **k)])
def test_no_verdict_without_a_number_an_interval_or_a_like_protocol(compare):
    published = Published("s", 0.5, claim="above 0")
    unlike = compare("x", published, ours(0.5, 0.01), unlike="50 epochs in place of 200")
    assert (
        unlike.verdict == "not comparable" and unlike.sentence == "Not comparable: 50 epochs in place of 200."
    )
    failed = compare("x", published, Estimate.missing("failed", "seed 3: it diverged"))
    assert failed.verdict == "cannot tell" and failed.sentence == "Ours has no value: seed 3: it diverged."
    bare = compare("x", published, Estimate(0.5))
    assert bare.verdict == "cannot tell" and bare.sentence == "Ours has no interval."


def test_what_matters_must_not_be_negative():
    with pytest.raises(InputError, match=r"matters must lie in \[0.0, inf\], got -1"):
        judge((0.0, 0.0), -1.0)


@pytest.mark.parametrize(
    "compare", [compare_order, lambda *given, **why: compare_value(*given, matters=0.1, **why)]
)
def test_what_is_not_proven_has_its_number_and_no_verdict(compare):
    gain = Estimate(0.1, interval=(0.05, 0.15))
    found = compare("gap", Published("source", 0.0), gain, unproven="b does not beat its own random start")
    assert (found.verdict, found.ours, found.difference) == ("cannot tell", gain, None)
    assert found.sentence == "No conclusion: b does not beat its own random start."
