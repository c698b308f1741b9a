"""
Four regimes on three tasks
===========================

The same four networks on a task that uses every pretrained feature, one that uses a tenth of them, and one that uses
half pretrained and half new features.  The strip on top says which of the four has the least error at each number of
labels: it changes along every panel, so no regime is best by name.
"""

# %%
# Each curve is one call: ``predict`` takes all numbers of labels at once.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap

from carryover.theory import FineTuning, Network, Task

SIZE = globals().get("SIZE", 121)  # points of a curve; the tests take fewer
NETWORKS = {
    "I rich, nearly independent": (Network(1e-3, -0.999999, 1e-6), "#0072b2"),
    "II lazy, dependent": (Network(1e-3, 0.0, 0.0), "#e69f00"),
    "III lazy, independent": (Network(1e-3, 0.0, 10.0), "#009e73"),
    "IV rich, dependent": (Network(1e-3, -0.99, 0.0), "#cc79a7"),
}
TASKS = {
    "all pretrained features": Task(0.1, 0.1, overlap=1.0),
    "a tenth of them": Task(0.1, 0.01, overlap=1.0),
    "half pretrained, half new": Task(0.1, 0.1, overlap=0.5),
}
alphas = np.linspace(0.01, 0.6, SIZE)
colours = ListedColormap([colour for _, colour in NETWORKS.values()])

figure, axes = plt.subplots(
    2, 3, figsize=(10.5, 4.2), sharex=True, sharey="row", height_ratios=(1, 16), layout="constrained"
)
for (strip, axis), (title, task) in zip(axes.T, TASKS.items(), strict=True):
    errors = []
    for name, (network, colour) in NETWORKS.items():
        errors.append(FineTuning(task, network).predict(alphas).generalization_error)
        axis.plot(alphas, errors[-1], color=colour, label=name)
    best = np.argmin(errors, axis=0)
    strip.pcolormesh(alphas, [0.0, 1.0], best[None, :-1], cmap=colours, vmin=-0.5, vmax=3.5)
    strip.set(title=title, yticks=[])
    axis.set(xlabel="labels per dimension  alpha", yscale="log", ylim=(1e-9, 3))
    axis.grid(color="#e6eaee")
axes[0, 0].set_ylabel("best", rotation=0, ha="right", va="center")
axes[1, 0].set_ylabel("error per coordinate")
figure.legend(*axes[1, 0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
plt.show()
