import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from carryover._core.errors import InputError
from carryover.data import feature_files
from carryover.data.feature_files import open_features, read_label_file
from carryover.data.feature_rows import FeatureRows, MemoryRows
from carryover.data.hashing import id_hashes

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 50)
P = RNG.dirichlet(np.ones(4), 50).astype(np.float32)


def _npz(path, **arrays):
    np.savez(path, **arrays)
    return path


def _safetensors(path, header, body=b""):
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + body)
    return path


def _listed(array):
    return pa.array(array.tolist(), type=pa.list_(pa.from_numpy_dtype(array.dtype)))


WRITE = {
    "f.npz": lambda path: np.savez(path, features=X, labels=Y, source_probabilities=P),
    "compressed.npz": lambda path: np.savez_compressed(path, features=X, labels=Y, source_probabilities=P),
    "fortran.npz": lambda path: np.savez(
        path, features=np.asfortranarray(X), labels=Y, source_probabilities=P
    ),
    "f.safetensors": lambda path: safetensors.numpy.save_file(
        {"features": X, "labels": Y, "source_probabilities": P}, path
    ),
    "list.parquet": lambda path: pq.write_table(
        pa.table({"features": _listed(X), "labels": Y, "source_probabilities": _listed(P)}),
        path,
        row_group_size=17,
    ),
    "columns.parquet": lambda path: pq.write_table(
        pa.table({**{f"f{i}": X[:, i] for i in range(6)}, "labels": Y, "source_probabilities": _listed(P)}),
        path,
    ),
}


@pytest.mark.parametrize("name", WRITE)
def test_files_of_other_libraries_are_read_by_blocks_rows_and_whole(tmp_path, name):
    WRITE[name](tmp_path / name)
    file = open_features(tmp_path / name)
    assert isinstance(file.features, FeatureRows)
    assert file.features.shape == (50, 6)
    starts, blocks = zip(*file.features.blocks(20), strict=True)
    assert starts == (0, 20, 40)
    assert np.concatenate(blocks).dtype == np.float32
    assert (np.concatenate(blocks) == X).all()
    for indices in ([7, 3, 3, 49, 8], [], np.arange(50)):
        assert (file.features.take(indices) == X[indices if len(indices) else np.arange(0)]).all()
    assert (file.features.all() == X).all()
    assert file.features.content_hash == MemoryRows(X).content_hash
    assert (file.require_labels() == Y).all()
    assert (file.source_probabilities.all() == P).all()
    assert file.ids is None


def test_npy_with_labels_from_a_file_of_their_own(tmp_path):
    np.save(tmp_path / "x.npy", X.astype(np.float64))
    np.save(tmp_path / "y.npy", Y)
    file = open_features(tmp_path / "x.npy", labels=tmp_path / "y.npy")
    assert file.features.all().dtype == np.float64
    assert (file.require_labels() == Y).all()
    with pytest.raises(InputError, match=r"x.npy has no labels: there are: features. Add the key"):
        open_features(tmp_path / "x.npy").require_labels()
    np.save(tmp_path / "y.npy", Y[:9])
    with pytest.raises(
        InputError, match=r"y.npy, labels must be a vector with one entry for each of 50 rows"
    ):
        open_features(tmp_path / "x.npy", labels=tmp_path / "y.npy")


def test_half_precision_and_big_endian_are_read(tmp_path):
    np.save(tmp_path / "half.npy", X.astype(np.float16))
    assert (open_features(tmp_path / "half.npy").features.all() == X.astype(np.float16)).all()
    np.save(tmp_path / "big.npy", X.astype(">f8"))
    assert (open_features(tmp_path / "big.npy").features.all() == X).all()
    brain = (X.view(np.uint32) >> 16).astype(np.uint16)
    entry = {"dtype": "BF16", "shape": [50, 6], "data_offsets": [0, 600]}
    file = open_features(_safetensors(tmp_path / "brain.safetensors", {"features": entry}, brain.tobytes()))
    found = file.features.take([4, 2])
    assert (found.view(np.uint32) >> 16 == brain[[4, 2]]).all()
    assert np.abs(found / X[[4, 2]] - 1).max() < 2**-7


def test_ids_name_the_examples(tmp_path):
    ids = np.array([f"image {i}" for i in range(50)])
    file = open_features(_npz(tmp_path / "a.npz", features=X, ids=ids))
    assert file.hashes() == id_hashes(ids)
    other = open_features(_npz(tmp_path / "b.npz", features=X + 1, ids=ids))
    assert other.hashes() == file.hashes()
    assert len(set(open_features(_npz(tmp_path / "c.npz", features=X)).hashes())) == 50


