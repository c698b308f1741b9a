"""What the site is built with: its extensions' doctests, the code in the README, and what is cited."""

import doctest
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import carryover

ROOT = Path(__file__).resolve().parents[2]
EXTENSIONS = sorted((ROOT / "docs" / "_extensions").glob("*.py"))
README = (ROOT / "README.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXTENSIONS, ids=lambda path: path.stem)
def test_doctests_of_an_extension(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType(path.stem)
    module.__dict__.update(runpy.run_path(str(path), run_name=path.stem))
    monkeypatch.setitem(sys.modules, path.stem, module)
    found = doctest.testmod(module, verbose=False)
    assert found.attempted > 0 and found.failed == 0


def python_blocks(text: str) -> list[str]:
    """The blocks of a page that are marked as Python."""
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


@pytest.mark.slow
def test_features_in_the_readme(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    generator = np.random.default_rng(0)
    labels = np.arange(60) % 2
    space = {
        "labels": labels,
        "clip_features": labels[:, None] + 0.3 * generator.normal(size=(60, 3)),
        "dino_features": generator.normal(size=(60, 3)),
        "patients": np.arange(60) // 2,
    }
    exec(python_blocks(README)[0], space)
    assert capsys.readouterr().out.startswith("clip ")
    assert (tmp_path / "report" / "report.html").is_file()


def test_theory_in_the_readme() -> None:
    space = {}
    exec(python_blocks(README)[1], space)
    model = space["model"]
    printed = re.search(r"# ([.\d, ]+), each with a status", README).group(1)
    predicted = model.predict([0.05, 0.1, 0.2]).generalization_error
    assert [float(one) for one in printed.split(",")] == pytest.approx(predicted, rel=5e-3)
    order, dependence, regime = re.search(r'# ([\d.]+), (-[\d.]+), "(.*)"', README).groups()
    assert float(model.order) == pytest.approx(float(order), abs=5e-3)
    assert float(model.pretraining_dependence) == pytest.approx(float(dependence), abs=5e-3)
    assert model.regime == regime


def test_no_block_of_python_goes_unchecked() -> None:
    """README: the two above; adaptation.md and sweeps.md: the tests of those pages."""
    pages = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")]
    counts = {page.name: len(python_blocks(page.read_text(encoding="utf-8"))) for page in pages}
    assert {name: count for name, count in counts.items() if count} == {
        "README.md": 2,
        "adaptation.md": 1,
        "sweeps.md": 2,
    }


def test_the_citation_is_of_this_version() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert re.search(r"^version: (.*)$", text, re.MULTILINE).group(1) == carryover.__version__
    assert "license: Apache-2.0" in text


def test_what_the_site_is_built_with_is_pinned() -> None:
    pinned = {line.split("==")[0].lower() for line in (ROOT / "constraints.txt").read_text().splitlines()}
    asked = re.search(r"^docs = \[(.*?)^\]", (ROOT / "pyproject.toml").read_text(), re.DOTALL | re.MULTILINE)
    names = {name.lower() for name in re.findall(r'"([\w-]+)>=', asked.group(1))}
    assert len(names) == 4 and names <= pinned
