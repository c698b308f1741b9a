"""Bad input: a clear sentence on stderr, exit code 2, and nothing half-written."""

from pathlib import Path

import numpy as np
import pytest
import torch
from planted_features import planted
from safetensors.torch import save_file


def _save(path: Path, **arrays: np.ndarray) -> Path:
    np.savez(path, **arrays)
    return path


def _features(n: int = 60) -> np.ndarray:
    return planted(n, 5, strength=0.5)[0]


def _labels(n: int = 60) -> np.ndarray:
    return planted(n, 5, strength=0.5)[1]


CASES = {
    "no labels": ({"features": _features()}, "labels"),
    "NaN": ({"features": np.full((60, 5), np.nan, np.float32), "labels": _labels()}, "NaN or infinite"),
    "constant label": ({"features": _features(), "labels": np.zeros(60, int)}, "constant|same|one class"),
    "a class with one example": (
        {"features": _features(), "labels": np.array([7, *([0, 1] * 30)][:60])},
        "7",
    ),
    "fewer examples than classes": (
        {"features": _features(6), "labels": np.array(list("abcdef"))},
        "example",
    ),
    "lengths": ({"features": _features(), "labels": _labels()[:50]}, "50"),
    "too few": ({"features": _features(9), "labels": _labels(9)}, "too few"),
}


@pytest.mark.parametrize("case", CASES)
def test_features_that_cannot_be_used(case, diagnose_cli, tmp_path):
    arrays, words = CASES[case]
    code, out, error = diagnose_cli("--model", f"m={_save(tmp_path / 'm.npz', **arrays)}")
    assert code == 2
    assert error.startswith("carryover: ") and "Traceback" not in error
    assert any(word in error for word in words.split("|")), error
    assert not out.exists()


def test_labels_with_gaps_and_strings_are_fine(diagnose_cli, tmp_path):
    features, labels = planted(90, 5, strength=0.8)
    for name, values in (("gaps", labels * 7 + 3), ("strings", np.array(["cat", "dog", "eel"])[labels])):
        code, _, _ = diagnose_cli(
            "--model", f"m={_save(tmp_path / f'{name}.npz', features=features, labels=values)}", out=name
        )
        assert code == 0


CONFIGS = {
    "no file": (None, "no config file"),
    "not TOML": ("models = [", "not a TOML file"),
    "unknown key": ('[[models]]\nnmae = "x"\n', "did you mean 'name'"),
    "no model": ("seed = 1\n", "no model is given"),
    "two kinds": ('[[models]]\npath = "a"\nfactory = "b:c"\n', "exactly one of"),
    "wrong type": ('seed = "one"\n[[models]]\npath = "a"\n', "seed must be a whole number"),
    "no target": ('[[models]]\nbaseline = "pixels"\n', "[target] path is needed"),
    "no such data": ('[target]\npath = "./nowhere"\n[[models]]\nbaseline = "pixels"\n', "nowhere"),
    "no such baseline": (
        '[target]\npath = "images"\n[[models]]\nbaseline = "pixel"\n',
        "did you mean 'pixels'",
    ),
    "no such column": (
        '[target]\npath = "images"\nlabel = "lable"\n[[models]]\nbaseline = "pixels"\n',
        "did you mean 'label'",
    ),
    "too few labels": (
        '[target]\npath = "images"\nn_labels = 2\n[[models]]\nbaseline = "pixels"\n',
        "n_labels",
    ),
    "missing weights": (
        '[target]\npath = "images"\n[[models]]\nfactory = "carryover.models.backbones:small_cnn"\n'
        'weights = "./none.safetensors"\narguments = { n_classes = 3 }\n',
        "none.safetensors",
    ),
    "empty unlabelled set": (
        '[target]\npath = "images"\n[unlabelled]\npath = "images"\nwhere = { label = "9" }\n'
        '[[models]]\nbaseline = "pixels"\n',
        "[unlabelled]",
    ),
    "same name twice": (
        '[target]\npath = "images"\n[[models]]\nname = "a"\nbaseline = "pixels"\n[[models]]\nname = "a"\n'
        'baseline = "pca"\n',
        "unique",
    ),
}


