"""Bounds of a case: each beside the error of the very classifier it is about, measured apart from the code."""

import numpy as np
import pytest
from gaussian_case import draw, gaussian_case

from carryover.bounding.case import Known, classifier_case, sample_of
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
    entries = labelled_bounds(gaussian_case(known=Known(without_train=False, without_test=False)))
    for entry in entries:
        states = [one.state for one in entry.found.assumptions if "representation" in one.text]
        assert states == ["violated"], entry.name
    certificate = entries[-1].found.assumptions
    assert [one.state for one in certificate if "unlabelled examples." in one.text] == ["violated"]


def test_labels_split_by_class_are_said_in_every_bound():
    for entry in labelled_bounds(gaussian_case(known=Known(by_class=True))):
        assert any("class shares of the law" in one.text for one in entry.found.assumptions), entry.name
    plain = labelled_bounds(gaussian_case())[0].found.assumptions
    assert not any("class shares of the law" in one.text for one in plain)


def test_training_examples_among_the_test_examples_are_said_where_it_matters():
    features, labels = draw(300, seed=0)
    others, their_labels = draw(200, seed=1)
    test = sample_of(np.vstack([features[:20], others]), np.concatenate([labels[:20], their_labels]))
    case = classifier_case(
        sample_of(features, labels),
        test,
        n_classes=3,
        predict=lambda rows: np.zeros(len(rows), dtype=np.int64),
    )
    found = labelled_bounds(case)[0].found
    assert found.bounded.endswith("on examples that are not training examples")
    assert [one.state for one in found.assumptions if "20 of 220" in one.text] == ["violated"]


def test_a_case_that_cannot_be_halved_says_so_and_keeps_the_other_bounds():
    """One content throughout is one group: there are no halves, and the rows that need none are computed."""
    train = sample_of(np.ones((60, 4)), np.arange(60) % 3)
    case = classifier_case(
        train,
        sample_of(*draw(30, seed=1, width=4)),
        n_classes=3,
        predict=lambda rows: np.arange(len(rows)) % 3,
    )
    entries = {entry.name: entry for entry in labelled_bounds(case)}
    assert entries["compression"].found.status == "not_applicable" and entries["holdout"].found.ok
    states = [one.state for one in entries["pac_bayes"].found.assumptions if "one group" in one.text]
    assert states == ["violated"]


def test_more_labels_and_less_confidence_make_smaller_bounds():
    def values(case):
        return {entry.name: entry.value for entry in labelled_bounds(case)}

    few, many = (values(gaussian_case(n, apart=3.0)) for n in (240, 2400))
    assert all(many[name] < few[name] for name in NAMES if name != "holdout")
    sure = values(gaussian_case(apart=3.0, confidence=0.999))
    assert all(sure[name] > few[name] for name in NAMES)


def test_too_few_examples_for_two_halves_are_said():
    entries = split_prior_bounds(gaussian_case(18))
    assert [entry.found.status for entry in entries] == ["not_applicable"] * 4
    record = entry_record(entries[0])
    assert (
        "halves of 18 examples has fewer than 10" in record["reason"]
        and record["value"] is record["ratio"] is None
    )
    assert record["truth"]["status"] == "not_applicable"
