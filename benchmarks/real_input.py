"""The main job on real checkpoints and real images: the two reports whose numbers stand in docs/real_input.md.

python benchmarks/real_input.py --out DIR        (data in CARRYOVER_DATA or in `shared` beside the repository)
"""

import argparse
import json
import os
import platform
import subprocess
from pathlib import Path

from carryover.cli.main import run

ROOT = Path(__file__).resolve().parents[1]
CIFAR_MEAN, CIFAR_STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
BUDGETS = {"cifar100": (100, 500, 2000), "pacs_photo": (100, 500, 1000)}
TARGETS = {
    "cifar100": '[target]\npath = "{data}/cifar100"\nlabel = "coarse_label"\n',
    "pacs_photo": '[target]\npath = "{data}/pacs32"\nlabel = "label"\ntest_fraction = 0.4\n'
    '[target.where]\ndomain = "photo"\n',
}
MODELS = """
[pretraining_sample]
path = "{data}/cifar10"
split = "train"

[[models]]
name = "ResNet-56, CIFAR-10"
factory = "carryover.models.backbones:cifar_resnet56"
weights = "{checkpoints}/resnet56-4bfd9763.th"
mean = {mean}
std = {std}

[[models]]
name = "ResNet-20, CIFAR-10"
factory = "carryover.models.backbones:cifar_resnet20"
weights = "{checkpoints}/resnet20-12fca82f.th"
mean = {mean}
std = {std}

[[models]]
name = "ResNet-20, random"
factory = "carryover.models.backbones:cifar_resnet20"
mean = {mean}
std = {std}

[[models]]
name = "raw pixels"
baseline = "pixels"

[[models]]
name = "PCA"
baseline = "pca"
"""


def data_root() -> Path:
    """The folder with data/ and checkpoints/."""
    return Path(os.environ.get("CARRYOVER_DATA") or ROOT.parent / "shared").resolve()


def write_config(target: str, folder: Path) -> Path:
    """The config of one target, for the data at hand."""
    root = data_root()
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / f"{target}.toml"
    text = (TARGETS[target] + MODELS).format(
        data=root / "data", checkpoints=root / "checkpoints", mean=CIFAR_MEAN, std=CIFAR_STD
    )
    config.write_text(text, encoding="utf-8")
    return config


def environment() -> str:
    """Commit, machine and Python, for the head of a committed table."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()
    return (
        f"commit {commit}, Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores"
    )


def _percent(estimate: dict) -> str:
    if estimate["value"] is None:
        return estimate["status"].replace("_", " ")
    low, high = estimate["interval"]
    return f"{100 * estimate['value']:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def table(record: dict) -> list[str]:
    """Markdown rows of one report."""
    by_name = {model["name"]: model for model in record["models"]}
    verdict_of = {verdict["model"]: verdict["limited_by"] for verdict in record["verdicts"]}
    rows = []
    for place in record["ranking"]:
        model = by_name[place["name"]]
        curve = model["learning_curve"]
        cells = (
            str(record["data"]["target"]["n_train"]),
            model["name"],
            _percent(model["probe"]["accuracy"]),
            f"{100 * place['probability_best']:.0f}",
            _percent(curve["gain_from_doubling"]),
            _percent(curve["asymptote"]),
            f"{model['scores']['logme']['value']:.3f}",
            _percent(model["terms"]["total_variation"]),
            verdict_of[model["name"]].replace("_", " "),
        )
        rows.append("| " + " | ".join(cells) + " |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("real-input-reports"))
    out = parser.parse_args().out
    lines = [
        f"{environment()}; percent, 95 % intervals in brackets",
        "",
    ]
    for target, budgets in BUDGETS.items():
        config = write_config(target, out)
        lines += [
            f"## {target}",
            "",
            "| labels | model | accuracy | best | gain from doubling | asymptote | LogME | TV at least | limit |",
            "|---|---|---|---|---|---|---|---|---|",
        ]
        for n_labels in budgets:
            folder = out / f"{target}-{n_labels}"
            code = run(
                [
                    "diagnose",
                    str(config),
                    "--out",
                    str(folder),
                    "--target.n-labels",
                    str(n_labels),
                    "--overwrite",
                ]
            )
            if code:
                raise SystemExit(code)
            lines += table(json.loads((folder / "report.json").read_text(encoding="utf-8")))
        lines.append("")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
