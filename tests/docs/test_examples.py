"""Every example of the gallery runs from start to end, without a display, at a reduced size."""

import ast
import runpy
from pathlib import Path

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

FOLDER = Path(__file__).resolve().parents[2] / "examples" / "theory"
REDUCED = {
    "plot_design": {"CASES": 1},
    "plot_figure2_regimes": {"SIZE": 5},
    "plot_figure3_error_curves": {"SEEDS": 2, "DIMENSION": 100},
    "plot_figure5_four_regimes": {"SIZE": 6},
    "plot_forgetting": {},
    "plot_imperfect_pretraining": {"SIZE": 2},
    "plot_label_noise": {"SIZE": 3},
    "plot_phase_diagram": {"SIZE": 4},
}
LONGEST = 60  # lines


@pytest.fixture
def _headless(monkeypatch: pytest.MonkeyPatch) -> None:
    before = matplotlib.get_backend()
    plt.switch_backend("Agg")
    monkeypatch.setattr(plt, "show", lambda: None)
    yield
    plt.close("all")
    plt.switch_backend(before)


@pytest.mark.slow
@pytest.mark.usefixtures("_headless")
@pytest.mark.parametrize("name", REDUCED)
def test_example_draws_its_figure(name: str) -> None:
    space = runpy.run_path(str(FOLDER / f"{name}.py"), init_globals=REDUCED[name])
    assert len(plt.get_fignums()) == 1
    figure = space["figure"]
    figure.canvas.draw()
    drawn = [line.get_ydata() for axis in figure.axes for line in axis.lines]
    assert all(np.isfinite(np.asarray(values, dtype=float)).any() for values in drawn)
    for axis in space["axes"].flat:
        assert axis.has_data()


def test_all_examples_are_run() -> None:
    assert {path.stem for path in FOLDER.glob("*.py")} == set(REDUCED)


@pytest.mark.parametrize("name", REDUCED)
def test_example_is_short_and_uses_public_names_only(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text()
    assert len(text.splitlines()) <= LONGEST
    tree = ast.parse(text)
    title, underline = ast.get_docstring(tree).splitlines()[:2]
    assert set(underline) == {"="} and len(underline) >= len(title)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert [node.module for node in imports if node.module.startswith("carryover")] == ["carryover.theory"]
    assert not [node for node in ast.walk(tree) if isinstance(node, ast.Attribute) and node.attr[0] == "_"]
