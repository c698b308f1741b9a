"""The disagreement certificate: exact limits, shared risk, the step from a Gibbs classifier to its head."""

import numpy as np
import pytest
from scipy.stats import binomtest

from carryover._core.errors import InputError
from carryover._core.results import Bound
from carryover.bounds.disagreement import disagreement_certificate, gibbs_disagreement
from carryover.bounds.expectation import ExpectationBound
from carryover.bounds.heads import unit_rows
from carryover.bounds.holdout import holdout_bound
from carryover.bounds.pac_bayes import pac_bayes_bound


def _reference(errors=10, n=100, confidence=0.97):
    return holdout_bound(np.arange(n) >= errors, confidence=confidence)


def _differs(count, m=200):
    return np.arange(m) < count


def test_is_the_reference_and_an_exact_limit_for_the_rest_of_the_risk():
    bound = disagreement_certificate(_differs(8), reference=_reference(), confidence=0.95)
    limit = binomtest(8, 200, alternative="less").proportion_ci(confidence_level=0.98).high
    assert bound.value == pytest.approx(_reference().value + limit, abs=1e-9)
    assert bound.value == pytest.approx(sum(bound.terms.values()))
    assert bound.terms["disagreement"] == 0.04
    assert bound.terms["reference_test_error"] == 0.1
    assert bound.value >= bound.terms["reference_test_error"] + bound.terms["disagreement"]


def test_monotone():
    def value(count=8, m=200, **options):
        return disagreement_certificate(_differs(count, m), reference=_reference(**options)).value

    assert value(4) < value(8) < value(16)
    assert value(16, 400) < value(8, 200) < value(4, 100)
    assert value(errors=5) < value() < value(errors=20)
    tight, loose = (
        disagreement_certificate(_differs(8), reference=_reference(), confidence=level).value
        for level in (0.9, 0.96)
    )
    assert tight < loose


def test_probabilities_of_disagreement_have_a_limit_above_their_mean():
    probabilities = np.random.default_rng(0).random(500) * 0.2
    bound = disagreement_certificate(probabilities, reference=_reference())
    assert bound.terms["disagreement"] == pytest.approx(probabilities.mean())
    assert 0 < bound.terms["confidence"] < 0.05


def test_a_pac_bayes_bound_passes_to_the_head_itself():
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, 3000)
    features = 1.5 * generator.normal(size=(3, 8))[labels] + generator.normal(size=(3000, 8))
    gibbs = pac_bayes_bound(features[:1000], labels[:1000], n_classes=3, confidence=0.98)
    parts = {name: gibbs.stats[name] for name in ("coefficients", "intercept", "noise_std")}
    rows = unit_rows(features[1000:])
    probabilities = gibbs_disagreement(rows, **parts)
    bound = disagreement_certificate(probabilities, reference=gibbs)
    head = np.column_stack([parts["coefficients"], parts["intercept"]])
    augmented = np.column_stack([rows, np.ones(2000)])
    mistakes = ((augmented @ head.T).argmax(axis=1) != labels[1000:]).mean()
    drawn = [
        (augmented @ (head + parts["noise_std"] * generator.normal(size=head.shape)).T).argmax(axis=1)
        for _ in range(200)
    ]
    differs = np.mean([(one != (augmented @ head.T).argmax(axis=1)).mean() for one in drawn])
    assert probabilities.mean() == pytest.approx(differs, abs=0.01)
    assert mistakes <= bound.value < 2 * gibbs.value
    assert not bound.vacuous


def test_assumptions_say_what_is_known():
    def states(**given):
        certificate = disagreement_certificate(_differs(8), reference=_reference(), **given)
        return [assumption.state for assumption in certificate.assumptions][3:]

    assert states() == ["not_checkable", "not_checkable"]
    assert states(classifiers_fixed=True) == ["not_checkable", "checked"]
    assert states(classifiers_fixed=False, groups=np.zeros(200)) == ["violated", "violated"]
    assert states(groups=np.arange(200))[0] == "not_checkable"


def test_a_missing_reference_gives_a_missing_certificate():
    missing = Bound.missing("abstained", "too few labels", 0.97)
    certificate = disagreement_certificate(_differs(8), reference=missing)
    assert certificate.status == "abstained" and certificate.value is None
    assert certificate.reason == "there is no reference bound: too few labels"


def test_misuse_is_named():
    with pytest.raises(InputError, match=r"disagreement must lie in \[0, 1\], got -0.5 in row 1"):
        disagreement_certificate(np.array([0.2, -0.5]), reference=_reference())
    with pytest.raises(InputError, match=r"disagreement must lie in \[0, 1\], got nan in row 0"):
        disagreement_certificate(np.array([np.nan]), reference=_reference())
    with pytest.raises(InputError, match=r"disagreement must be a non-empty vector, got shape \(0,\)"):
        disagreement_certificate(np.array([]), reference=_reference())
    with pytest.raises(InputError, match=r"confidence must be above 0.95, .* got 0.95"):
        disagreement_certificate(_differs(8), reference=_reference(confidence=0.95))
    with pytest.raises(InputError, match=r"confidence must lie in \(0, 1\), got 1.0"):
        disagreement_certificate(_differs(8), reference=_reference(), confidence=1.0)
    with pytest.raises(InputError, match="groups must have one entry for each of the 200 rows, got 3"):
        disagreement_certificate(_differs(8), reference=_reference(), groups=np.arange(3))
    in_expectation = ExpectationBound(0.5, {"a": 0.5}, 3, "expected error rate", False)
    with pytest.raises(
        InputError, match="reference must be a Bound at a confidence level, got an ExpectationBound"
    ):
        disagreement_certificate(_differs(8), reference=in_expectation)
