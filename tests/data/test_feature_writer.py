import errno

import numpy as np
import pytest

from carryover._core.errors import DiskFullError, InputError
from carryover.data import feature_writer
from carryover.data.atomic import written_whole
from carryover.data.feature_files import open_features
from carryover.data.feature_rows import MemoryRows
from carryover.data.feature_writer import save_features

RNG = np.random.default_rng(0)
X = RNG.standard_normal((9000, 5)).astype(np.float32)
P = RNG.dirichlet(np.ones(3), 9000)
IDS = np.array([f"bild-ä{i}" for i in range(9000)])
NAMES = np.array(["cat", "dog", "eel"])[RNG.integers(0, 3, 9000)]
GROUPS = RNG.integers(0, 40, 9000)


@pytest.mark.parametrize("suffix", [".npz", ".safetensors", ".parquet"])
@pytest.mark.parametrize("wrap", [np.asarray, MemoryRows])
def test_what_is_written_is_read_back(tmp_path, suffix, wrap):
    path = save_features(
        tmp_path / f"x{suffix}", wrap(X), labels=NAMES, ids=IDS, groups=GROUPS, source_probabilities=wrap(P)
    )
    file = open_features(path)
    assert (file.features.all() == X).all()
    assert file.features.content_hash == MemoryRows(X).content_hash
    assert (file.source_probabilities.all() == P).all()
    labels = np.array(file.class_names)[file.labels] if file.class_names else file.labels
    assert (labels == NAMES).all()
    assert (file.ids == IDS).all()
    assert (file.groups == GROUPS).all()
    assert [one.name for one in tmp_path.iterdir()] == [path.name]


def test_npy_holds_features_only(tmp_path):
    save_features(tmp_path / "x.npy", X.astype(np.float64))
    assert np.load(tmp_path / "x.npy").dtype == np.float64
    with pytest.raises(InputError, match=r"holds features only, not labels: write .npz"):
        save_features(tmp_path / "y.npy", X, labels=GROUPS)


def test_other_libraries_read_what_is_written(tmp_path):
    import pyarrow.parquet as pq
    from safetensors.numpy import load_file

    save_features(tmp_path / "x.npz", X, labels=GROUPS)
    save_features(tmp_path / "x.safetensors", X, labels=NAMES, ids=IDS)
    save_features(tmp_path / "x.parquet", X, labels=NAMES)
    with np.load(tmp_path / "x.npz", allow_pickle=False) as archive:
        assert (archive["features"] == X).all()
        assert (archive["labels"] == GROUPS).all()
    tensors = load_file(tmp_path / "x.safetensors")
    assert (tensors["features"] == X).all()
    assert tensors["labels"].tolist() == np.unique(NAMES, return_inverse=True)[1].tolist()
    table = pq.read_table(tmp_path / "x.parquet")
    assert (np.array(table["features"].to_pylist(), np.float32) == X).all()
    assert table["labels"].to_pylist() == NAMES.tolist()


def test_the_same_contents_give_the_same_bytes(tmp_path):
    for suffix in (".npz", ".safetensors", ".parquet"):
        paths = [save_features(tmp_path / f"{name}{suffix}", X, labels=GROUPS) for name in "ab"]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_an_existing_file_is_kept_unless_told(tmp_path):
    save_features(tmp_path / "x.npz", X)
    with pytest.raises(InputError, match=r"x.npz exists: choose another name or allow overwriting"):
        save_features(tmp_path / "x.npz", X + 1)
    assert (open_features(tmp_path / "x.npz").features.all() == X).all()
    save_features(tmp_path / "x.npz", X + 1, overwrite=True)
    assert (open_features(tmp_path / "x.npz").features.all() == X + 1).all()


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "full"), KeyboardInterrupt()])
def test_nothing_half_written_remains(tmp_path, monkeypatch, error):
    save_features(tmp_path / "x.npz", X)
    before = (tmp_path / "x.npz").read_bytes()

    def fail(stream, rows):
        stream.write(b"some")
        raise error

    monkeypatch.setattr(feature_writer, "_write_blocks", fail)
    with pytest.raises((DiskFullError, KeyboardInterrupt)) as caught:
        save_features(tmp_path / "x.npz", X, overwrite=True)
    if isinstance(error, OSError):
        assert "no space is left to write" in str(caught.value)
    assert [one.name for one in tmp_path.iterdir()] == ["x.npz"]
    assert (tmp_path / "x.npz").read_bytes() == before


def test_a_missing_folder_and_other_errors_are_passed_on(tmp_path):
    with pytest.raises(InputError, match=r"the folder .*none does not exist: create it first"):
        save_features(tmp_path / "none/x.npz", X)
    with pytest.raises(OSError, match="other"), written_whole(tmp_path / "x") as partial:
        partial.write_bytes(b"")
        raise OSError(errno.EIO, "other")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"labels": GROUPS[:5]}, "labels must have one entry for each of 9000 rows, got 5"),
        (
            {"ids": np.zeros((9000, 2))},
            r"ids must be a vector of numbers or strings, got float64 \(9000, 2\)",
        ),
        ({"labels": np.array([{}] * 9000)}, "labels must be a vector of numbers or strings, got object"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        save_features(tmp_path / "x.npz", X, **options)
    with pytest.raises(
        InputError, match=r"x.h5 has a format that is not written: give .npz, .npy, .safetensors"
    ):
        save_features(tmp_path / "x.h5", X)
    assert not list(tmp_path.iterdir())
