"""
Probe or fine-tune?
===================

``carryover adapt`` runs several plans under one budget, chooses on labels set aside, and says which plans
cannot be told from the winner. Before a plan runs it is forecast from the training labels alone; where the
forecast could not be trusted it abstains.
"""

# %%
# A small encoder, pretrained on 900 digits without labels, is adapted to other digits with noise: once with 60
# labels, once with 240. All of it is written into a temporary folder.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from datasets.utils.logging import disable_progress_bar

import carryover
from carryover.adaptation.config import read_adaptation
from carryover.experiments.digits import write_digits
from carryover.pretraining.config import read_recipe

disable_progress_bar()
STEPS = globals().get("STEPS", 400)  # the tests take fewer
folder = Path(tempfile.mkdtemp())
write_digits(folder)
recipe = {
    "data": {"path": str(folder / "source")},
    "objective": {"kind": "denoising", "encoder": "fully_connected", "width": 64, "decoder_hidden": 64},
    "train": {"steps": STEPS, "batch_size": 64, "learning_rate": 2e-3},
}
carryover.pretrain(read_recipe(recipe), folder / "run")


def adapted(n_labels: int) -> dict:
    """The record of all plans with so many labels, a fifth of which choose the winner."""
    config = {
        "model": {"path": str(folder / "run")},
        "target": {"path": str(folder / "target"), "n_labels": n_labels, "test_fraction": 0.5},
        "plan": "all",
        "train": {"steps": STEPS // 4},
        "regime": {"plans": "none"},
    }
    return carryover.adapt(read_adaptation(config), folder / f"adapted-{n_labels}").record


records = {n_labels: adapted(n_labels) for n_labels in (60, 240)}
for n_labels, record in records.items():
    print(f"{n_labels} labels: {record['choice']['sentence']}")

# %%
# Dots are test accuracies with 95 % intervals, crosses the forecasts that were made. The test split chose
# nothing.
figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), sharey=True, layout="constrained")
for axis, (n_labels, record) in zip(axes, records.items(), strict=True):
    plans = record["plans"]
    for place, row in enumerate(plans):
        accuracy, forecast = row["test_accuracy"], row["forecast"]["accuracy"]
        colour = "#d55e00" if row["plan"] == record["winner"] else "#0072b2"
        axis.plot(accuracy["interval"], [place, place], color=colour, linewidth=2)
        axis.plot(accuracy["value"], place, "o", color=colour)
        if forecast["status"] == "ok":
            axis.plot(forecast["value"], place, "x", color="black")
    axis.set(title=f"{n_labels} labels", xlabel="accuracy", yticks=range(len(plans)))
    axis.set_yticklabels([row["plan"] for row in plans])
    axis.grid(axis="x", color="#e6eaee")
    axis.locator_params(axis="x", nbins=6)
axes[0].invert_yaxis()
plt.show()

# %%
# Orange is the winner. With few labels the labels set aside decide little, and the sentence says so. On real
# networks: :doc:`/adaptation`.
