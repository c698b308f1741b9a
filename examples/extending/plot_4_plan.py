"""
A plan of your own
==================

A plan of ``carryover adapt`` is data: phases that say what trains, from where, at which rate. Nothing has to be
registered. This one trains the head and the biases alone (Ben Zaken, Goldberg and Ravfogel, ACL 2022).
"""

# %%
# The encoder is pretrained on digits without labels, in a temporary folder.
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
write_digits(folder)  # source/ without labels; target/ with labels, and noise
recipe = {
    "data": {"path": str(folder / "source")},
    "objective": {"kind": "denoising", "encoder": "fully_connected", "width": 64, "decoder_hidden": 64},
    "train": {"steps": STEPS, "batch_size": 64, "learning_rate": 2e-3},
}
carryover.pretrain(read_recipe(recipe), folder / "run")

# %%
# Patterns are those of a shell, over the names of parameters; one that matches nothing is an error before
# anything trains.
config = {
    "model": {"path": str(folder / "run")},
    "target": {"path": str(folder / "target"), "n_labels": 100, "test_fraction": 0.5},
    "plans": [
        {
            "name": "biases",
            "phases": [
                {"name": "probe", "trains": ["head.*"], "solve": "ridge"},
                {"name": "biases", "trains": ["encoder.*bias", "head.*"], "learning_rate": 3e-3},
            ],
        }
    ],
    "plan": "all",
    "train": {"steps": STEPS // 4},
    "regime": {"plans": "none"},
}
run = carryover.adapt(read_adaptation(config), folder / "adapted")
print(run.record["choice"]["sentence"])

# %%
# It is compared with the built-in plans under one budget. Dots: accuracy on the test split, with 95 %
# intervals.
figure, axis = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for place, row in enumerate(run.record["plans"]):
    accuracy = row["test_accuracy"]
    colour = "#d55e00" if row["plan"] == "biases" else "#0072b2"
    axis.plot(accuracy["interval"], [place, place], color=colour, linewidth=2)
    axis.plot(accuracy["value"], place, "o", color=colour)
axis.set(xlabel="test accuracy", yticks=range(len(run.record["plans"])))
axis.set_yticklabels([row["plan"] for row in run.record["plans"]])
axis.grid(axis="x", color="#e6eaee")
axis.invert_yaxis()
plt.show()

# %%
# The same table in TOML stands on :doc:`/adaptation`.
