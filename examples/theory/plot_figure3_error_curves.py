"""
Predicted error against the number of labels, and simulated tasks
=================================================================

Lines: the replica prediction, exact as the dimension grows.  Points: finite tasks of DIMENSION coordinates,
drawn and solved exactly, with two standard errors.  ``alpha`` is the number of labels over the dimension.
Where a curve falls steeply the points lie above it: at a finite dimension a few unlucky tasks make up the mean.
"""

# %%
# The task has a tenth of its coordinates in use, in pretraining and in fine-tuning; the overlap changes.
import matplotlib.pyplot as plt
import numpy as np

from carryover.theory import FineTuning, Network, Task, simulate

SEEDS, DIMENSION = globals().get("SEEDS", 12), globals().get("DIMENSION", 400)  # the tests draw fewer
NETWORKS = {
    "I rich, nearly independent": (Network(1e-3, -0.999999, 1e-6), "#0072b2"),
    "II lazy, dependent": (Network(1e-3, 0.0, 0.0), "#e69f00"),
    "III lazy, independent": (Network(1e-3, 0.0, 10.0), "#009e73"),
    "IV rich, dependent": (Network(1e-3, -0.99, 0.0), "#cc79a7"),
}
alphas = np.linspace(0.02, 0.6, 59)
simulated = np.array([0.1, 0.2, 0.3, 0.4])

figure, axes = plt.subplots(1, 3, figsize=(10.5, 3.9), sharey=True, layout="constrained")
for axis, overlap in zip(axes, (1.0, 0.5, 0.0), strict=True):
    task = Task(rho_pretraining=0.1, rho_finetuning=0.1, overlap=overlap)
    for place, (name, (network, colour)) in enumerate(NETWORKS.items()):
        model = FineTuning(task, network)
        axis.plot(alphas, model.predict(alphas).generalization_error, color=colour, label=name)
        found = [
            simulate(
                model, alpha, dimension=DIMENSION, seeds=SEEDS, seed=round(100 * (overlap + alpha))
            ).estimate
            for alpha in simulated
        ]
        mean = np.array([one.value for one in found])
        spread = 2.0 * np.array([one.std_error for one in found])
        low = np.minimum(spread, 0.95 * mean)  # the axis is logarithmic
        axis.errorbar(
            simulated + 0.005 * (place - 1.5), mean, (low, spread), fmt="o", ms=3.5, lw=1.0, color=colour
        )
    axis.axhline(1.0, color="#5a6672", linewidth=0.8, linestyle=":")
    axis.set(title=f"overlap {overlap:g}", xlabel="labels per dimension  alpha", yscale="log", ylim=(1e-4, 3))
    axis.grid(color="#e6eaee")
axes[0].set_ylabel("error per coordinate")
axes[0].text(0.6, 1.1, "predicting 0", color="#5a6672", ha="right", fontsize=8)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
plt.show()
