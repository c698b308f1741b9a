"""Bounds in expectation by retraining: above the error on average, and dear where a probe memorises."""

import numpy as np
import pytest
from gaussian_case import gaussian_case

from carryover._core.errors import InputError
from carryover.bounding.case import Known
from carryover.bounding.entry import entry_record
from carryover.bounding.options import BoundsOptions
from carryover.bounding.retrained import retrained_bounds

NAMES = ("loss_difference_cmi", "prediction_cmi", "xu_raginsky")


def test_on_average_over_draws_they_are_above_the_error_of_what_was_retrained():
    gaps = {name: [] for name in NAMES}
    for seed in range(12):
        for entry in retrained_bounds(gaussian_case(120, seed=seed, n_test=400), n_masks=12):
            gaps[entry.name].append(entry.value - entry.truth.value)
    for name, values in gaps.items():
        assert np.mean(values) > 2 * np.std(values) / np.sqrt(len(values)), name


def test_a_probe_that_memorises_pays_for_it_in_information():
    """As many features as examples and labels that mean nothing: training error 0, test error that of guessing."""
    generator = np.random.default_rng(0)
    case = gaussian_case(120, width=200, apart=0.0)
    shuffled = generator.integers(0, 3, 120)
    object.__setattr__(case.train, "labels", shuffled)
    found = {entry.name: entry for entry in retrained_bounds(case, n_masks=20)}
    entry = found["loss_difference_cmi"]
    assert entry.truth.value == pytest.approx(2 / 3, abs=0.08)
    assert entry.found.terms["training_error"] < 0.5 < entry.found.terms["information"]
    assert entry.found.terms["information"] > 1.5 * entry.found.null_high


def test_the_record_keeps_them_apart():
    entries = retrained_bounds(gaussian_case(120), n_masks=12)
    for entry in entries:
        record = entry_record(entry)
        assert record["kind"] == "expectation" and record["confidence"] is None
        assert record["n_repeats"] == (5 if entry.name == "xu_raginsky" else 12)
    assert entry_record(entries[0])["null"] > 0 and entry_record(entries[2])["null"] is None


def test_without_a_number_there_are_thirty_masks():
    assert retrained_bounds(gaussian_case(60))[0].found.n_repeats == 30


@pytest.mark.parametrize(
    ("n", "groups", "said"),
    [(30, False, "fewer than 20 pairs"), (120, True, "come in groups")],
)
def test_where_they_cannot_be_computed_the_reason_is_given(n, groups, said):
    case = gaussian_case(n)
    if groups:
        object.__setattr__(case.train, "groups", np.arange(n) // 2)
    records = [entry_record(entry) for entry in retrained_bounds(case)]
    assert [record["name"] for record in records] == list(NAMES)
    assert all(said in record["reason"] and record["kind"] == "expectation" for record in records)


def test_small_sets_have_no_xu_raginsky_and_too_few_masks_are_refused():
    found = {entry.name: entry for entry in retrained_bounds(gaussian_case(60))}
    assert found["xu_raginsky"].found.status == "not_applicable"
    assert "fewer than 20 each" in found["xu_raginsky"].found.reason
    with pytest.raises(InputError, match="7 masks are too few for 60 pairs: at least 12 are needed"):
        retrained_bounds(gaussian_case(120), n_masks=7)
    states = {one.text: one.state for one in found["prediction_cmi"].found.assumptions}
    assert [state for text, state in states.items() if "masks are fair" in text] == ["checked"]
    with pytest.raises(InputError, match="n_masks must be at least 6, got 5"):
        BoundsOptions(n_masks=5)
    with pytest.raises(InputError, match="confidence"):
        BoundsOptions(confidence=1.0)


def test_features_that_saw_the_labels_are_said_in_all_three():
    for entry in retrained_bounds(gaussian_case(120, known=Known(without_train=False)), n_masks=12):
        assert "violated" in {one.state for one in entry.found.assumptions if "representation" in one.text}
