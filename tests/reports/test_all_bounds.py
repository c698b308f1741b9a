"""All bounds: the schema accepts every kind and status, and names the path of what is wrong."""

import pytest

from carryover._core.errors import InputError
from carryover.reports.bounds_schema import KIND_OF, check_bounds_record
from carryover.reports.bounds_words import MEANINGS, NAMES, SHORT_NAMES
from carryover.reports.record import check_record


@pytest.fixture
def compared(examples):
    return examples.compared_record()


def _named(entries, name):
    return next(entry for entry in entries if entry["name"] == name)


def test_records_with_and_without_all_bounds_are_read(examples, compared):
    assert "all_bounds" not in examples.example_record(1)["models"][0]
    check_record(examples.example_record(1))
    check_record(compared)
    check_bounds_record(examples.bounds_record())


def test_the_example_has_every_name_kind_and_status(examples, compared):
    entries = [entry for model in compared["models"] for entry in model.get("all_bounds", ())]
    assert (
        {entry["name"] for entry in entries}
        == set(KIND_OF)
        == set(NAMES)
        == set(SHORT_NAMES)
        == set(MEANINGS)
    )
    assert {entry["status"] for entry in entries} == {"ok", "failed", "abstained", "not_applicable"}
    assert {entry["vacuous"] for entry in entries} == {True, False, None}


WRONG = [
    ("holdout", {"name": "luck"}, r"\[0\]\.name must be one of holdout, rademacher"),
    (
        "holdout",
        {"kind": "expectation"},
        r"\[0\]\.kind must be 'confidence' for 'holdout', got 'expectation'",
    ),
    ("transfer", {"kind": "confidence"}, r"\[12\]\.kind must be 'estimate' for 'transfer'"),
    ("holdout", {"kind": "sure"}, r"\[0\]\.kind must be one of confidence, expectation, estimate"),
    ("holdout", {"value": 0.3}, r"\[0\]\.value must be the sum of its terms, 0\.23\d*, got 0\.3"),
    ("holdout", {"value": None}, r"\[0\]\.value must be a number exactly when"),
    ("holdout", {"confidence": 95}, r"\[0\]\.confidence must be a number in \[0, 1\]"),
    ("holdout", {"confidence": None}, r"\[0\]\.confidence must be a number in \[0, 1\], got None"),
    ("prediction_cmi", {"confidence": 0.95}, r"\[10\]\.confidence must be null for a bound in expectation"),
    ("rademacher", {"ratio": 3.0}, r"\[1\]\.ratio must be value / truth\.value, 11\.1\d*, got 3\.0"),
    ("rademacher", {"ratio": None}, r"\[1\]\.ratio must be value / truth\.value"),
    ("compression", {"ratio": 1.0}, r"\[5\]\.ratio must be value / truth\.value, None, got 1\.0"),
    ("compression", {"reason": None}, r"\[5\]\.reason must say why the status is 'failed'"),
    ("holdout", {"vacuous": None}, r"\[0\]\.vacuous must be true or false"),
    ("holdout", {"bounded": " "}, r"\[0\]\.bounded must be text that is not empty"),
    ("holdout", {"seconds": -1.0}, r"\[0\]\.seconds must be a number in"),
    ("holdout", {"terms": {"a": float("nan")}}, r"\[0\]\.terms\.a must be a finite number"),
    ("holdout", {"truth": {"status": "ok"}}, r"\[0\]\.truth\.reason is missing"),
    (
        "holdout",
        {"assumptions": [{"text": "x", "state": "so"}]},
        r"assumptions\[0\]\.state must be one of checked",
    ),
    ("holdout", {"null": 0.1}, r"\[0\]\.null must be null or absent for kind 'confidence', got 0\.1"),
    ("holdout", {"null": 0.0}, r"\[0\]\.null must be null or absent for kind 'confidence', got 0\.0"),
    ("holdout", {"n_repeats": 3}, r"\[0\]\.n_repeats must be null or absent for kind 'confidence'"),
    (
        "holdout",
        {"term_notes": {"a": "b"}},
        r"\[0\]\.term_notes must be null or absent for kind 'confidence'",
    ),
    ("xu_raginsky", {"n_repeats": 1.5}, r"\[11\]\.n_repeats must be an integer >= 0"),
    ("transfer", {"term_notes": {"a": 1}}, r"\[12\]\.term_notes\.a must be text"),
    (
        "transfer",
        {"not_a_bound_because": []},
        r"\[12\]\.not_a_bound_because must say why the estimate is not",
    ),
    ("rademacher", {"name": "holdout"}, r"all_bounds: each bound may stand once, repeated: holdout"),
]


@pytest.mark.parametrize(("name", "change", "said"), WRONG)
def test_a_wrong_entry_is_named_in_both_records(examples, compared, name, change, said):
    _named(compared["models"][0]["all_bounds"], name).update(change)
    with pytest.raises(
        InputError, match=rf"record\.models\[0\]\.all_bounds.*{said.removeprefix('all_bounds')}"
    ):
        check_record(compared)
    record = examples.bounds_record()
    _named(record["all_bounds"], name).update(change)
    with pytest.raises(InputError, match=rf"record\.all_bounds.*{said.removeprefix('all_bounds')}"):
        check_bounds_record(record)


def test_the_sum_is_held_to_a_billionth_of_the_value(compared):
    entry = _named(compared["models"][0]["all_bounds"], "xu_raginsky")
    exact = entry["value"]
    for change, is_right in ((1e-5, True), (1e-2, False)):  # the value is 245 000
        entry |= {"value": exact + change, "ratio": (exact + change) / entry["truth"]["value"]}
        if is_right:
            check_record(compared)
        else:
            with pytest.raises(InputError, match=r"\.value must be the sum of its terms"):
                check_record(compared)


def test_a_truth_of_zero_has_no_ratio(examples, compared):
    entry = compared["models"][0]["all_bounds"][0]
    entry |= {"truth": examples.est(0.0), "ratio": None}
    check_record(compared)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("n_bound", -1, r"all_bounds_of\.n_bound must be an integer >= 0"),
        ("unlabelled", "", r"all_bounds_of\.unlabelled must be text"),
        ("confidence", 2, r"all_bounds_of\.confidence must be a number in \[0, 1\]"),
    ],
)
def test_a_wrong_field_of_what_they_are_of_is_named(examples, compared, key, value, said):
    for record, check in ((compared, check_record), (examples.bounds_record(), check_bounds_record)):
        record["all_bounds_of"][key] = value
        with pytest.raises(InputError, match=said):
            check(record)


def test_all_bounds_need_to_say_what_they_are_of(compared):
    del compared["all_bounds_of"]
    with pytest.raises(
        InputError, match=r"record\.all_bounds_of is missing: record\.models\[0\]\.all_bounds"
    ):
        check_record(compared)


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["schema"], "carryover.diagnosis/1", r"record\.schema must be 'carryover\.bounds/1', got"),
        (["run", "threads"], -1, r"record\.run\.threads must be an integer >= 0"),
        (["target", "classes"], [3], r"record\.target\.classes\[0\] must be text"),
        (["plan"], None, r"record\.plan must be text"),
        (["warnings"], "one", r"record\.warnings must be a list"),
    ],
)
def test_a_wrong_field_of_the_record_of_a_run_is_named(examples, path, value, said):
    record = examples.bounds_record()
    inner = record
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(InputError, match=said):
        check_bounds_record(record)
