"""TOML and flags become one strict spec; what its id is made of."""

import pytest

from carryover._core.config import spec_as_table
from carryover._core.errors import InputError
from carryover.diagnosis.config import model_kind_of, read_config
from carryover.diagnosis.specs import DiagnosisSpec, ModelSpec


def test_paths_count_from_the_file_and_hub_ids_stay(tmp_path):
    (tmp_path / "net.py").write_text("")
    (tmp_path / "c.toml").write_text(
        '[target]\npath = "owner/data"\n[[models]]\nfactory = "net.py:make"\nweights = "./w.pt"\n'
        '[[models]]\npath = "owner/model"\n[[models]]\nfactory = "package.module:make"\n'
    )
    spec = read_config(tmp_path / "c.toml")
    assert spec.target.path == "owner/data"
    assert spec.models[0].factory == f"{tmp_path / 'net.py'}:make"
    assert spec.models[0].weights == str(tmp_path / "w.pt")
    assert spec.models[1].path == "owner/model"
    assert spec.models[2].factory == "package.module:make"


def test_each_file_of_a_features_model_counts_from_the_file(tmp_path):
    keys = ("features", "test_features", "labels_file", "test_labels_file", "pretraining_features")
    for key in keys:
        (tmp_path / f"{key}.npy").write_text("")
    lines = "\n".join(f'{key} = "{key}.npy"' for key in keys)
    (tmp_path / "c.toml").write_text(f'[[models]]\nname = "a"\n{lines}\n')
    (model,) = read_config(tmp_path / "c.toml").models
    assert [getattr(model, key) for key in keys] == [str(tmp_path / f"{key}.npy") for key in keys]


def test_flags_lie_over_the_config_and_none_leaves_it():
    tables = {"seed": 3, "target": {"path": "d", "n_labels": 9}, "models": [{"name": "a", "baseline": "pca"}]}
    spec = read_config(tables, models=["a=f.npz", "b=g.npz"], overrides={"target.n_labels": 20, "seed": None})
    assert (spec.seed, spec.target.n_labels) == (3, 20)
    assert [(one.name, one.kind) for one in spec.models] == [("a", "features"), ("b", "features")]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("x/features.npz", "features"),
        ("features.parquet", "features"),
        ("nets/net.py:make", "factory"),
        ("package.module:make", "factory"),
        ("owner/model", "path"),
        ("./folder", "path"),
    ],
)
def test_kind_of_a_bare_path(path, kind):
    assert model_kind_of(path) == kind


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ({"models": [{"baseline": "pca", "nmae": "x"}]}, "unknown key models[0].nmae"),
        ({"models": [{"baseline": "pca"}], "target": 3}, "target must be a table"),
        ({"models": {"baseline": "pca"}}, "models must be a list"),
        ({"models": [{"baseline": "pca"}], "measure": {"n_draws": 2}}, "measure.n_draws must be at least 8"),
        (
            {"models": [{"baseline": "pca"}], "measure": {"n_draws": True}},
            "measure.n_draws must be a whole number",
        ),
        ({"models": [{"features": "x"}], "unlabelled": {}}, "key unlabelled.path is missing"),
        ({"models": [{"features": "x"}], "target": {"task": "ranking"}}, "target.task must be"),
        (
            {"models": [{"features": "x"}], "target": {"test_fraction": 1.5}},
            "test_fraction must lie in (0, 1)",
        ),
        ({"models": [{"baseline": "pca", "test_features": "x"}]}, "gives test_features without features"),
    ],
)
def test_what_is_wrong_is_named_with_its_place(tables, words):
    with pytest.raises(InputError) as caught:
        read_config(tables)
    assert words in str(caught.value)


def test_a_malformed_model_flag():
    with pytest.raises(InputError, match="--model must be NAME=PATH"):
        read_config(None, models=["just-a-path"])


def test_defaults_are_left_out_of_the_identity():
    spec = DiagnosisSpec(models=(ModelSpec(features="x"),))
    assert spec_as_table(spec) == {"models": [{"features": "x"}]}
    assert spec_as_table(DiagnosisSpec(models=(ModelSpec(features="x"),), seed=2))["seed"] == 2
