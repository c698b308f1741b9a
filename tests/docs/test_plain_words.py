"""Every number in the tables of docs/theory_in_plain_words.md is predicted again, and those in its prose."""

import re
from pathlib import Path

import numpy as np
import pytest

from carryover.theory import FineTuning, Network, Task

PAGE = Path(__file__).resolve().parents[2] / "docs" / "theory_in_plain_words.md"
NETWORKS = {
    "I": Network(1e-3, -0.999999, 1e-6),
    "II": Network(1e-3, 0.0, 0.0),
    "III": Network(1e-3, 0.0, 10.0),
    "IV": Network(1e-3, -0.99, 0.0),
    "none": Network(1e-3, -1.0, 1e-3),
}
ROUNDING = 0.051  # two digits


def tables() -> list[tuple[dict[str, str], str, str]]:
    """Settings of the row, the network and the number printed, for every predicted cell of the page."""
    found, head = [], None
    for row in PAGE.read_text().splitlines():
        if not row.startswith("|"):
            head = None
            continue
        cells = [cell.strip(" `*") for cell in row.strip("|").split("|")]
        if head is None:
            head = cells
        elif not set(row) <= set("|- "):
            settings = dict(zip(head, cells, strict=True))
            if "alpha" not in settings:
                continue
            for column, cell in settings.items():
                if network_of(column) is not None:
                    found.append((settings, column, cell))
                elif column == "error":
                    found.append((settings, settings["network"], cell))
    return found


def network_of(name: str) -> Network | None:
    """By its name on the page, by its scales, or by a relative scale alone."""
    if name in NETWORKS:
        return NETWORKS[name]
    if scales := re.fullmatch(r"Network\((.*)\)", name):
        return Network(*(float(one) for one in scales[1].split(",")))
    if re.fullmatch(r"-?[0-9.]+", name):
        return Network(1e-3, float(name), 0.0)
    return None


def predicted(settings: dict[str, str], network: str) -> float:
    task = Task(
        float(settings["rho_PT"]),
        float(settings["rho_FT"]),
        float(settings["overlap"]),
        label_noise_std=float(settings.get("noise", 0.0)),
    )
    model = FineTuning(
        task,
        network_of(network),
        ridge_strength=float(settings.get("strength", 0.0)),
        pretraining_alpha=float(settings.get("pretraining_alpha", np.inf)),
    )
    alpha = float(settings["alpha"])
    if "group" in settings:
        groups = model.by_group(alpha)
        return float(getattr(groups, settings["quantity"])[groups.name.index(settings["group"])])
    return float(model.predict(alpha).generalization_error)


@pytest.mark.parametrize(
    ("settings", "network", "printed"), tables(), ids=[f"{at}" for at in range(len(tables()))]
)
def test_number_is_what_is_predicted(settings: dict[str, str], network: str, printed: str) -> None:
    assert float(printed) == pytest.approx(predicted(settings, network), rel=ROUNDING)


def test_the_page_has_its_tables_and_pictures() -> None:
    assert len(tables()) >= 100
    pictures = re.findall(r"\]\((images/theory_\w+\.png)\)", PAGE.read_text())
    examples = {path.stem for path in (PAGE.parents[1] / "examples" / "theory").glob("plot_*.py")}
    assert {path.replace("images/theory_", "plot_").removesuffix(".png") for path in pictures} == examples
    for path in pictures:
        assert 1_000 < (PAGE.parent / path).stat().st_size < 150_000


def best_of_four(task: Task, alpha: float) -> str:
    names = ("I", "II", "III", "IV")
    errors = [float(FineTuning(task, NETWORKS[name]).predict(alpha).generalization_error) for name in names]
    return names[int(np.argmin(errors))]


@pytest.mark.parametrize(
    ("rho_finetuning", "overlap", "best"),
    [
        (0.1, 1.0, {0.01: "II", 0.295: "II", 0.305: "IV", 0.315: "IV", 0.33: "I", 0.6: "I"}),
        (0.01, 1.0, {0.01: "IV", 0.045: "IV", 0.047: "I", 0.6: "I"}),
        (0.1, 0.5, {0.01: "III", 0.047: "III", 0.049: "IV", 0.255: "IV", 0.265: "I", 0.6: "I"}),
    ],
)
def test_where_the_best_of_four_changes(rho_finetuning: float, overlap: float, best: dict) -> None:
    """The alphas in the prose under the first table."""
    task = Task(0.1, rho_finetuning, overlap)
    assert {alpha: best_of_four(task, alpha) for alpha in best} == best


def test_what_the_prose_says_of_noise_and_of_pretraining() -> None:
    noisy = FineTuning(Task(0.1, 0.05, 1.0, label_noise_std=0.3), NETWORKS["IV"])
    alphas = np.arange(0.02, 1.0, 0.02)
    assert alphas[np.argmin(noisy.predict(alphas).generalization_error)] == pytest.approx(0.30, abs=0.011)
    for name, factor in (("II", 2.3), ("IV", 1.7)):
        half, whole = (
            FineTuning(Task(0.1, 0.05, 1.0), NETWORKS[name], pretraining_alpha=seen).predict(0.1)
            for seen in (0.5, 1.0)
        )
        assert half.generalization_error / whole.generalization_error == pytest.approx(factor, rel=0.03)