def test_labels_from_tables_and_lines(tmp_path):
    (tmp_path / "a.csv").write_text("name,label\nx,cat\ny,dog\n")
    assert read_label_file(tmp_path / "a.csv").tolist() == ["cat", "dog"]
    assert read_label_file(tmp_path / "a.csv", column="name").tolist() == ["x", "y"]
    (tmp_path / "a.txt").write_text("3\n1\n")
    assert read_label_file(tmp_path / "a.txt").tolist() == ["3", "1"]
    pq.write_table(pa.table({"k": pa.array(["u", None]).dictionary_encode()}), tmp_path / "a.parquet")
    assert read_label_file(tmp_path / "a.parquet").tolist() == ["u", None]
    with pytest.raises(InputError, match=r"no column 'lable': there are: label, name \(did you mean 'label'"):
        read_label_file(tmp_path / "a.csv", column="lable")
    (tmp_path / "b.csv").write_text("u,v\n1,2\n")
    with pytest.raises(InputError, match=r"several columns, name the one with labels: u, v"):
        read_label_file(tmp_path / "b.csv")
    (tmp_path / "c.csv").write_text("u,v\n1\n")
    with pytest.raises(InputError, match=r"c.csv is not a readable CSV table"):
        read_label_file(tmp_path / "c.csv")
    (tmp_path / "a.xls").write_text("")
    with pytest.raises(InputError, match=r"not read for labels: give .npy, .txt, .csv or .parquet"):
        read_label_file(tmp_path / "a.xls")


BAD = X.copy()
BAD[7, 2], BAD[9, 0] = np.nan, np.inf


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        (
            {"feats": X, "labels": Y},
            r"no key 'features': there are: feats, labels \(did you mean 'feats'\?\)",
        ),
        ({"features": BAD}, "features: 2 values are NaN or infinite, the first in row 7: remove those"),
        ({"features": X[:, :, None]}, r"must be a matrix .* got shape \(50, 6, 1\): pool or flatten"),
        ({"features": X[:0]}, r"with at least one of each, got shape \(0, 6\)"),
        (
            {"features": (X * 9).astype(int)},
            "must be float16, float32 or float64, got int64: convert to float32",
        ),
        ({"features": X + 1j}, "got complex64"),
        (
            {"features": X, "labels": Y[:9]},
            r"labels must be a vector with one entry for each of 50 rows, got .*\(9,\)",
        ),
        ({"features": X, "labels": P}, r"labels must be a vector .* got shape \(50, 4\)"),
        ({"features": X, "ids": Y}, "47 duplicate ids, such as '0': an id names one example"),
        ({"features": X, "source_probabilities": P[:9]}, "50 rows of features and 9 of source_probabilities"),
        ({"features": X, "source_probabilities": X}, "source_probabilities in row 0 are not probabilities"),
        (
            {"features": X, "labels": Y.astype(object)},
            r"key 'labels' holds Python objects \(a pickle\), which are never",
        ),
        ({"features": X.astype(object)}, "key 'features' holds Python objects"),
    ],
)
def test_wrong_contents_are_said(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message):
        open_features(_npz(tmp_path / "x.npz", **arrays))


def test_checks_can_be_left_out(tmp_path):
    assert open_features(_npz(tmp_path / "x.npz", features=BAD), check=False).features.shape == (50, 6)