@pytest.fixture(scope="module")
def image_folder(tmp_path_factory) -> Path:
    """Three classes of small images in a folder each, as an image folder."""
    from PIL import Image

    root = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    for label in range(3):
        folder = root / "images" / str(label)
        folder.mkdir(parents=True)
        for index in range(12):
            picture = np.clip(rng.normal(60 + 60 * label, 20, (8, 8, 3)), 0, 255).astype(np.uint8)
            Image.fromarray(picture).save(folder / f"{index}.png")
    return root


@pytest.mark.parametrize("case", CONFIGS)
def test_configs_that_cannot_be_used(case, diagnose_cli, image_folder):
    text, words = CONFIGS[case]
    config = image_folder / f"{case.replace(' ', '-')}.toml"
    if text is not None:
        config.write_text(text)
    code, out, error = diagnose_cli(str(config))
    assert code == 2, error
    assert words in error
    assert "Traceback" not in error
    assert not out.exists()


def test_an_existing_report_is_not_overwritten_unless_told_to(diagnose_cli, feature_files):
    model = ("--model", f"good={feature_files['good']}")
    assert diagnose_cli(*model)[0] == 0
    code, out, error = diagnose_cli(*model)
    assert code == 2 and "--overwrite" in error
    before = (out / "report.json").read_bytes()
    assert diagnose_cli(*model, "--overwrite")[0] == 0
    assert (out / "report.json").read_bytes() != before


def test_an_unknown_flag_is_refused(capsys):
    from carryover.cli.main import run

    with pytest.raises(SystemExit) as stop:
        run(["diagnose", "--no-such-flag"])
    assert stop.value.code == 2
    assert "no-such-flag" in capsys.readouterr().err


class _Hostile:
    """Pickled, this writes a file wherever it is loaded with code execution allowed."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.marker,))


def _weights_config(folder: Path, weights: Path) -> Path:
    config = folder / f"{weights.stem}.toml"
    config.write_text(
        f'[target]\npath = "{folder / "images"}"\n[[models]]\nname = "stranger"\n'
        f'factory = "carryover.models.backbones:small_cnn"\nweights = "{weights}"\narguments = {{ n_classes = 3 }}\n'
    )
    return config


def test_a_hostile_pickle_is_not_run(diagnose_cli, image_folder, tmp_path):
    marker = tmp_path / "it-ran"
    torch.save({"weight": _Hostile(marker)}, tmp_path / "hostile.pt")
    code, out, error = diagnose_cli(str(_weights_config(image_folder, tmp_path / "hostile.pt")))
    assert code == 2 and "hostile.pt" in error and "Traceback" not in error
    assert not marker.exists() and not out.exists()


def test_weights_that_do_not_fit_list_their_keys(diagnose_cli, image_folder, tmp_path):
    save_file(
        {"encoder.0.weight": torch.zeros(1), "stray.bias": torch.zeros(2)}, tmp_path / "misfit.safetensors"
    )
    code, out, error = diagnose_cli(str(_weights_config(image_folder, tmp_path / "misfit.safetensors")))
    assert code == 2 and "stray.bias" in error and "encoder.0.weight" in error
    assert not out.exists()


def test_safetensors_with_nan_are_refused_by_name(diagnose_cli, image_folder, tmp_path):
    save_file({"head.bias": torch.full((3,), torch.nan)}, tmp_path / "nan.safetensors")
    code, out, error = diagnose_cli(str(_weights_config(image_folder, tmp_path / "nan.safetensors")))
    assert code == 2 and "head.bias" in error and ("NaN" in error or "infinite" in error)
    assert not out.exists()
