import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.data.targets import encode_like, encode_targets


@given(st.lists(st.integers(-50, 10**6), min_size=1, max_size=8, unique=True), st.integers(2, 4))
def test_codes_are_dense_sorted_and_decode_to_the_values(classes, repeats):
    values = classes * repeats
    targets = encode_targets(values, task="classification") if len(classes) > 1 else None
    if targets is None:
        with pytest.raises(InputError, match=r"is constant"):
            encode_targets(values, task="classification")
        return
    assert targets.class_names == tuple(map(str, sorted(classes)))
    assert [int(targets.class_names[code]) for code in targets.values] == values
    assert targets.values.dtype == np.int64
    assert (targets.rows == np.arange(len(values))).all()


@pytest.mark.parametrize(
    ("values", "names"),
    [
        (["b", "a", "B"] * 2, ("B", "a", "b")),
        (["10", "9", "2"] * 2, ("2", "9", "10")),
        ([True, False] * 2, ("False", "True")),
        (np.array([1.0, 3.0, 1.0, 3.0]), ("1", "3")),
        (np.array(["x", "y", "x", "y"]), ("x", "y")),
    ],
)
def test_class_names_are_sorted_numerically_else_lexicographically(values, names):
    targets = encode_targets(values)
    assert targets.task == "classification"
    assert targets.class_names == names
    assert sorted(set(targets.values)) == list(range(len(names)))


def test_class_label_names_are_kept_and_absent_classes_left_out():
    targets = encode_targets([2, 0, 2, 0], class_names=["cat", "dog", "eel"])
    assert targets.class_names == ("cat", "eel")
    assert targets.values.tolist() == [1, 0, 1, 0]
    assert encode_targets(["eel", "cat"] * 2, class_names=["cat", "dog", "eel"]).class_names == ("cat", "eel")


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ([0, 1] * 5, "classification"),
        ([0.5, 1.0, 2.0], "regression"),
        (list(range(10)), "regression"),
        (list(range(101)) * 3, "regression"),
        (list(range(100)) * 2, "classification"),
    ],
)
def test_task_is_inferred_by_the_stated_rule_and_said(values, task):
    targets = encode_targets(values)
    assert targets.task == task
    assert f"taken as {task}" in targets.notes[0]


def test_regression_keeps_the_values_and_can_be_asked_for():
    targets = encode_targets([1, 2, 1, 2], task="regression")
    assert targets.values.dtype == np.float64
    assert targets.values.tolist() == [1, 2, 1, 2]
    assert targets.class_names == ()


@pytest.mark.parametrize("gap", [None, float("nan"), ""])
def test_missing_labels_are_named_and_dropped_only_when_asked(gap):
    values = ["a", gap, "b", "a", "b"]
    with pytest.raises(InputError, match=r"label is missing in 1 of 5 rows \(row 1\): .*drop_missing"):
        encode_targets(values)
    targets = encode_targets(values, drop_missing=True)
    assert targets.rows.tolist() == [0, 2, 3, 4]
    assert targets.values.tolist() == [0, 1, 0, 1]
    assert "dropped" in targets.notes[0]


def test_minus_one_in_a_class_label_is_missing():
    with pytest.raises(InputError, match=r"missing in 2 of 6 rows \(rows 0, 3\)"):
        encode_targets([-1, 0, 1, -1, 0, 1], class_names=["a", "b"])
    assert encode_targets([-1, 0, 1, 0, 1], class_names=["a", "b"], drop_missing=True).rows.tolist() == [
        1,
        2,
        3,
        4,
    ]


def test_rare_classes_are_named_and_dropped_only_when_asked():
    values = ["a", "a", "b", "c", "c"]
    with pytest.raises(
        InputError, match=r"1 class of y has fewer than 2 examples: b \(1\).*merge.*drop_rare"
    ):
        encode_targets(values, name="y")
    targets = encode_targets(values, drop_rare=True)
    assert targets.class_names == ("a", "c")
    assert targets.values.tolist() == [0, 0, 1, 1]
    assert targets.rows.tolist() == [0, 1, 3, 4]
    assert encode_targets(values, min_per_class=1).n_classes == 3


@pytest.mark.parametrize(
    ("values", "options", "message"),
    [
        ([], {}, "label is empty"),
        (["a"] * 4, {}, r"label is constant \(only 'a' occurs in 4 examples\)"),
        ([2.0] * 4, {"task": "regression"}, r"constant \(2 in all 4 examples\): there is nothing to predict"),
        ([1.5], {"task": "regression"}, "has 1 examples: a regression target needs at least 2"),
        ([1.5, float("inf"), 2.0], {}, r"label is infinite in 1 of 3 rows \(row 1\)"),
        ([1.0, float("inf")] * 2, {"task": "classification"}, "infinite values, which cannot be classes"),
        ([1.5, float("nan"), 2.0], {}, r"label is missing in 1 of 3 rows \(row 1\)"),
        ([None, None], {"drop_missing": True}, "there is no labelled example"),
        (["a", "b", "c"], {}, r"3 classes of label have fewer than 2 examples: a \(1\), b \(1\), c \(1\)"),
        ([0, 1, 0], {"class_names": list("abcd")}, "3 examples for 4 classes, fewer examples than classes"),
        ([0, 7], {"class_names": ["a", "b"]}, "7 in row 1, but it declares 2 classes: values must be 0..1"),
        (["a", 1], {}, "mixes integer and string"),
        ([True, 1.5], {}, "mixes bool and float"),
        ([["a"], ["b"]], {}, "holds several values in row 0"),
        ([b"a", b"b"], {}, "holds bytes in row 0"),
        (np.zeros((3, 2)), {}, r"one value for each example, got shape \(3, 2\)"),
        (["a", "b"] * 2, {"task": "regression"}, "holds names, not numbers"),
        (["a", "b"] * 2, {"task": "ranking"}, "task must be 'classification' or 'regression', got 'ranking'"),
        (["a", "b"], {"drop_rare": True}, "every class of label has fewer than 2"),
    ],
)
def test_what_cannot_be_a_target_is_said(values, options, message):
    with pytest.raises(InputError, match=message):
        encode_targets(values, **options)


def test_a_second_column_is_encoded_with_the_first_ones_classes():
    train = encode_targets(["a", "b", "c"] * 2)
    assert encode_like(["c", "a"], train).values.tolist() == [2, 0]
    numbers = encode_targets([1.0, 3.0] * 2)
    assert encode_like([3, 1, 1], numbers).values.tolist() == [1, 0, 0]
    with pytest.raises(InputError, match=r"classes that the training labels lack: z. Known are: a, b, c"):
        encode_like(["a", "z"], train)
    ratings = encode_targets([0.5, 1.5])
    assert encode_like([7.25], ratings).values.tolist() == [7.25]
    with pytest.raises(InputError, match=r"missing in 1 of 2"):
        encode_like([7.25, None], ratings)