def test_a_pickle_is_never_loaded(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (open, (str(tmp_path / "exploded"), "w"))

    bomb = np.array([Bomb()], dtype=object)
    np.save(tmp_path / "x.npy", bomb, allow_pickle=True)
    np.savez(tmp_path / "x.npz", features=X[:1], labels=bomb)
    np.savez_compressed(tmp_path / "y.npz", features=X[:1], labels=bomb)
    for name in ("x.npy", "x.npz", "y.npz"):
        with pytest.raises(InputError, match=r"pickle"):
            open_features(tmp_path / name)
    assert not (tmp_path / "exploded").exists()


@pytest.mark.parametrize("name", ["x.npy", *WRITE])
@pytest.mark.parametrize("kept", [0.0, 0.2, 0.9])
def test_truncated_files_are_said(tmp_path, name, kept):
    WRITE.get(name, lambda path: np.save(path, X))(tmp_path / name)
    data = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(data[: int(kept * len(data))])
    with pytest.raises(InputError, match=rf"{name}.* (truncated|not a NumPy array file)"):
        open_features(tmp_path / name)


def test_a_file_cut_after_it_was_opened_is_said(tmp_path):
    np.save(tmp_path / "x.npy", X)
    file = open_features(tmp_path / "x.npy")
    (tmp_path / "x.npy").write_bytes((tmp_path / "x.npy").read_bytes()[:-8])
    with pytest.raises(InputError, match=r"ends before its last row: the file is truncated"):
        file.features.all()


def test_damaged_archives_are_said(tmp_path):
    np.savez_compressed(tmp_path / "x.npz", features=RNG.standard_normal((4000, 20)))
    data = bytearray((tmp_path / "x.npz").read_bytes())
    data[-2000:-1000] = bytes(1000)
    (tmp_path / "x.npz").write_bytes(data)
    with pytest.raises(InputError, match=r"x.npz cannot be decompressed .* write it again"):
        open_features(tmp_path / "x.npz")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (
            {"dtype": "F8_E4M3", "shape": [2, 2], "data_offsets": [0, 4]},
            "holds a tensor of type F8_E4M3: save it as F32",
        ),
        ({"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 4]}, "whose shape and offsets disagree"),
        ({"dtype": "F32", "shape": [-2, -2], "data_offsets": [0, 16]}, "whose shape and offsets disagree"),
        ({"dtype": "F32", "shape": [2, 2]}, "safetensors header that cannot be read"),
        ("text", "safetensors header that cannot be read"),
    ],
)
def test_hostile_safetensors_headers_are_said(tmp_path, entry, message):
    with pytest.raises(InputError, match=message):
        open_features(_safetensors(tmp_path / "x.safetensors", {"features": entry}, bytes(16)))


def test_wrong_parquet_columns_are_said(tmp_path):
    def write(**columns):
        pq.write_table(pa.table(columns), tmp_path / "x.parquet")
        return tmp_path / "x.parquet"

    with pytest.raises(InputError, match=r"3 features in row 1 and 2 in row 0: rows must be equally long"):
        open_features(write(features=[[1.0, 2.0], [1.0, 2.0, 3.0]]))
    with pytest.raises(InputError, match=r"missing feature values, the first in row 1: fill or drop"):
        open_features(write(features=[[1.0, 2.0], None]))
    with pytest.raises(InputError, match=r"missing feature values, the first in row 1: fill or drop"):
        open_features(write(features=[[1.0, 2.0], [1.0, None]]))
    with pytest.raises(InputError, match=r"missing feature values, the first in row 1: fill or drop"):
        open_features(write(f0=[1.0, 2.0], f1=[1.0, None]))
    with pytest.raises(InputError, match=r"is empty in row 0"):
        open_features(write(features=[None, [1.0]]))
    with pytest.raises(InputError, match=r"feature columns with gaps: they must be f0..f1"):
        open_features(write(f0=[1.0], f2=[2.0]))
    with pytest.raises(InputError, match=r"features must be float16, float32 or float64, got int64"):
        open_features(write(features=[[1, 2]]))
    with pytest.raises(InputError, match=r"must be a matrix"):
        open_features(write(features=[1.0, 2.0]))


def test_missing_and_unknown_files_are_said(tmp_path):
    _npz(tmp_path / "train.npz", features=X)
    with pytest.raises(InputError, match=r"trian.npz does not exist; in .*did you mean 'train.npz'"):
        open_features(tmp_path / "trian.npz")
    with pytest.raises(InputError, match=r"is a folder: give one file with labels"):
        read_label_file(tmp_path)
    (tmp_path / "x.h5").write_text("")
    with pytest.raises(InputError, match=r"x.h5 has a format that is not read: give .npz, .npy"):
        open_features(tmp_path / "x.h5")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "compressed.npz", "x.safetensors", "x.parquet"])
def test_memory_stays_bounded(tmp_path, name):
    """Passes over 96 MB of features, checked and hashed, grow the process by under 64 MB."""
    from carryover.data.feature_writer import save_features

    big = np.ones((125_000, 192), np.float32)
    big[:, 0] = np.arange(len(big))
    if name.startswith("compressed"):
        np.savez_compressed(tmp_path / name, features=big)
    else:
        save_features(tmp_path / name, big)
    code = (
        "import sys, resource, numpy as np\n"
        "import pyarrow.parquet\n"
        "from carryover.data.feature_files import open_features\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "rows = open_features(sys.argv[1]).features\n"
        "total = sum(float(b[:, 0].astype(np.float64).sum()) for _, b in rows.blocks())\n"
        "rows.content_hash, rows.take([124999, 5])\n"
        "print(total, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    run = [sys.executable, "-c", code, str(tmp_path / name)]
    total, grown_kb = map(
        float, subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()
    )
    assert total == 125_000 * 124_999 / 2
    assert grown_kb < 64 * 1024


def test_every_format_has_a_reader():
    assert set(feature_files.LAYOUTS) == {".npz", ".npy", ".safetensors", ".parquet"}
