"""Feature extraction in shards: the bits of one extraction, its measures from sums, and a diagnosis of the whole."""

import pandas as pd
import pytest
from shard_examples import NETWORK, features_sweep, folder_of, striped_images, write_images
from sweep_examples import swept_plan

from carryover._core.errors import InputError
from carryover.cli.main import run
from carryover.data.feature_files import open_features
from carryover.data.feature_writer import save_features
from carryover.experiments.shards.measures import measures_of
from carryover.experiments.shards.merging import merged_models
from carryover.experiments.store import existing_store, open_store
from carryover.measures.leep import leep
from carryover.measures.linear_scores import linear_scores
from carryover.measures.nce import nce

pytestmark = pytest.mark.slow

NOT_FROM_SUMS = {"nleep", "transrate", "pactran", "knn"}


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images") / "target.parquet", *striped_images(120, 1))


@pytest.fixture(scope="module")
def sharded(images, tmp_path_factory):
    """The store of two models in four shards each."""
    return swept_plan(features_sweep(images), tmp_path_factory.mktemp("sharded") / "x")[0]


@pytest.fixture(scope="module")
def whole(images, tmp_path_factory):
    """The same models in one shard each."""
    return swept_plan(features_sweep(images, shards=1), tmp_path_factory.mktemp("whole") / "x")[0]


def written(store):
    """The bytes of all features and sums by the id of their cell, and the rows."""
    files = [*store.folder.glob("runs/*/*.npz"), *store.folder.glob("sums/*.npz")]
    return {str(path.relative_to(store.folder)): path.read_bytes() for path in files}


@pytest.mark.parametrize("name", ["cnn", "pixels"])
def test_shards_are_the_rows_of_one_extraction_to_the_bit(sharded, whole, name):
    assert len(list(folder_of(sharded, name).iterdir())) == 4
    one, four = (open_features(folder_of(store, name)) for store in (whole, sharded))
    assert four.features.content_hash == one.features.content_hash
    assert (four.labels == one.labels).all() and len(four.labels) == 120
    if name == "cnn":
        assert four.source_probabilities.content_hash == one.source_probabilities.content_hash


@pytest.mark.parametrize("name", ["cnn", "pixels"])
def test_measures_of_shards_are_those_of_the_rows(sharded, name):
    (model,) = (one for one in merged_models(sharded) if one.name == name)
    found = measures_of(sharded, model)
    file = open_features(folder_of(sharded, name))
    codes = file.labels.astype(int)
    direct = linear_scores(file.features.all(), codes)
    if name == "cnn":
        source = file.source_probabilities.all()
        direct |= {"leep": leep(source, codes), "nce": nce(source.argmax(axis=1), codes)}
    for measure, result in direct.items():
        assert found[measure].value == pytest.approx(result.value, rel=1e-10), measure
    assert {measure for measure, one in found.items() if one.status == "not_applicable"} >= NOT_FROM_SUMS
    assert f"features = '{folder_of(sharded, name)}'" in found["knn"].reason
    if name == "pixels":
        assert "needs the probabilities of a source head" in found["leep"].reason


def test_regression_has_its_measures_too(images, tmp_path):
    over = {"model": [{"baseline": "pixels"}]}
    store, _ = swept_plan(
        features_sweep({}, over, data={"path": images, "task": "regression"}), tmp_path / "x"
    )
    (model,) = merged_models(store)
    found = measures_of(store, model)
    file = open_features(folder_of(store, "pixels"))
    direct = linear_scores(file.features.all(), file.labels, task="regression")
    for measure in ("logme", "ridge_loo"):
        assert found[measure].value == pytest.approx(direct[measure].value, rel=1e-10)
    assert "classification only" in found["h_score"].reason


def test_two_workers_and_going_on_give_the_same_bits(images, sharded, tmp_path, monkeypatch):
    two, _ = swept_plan(features_sweep(images), tmp_path / "two", backend="loky", workers=2)
    assert written(two) == written(sharded) and two.read().table.equals(sharded.read().table)

    def stopped(*_, **__):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("carryover.experiments.shards.extraction.save_features", stopped)
        swept_plan(features_sweep(images), tmp_path / "on")
    extracted = list((tmp_path / "on").glob("runs/*/extraction/*/features-*.npy"))
    assert extracted  # what was extracted is kept
    _, parts = swept_plan(features_sweep(images), tmp_path / "on", limit=3)
    assert any("shards of cnn have no sums yet" in note for note in parts.notes)
    on, _ = swept_plan(features_sweep(images), tmp_path / "on")
    assert written(on) == written(sharded) and on.read().table.equals(sharded.read().table)
    first, second = ([measures_of(store, one) for one in merged_models(store)] for store in (on, sharded))
    assert [{k: v.value for k, v in one.items()} for one in first] == [
        {k: v.value for k, v in one.items()} for one in second
    ]


