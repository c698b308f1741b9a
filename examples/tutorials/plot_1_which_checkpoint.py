"""
Which checkpoint?
=================

You have some labels and several sets of features. ``carryover.diagnose_features`` ranks them, says how sure the
ranking is, and what limits each. The target here is noisy digits 5 to 9. The one checkpoint is a network
trained on clean digits 0 to 4; beside it stand what a checkpoint has to beat before it is worth anything:
random weights, and the pixels.
"""

# %%
# Only digits 0 to 4 were seen in training, so nothing of the target leaked into the features.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

import carryover
from carryover.diagnosis.specs import MeasureSpec, TargetSpec

digits = load_digits()
pixels = digits.data / 16.0
noisy = pixels + 0.4 * np.random.default_rng(1).normal(size=pixels.shape)
source, target = digits.target < 5, digits.target >= 5
trained = MLPClassifier((64,), random_state=0, max_iter=200).fit(pixels[source], digits.target[source])
weights = np.random.default_rng(0).normal(size=(64, 64)) / 8.0
features = {
    "pixels": noisy[target],
    "trained on 0 to 4": np.maximum(noisy[target] @ trained.coefs_[0] + trained.intercepts_[0], 0.0),
    "random": np.maximum(noisy[target] @ weights, 0.0),
}

# %%
# A stratified part of the rows is set aside for testing. We pretend to have 60 labels, then 600; ``measure``
# takes fewer draws than by default, to be quick.
found = {
    n_labels: carryover.diagnose_features(
        features,
        digits.target[target],
        target=TargetSpec(n_labels=n_labels),
        measure=MeasureSpec(n_draws=8),
    )
    for n_labels in (60, 600)
}
for n_labels, diagnosis in found.items():
    print(f"{n_labels} labels")
    for row, verdict in zip(diagnosis.ranking, diagnosis.verdicts, strict=True):
        print(f"  {row['name']}: best with probability {row['probability_best']:.2f}. {verdict['sentence']}")

# %%
# The dots are accuracies on the test split, the bars their 95 % intervals, the numbers the probability of being
# best. Overlapping bars do not say that two candidates cannot be told apart: all are tested on the same
# examples, and the probability compares them in pairs. Here the checkpoint is not worth using: the pixels are
# ahead of it, above all with many labels.
figure, axes = plt.subplots(1, 2, figsize=(9, 2.8), sharey=True, layout="constrained")
for axis, (n_labels, diagnosis) in zip(axes, found.items(), strict=True):
    rows = {row["name"]: row for row in diagnosis.ranking}
    for place, name in enumerate(features):
        accuracy = rows[name]["accuracy"]
        axis.plot(accuracy["interval"], [place, place], color="#0072b2", linewidth=2)
        axis.plot(accuracy["value"], place, "o", color="#0072b2")
        axis.annotate(
            f"{rows[name]['probability_best']:.2f}", (accuracy["value"], place), (0, 7),
            textcoords="offset points", ha="center",
        )  # fmt: skip
    axis.set(
        title=f"{n_labels} labels",
        xlabel="accuracy",
        yticks=range(3),
        yticklabels=list(features),
        ylim=(-0.4, 2.6),
    )
    axis.grid(axis="x", color="#e6eaee")
    axis.locator_params(axis="x", nbins=6)
plt.show()

# %%
# ``carryover.write_report(diagnosis.record, "report")`` writes the whole page: scores, learning curves,
# complexity, bounds. With the pretraining's own data at hand, give ``pretraining_features`` so that the domain
# can be named as what limits.
