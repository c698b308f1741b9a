"""
Four regimes: how rich fine-tuning is, and how much it leans on pretraining
===========================================================================

Fine-tuning minimises a potential that grows like ``|beta_FT| ** order * |beta_PT| ** dependence`` near a typical
coefficient (Anguita et al., 2026, Proposition 4.2).  Order 2 is lazy (a ridge), order 1 is rich (L1).  Dependence 0
ignores pretraining.  Each panel moves one of the three scales, shown by colour, along curves that differ in another
(named on top); the four crosses are the example networks.
"""

# %%
# Order and dependence need no simulation: they are two properties of a task and a network, and take arrays.
import matplotlib.pyplot as plt
import numpy as np

from carryover.theory import FineTuning, Network, Task

SIZE = globals().get("SIZE", 61)  # points of a curve; the tests take fewer
INK, RED = "#5a6672", "#d55e00"
TASK = Task(rho_pretraining=0.1, rho_finetuning=0.1, overlap=1.0)
NETWORKS = {"I": (1e-3, -0.999999, 1e-6), "II": (1e-3, 0, 0), "III": (1e-3, 0, 10), "IV": (1e-3, -0.99, 0)}
large, first = np.logspace(-6, 2, SIZE), np.logspace(-8, np.log10(2), SIZE)  # first: 1 + relative_scale
held = np.array([1e-4, 1e-2, 1.0, 1.9])[:, None]
SWEEPS = (
    ("scale", large, Network(large, held - 1, 0), "1 + relative scale .0001, .01, 1, 1.9; readout 0"),
    (
        "1 + relative scale",
        first,
        Network(10.0 ** np.array([[-5.0], [-3], [-1], [1]]), first - 1, 0),
        "scale .00001, .001, .1, 10; readout 0",
    ),
    ("readout", large, Network(1e-3, held - 1, large), "1 + relative scale .0001, .01, 1, 1.9; scale .001"),
)

# %%
# Nothing can reach the grey triangle: the order exceeds 1 by at least the size of the dependence.
figure, axes = plt.subplots(1, 3, figsize=(10.5, 4.2), sharey=True, layout="constrained")
for axis, (name, values, network, beside) in zip(axes, SWEEPS, strict=True):
    model = FineTuning(TASK, network)
    dependence, order = -model.pretraining_dependence, model.order
    axis.plot(dependence.T, order.T, color="#b9c2cb", linewidth=0.8, zorder=1)
    colour = np.broadcast_to(np.log10(values), order.shape)
    points = axis.scatter(dependence, order, c=colour, s=9, cmap="viridis", zorder=2)
    axis.fill([0, 1, 1], [1, 1, 2], color="#e6eaee")
    axis.axhline(1.5, color=INK, linewidth=0.8, linestyle=":")
    axis.axvline(0.1, color=INK, linewidth=0.8, linestyle=":")
    for label, scales in NETWORKS.items():
        found = FineTuning(TASK, Network(*scales))
        x, y = -float(found.pretraining_dependence), float(found.order)
        axis.plot(x, y, "x", color=RED, markersize=8, markeredgewidth=2)
        shift = (9, -12) if label == "III" else (8, -4)
        box = {"boxstyle": "square,pad=0", "facecolor": "white", "edgecolor": "none"}
        axis.annotate(label, (x, y), shift, textcoords="offset points", color=RED, weight="bold", bbox=box)
    axis.set(xlabel="pretraining dependence  |PD|", xlim=(-0.03, 1.0), ylim=(0.98, 2.04))
    axis.set_title(beside, fontsize=9)
    figure.colorbar(points, ax=axis, location="bottom", label=f"log10 of {name}")
axes[0].set_ylabel("order  (1 rich, 2 lazy)")
axes[0].text(0.97, 1.04, "out of reach", ha="right", color=INK, fontsize=9)
plt.show()
