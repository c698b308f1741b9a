"""
Which initialisation wins?
==========================

Over the share of coordinates that the task takes from pretraining (``rho_shared``) and the share that is new
(``rho_new``), the network with the least predicted error among the four examples.  Lines: that least error.
A fifth of the coordinates was pretrained.  The map is different for every number of labels.
Where III wins there is little to win: its error is about 1 - alpha, that of a ridge that knows nothing.
"""

# %%
# A task takes arrays: one call predicts the whole map of one network.
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from carryover.theory import FineTuning, Network, Task

SIZE = globals().get("SIZE", 33)  # points along each side; the tests take fewer
NETWORKS = {
    "I rich, nearly independent": (Network(1e-3, -0.999999, 1e-6), "#0072b2"),
    "II lazy, dependent": (Network(1e-3, 0.0, 0.0), "#e69f00"),
    "III lazy, independent": (Network(1e-3, 0.0, 10.0), "#009e73"),
    "IV rich, dependent": (Network(1e-3, -0.99, 0.0), "#cc79a7"),
}
shared = np.linspace(0.0, 0.2, SIZE) + 1e-4
new = np.linspace(0.0, 0.2, SIZE)[:, None] + 1e-4
total = shared + new
task = Task(rho_pretraining=0.2 + 1e-4, rho_finetuning=total, overlap=shared / total)
colours = ListedColormap([colour for _, colour in NETWORKS.values()])

figure, axes = plt.subplots(1, 3, figsize=(10.5, 4.0), sharey=True, layout="constrained")
for axis, alpha in zip(axes, (0.1, 0.2, 0.4), strict=True):
    errors = np.stack(
        [FineTuning(task, one).predict(alpha).generalization_error for one, _ in NETWORKS.values()]
    )
    axis.pcolormesh(shared, new[:, 0], errors.argmin(axis=0), cmap=colours, vmin=-0.5, vmax=3.5, alpha=0.75)
    levels = axis.contour(
        shared, new[:, 0], errors.min(axis=0), levels=[0.01, 0.1, 0.3, 0.5, 0.7, 0.9], colors="#17212b"
    )
    levels.set_linewidth(0.8)
    axis.clabel(levels, fontsize=8, fmt="%g")
    axis.set(title=f"alpha = {alpha:g}", xlabel="pretrained features in use  rho_shared", aspect="equal")
axes[0].set_ylabel("new features  rho_new")
figure.legend(
    handles=[Patch(color=colour, alpha=0.75, label=name) for name, (_, colour) in NETWORKS.items()],
    loc="outside lower center",
    ncols=4,
    frameon=False,
)
plt.show()
