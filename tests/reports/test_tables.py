"""Tables: the record's numbers in long form, types that never change, statuses kept."""

import pandas as pd
import pytest

from carryover.reports.schema import BOUNDS, CAUSES, SCORES
from carryover.reports.tables import COLUMNS, write_tables


@pytest.fixture(scope="module")
def written(examples, tmp_path_factory):
    record = examples.troubled_record()
    paths = write_tables(record, tmp_path_factory.mktemp("tables"))
    return record, {path.stem: pd.read_parquet(path) for path in paths}


def test_rows_are_complete(written):
    record, tables = written
    assert len(tables["models"]) == 6
    assert len(tables["scores"]) == 5 * len(SCORES) + 1
    assert len(tables["probes"]) == 5 * 6 + 1
    assert len(tables["verdicts"]) == 5 * len(CAUSES)
    assert len(tables["ranking"]) == 5
    n_terms = sum(len(b["terms"]) for m in record["models"][:5] for b in m["bounds"].values())
    assert len(tables["bounds"]) == 5 * len(BOUNDS) + n_terms + 1
    assert len(tables["learning_curves"]) == 4 * 5 + 1 + 1


def test_values_are_those_of_the_record(written):
    record, tables = written
    model = record["models"][1]
    scores = tables["scores"].set_index(["model", "score"])
    row = scores.loc[(model["name"], "logme")]
    assert row["value"] == model["scores"]["logme"]["value"]
    assert [row["low"], row["high"]] == model["scores"]["logme"]["interval"]
    bounds = tables["bounds"].set_index(["model", "bound", "term"])["value"].sort_index()
    total = bounds.loc[(model["name"], "pac_bayes", "total")]
    assert bounds.loc[(model["name"], "pac_bayes")].drop("total").sum() == pytest.approx(total)


def test_what_has_no_value_has_a_reason(written):
    _, tables = written
    for name in ("scores", "terms", "bounds", "learning_curves", "probes", "verdicts"):
        table = tables[name]
        assert (table["value"].isna() == (table["status"] != "ok")).all()
        assert table.loc[table["status"] != "ok", "reason"].notna().all()
        assert not table["value"].astype("float64", errors="ignore").isin([float("inf")]).any()
    assert (tables["scores"].query("model == 'random-conv'")["status"] == "failed").all()


def test_types_do_not_depend_on_the_record(examples, written, tmp_path):
    _, tables = written
    record = examples.fail_model(examples.example_record(1, task="regression"), 0, "truncated")
    for path in write_tables(record, tmp_path):
        table = pd.read_parquet(path)
        assert list(table.columns) == list(COLUMNS[path.stem])
        assert table.dtypes.astype(str).to_dict() == tables[path.stem].dtypes.astype(str).to_dict()


def test_pretraining_terms_and_notes_are_in_the_tables(examples, tmp_path):
    record = examples.pretrained_record()
    paths = {path.stem: path for path in write_tables(record, tmp_path)}
    terms = pd.read_parquet(paths["terms"]).set_index(["model", "term"])
    for model in record["models"]:
        for key in ("train", "held_out", "gap", "excess"):
            row, wanted = terms.loc[(model["name"], f"pretraining_{key}")], model["terms"]["pretraining"][key]
            assert row["status"] == wanted["status"]
            if wanted["status"] == "ok":
                assert row["value"] == wanted["value"] and row["n_samples"] == wanted["n_samples"]
            else:
                assert row["value"] is pd.NA and row["reason"] == wanted["reason"]
    assert len(terms) == 4 * 6
    notes = pd.read_parquet(paths["models"])["notes"]
    assert notes[1].splitlines() == record["models"][1]["notes"] and notes[3] is pd.NA
