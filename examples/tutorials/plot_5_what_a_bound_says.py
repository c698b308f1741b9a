"""
What a bound says
=================

``carryover bounds`` puts every bound on a report's probe side by side, each beside what the test split says. A
bound at 95 % is larger than the true error in at least 95 of 100 data sets of this kind; how much larger is
what tells them apart.
"""

# %%
# Noisy digits, the pixels as features. The bounds open the data again, so it lies in files.
import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
from datasets.utils.logging import disable_progress_bar

import carryover
from carryover.experiments.digits import write_digits

disable_progress_bar()
folder = Path(tempfile.mkdtemp())
write_digits(folder)
config = {
    "target": {"path": str(folder / "target"), "test_fraction": 0.5},
    "measure": {"n_draws": 8},
    "models": [{"name": "pixels", "baseline": "pixels"}],
}
options = carryover.RunOptions(cache_dir=folder / "cache")
diagnosis = carryover.diagnose(config, options=options)
record = carryover.bounds_of_report(diagnosis.record, carryover.BoundsOptions(run=options))
rows = [
    row for row in record["models"][0]["all_bounds"] if row["kind"] == "confidence" and row["status"] == "ok"
]
for row in rows:
    terms = " + ".join(f"{name} {value:.2f}" for name, value in row["terms"].items())
    print(f"{row['name']}: {row['value']:.2f} = {terms}{', vacuous' if row['vacuous'] else ''}")

# %%
# A bar is a bound, a dot the same quantity on the test examples. From 1 on a bound on an error rate is vacuous:
# true, and saying nothing.
figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
names = {
    "holdout": "hold-out",
    "rademacher": "Rademacher",
    "pac_bayes": "PAC-Bayes, data-free prior",
    "pac_bayes_split": "PAC-Bayes, prior from half",
    "catoni_split": "Catoni, prior from half",
    "compression": "compression",
    "disagreement": "disagreement certificate",
}
axis.barh(range(len(rows)), [row["value"] for row in rows], color="#9ec9e8")
axis.plot([row["truth"]["value"] for row in rows], range(len(rows)), "o", color="black")
axis.axvline(1.0, color="#888888", linestyle="dashed")
axis.set(xlabel="bound on the error rate", yticks=range(len(rows)), xlim=(0, None))
axis.set_yticklabels([names[row["name"]] for row in rows])
axis.invert_yaxis()
axis.grid(axis="x", color="#e6eaee")
plt.show()

# %%
# The hold-out bound is the smallest because it spends the test examples on nothing else. The others are made
# from the labels that trained the probe: they are what is left to someone without a test split. The certificate
# and the hold-out bound are on the probe itself, the others on a head made for the bound, which is why their
# dots differ.
#
# What each takes for granted, and what is known of it:
for assumption in rows[0]["assumptions"]:
    print(f"{assumption['state']}: {assumption['text']}")

# %%
# What every row is made from: :doc:`/bounds`.
