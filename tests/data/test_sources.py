import errno
import io
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from carryover._core.errors import DiskFullError, InputError
from carryover.data import load
from carryover.data.sources import open_dataset

pytestmark = pytest.mark.usefixtures("cached")


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "table.parquet"
    pq.write_table(pa.table({"x": [1.0, 2.0, 3.0], "y": ["a", "b", None], "target": [1, 2, 3]}), path)
    return path


@pytest.fixture
def image_folder(tmp_path):
    rng = np.random.default_rng(0)
    for split, n in (("train", 3), ("test", 2)):
        for name in ("cat", "dog"):
            folder = tmp_path / "animals" / split / name
            folder.mkdir(parents=True)
            for i in range(n):
                Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).save(folder / f"{i}.png")
    return tmp_path / "animals"


def test_pacs_photographs(data_root):
    photos = open_dataset(data_root / "data/pacs32", where={"domain": "photo"})
    assert len(photos) == 1670
    assert photos.splits == ("train",)
    assert (photos.label_column(), photos.image_column()) == ("label", "image")
    assert photos.class_names("label") == ("dog", "elephant", "giraffe", "guitar", "horse", "house", "person")
    assert set(photos.values("domain")) == {2}
    pixels = photos.images().read(0, 20)
    raw = pq.read_table(data_root / "data/pacs32/train-00000-of-00001.parquet")
    domain = raw.column("domain").to_numpy()
    assert (photos.rows == np.flatnonzero(domain == 2)).all()
    first = raw.column("image")[int(photos.rows[0])]["bytes"].as_py()
    assert (pixels[0] == np.asarray(Image.open(io.BytesIO(first)).convert("RGB"))).all()


def test_cifar100_has_two_label_columns_to_choose_from(data_root):
    source = open_dataset(data_root / "data/cifar100", split="test")
    with pytest.raises(
        InputError, match=r"cifar100 has several candidates for label_column.*fine_label, coarse_label"
    ):
        source.label_column()
    assert source.label_column("coarse_label") == "coarse_label"
    assert source.image_column() == "img"
    assert np.bincount(source.values("coarse_label")).tolist() == [250] * 20
    assert source.images().shape == (32, 32, 3)


def test_mnist_is_grey(data_root):
    assert open_dataset(data_root / "data/mnist", split="test").images().shape == (28, 28, 1)


def test_image_folder(image_folder):
    train = open_dataset(image_folder)
    assert (train.split, set(train.splits), len(train)) == ("train", {"train", "test"}, 6)
    assert train.class_names(train.label_column()) == ("cat", "dog")
    dogs = open_dataset(image_folder, split="test", where={"label": "dog"})
    assert len(dogs) == 2
    expected = np.asarray(Image.open(image_folder / "test/dog/1.png"))
    assert (dogs.images().read(1, 2)[0] == expected).all()


def test_a_file_that_went_missing_is_named(image_folder):
    source = open_dataset(image_folder, split="test")
    images = source.images()
    (image_folder / "test/cat/1.png").unlink()
    with pytest.raises(
        InputError, match=r"the image in row 1 of animals \(test\), column image cannot be read"
    ):
        images.read(0, 4)


def test_single_parquet_file_and_filters(table):
    source = open_dataset(table)
    assert source.columns == ("x", "y", "target")
    assert source.where({"x": [1, 3], "y": "a"}).rows.tolist() == [0]
    assert source.values("y") == ["a", "b", None]
    assert source.class_names("y") is None
    with pytest.raises(InputError, match=r"several candidates for label_column, name one: y, target"):
        source.label_column()
    with pytest.raises(
        InputError, match=r"table.parquet has no evident image_column, name it; columns are: x, y, target"
    ):
        source.image_column()
    with pytest.raises(
        InputError, match=r"column 'x' of table.parquet holds no images but .*image columns are none"
    ):
        source.image_column("x")
    with pytest.raises(
        InputError, match=r"no row of table.parquet \(train\) satisfies where y = 'c': y has None, a, b"
    ):
        source.where({"y": "c"})


def test_encoded_bytes_without_an_image_type_are_images(tmp_path, image_folder):
    data = [(image_folder / "test/cat/0.png").read_bytes(), None]
    pq.write_table(pa.table({"image": data, "label": [0, 1]}), tmp_path / "plain.parquet")
    source = open_dataset(tmp_path / "plain.parquet")
    column = source.image_column()
    assert source.where({"label": 0}).images(column).read(0, 1).shape == (1, 8, 8, 3)
    with pytest.raises(
        InputError, match=r"the image in row 1 of plain.parquet .* is missing: remove that row"
    ):
        source.images(column, size=8, channels=3).read(0, 2)


