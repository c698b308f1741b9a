"""
Pretraining with RadReg
=======================

RadReg penalises how well a linear head could fit coin flips on unlabelled images of the downstream task, as the
transfer bound suggests (Deng et al., 2024). It costs pretraining loss; whether it helps downstream has to be
seen.
"""

# %%
# A denoising autoencoder on 900 clean digits. The downstream task is noisy digits: 300 of them without labels
# are the regulariser's pool, others with labels are for the probe. Three strengths, three seeds each.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from datasets.utils.logging import disable_progress_bar

import carryover
from carryover.experiments.digits import write_digits
from carryover.pretraining.config import read_recipe

disable_progress_bar()
STRENGTHS, SEEDS, STEPS = (0.0, 0.1, 1.0), range(3), globals().get("STEPS", 400)
folder = Path(tempfile.mkdtemp())
write_digits(folder)


def pretrained(strength: float, seed: int) -> dict:
    """What result.json says of a run."""
    recipe = {
        "seed": seed,
        "data": {"path": str(folder / "source")},
        "downstream": {"path": str(folder / "pool")},
        "objective": {"kind": "denoising", "encoder": "fully_connected", "width": 64, "decoder_hidden": 64},
        "regularizer": {"kind": "radreg", "strength": strength},
        "train": {"steps": STEPS, "batch_size": 64, "learning_rate": 2e-3},
    }
    return carryover.pretrain(read_recipe(recipe), folder / f"{strength}-{seed}").record


runs = {(strength, seed): pretrained(strength, seed) for strength in STRENGTHS for seed in SEEDS}

# %%
# One diagnosis of all nine, and of the pixels that they have to beat, with 100 labels.
config = {
    "target": {"path": str(folder / "target"), "n_labels": 100, "test_fraction": 0.5},
    "measure": {"n_draws": 8},
    "models": [
        *(
            {"name": f"{strength}-{seed}", "path": str(folder / f"{strength}-{seed}")}
            for strength, seed in runs
        ),
        {"name": "pixels", "baseline": "pixels"},
    ],
}
found = carryover.diagnose(config, options=carryover.RunOptions(cache_dir=folder / "cache"))
accuracy = {row["name"]: row["accuracy"]["value"] for row in found.ranking}

# %%
# Left: the loss on held-out clean digits. Middle: the complexity of the pool's features, as it is (filled) and
# after the features are brought to unit size (open); a dot is missing where an encoder has shrunk all features
# to nothing. Right: the probe; the line is the pixels.
figure, axes = plt.subplots(1, 3, figsize=(10, 3.2), layout="constrained")
for place, strength in enumerate(STRENGTHS):
    for seed in SEEDS:
        run = runs[strength, seed]
        after = run["radreg_of_pool"]["after"]
        shifted = place + 0.1 * (seed - 1)
        axes[0].plot(shifted, run["pretraining_loss"]["held_out"]["value"], "o", color="#0072b2")
        axes[1].plot(shifted, after["estimate"]["value"], "o", color="#0072b2")
        if after["normalized"]["status"] == "ok":
            axes[1].plot(shifted, after["normalized"]["value"], "o", color="#0072b2", markerfacecolor="none")
        axes[2].plot(shifted, accuracy[f"{strength}-{seed}"], "o", color="#0072b2")
axes[1].set_yscale("log")
axes[2].axhline(accuracy["pixels"], color="#888888", linestyle="dashed")
for axis, label in zip(
    axes, ("held-out pretraining loss", "complexity of the pool", "probe accuracy"), strict=True
):
    axis.set(xticks=range(len(STRENGTHS)), xticklabels=STRENGTHS, xlabel="strength", ylabel=label)
    axis.grid(axis="y", color="#e6eaee")
plt.show()
for strength in STRENGTHS:
    values = [accuracy[f"{strength}-{seed}"] for seed in SEEDS]
    print(f"strength {strength}: accuracy {np.mean(values):.3f}, from {min(values):.3f} to {max(values):.3f}")

# %%
# Look at the two complexities before believing that a penalty worked: an encoder can lower the first by making
# its features small, and the probe does not mind the size of features. ``normalize = true`` in
# ``[regularizer]`` closes that way out. Three seeds on digits decide nothing about other data; measured on
# more: :doc:`/transfer_in_practice`.
