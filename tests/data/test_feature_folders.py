"""A folder of feature files is the file of all their rows."""

import itertools

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover.data.feature_files import open_features
from carryover.data.feature_folders import is_feature_folder
from carryover.data.feature_rows import FeatureRows
from carryover.data.feature_writer import save_features
from carryover.diagnosis.config import model_kind_of

RNG = np.random.default_rng(0)
X = RNG.standard_normal((50, 6)).astype(np.float32)
Y = RNG.integers(0, 3, 50)
P = RNG.dirichlet(np.ones(4), 50).astype(np.float32)
CUTS = (0, 17, 18, 50)


def write(folder, suffix=".npz", **more):
    folder.mkdir()
    for number, (start, stop) in enumerate(itertools.pairwise(CUTS)):
        parts = {key: value[start:stop] for key, value in more.items()}
        save_features(folder / f"{number:02d}{suffix}", X[start:stop], **parts)
    return folder


@pytest.mark.parametrize("suffix", [".npz", ".parquet", ".safetensors"])
def test_rows_follow_each_other_in_the_order_of_names(tmp_path, suffix):
    folder = write(tmp_path / "x", suffix, labels=Y, ids=np.arange(50), source_probabilities=P)
    whole = save_features(tmp_path / f"x{suffix}", X, labels=Y, ids=np.arange(50), source_probabilities=P)
    joined, single = open_features(folder), open_features(whole)
    assert isinstance(joined.features, FeatureRows) and joined.features.shape == (50, 6)
    assert joined.features.content_hash == single.features.content_hash
    assert joined.hashes() == single.hashes()
    np.testing.assert_array_equal(joined.require_labels(), Y)
    np.testing.assert_array_equal(joined.source_probabilities.all(), P)
    np.testing.assert_array_equal(joined.features.all(), X)
    for indices in ([49, 17, 17, 0, 18, 16], [], np.arange(50)[::-1]):
        np.testing.assert_array_equal(joined.features.take(indices), X[np.array(indices, dtype=int)])


def test_blocks_run_across_files(tmp_path):
    found = list(open_features(write(tmp_path / "x")).features.blocks(20))
    assert [(start, len(block)) for start, block in found] == [(0, 20), (20, 20), (40, 10)]
    np.testing.assert_array_equal(np.concatenate([block for _, block in found]), X)


def test_names_of_classes_are_those_of_each_file(tmp_path):
    """A .safetensors file numbers its own classes: the middle one has a single class, which it calls 0."""
    names = np.array(["ant", "bee", "cat"])[Y]
    joined = open_features(write(tmp_path / "x", ".safetensors", labels=names))
    np.testing.assert_array_equal(joined.labels, names)
    assert joined.class_names is None


def test_labels_of_a_folder_may_lie_beside_it(tmp_path):
    np.save(tmp_path / "labels.npy", Y)
    folder = write(tmp_path / "x", ".npy")
    np.testing.assert_array_equal(open_features(folder, labels=tmp_path / "labels.npy").labels, Y)
    assert open_features(folder).labels is None
    np.save(tmp_path / "labels.npy", Y[:9])
    with pytest.raises(
        InputError, match=r"labels.npy, labels must be a vector with one entry for each of 50"
    ):
        open_features(folder, labels=tmp_path / "labels.npy")


def test_files_that_do_not_fit_together_are_named(tmp_path):
    folder = write(tmp_path / "x", labels=Y)
    cases = [
        ({"features": X}, "02.npz has the keys features and 00.npz beside it features, labels"),
        ({"features": X[:, :3], "labels": Y}, "02.npz has 3 features and 00.npz beside it 6"),
        ({"features": X, "labels": Y.astype(str)}, "labels that are text in one file and numbers in another"),
    ]
    for arrays, said in cases:
        np.savez(folder / "02.npz", **arrays)
        with pytest.raises(InputError, match=said):
            open_features(folder)
    np.save(folder / "03.npy", X)
    with pytest.raises(InputError, match=r"feature files of several formats \(.npy, .npz\): keep one"):
        open_features(folder)
    with pytest.raises(InputError, match="folder without a feature file: give a file or files"):
        (tmp_path / "empty").mkdir()
        open_features(tmp_path / "empty")


def test_ids_and_groups_must_mean_the_same_in_every_file(tmp_path):
    with pytest.raises(InputError, match="ids has 18 duplicate ids"):
        open_features(write(tmp_path / "ids", ids=np.concatenate([np.arange(18), np.arange(32)])))
    groups = np.array(["a", "b"])[np.arange(50) % 2]
    np.testing.assert_array_equal(open_features(write(tmp_path / "npz", groups=groups)).groups, groups)
    with pytest.raises(
        InputError, match=r"groups in \.safetensors files, where they are numbers of each file alone"
    ):
        open_features(write(tmp_path / "safe", ".safetensors", groups=groups))


def test_a_folder_of_features_is_told_from_one_of_a_network(tmp_path):
    features = write(tmp_path / "x")
    assert is_feature_folder(features) and model_kind_of(str(features)) == "features"
    for name in ("config.json", "run.json"):
        (features / name).write_text("{}")
        assert model_kind_of(str(features)) == "path"
        (features / name).unlink()
    assert model_kind_of(str(write(tmp_path / "y", ".safetensors"))) == "path"
