"""All bounds in words and views: which is smallest, what a bar is made of, assumptions once."""

import copy

import pytest

from carryover.reports.bounds_view import ShownBounds, segments, shared_assumptions, terms_of
from carryover.reports.bounds_words import ROLES, is_contradicted, role_of, smallest, smallest_sentence


@pytest.fixture
def compared(examples):
    return examples.compared_record()


def _named(entries, name):
    return next(entry for entry in entries if entry["name"] == name)


# The words


def test_the_smallest_is_not_hold_out_and_says_how_tight_it_is(examples):
    entries = examples.all_bounds()
    assert smallest(entries)["name"] == "pac_bayes_split"
    assert smallest_sentence(entries) == (
        "The smallest bound at a confidence level besides hold-out is PAC-Bayes (prior from half the labels), "
        "38.0\u202f%: 1.5 times the test error it bounds."
    )
    _named(entries, "pac_bayes_split")["assumptions"][0]["state"] = "violated"
    assert smallest_sentence(entries).endswith("it bounds, though one of its assumptions is violated.")


def test_a_bound_below_what_was_measured_is_not_called_tight(examples):
    entries = examples.all_bounds()
    _named(entries, "pac_bayes_split")["truth"] = examples.est(0.45, 0.01)
    assert is_contradicted(_named(entries, "pac_bayes_split"))
    assert smallest(entries)["name"] == "catoni_split"
    only = [_named(entries, name) for name in ("holdout", "pac_bayes_split")]
    assert (
        smallest_sentence(only)
        == "At a confidence level no bound besides hold-out is both below 100 % and borne out by the test split."
    )
    assert not is_contradicted(_named(entries, "holdout"))
    assert not is_contradicted(_named(entries, "compression"))


def test_only_vacuous_bounds_or_none_are_said(examples):
    assert smallest_sentence(examples.vacuous_bounds()).startswith(
        "At a confidence level every bound besides hold-out is vacuous"
    )
    failed = examples.not_computed("rademacher", "failed", "it overflowed")
    assert (
        smallest_sentence([examples.all_bounds()[0], failed])
        == "At a confidence level no bound besides hold-out could be computed."
    )


def test_a_pairwise_loss_does_not_stand_for_an_error_rate(examples):
    entries = examples.all_bounds()
    _named(entries, "contrastive").update(value=0.01, vacuous=False)
    assert smallest(entries)["name"] == "pac_bayes_split"


def test_without_a_ratio_the_least_value_counts(examples):
    truth = {"truth": examples.est(0.0)}
    entries = [
        examples.entry("pac_bayes", "confidence", {"divergence": 0.5}, **truth),
        examples.entry("rademacher", "confidence", {"complexity": 0.4}, **truth),
    ]
    said = smallest_sentence(entries)
    assert "besides hold-out is Rademacher, 40.0\u202f%; it has no ratio to a test error that is 0" in said


def test_another_quantity_than_an_error_rate_is_named(examples):
    entry = _named(examples.all_bounds(), "contrastive")
    said = f"2.1 times what it bounds ({entry['bounded']}), though one of its assumptions is violated."
    assert smallest_sentence([entry]).endswith(said)


# The views


def test_terms_below_zero_shorten_the_others_and_the_bar_ends_at_the_sum():
    terms = {"loss": 0.3, "least": -0.35, "chance": 0.2, "more": 0.1}
    parts = list(segments(terms, 1.0))
    assert [name for name, _, _ in parts] == ["chance", "more"]
    assert parts[-1][2] == pytest.approx(sum(terms.values()))
    assert list(segments({"a": 0.7, "b": 0.7, "c": 0.1}, 1.0)) == [("a", 0.0, 0.7), ("b", 0.7, 1.0)]
    assert list(segments({}, 1.0)) == []


def test_missing_terms_follow_those_that_are_known(examples, compared):
    lacking = compared["models"][1]["all_bounds"][-1]
    assert [term.name for term in terms_of(lacking)][-1] == "residual"
    assert terms_of(lacking)[-1].value is None
    assert terms_of(lacking)[-1].how == "not known: no other encoder is at hand"


def test_a_shared_assumption_stands_once(examples):
    entries = tuple(examples.all_bounds())
    found = shared_assumptions([ShownBounds("one", entries)])
    keys = [(one.text, one.state) for one in found]
    assert len(keys) == len(set(keys)) == 5
    assert [one.state for one in found] == ["violated", "not_checkable", "checked", "checked", "checked"]
    labels = next(one for one in found if one.text.startswith("The labelled"))
    assert "Hold-out" in labels.bounds and "f-CMI" in labels.bounds and labels.models == ()
    other = copy.deepcopy(entries[:1])
    other[0]["assumptions"][1]["state"] = "violated"
    both = shared_assumptions([ShownBounds("one", entries), ShownBounds("two", other)])
    states = {one.state: one.models for one in both if one.text.startswith("The representation")}
    assert states == {"violated": ("two",), "checked": ("one",)}


def test_a_term_of_a_reference_has_the_role_of_its_own():
    assert role_of("reference_training_gibbs_error") == role_of("test_error") == "fit"
    assert role_of("<script>") == "other"
    assert {role_of(term) for term in ("disagreement", "information", "total_variation")} < set(ROLES)
