"""The store: a union of segments that depends neither on their order nor on who wrote them."""

import json
import shutil

import pytest

from carryover._core.errors import InputError
from carryover.experiments.rows import as_columns
from carryover.experiments.store import Store, existing_store, open_store

NOTE = {"parameters": ["scale"], "threads": 1}


@pytest.fixture
def store(tmp_path) -> Store:
    return open_store(tmp_path / "sweep", command="theory")


def row(ident, error=0.5, **more):
    return {"id": ident, "scale": 1.0, "status": "ok", "reason": None, "error": error, **more}


def failed(ident, reason):
    return {"id": ident, "scale": 1.0, "status": "failed", "reason": reason}


def test_rows_come_back_by_id_whatever_the_order_of_segments(store, tmp_path):
    segments = [[row("c"), row("a")], [row("b", 0.1 + 0.2)], [failed("d", "why")], [row("b", 0.1 + 0.2)]]
    other = open_store(tmp_path / "other", command="theory")
    for place, rows in enumerate(segments):
        store.write(as_columns(rows), batch=f"x{place}", environment=NOTE)
    for place, rows in enumerate(reversed(segments)):
        other.write(as_columns(rows), batch=f"y{place}", environment=NOTE)
    found = store.read()
    assert found.table.equals(other.read().table)
    assert found.table.column("id").to_pylist() == ["a", "b", "c", "d"]
    assert found.table.column("error").to_pylist() == [0.5, 0.1 + 0.2, 0.5, None]
    assert found.status == {"a": "ok", "b": "ok", "c": "ok", "d": "failed"}
    assert (found.parameters, found.threads) == (("scale",), (1,))


def test_a_result_comes_before_a_failure(store):
    for rows in ([failed("a", "z")], [row("a")], [failed("a", "b")], [failed("e", "y")], [failed("e", "x")]):
        store.write(as_columns(rows), batch="x", environment=NOTE)
    assert store.read().table.column("reason").to_pylist() == [None, "x"]


def test_rows_that_disagree_are_named(store):
    first = store.write(as_columns([row("abc", 0.5)]), batch="x", environment=NOTE)
    second = store.write(as_columns([row("abc", 0.5000000000000001)]), batch="y", environment=NOTE)
    with pytest.raises(InputError, match=r"cell abc disagree on error: 0.5.*remove one file") as error:
        store.read()
    assert first in str(error.value) and second in str(error.value)


def test_what_varies_may_be_named_otherwise(store):
    store.write(as_columns([row("a")]), batch="x", environment=NOTE)
    other = {key: value for key, value in row("a").items() if key != "scale"} | {"alpha": 1}
    store.write(as_columns([other]), batch="y", environment={"parameters": ["alpha"], "threads": 2})
    found = store.read()
    assert len(found.table) == 1 and found.parameters == ("alpha", "scale") and found.threads == (1, 2)


def test_whole_numbers_and_numbers_make_one_column(store):
    store.write(as_columns([row("a", 1)]), batch="x", environment=NOTE)
    store.write(as_columns([row("b", 0.5)]), batch="y", environment=NOTE)
    store.write(as_columns([row("c", None)]), batch="z", environment=NOTE)
    assert store.read().table.column("error").to_pylist() == [1.0, 0.5, None]
    store.write(as_columns([row("d", "text")]), batch="w", environment=NOTE)
    with pytest.raises(InputError, match="do not fit together"):
        store.read()


def test_an_empty_store_has_no_rows(store):
    assert store.read().status == {} and store.segments() == []


def test_strangers_in_the_folder_are_left_alone(store):
    store.write(as_columns([row("a")]), batch="x", environment=NOTE)
    for name in ("notes.txt", ".x-1-0-abc.parquet", "a-b.parquet", ".y.12345678.partial.parquet"):
        (store.folder / "rows" / name).write_text("?")
    assert list(store.read().status) == ["a"]


def test_a_damaged_segment_is_named(store):
    name = store.write(as_columns([row("a")]), batch="x", environment=NOTE)
    path = store.folder / "rows" / name
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=rf"{name} is damaged .*remove it"):
        store.read()


def test_a_parquet_file_of_someone_else_is_refused(store, tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"id": ["a"], "status": ["ok"]}), store.folder / "rows" / "a-1-0-b.parquet")
    with pytest.raises(InputError, match="is no segment of a sweep"):
        store.read()


def test_a_folder_belongs_to_one_command(store, tmp_path):
    assert open_store(store.folder, command="theory").folder == store.folder
    with pytest.raises(InputError, match="holds a sweep of 'theory', not of 'pretrain'"):
        open_store(store.folder, command="pretrain")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.tex").write_text("")
    with pytest.raises(InputError, match="is not empty and holds no sweep"):
        open_store(tmp_path / "full", command="theory")
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be made or is no folder"):
        open_store(tmp_path / "file", command="theory")


def test_a_store_that_is_not_there_or_damaged_is_named(store, tmp_path):
    assert existing_store(store.folder) == store
    shutil.rmtree(store.folder / "rows")
    assert existing_store(store.folder).read().status == {}
    with pytest.raises(InputError, match=r"holds no sweep: it has no sweep\.json"):
        existing_store(tmp_path)
    (store.folder / "sweep.json").write_text("{")
    with pytest.raises(InputError, match=r"sweep.json cannot be read"):
        existing_store(store.folder)
    (store.folder / "sweep.json").write_text(json.dumps({"schema": "carryover.sweep/9"}))
    with pytest.raises(InputError, match="not the record of a sweep of this version"):
        existing_store(store.folder)
