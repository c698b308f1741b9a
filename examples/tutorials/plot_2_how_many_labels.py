"""
How many labels?
================

A diagnosis fits the probe on halves, quarters, ... of the training labels. The learning curve says what fewer
labels would have reached, what twice as many should gain, and, where that can be told, the limit with endless
labels.
"""

# %%
# The pixels of all ten digits, with Gaussian noise so that there is something to learn; 200 labels.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits

import carryover
from carryover.diagnosis.specs import MeasureSpec, TargetSpec

digits = load_digits()
noise = np.random.default_rng(0).normal(size=digits.data.shape)
features = {"pixels": digits.data / 16.0 + 0.3 * noise}


def curve(n_labels: int) -> dict:
    """The learning curve of a diagnosis with so many labels."""
    target, measure = TargetSpec(n_labels=n_labels, test_fraction=0.5), MeasureSpec(n_draws=8)
    diagnosis = carryover.diagnose_features(features, digits.target, target=target, measure=measure)
    return diagnosis.record["models"][0]["learning_curve"]


few, many = curve(200), curve(800)
gain = few["gain_from_doubling"]
low, high = gain["interval"]
print(
    f"200 labels reach {few['accuracy'][-1]:.3f}; 400 should add {gain['value']:.3f} ({low:.3f} to {high:.3f})"
)
later = dict(zip(many["n"], many["accuracy"], strict=True))
print(f"measured later, with 800 labels: {later[400] - later[200]:.3f}")
for name, one in (("200", few), ("800", many)):
    limit = one["asymptote"]
    ends = [round(end, 3) for end in limit["interval"] or ()]
    seen = f"{limit['value']:.3f} {ends}" if limit["status"] == "ok" else limit["reason"]
    print(f"limit seen from {name} labels: {seen}")

# %%
# The filled dots were all that 200 labels could show; the line is the law through them, and the bar at 400 its
# prediction. The open dots came later, from 800 labels. Judge the gain rather than the height: the 200 labels
# at hand are one draw, and another 200 do a little better.
figure, axis = plt.subplots(figsize=(6.5, 3.8), layout="constrained")
axis.plot(
    many["n"],
    many["accuracy"],
    "o",
    color="#d55e00",
    markerfacecolor="none",
    label="measured with 800 labels",
)
axis.plot(few["n"], few["accuracy"], "o", color="#0072b2", label="measured with 200 labels")
for n, ends in zip(few["n"], few["interval"], strict=True):
    axis.plot([n, n], ends, color="#0072b2", linewidth=1)
law, n = few["law"], np.geomspace(few["n"][0], 400, 100)
values = law["asymptote"] - law["amplitude"] * (n / law.get("reference", 1.0)) ** -law["exponent"]
axis.plot(n, values, color="#0072b2", linewidth=1, label="law fitted to them")
axis.plot(
    [400, 400],
    few["accuracy"][-1] + np.array([low, high]),
    color="#009e73",
    linewidth=3,
    label="predicted for 400",
)
axis.set(xlabel="labels", ylabel="accuracy", xscale="log", xticks=[25, 50, 100, 200, 400, 800])
axis.get_xaxis().set_major_formatter("{x:.0f}")
axis.minorticks_off()
axis.grid(color="#e6eaee")
axis.legend(frameon=False)
plt.show()

# %%
# The intervals are for the mean over training sets: another 400 labels may do a little better or worse. How the
# limit is extrapolated, and when the library abstains from it: :doc:`/verdict`.
