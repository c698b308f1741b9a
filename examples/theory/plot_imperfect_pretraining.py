"""
Pretraining that saw too little
===============================

``pretraining_alpha`` is the number of samples that pretraining saw over the dimension.  From 1 on it learns its task
exactly; below, what it hands on is itself an estimate.  The task uses half of the pretrained features and has labels
for a tenth of the dimension (left) or a fifth (right).
"""

# %%
# Ten percent of the coordinates are in use in pretraining.
import matplotlib.pyplot as plt
import numpy as np

from carryover.theory import FineTuning, Network, Task

SIZE = globals().get("SIZE", 24)  # points of a curve; the tests take fewer
NETWORKS = {
    "I rich, nearly independent": (Network(1e-3, -0.999999, 1e-6), "#0072b2"),
    "II lazy, dependent": (Network(1e-3, 0.0, 0.0), "#e69f00"),
    "III lazy, independent": (Network(1e-3, 0.0, 10.0), "#009e73"),
    "IV rich, dependent": (Network(1e-3, -0.99, 0.0), "#cc79a7"),
}
seen = np.linspace(0.05, 1.0, SIZE)
task = Task(rho_pretraining=0.1, rho_finetuning=0.05, overlap=1.0)

figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.9), sharey=True, layout="constrained")
for axis, alpha in zip(axes, (0.1, 0.2), strict=True):
    for name, (network, colour) in NETWORKS.items():
        models = [FineTuning(task, network, pretraining_alpha=float(one)) for one in seen]
        errors = [float(model.predict(alpha).generalization_error) for model in models]
        axis.plot(seen, errors, color=colour, label=name)
    axis.set(title=f"alpha = {alpha:g}", yscale="log", ylim=(2e-5, 2))
    axis.set_xlabel("pretraining samples per dimension  pretraining_alpha")
    axis.grid(color="#e6eaee")
axes[0].set_ylabel("error per coordinate")
figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
plt.show()
