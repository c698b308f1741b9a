"""
Where the error sits, and what is forgotten
===========================================

Half of the task's coefficients lie on pretrained features, half on new ones.  Left: each group's part of the error
(share times mean squared error; the parts add up to the error).  Right: mean squared distance from what pretraining
had learned.  Dotted: a coefficient of 0, where fine-tuning starts: the reset of the readout forgets first.
"""

# %%
# ``by_group`` gives shares, errors and forgetting on the four groups of coordinates.
import matplotlib.pyplot as plt
import numpy as np

from carryover.theory import FineTuning, Network, Task

ALPHA = 0.2
NETWORKS = {
    "I rich, nearly independent": (Network(1e-3, -0.999999, 1e-6), "#0072b2"),
    "II lazy, dependent": (Network(1e-3, 0.0, 0.0), "#e69f00"),
    "III lazy, independent": (Network(1e-3, 0.0, 10.0), "#009e73"),
    "IV rich, dependent": (Network(1e-3, -0.99, 0.0), "#cc79a7"),
}
task = Task(rho_pretraining=0.1, rho_finetuning=0.1, overlap=0.5)

figure, axes = plt.subplots(1, 2, figsize=(9.5, 3.9), layout="constrained")
for place, (name, (network, colour)) in enumerate(NETWORKS.items()):
    found = FineTuning(task, network).by_group(ALPHA)
    where = np.arange(len(found.name)) + 0.2 * (place - 1.5)
    axes[0].bar(where, found.share * found.error, 0.2, color=colour, label=name)
    axes[1].bar(where[:2], found.forgetting[:2], 0.2, color=colour)
axes[0].set(ylabel="part of the error", title=f"error by group, alpha = {ALPHA:g}")
axes[0].set_xticks(
    range(4), [f"{name}\n{share:.0%}" for name, share in zip(found.name, found.share, strict=True)]
)
axes[1].set(ylabel="mean squared distance from pretraining", title="what is forgotten", yscale="log")
axes[1].set_xticks(range(2), found.name[:2])
axes[1].axhline(1.0, color="#5a6672", linewidth=0.8, linestyle=":")
for axis in axes:
    axis.grid(axis="y", color="#e6eaee")
    axis.set_axisbelow(True)
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4, frameon=False)
plt.show()
