"""Runs every example of examples/theory and writes its figure to docs/images/ as a PNG.

MPLBACKEND=Agg python docs/figures/theory_figures.py [name ...]
"""

import runpy
import sys
import time
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[2]
DPI = 110


def main(names: list[str]) -> None:
    for script in sorted((ROOT / "examples" / "theory").glob("plot_*.py")):
        name = script.stem.removeprefix("plot_")
        if names and name not in names:
            continue
        began = time.perf_counter()
        runpy.run_path(str(script))
        path = ROOT / "docs" / "images" / f"theory_{name}.png"
        plt.gcf().savefig(path, dpi=DPI, metadata={"Software": None})
        plt.close("all")
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB, {time.perf_counter() - began:.1f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