def test_a_diagnosis_of_the_shards_is_that_of_one_file(sharded, tmp_path):
    from carryover.diagnosis.pipeline import diagnose

    file = open_features(folder_of(sharded, "cnn"))
    path = save_features(
        tmp_path / "cnn.npz",
        file.features,
        labels=file.labels,
        source_probabilities=file.source_probabilities,
    )
    measure = {"n_draws": 8, "n_partitions": 4}
    records = [
        diagnose({"models": [{"name": "cnn", "features": str(one)}], "measure": measure}).record
        for one in (folder_of(sharded, "cnn"), path)
    ]
    assert records[0]["models"][0]["probe"]["accuracy"]["value"] > 0.3
    assert records[0]["run"]["id"] == records[1]["run"]["id"]
    assert differing(*records) <= {
        ".created",
        ".run.seconds",
        ".models[0].seconds",
        ".models[0].feature",  # names the file
        ".data.target.name",
        ".spec.models[0].features",
    }


def differing(one, other, where=""):
    """The places where two records are not the same."""
    if type(one) is not type(other) or not isinstance(one, dict | list) or len(one) != len(other):
        return set() if one == other else {where}
    pairs = one.items() if isinstance(one, dict) else enumerate(one)
    named = f"{where}.{{}}" if isinstance(one, dict) else f"{where}[{{}}]"
    return set().union(*(differing(value, other[key], named.format(key)) for key, value in pairs))


def test_a_data_set_in_files_of_its_own_is_one_data_set(whole, tmp_path):
    pixels, classes = striped_images(120, 1)
    order = classes.argsort(kind="stable")  # a file may lack classes
    parts = [
        write_images(tmp_path / f"{name}.parquet", pixels[rows], classes[rows])
        for name, rows in (("a", order[:50]), ("b", order[50:]))
    ]
    plan = features_sweep(
        None,
        {"model": [{"baseline": "pixels"}], "data.part": parts},
        data={"task": "classification"},
        shards=2,
    )
    store, found = swept_plan(plan, tmp_path / "x")
    assert len(plan.cells) == 4 and found.n_failed == 0
    (model,) = merged_models(store)
    expected = measures_of(whole, next(one for one in merged_models(whole) if one.name == "pixels"))
    for measure, result in measures_of(store, model).items():
        assert result.status == expected[measure].status
        assert not result.ok or result.value == pytest.approx(expected[measure].value, rel=1e-10), measure


def test_without_features_there_are_sums_only(images, sharded, tmp_path):
    over = {"model": [NETWORK]}
    store, _ = swept_plan(features_sweep(images, over, keep_features=False), tmp_path / "x")
    assert not list(store.folder.glob("runs/*/features.npz")) and not folder_of(store, "cnn").exists()
    (model,) = merged_models(store)
    found = measures_of(store, model)
    (kept,) = (measures_of(sharded, one) for one in merged_models(sharded) if one.name == "cnn")
    assert {name: found[name].value for name in ("logme", "h_score", "nce")} == {
        name: kept[name].value for name in ("logme", "h_score", "nce")
    }
    assert all("keep_features = false left none" in found[name].reason for name in ("ridge_loo", "leep"))


def test_swept_and_reported_as_a_person_does(images, tmp_path, capsys):
    (tmp_path / "features.toml").write_text(
        f'[sweep]\ncommand = "features"\n[base]\nshards = 3\nbatch_size = 8\ndata.path = "{images}"\n'
        '[over]\n"model.baseline" = ["pixels", "random_convolution"]\n'
    )
    out = tmp_path / "out"
    assert run(["sweep", str(tmp_path / "features.toml"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "6 of 6 cells computed" in said and f"Features of pixels: {out}/features/pixels" in said
    assert run(["report", str(out)]) == 0
    assert "random_convolution (120 rows of 512 features): LogME" in capsys.readouterr().out
    page = (out / "report.html").read_text()
    assert (
        "Measures of all rows" in page
        and "Ridge, leave-one-out" in page
        and "carryover diagnose reads them" in page
    )
    table = pd.read_parquet(out / "measures.parquet")
    assert set(table["model"]) == {"pixels", "random_convolution"} and len(table) == 20
    store = existing_store(out)
    for model in merged_models(store):
        own = table[table["model"] == model.name].set_index("measure")["value"]
        assert own["logme"] == measures_of(store, model)["logme"].value
    assert run(["report", str(out)]) == 2
    assert "measures.parquet" in capsys.readouterr().err


def test_a_store_of_another_command_is_refused(images, tmp_path):
    open_store(tmp_path / "x", command="theory")
    with pytest.raises(InputError, match="holds a sweep of 'theory', not of 'features'"):
        swept_plan(features_sweep(images), tmp_path / "x")