def test_wrong_names_are_answered_with_what_is_there(data_root, table):
    source = open_dataset(table)
    with pytest.raises(
        InputError, match=r"no column 'targe': there are: target, x, y \(did you mean 'target'\?\)"
    ):
        source.label_column("targe")
    with pytest.raises(
        InputError, match=r"no split 'tset': there are: test, train \(did you mean 'test'\?\)"
    ):
        open_dataset(data_root / "data/mnist", split="tset")
    with pytest.raises(
        InputError, match=r"has no class 'foto': there are: art_painting.*did you mean 'photo'"
    ):
        open_dataset(data_root / "data/pacs32", where={"domain": "foto"})


def test_missing_paths_name_their_neighbours(tmp_path, table):
    with pytest.raises(InputError, match=r"tabel.parquet does not exist; in .*did you mean 'table.parquet'"):
        open_dataset(tmp_path / "tabel.parquet")
    with pytest.raises(InputError, match=r"does not exist; nor does /no/such"):
        open_dataset("/no/such/folder")


def test_unreadable_data_is_a_sentence(tmp_path, table):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.docx").write_text("x")
    broken = tmp_path / "broken.parquet"
    broken.write_bytes(table.read_bytes()[:-40])
    with pytest.raises(InputError, match=r"empty has no files: put Parquet files or an image folder there"):
        open_dataset(tmp_path / "empty")
    with pytest.raises(
        InputError, match=r"notes.docx has a format that is not read as a data set: give .parquet"
    ):
        open_dataset(tmp_path / "notes.docx")
    with pytest.raises(InputError, match=r"the file .*broken.parquet could not be read as a data set: "):
        open_dataset(broken)


def test_several_splits_without_train_must_be_chosen(tmp_path, table):
    folder = tmp_path / "folder"
    folder.mkdir()
    for split in ("test", "validation"):
        (folder / f"{split}.parquet").write_bytes(table.read_bytes())
    with pytest.raises(InputError, match=r"folder has several splits, name one: "):
        open_dataset(folder)


def _hub_answer(monkeypatch, error):
    import huggingface_hub

    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", False)

    class Hub:
        def dataset_info(self, hub_id, timeout):
            raise error

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)


def test_the_hubs_refusals_are_sentences(monkeypatch):
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    _hub_answer(monkeypatch, ConnectionError("no route"))
    with pytest.raises(
        InputError, match=r"data set a/b could not be reached \(no route\).*local folder or Parquet"
    ):
        open_dataset("a/b")
    _hub_answer(monkeypatch, RepositoryNotFoundError.__new__(RepositoryNotFoundError))
    with pytest.raises(InputError, match=r"a/b is neither a local path nor a data set on the hub"):
        open_dataset("a/b")
    _hub_answer(monkeypatch, GatedRepoError.__new__(GatedRepoError))
    with pytest.raises(InputError, match=r"asks for an agreement"):
        open_dataset("a/b")


def test_the_real_hub_client_fails_quickly_and_quietly_offline():
    code = (
        "from carryover.data.sources import open_dataset\n"
        "try: open_dataset('nosuch/thing')\n"
        "except ValueError as error: print(error)"
    )
    environment = {"HF_HUB_OFFLINE": "1", "PATH": "", "HOME": "/nonexistent"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env=environment, timeout=60
    )
    assert "data set nosuch/thing could not be reached" in done.stdout
    assert "connect to the network" in done.stdout
    assert "Traceback" not in done.stderr


def test_a_full_or_forbidden_cache_is_said(monkeypatch, table):
    import datasets

    def fail(error):
        def load_dataset(*args, **options):
            assert "trust_remote_code" not in options
            raise RuntimeError("while generating") from error

        monkeypatch.setattr(datasets, "load_dataset", load_dataset)

    fail(OSError(errno.ENOSPC, "No space left on device"))
    with pytest.raises(DiskFullError, match=r"no space is left to cache the file .*table.parquet"):
        open_dataset(table)
    fail(PermissionError(errno.EACCES, "denied"))
    with pytest.raises(InputError, match=r"set HF_DATASETS_CACHE to a folder that can be written"):
        open_dataset(table)


def test_progress_bars_are_left_as_they_were(table):
    import datasets

    for change in (datasets.disable_progress_bars, datasets.enable_progress_bars):
        change()
        before = datasets.are_progress_bars_disabled()
        load.load_splits(table)
        assert datasets.are_progress_bars_disabled() == before


def test_the_data_layer_needs_no_torch():
    code = (
        "import sys, carryover.data.sources, carryover.data.feature_files\n"
        "print('torch' in sys.modules, 'datasets' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
