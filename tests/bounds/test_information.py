"""CMI bounds: never below the test error their runs show, ordered, with a null beside them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.bounds.expectation import ExpectationBound
from carryover.bounds.information import loss_difference_cmi_bound, prediction_cmi_bound

RUNS, PAIRS = 24, 15


def _masks(seed=0, runs=RUNS, pairs=PAIRS):
    return np.random.default_rng(seed).integers(0, 2, (runs, pairs))


def _remembering(masks, seed=1):
    """Two classes from coins: right on the member trained on, a coin on the other."""
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, 2, (masks.shape[1], 2))
    guesses = generator.integers(0, 2, (*masks.shape, 2))
    trained = np.stack([masks == 0, masks == 1], axis=2)
    return np.where(trained, labels, guesses), labels


def _both(predictions, labels, masks, **options):
    generator = np.random.default_rng(5)
    losses = (predictions != labels).astype(int)
    return (
        loss_difference_cmi_bound(losses, masks, generator=generator, **options),
        prediction_cmi_bound(predictions, labels, masks, generator=generator, **options),
    )


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.integers(2, 5), st.floats(0, 1))
def test_never_below_the_test_error_of_the_runs_and_ordered(seed, n_classes, remembered):
    generator, masks = np.random.default_rng(seed), _masks(0)
    labels = generator.integers(0, n_classes, (PAIRS, 2))
    guesses = generator.integers(0, n_classes, (RUNS, PAIRS, 2))
    trained = np.stack([masks == 0, masks == 1], axis=2) & (generator.random((RUNS, PAIRS, 2)) < remembered)
    differences, predictions = _both(np.where(trained, labels, guesses), labels, masks, n_shuffles=1)
    assert differences.stats["test_error"] <= differences.value + 1e-12
    assert differences.value <= predictions.value + 1e-12
    assert differences.terms["training_error"] == predictions.terms["training_error"]
    assert differences.value == pytest.approx(sum(differences.terms.values()))


def test_remembering_has_the_information_it_should():
    """Delta is 0 half the time and tells the mask otherwise: I = log(2)/2, and sqrt(2 I) = .8326 against .5."""
    differences, predictions = _both(*_remembering(_masks(runs=4000, pairs=20)), _masks(runs=4000, pairs=20))
    assert differences.terms["training_error"] == 0
    assert differences.terms["information"] == pytest.approx(math.sqrt(math.log(2)), abs=0.01)
    assert predictions.terms["information"] == pytest.approx(math.sqrt(math.log(2)), abs=0.02)
    assert differences.null < 0.05 and differences.stats["test_error"] == pytest.approx(0.5, abs=0.01)


def test_without_information_the_value_is_that_of_the_null():
    generator, masks = np.random.default_rng(2), _masks(runs=30, pairs=400)
    labels = np.zeros((400, 2), dtype=int)
    for bound in _both(generator.integers(0, 3, (30, 400, 2)), labels, masks):
        assert bound.terms["information"] == pytest.approx(bound.null, abs=0.02)
        assert bound.null <= bound.null_high < bound.null + 0.03


def test_more_masks_lower_the_bias():
    generator = np.random.default_rng(3)
    values = []
    for runs in (15, 60, 240):
        masks = _masks(runs=runs, pairs=100)
        predictions = generator.integers(0, 2, (runs, 100, 2))
        values.append(_both(predictions, np.zeros((100, 2), dtype=int), masks)[0].null)
    assert values == sorted(values, reverse=True)


def test_members_may_change_places():
    masks = _masks()
    predictions, labels = _remembering(masks)
    for one, other in zip(
        _both(predictions, labels, masks),
        _both(predictions[:, :, ::-1], labels[:, ::-1], 1 - masks),
        strict=True,
    ):
        assert one.terms == pytest.approx(other.terms)


def test_record_is_no_bound_at_a_confidence_and_says_what_is_assumed():
    bound, _ = _both(*_remembering(_masks()), _masks(), groups=np.repeat(np.arange(PAIRS), 2))
    assert isinstance(bound, ExpectationBound) and not hasattr(bound, "confidence")
    assert bound.n_repeats == RUNS and bound.bounded.startswith("expected error rate")
    assert [a.state for a in bound.assumptions] == ["violated", *["not_checkable"] * 3]
    assert not bound.vacuous
    with pytest.raises(ValueError, match="a bound is the sum of its terms"):
        ExpectationBound(0.5, {"a": 0.4}, 1, "x", False)


def test_misuse_is_named():
    masks = _masks()
    predictions, labels = _remembering(masks)
    with pytest.raises(InputError, match="9 masks are too few for 15 pairs: at least 10 are needed"):
        _both(predictions[:9], labels, masks[:9])
    with pytest.raises(InputError, match="losses must be 0 or 1, got 2"):
        loss_difference_cmi_bound(predictions + 1, masks, generator=np.random.default_rng(0))
    with pytest.raises(InputError, match=r"labels must have shape \(pairs, 2\) = \(15, 2\), got \(14, 2\)"):
        prediction_cmi_bound(predictions, labels[1:], masks, generator=np.random.default_rng(0))
    with pytest.raises(InputError, match="n_shuffles must be at least 1, got 0"):
        _both(predictions, labels, masks, n_shuffles=0)
