"""
What label noise does
=====================

Fine-tuning to zero training error fits the noise too.  Left: the error of the rich, pretraining-dependent network (IV)
under three noise levels; it has a minimum, and grows without bound as the labels become as many as the dimensions.
Right: stopping short of zero training error, by the best explicit strength of the same potential, removes that peak.
"""

# %%
# ``ridge_strength`` is a number of the model, so the best of a few is found by trying them.
import matplotlib.pyplot as plt
import numpy as np

from carryover.theory import FineTuning, Network, Task

SIZE = globals().get("SIZE", 41)  # points of a curve; the tests take fewer
NETWORK = Network(1e-3, -0.99, 0.0)
STRENGTHS = np.logspace(-4, 1, 26)
alphas = np.concatenate([np.linspace(0.02, 0.98, SIZE), np.linspace(1.02, 2.0, SIZE)])

figure, axes = plt.subplots(1, 2, figsize=(8.5, 3.9), sharex=True, sharey=True, layout="constrained")
for noise, colour in ((0.1, "#56b4e9"), (0.3, "#0072b2"), (0.5, "#17212b")):
    task = Task(rho_pretraining=0.1, rho_finetuning=0.05, overlap=1.0, label_noise_std=noise)
    interpolated = FineTuning(task, NETWORK).predict(alphas).generalization_error
    interpolated[SIZE - 1] = np.nan  # the curves of both sides of alpha = 1 are not joined
    held = [
        FineTuning(task, NETWORK, ridge_strength=strength).predict(alphas).generalization_error
        for strength in STRENGTHS
    ]
    axes[0].plot(alphas, interpolated, color=colour, label=f"noise {noise:g}")
    axes[1].plot(alphas, np.min(held, axis=0), color=colour, label=f"noise {noise:g}")
for axis, title in zip(axes, ("to zero training error", "with the best strength"), strict=True):
    axis.axvline(1.0, color="#5a6672", linewidth=0.8, linestyle=":")
    axis.set(title=title, xlabel="labels per dimension  alpha", yscale="log", ylim=(1e-3, 10))
    axis.grid(color="#e6eaee")
axes[0].set_ylabel("error per coordinate")
axes[0].legend(frameon=False)
plt.show()
