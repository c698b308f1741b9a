"""The five extensions run and keep the contracts that their pages state.  The tutorials are run by `make docs`."""

import ast
import runpy
from pathlib import Path
from types import SimpleNamespace

import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

from carryover import InputError
from carryover.objectives.keyed import Key

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
PAGES = sorted([*EXAMPLES.glob("tutorials/*.py"), *EXAMPLES.glob("extending/*.py")])
REDUCED = {"STEPS": 40, "DRAWS": 300, "SIZE": "smoke"}
TAUGHT = {"carryover._core.checks"}  # private, and named on purpose where extensions are written
LONGEST = 120  # lines


@pytest.fixture(scope="module")
def pages():
    """Runs a page at a reduced size, once, without a display."""
    before, show, found = matplotlib.get_backend(), plt.show, {}
    plt.switch_backend("Agg")
    plt.show = lambda: None

    def run(name: str) -> SimpleNamespace:
        if name not in found:
            path = next(path for path in PAGES if path.stem == name)
            found[name] = SimpleNamespace(**runpy.run_path(str(path), init_globals=REDUCED))
        return found[name]

    yield run
    plt.close("all")
    plt.show = show
    plt.switch_backend(before)


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.stem for path in PAGES if path.parent.name == "extending"])
def test_extension_runs_and_draws(name: str, pages) -> None:
    figure = pages(name).figure
    figure.canvas.draw()
    assert all(axis.has_data() for axis in figure.axes)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_page_is_short_and_uses_public_names(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST
    tree = ast.parse(text)
    title, underline = ast.get_docstring(tree).splitlines()[:2]
    assert set(underline) == {"="} and len(underline) >= len(title)
    modules = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    private = {module for module in modules if any(part.startswith("_") for part in module.split("."))}
    assert private <= TAUGHT
    assert not [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and node.attr[0] == "_" and node.attr != "__init__"
    ]


def test_nearest_mean_is_a_loop_over_rows(pages) -> None:
    nearest_mean = pages("plot_2_measure").nearest_mean
    generator = np.random.default_rng(1)
    labels = generator.integers(0, 3, 40)
    rows = generator.normal(size=(40, 5)) + labels[:, None]
    right = 0
    for left_out in range(40):
        others = np.arange(40) != left_out
        means = [rows[others & (labels == code)].mean(axis=0) for code in range(3)]
        right += np.argmin([np.sum((rows[left_out] - mean) ** 2) for mean in means]) == labels[left_out]
    assert nearest_mean(rows, labels).value == right / 40
    order = generator.permutation(40)
    assert nearest_mean(2.0 * rows[order] - 7.0, labels[order]).value == right / 40


def test_nearest_mean_says_what_it_cannot_do(pages) -> None:
    nearest_mean = pages("plot_2_measure").nearest_mean
    found = nearest_mean(np.eye(3), np.array([0, 0, 1]))
    assert found.status == "failed" and "a class has one row" in found.reason
    with pytest.raises(InputError, match="labels must have at least 2 classes, got 1"):
        nearest_mean(np.eye(3), np.zeros(3, dtype=int))


def test_the_bound_is_hoeffdings_and_holds(pages) -> None:
    space = pages("plot_3_bound")
    bound = space.hoeffding_bound(np.full(200, 0.25), confidence=0.9)
    assert bound.value == pytest.approx(0.25 + np.sqrt(np.log(10.0) / 400))
    assert [one.state for one in bound.assumptions] == ["not_checkable", "not_checkable"]
    for found in space.rows.values():
        assert all(failed <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / REDUCED["DRAWS"]) for _, failed in found)
    for losses in ([], [0.5, 1.5]):
        with pytest.raises(InputError, match=r"losses must be one or more numbers in \[0, 1\]"):
            space.hoeffding_bound(np.array(losses))


@pytest.mark.slow
def test_the_objective_turns_an_image_alike_in_any_batch(pages) -> None:
    space = pages("plot_1_objective")
    objective = space.new_objective(0).eval()
    with torch.no_grad():
        together = objective.losses(space.images[:6], Key(0, 3, torch.arange(6)))
        alone = objective.losses(space.images[4:5], Key(0, 3, torch.tensor([4])))
    assert torch.allclose(together[4:5], alone, atol=1e-6)
    assert len(set(Key(0, 3, torch.arange(64)).integers("rotation", 1, below=4)[:, 0].tolist())) == 4
    assert space.curve[-1]["loss"] < space.curve[0]["loss"]


@pytest.mark.slow
def test_the_plan_is_compared_with_the_others(pages) -> None:
    plans = {row["plan"]: row for row in pages("plot_4_plan").run.record["plans"]}
    assert list(plans)[-1] == "biases" and len(plans) == 7
    assert all(row["status"] == "ok" for row in plans.values())


def test_the_experiment_says_what_its_cells_gave(pages) -> None:
    space = pages("plot_5_experiment")
    table, verdicts = space.run.table, {one.what: one.verdict for one in space.run.comparisons}
    assert len(table) == 18 and (table["status"] == "ok").all()
    assert len(verdicts) == 7 and set(verdicts.values()) <= {"agrees", "cannot tell"}
    row = table[(table["samples"] == 400) & (table["seed"] == 1)].iloc[0]
    assert row["excess_risk"] == space.excess_risk(space.Draw(400, 1))["excess_risk"]
    assert [space.published(n) for n in (200, 50)] == pytest.approx([0.25, 0.75])


def test_the_experiments_published_curve_is_that_of_random_matrices(pages) -> None:
    """Expected inverses of Wishart matrices: exact for any n, and near the limit at d = 100."""
    space = pages("plot_5_experiment")
    d, noise = space.DIMENSION, space.NOISE**2
    for n in (25, 50, 200, 400):
        exact = noise * d / (n - d - 1) if n > d else 1 - n / d + noise * n / (d - n - 1)
        assert space.published(n) == pytest.approx(exact, rel=0.02)
