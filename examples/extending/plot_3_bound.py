"""
A bound of your own
===================

A bound is a function of arrays that returns a ``Bound``: named terms that add up to its value, a confidence,
and every assumption with what is known of it. This one is Hoeffding's, for a loss in [0, 1] on examples held
out; the library's own hold-out bound for error rates stands beside it.
"""

# %%
# ``sample_assumptions`` writes down what all bounds on a sample take for granted, and ``error_bound`` says
# whether the value is vacuous.
import math

import matplotlib.pyplot as plt
import numpy as np

from carryover import Bound, InputError
from carryover.bounds.base import check_confidence, error_bound, sample_assumptions
from carryover.bounds.holdout import holdout_bound


def hoeffding_bound(
    losses: np.ndarray, *, confidence: float = 0.95, representation_independent: bool | None = None
) -> Bound:
    """mean loss + sqrt(log(1 / (1 - confidence)) / (2 n)), for losses (n,) in [0, 1] of one fixed predictor.

    Holds for independent examples.  Reference: Hoeffding, JASA 58 (1963), theorem 1.
    Raises InputError for no losses, and for losses outside [0, 1].
    """
    risk = check_confidence(confidence)
    if len(losses) == 0 or not (np.min(losses) >= 0.0 and np.max(losses) <= 1.0):
        raise InputError("losses must be one or more numbers in [0, 1]")
    return error_bound(
        {
            "test_loss": float(np.mean(losses)),
            "confidence": math.sqrt(math.log(1.0 / risk) / (2 * len(losses))),
        },
        confidence=confidence,
        assumptions=sample_assumptions(
            len(losses), groups=None, representation_independent=representation_independent, sample="test"
        ),
        bounded="mean loss of the predictor",
        stats={"n": len(losses)},
    )


bound = hoeffding_bound(np.array([0.0, 1.0, 0.0, 0.0] * 50))
print(f"{bound.value:.3f} = " + " + ".join(f"{name} {value:.3f}" for name, value in bound.terms.items()))
for assumption in bound.assumptions:
    print(f"  {assumption.state}: {assumption.text}")

# %%
# The first test of a bound is that it holds: on a law whose truth is known it may fail in at most 5 of 100
# draws. The second is what it costs, beside the one that is already there.
TRUTH, DRAWS = 0.1, globals().get("DRAWS", 2000)  # the tests take fewer
generator = np.random.default_rng(0)
sizes = (50, 100, 200, 400, 800)
rows = {"Hoeffding": [], "exact binomial": []}
for n in sizes:
    wrong = generator.random((DRAWS, n)) < TRUTH
    hoeffding = np.array([hoeffding_bound(draw.astype(float)).value for draw in wrong])
    exact = {count: holdout_bound(np.arange(n) >= count).value for count in set(wrong.sum(axis=1).tolist())}
    binomial = np.array([exact[count] for count in wrong.sum(axis=1).tolist()])
    for name, values in zip(rows, (hoeffding, binomial), strict=True):
        rows[name].append((np.mean(values), np.mean(values < TRUTH)))
for name, found in rows.items():
    print(f"{name}: fails in", ", ".join(f"{100 * failed:.1f} %" for _, failed in found))

# %%
# Hoeffding's is the larger one at a small error, since it knows only that losses lie in [0, 1].
figure, axis = plt.subplots(figsize=(6, 3.4), layout="constrained")
for (name, found), colour in zip(rows.items(), ("#d55e00", "#0072b2"), strict=True):
    axis.plot(
        sizes, [mean for mean, _ in found], "o-", color=colour, label=f"{name}, mean of {DRAWS:,} draws"
    )
axis.axhline(TRUTH, color="#888888", linestyle="dashed", label="true error")
axis.set(
    xlabel="examples held out", ylabel="bound", xscale="log", xticks=sizes, xticklabels=sizes, ylim=(0, None)
)
axis.minorticks_off()
axis.grid(color="#e6eaee")
axis.legend(frameon=False)
plt.show()

# %%
# To have it in ``carryover bounds``, see :doc:`/extending`.
