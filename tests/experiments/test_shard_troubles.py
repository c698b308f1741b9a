"""Shards that are missing, do not add up, or meet another driver; labels that cannot be used."""

import errno
from contextlib import contextmanager

import pandas as pd
import pytest
from shard_examples import features_sweep, folder_of, striped_images, write_images
from sweep_examples import swept_plan

from carryover._core.errors import InputError
from carryover.data.feature_files import open_features
from carryover.data.feature_writer import save_features
from carryover.experiments.shards import merging
from carryover.experiments.shards.measures import measures_of
from carryover.experiments.shards.merging import merged_models

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    return write_images(tmp_path_factory.mktemp("images") / "target.parquet", *striped_images(120, 1))


def test_shards_that_do_not_add_up_are_said(tmp_path):
    pixels, classes = striped_images(60, 1)
    parts = [write_images(tmp_path / "a.parquet", pixels, classes)]
    for name, changed, labels in [
        ("big", pixels.repeat(2, 1).repeat(2, 2), classes),
        ("numbers", pixels, classes / 7),
    ]:
        columns = write_images(tmp_path / "x.parquet", changed)
        table = pd.read_parquet(columns).assign(label=labels)
        table.to_parquet(tmp_path / f"{name}.parquet")
        parts.append(str(tmp_path / f"{name}.parquet"))
    base = {"data": {"image": "image"}, "shards": 1}

    def notes(baseline, *which):
        over = {"data.part": [parts[one] for one in which], "model": [{"baseline": baseline}]}
        return swept_plan(features_sweep(None, over, **base), tmp_path / f"{baseline}{which}")[1].notes

    assert "do not add up: some have images of another size" in notes("pixels", 0, 1)[0]
    assert (
        "do not add up: one shard has class labels and one numbers: say data.task" in notes("pixels", 0, 2)[0]
    )


def test_a_sweep_of_some_shards_puts_nothing_together(images, tmp_path):
    over = {"model": [{"baseline": "pixels"}], "shard": [0, 2]}
    store, found = swept_plan(features_sweep(images, over), tmp_path / "x")
    assert found.notes == ("The sweep names 2 of the 4 shards of pixels: nothing is put together.",)
    assert merged_models(store) == []
    done, _ = swept_plan(features_sweep(images, {"model": [{"baseline": "pixels"}]}), tmp_path / "x")
    assert [one.name for one in merged_models(done)] == ["pixels"]


def test_another_data_set_under_the_same_name_has_a_folder_of_its_own(images, tmp_path):
    pixels, classes = striped_images(40, 2)
    other = write_images(tmp_path / "other.parquet", pixels, classes)
    for path in (images, other, images):
        store, _ = swept_plan(features_sweep(path, {"model": [{"baseline": "pixels"}]}), tmp_path / "x")
    names = [one.name for one in merged_models(store)]
    assert names[0] == "pixels" and len(names) == 2 and names[1].startswith("pixels-")
    assert [len(open_features(folder_of(store, name)).features) for name in names] == [120, 40]


def test_a_folder_that_another_driver_made_meanwhile_is_taken(images, tmp_path, monkeypatch):
    over = {"model": [{"baseline": "pixels"}]}
    made = merging.folder_written_whole

    @contextmanager
    def twice(folder):
        with made(folder) as partial:
            yield partial
        raise OSError(errno.ENOTEMPTY, "is not empty")

    monkeypatch.setattr(merging, "folder_written_whole", twice)
    store, _ = swept_plan(features_sweep(images, over), tmp_path / "x")
    assert len(open_features(folder_of(store, "pixels")).features) == 120

    @contextmanager
    def never(folder):
        yield tmp_path
        raise OSError(errno.ENOTEMPTY, "is not empty")

    monkeypatch.setattr(merging, "folder_written_whole", never)
    with pytest.raises(OSError, match="is not empty"):
        swept_plan(features_sweep(images, over), tmp_path / "y")


def test_a_second_look_that_is_missing_or_failed_is_a_status(images, tmp_path):
    over = {"model": [{"baseline": "pixels"}]}
    store, _ = swept_plan(features_sweep(images, over), tmp_path / "x")
    (model,) = merged_models(store)
    for path in (store.folder / "errors" / "rows").iterdir():
        path.unlink()
    found = measures_of(store, model)["ridge_loo"]
    assert (found.status, found.reason) == (
        "failed",
        "the second look at 4 of 4 shards is missing: run the sweep again",
    )
    file = folder_of(store, "pixels") / "00002.npz"
    part = open_features(file)
    save_features(file.resolve(), part.features.all(), labels=part.labels.astype("U9") + "!", overwrite=True)
    _, said = swept_plan(features_sweep(images, over), tmp_path / "x")
    assert "1 of 4 second looks at the rows failed." in said.notes
    reason = measures_of(store, model)["ridge_loo"].reason
    assert (
        "second look at the rows failed" in reason and "has classes that the sums lack: 0!, 1!, 2!" in reason
    )
    (store.folder / "models" / "pixels.json").write_text("{")
    with pytest.raises(InputError, match=r"pixels.json cannot be read .*: remove it and sweep again"):
        merged_models(store)


def test_constant_features_keep_their_reason(tmp_path):
    pixels, classes = striped_images(40, 2)
    path = write_images(tmp_path / "flat.parquet", pixels * 0, classes)
    store, _ = swept_plan(features_sweep(path, {"model": [{"baseline": "pixels"}]}), tmp_path / "x")
    found = measures_of(store, *merged_models(store))
    for name in ("logme", "h_score", "ridge_loo"):
        assert found[name].status == "failed" and "every feature is constant" in found[name].reason


@pytest.mark.parametrize(
    ("labels", "data", "said"),
    [
        ([None, *range(39)], {}, "label is missing in 1 of 40 rows (row 0): keep the others with data.where"),
        (["a", "b"] * 20, {"task": "regression"}, "label holds names, not numbers"),
        ([1, 2] * 20, {"label": "lable"}, "lable"),
    ],
)
def test_labels_that_cannot_be_used_fail_their_cells(tmp_path, labels, data, said):
    path = write_images(tmp_path / "x.parquet", striped_images(40, 2)[0])
    pd.read_parquet(path).assign(label=pd.Series(labels).values).to_parquet(path)
    data = {"path": path, "image": "image", **data}
    plan = features_sweep(None, {"model": [{"baseline": "pixels"}]}, data=data, shards=1)
    store, found = swept_plan(plan, tmp_path / "out")
    assert found.n_failed == 1 and said in store.read().table.column("reason").to_pylist()[0]


def test_groups_go_with_the_features(tmp_path):
    pixels, classes = striped_images(60, 2)
    path = write_images(tmp_path / "x.parquet", pixels, classes)
    pd.read_parquet(path).assign(patient=[f"p{n // 3}" for n in range(60)]).to_parquet(path)
    data = {"path": path, "image": "image", "group": "patient"}
    store, _ = swept_plan(
        features_sweep(None, {"model": [{"baseline": "pixels"}]}, data=data), tmp_path / "out"
    )
    groups = open_features(folder_of(store, "pixels")).groups
    assert groups.tolist() == [f"p{n // 3}" for n in range(60)]
