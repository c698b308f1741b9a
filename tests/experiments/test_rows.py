"""Rows: scalars only, the same whether they are made one by one or as columns."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.experiments.rows import parameter_columns, whole_columns, whole_row


def test_rows_refuse_what_is_no_scalar():
    assert whole_row("i", {"a": 1}, {"error": 0.5}) == {
        "id": "i", "a": 1, "status": "ok", "reason": None, "error": 0.5,
    }  # fmt: skip
    with pytest.raises(InputError, match="a result is called 'a', as is a key that varies"):
        whole_row("i", {"a": 1}, {"a": 2})
    with pytest.raises(TypeError, match="error must be a scalar, got list"):
        whole_row("i", {}, {"error": [1]})
    with pytest.raises(ValueError, match="error must be finite or None, got nan"):
        whole_row("i", {}, {"error": float("nan")})


RESULTS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 3),
    st.floats(),
    st.text(max_size=2),
    st.just([1]),
    st.just(np.float64(2)),
)


@given(values=st.lists(RESULTS, max_size=5), named=st.sampled_from(["error", "a", "id"]))
def test_columns_are_refused_where_one_of_their_rows_is_and_else_hold_the_same(values, named):
    ids = [f"i{place}" for place in range(len(values))]

    def rows():
        return [whole_row(ident, {"a": 1}, {named: value}) for ident, value in zip(ids, values, strict=True)]

    def columns():
        found = whole_columns(ids, {"a": [1] * len(ids)}, {named: values})
        return [dict(zip(found, row, strict=True)) for row in zip(*found.values(), strict=True)]

    try:
        expected = rows()
    except (InputError, TypeError, ValueError) as error:
        with pytest.raises(type(error), match=re.escape(str(error))):
            columns()
    else:
        assert not values or columns() == expected


def test_columns_are_as_long_as_there_are_cells():
    with pytest.raises(ValueError, match="error has 1 values for 2 cells"):
        whole_columns(["i", "j"], {}, {"error": [0.5]})


def test_columns_of_one_type():
    found = parameter_columns(
        [{"a": 1, "b": True, "c": "x", "d": 1}, {"a": 2, "b": False, "c": "y", "d": "x"}]
    )
    assert found[0] == {"a": 1, "b": True, "c": "x", "d": "1"} and found[1]["d"] == '"x"'
    assert type(found[0]["a"]) is int and found[0]["b"] is True
