"""Bounds of a case: each beside the error of the very classifier it is about, measured apart from the code."""

import numpy as np
import pytest
from gaussian_case import gaussian_case

from carryover.bounding.entry import entry_record
from carryover.bounding.labelled import labelled_bounds, split_prior_bounds

NAMES = [
    "holdout",
    "rademacher",
    "pac_bayes",
    "pac_bayes_split",
    "catoni_split",
    "compression",
    "disagreement",
]


@pytest.fixture(scope="module")
def entries():
    case = gaussian_case(600, n_test=2000, apart=3.0)
    return case, {entry.name: entry for entry in labelled_bounds(case)}


def test_every_bound_is_there_the_sum_of_its_terms_and_above_the_error_it_bounds(entries):
    case, found = entries
    assert [name for name in NAMES if name in found] == NAMES
    for entry in found.values():
        assert entry.kind == "confidence" and entry.found.confidence == case.confidence
        assert entry.value == pytest.approx(sum(entry.found.terms.values()))
        assert entry.value > entry.truth.interval[0], entry.name
        assert entry.ratio == pytest.approx(entry.value / entry.truth.value) and entry.seconds > 0


def test_hold_out_and_certificate_are_about_the_probe(entries):
    case, found = entries
    error = np.mean(case.predicted_test != case.test.labels)
    assert found["holdout"].truth.value == found["disagreement"].truth.value == pytest.approx(error)


def test_a_gibbs_bound_is_judged_by_drawing_heads(entries):
    case, found = entries
    stats, generator = found["pac_bayes"].found.stats, np.random.default_rng(0)
    rows = case.test.features / np.linalg.norm(case.test.features, axis=1, keepdims=True)
    wrong = []
    for _ in range(300):
        noise = generator.normal(size=(3, 7))
        scores = (rows @ (stats["coefficients"] + noise[:, :6]).T + stats["intercept"] + noise[:, 6]).argmax(
            axis=1
        )
        wrong.append(np.mean(scores != case.test.labels))
    error = np.std(wrong) / np.sqrt(300)
    assert found["pac_bayes"].truth.value == pytest.approx(np.mean(wrong), abs=4 * error + 1e-4)


def test_a_margin_bound_is_judged_by_its_own_head(entries):
    case, found = entries
    stats = found["rademacher"].found.stats
    rows = case.test.features / np.linalg.norm(case.test.features, axis=1, keepdims=True)
    wrong = (rows @ stats["coefficients"].T + stats["intercept"]).argmax(axis=1) != case.test.labels
    assert found["rademacher"].truth.value == pytest.approx(wrong.mean())


def test_the_certificate_is_the_reference_bound_and_the_disagreement(entries):
    _, found = entries
    terms = found["disagreement"].found.terms
    assert {"disagreement", "confidence", "reference_complexity"} <= set(terms)
    # Half of the risk each, so the reference costs more here than where it has all of it.
    reference = sum(value for name, value in terms.items() if name.startswith("reference_"))
    assert reference > found["compression"].value


def test_a_compressed_head_is_judged_by_what_its_code_says(entries):
    case, found = entries
    stats = found["compression"].found.stats
    rows = case.test.features / np.linalg.norm(case.test.features, axis=1, keepdims=True)
    predicted = (rows @ stats["coefficients"].T + stats["intercept"]).argmax(axis=1)
    assert found["compression"].truth.value == pytest.approx(np.mean(predicted != case.test.labels))
    # What the certificate adds is how often that head and the probe differ.
    differing = found["disagreement"].found.terms["disagreement"]
    assert differing == pytest.approx(np.mean(predicted != case.predicted_test), abs=0.02)


def test_a_violated_independence_is_said_in_every_bound():
    entries = labelled_bounds(gaussian_case(representation_independent=False, test_independent=False))
    for entry in entries:
        states = [one.state for one in entry.found.assumptions if "representation" in one.text]
        assert states == ["violated"], entry.name


def test_more_labels_and_less_confidence_make_smaller_bounds():
    def values(case):
        return {entry.name: entry.value for entry in labelled_bounds(case)}

    few, many = (values(gaussian_case(n, apart=3.0)) for n in (240, 2400))
    assert all(many[name] < few[name] for name in NAMES if name != "holdout")
    sure = values(gaussian_case(apart=3.0, confidence=0.999))
    assert all(sure[name] > few[name] for name in NAMES)


def test_too_few_of_a_class_for_two_halves_is_said():
    entries = split_prior_bounds(gaussian_case(9))
    assert [entry.found.status for entry in entries] == ["not_applicable"] * 4
    record = entry_record(entries[0])
    assert "needs 4 training examples" in record["reason"] and record["value"] is record["ratio"] is None
    assert record["truth"]["status"] == "not_applicable"
