"""
The best initialisation, and how much it matters
================================================

``best_initialization`` searches scale, relative scale and readout for the least predicted error of a task.  The curves
leave the best network along one scale at a time.  Where a curve is flat that scale does not matter; where it
rises to one side only, the best lies at the edge of the search.
"""

# %%
# Three tasks, with few labels; a search takes one to three seconds.
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np

from carryover.theory import FineTuning, Task, best_initialization

CASES = globals().get("CASES", 3)  # the tests take one
TASKS = {
    "all pretrained features, alpha 0.1": (Task(0.1, 0.1, overlap=1.0), 0.1, "#0072b2"),
    "a tenth of them, alpha 0.05": (Task(0.1, 0.01, overlap=1.0), 0.05, "#d55e00"),
    "half pretrained, half new, alpha 0.2": (Task(0.1, 0.1, overlap=0.5), 0.2, "#009e73"),
}
SCALES = {
    "scale": np.logspace(-6, 2, 81),
    "relative_scale": np.logspace(-8, np.log10(2), 81) - 1.0,
    "readout": np.logspace(-8, 2, 81),
}

figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), sharey=True, layout="constrained")
for title, (task, alpha, colour) in list(TASKS.items())[:CASES]:
    design = best_initialization(task, alpha)
    best = design.network
    print(f"{title}: error {design.errors[0]:.3g}, {best}")
    for name, (smaller, larger) in design.sensitivity.items():
        print(f"    {name}: error times {10**smaller:.2f} at half, times {10**larger:.2f} at twice")
    for axis, (name, values) in zip(axes, SCALES.items(), strict=True):
        shift = 1.0 if name == "relative_scale" else 0.0
        moved = FineTuning(task, replace(best, **{name: values})).predict(alpha).generalization_error
        axis.plot(values + shift, moved, color=colour, label=title)
        place = np.clip(getattr(best, name) + shift, values[0] + shift, None)
        axis.plot(place, design.errors[0], "o", color=colour, markersize=6, clip_on=False, zorder=3)
for axis, name in zip(axes, ("scale", "1 + relative scale", "readout"), strict=True):
    axis.set(xlabel=name, xscale="log", yscale="log")
    axis.grid(color="#e6eaee")
axes[0].set_ylabel("error per coordinate")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()
