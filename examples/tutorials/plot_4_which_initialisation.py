"""
Which initialisation?
=====================

How strongly fine-tuning leans on pretraining, and whether it looks for few or for many features, is set by the
scale of the weights it starts from. For diagonal linear networks the generalization error is known exactly;
this page asks which of three starts is best for a task, and how that changes with labels and with what the task
needs.
"""

# %%
# A tenth of the features was learned in pretraining. The first task uses all of them, the second a tenth of
# them, the third none: its features are all new. ``alpha`` is labels per dimension.
import matplotlib.pyplot as plt
import numpy as np

from carryover.theory import FineTuning, Network, Task, best_initialization

TASKS = {
    "uses all pretrained features": Task(0.1, 0.1, overlap=1.0),
    "uses a tenth of them": Task(0.1, 0.01, overlap=1.0),
    "uses none of them": Task(0.1, 0.1, overlap=0.0),
}
NETWORKS = {
    "balanced": Network(scale=1e-3, relative_scale=0.0),
    "small first layer": Network(scale=1e-3, relative_scale=-0.99),
    "large readout": Network(scale=1e-3, relative_scale=0.0, readout=10.0),
}
for name, network in NETWORKS.items():
    print(f"{name}: {FineTuning(TASKS['uses all pretrained features'], network).regime}")

# %%
# An error of 1 is that of predicting nothing. No start is best everywhere: leaning on pretraining pays where
# the task uses it and costs where it does not. Errors below a millionth are drawn there.
alpha = np.linspace(0.02, 0.6, 40)
figure, axes = plt.subplots(1, 3, figsize=(10, 3.4), sharey=True, layout="constrained")
for axis, (title, task) in zip(axes, TASKS.items(), strict=True):
    for (name, network), colour in zip(NETWORKS.items(), ("#0072b2", "#d55e00", "#009e73"), strict=True):
        curve = FineTuning(task, network).predict(alpha)
        axis.plot(alpha, np.maximum(curve.generalization_error, 1e-6), color=colour, label=name)
    axis.set(title=title, xlabel="labels per dimension", yscale="log", ylim=(1e-6, 3))
    axis.grid(color="#e6eaee")
axes[0].set_ylabel("error per coordinate")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
plt.show()

# %%
# The best start of all for one task, and how much each scale matters: the error's factor when it is halved and
# doubled.
design = best_initialization(TASKS["uses a tenth of them"], 0.05)
print(f"{design.network}: error {design.errors[0]:.2g}")
for name, (halved, doubled) in design.sensitivity.items():
    print(f"  {name}: times {10**halved:.2f} at half, times {10**doubled:.2f} at twice")

# %%
# None of these numbers is about a network with hidden non-linear layers. What does transfer, and what does not:
# :doc:`/theory_in_plain_words` and :doc:`/limits`.
