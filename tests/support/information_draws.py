"""One draw of each bound that holds in expectation, beside the true risk of its runs, which is a finite sum."""

import math

import numpy as np
from scipy.special import ndtr

from carryover.bounds.information import loss_difference_cmi_bound, prediction_cmi_bound
from carryover.bounds.xu_raginsky import known_information_bound, noisy_weights_bound

PAIRS, RUNS = 20, 30


def majority_runs(law, generator):
    """Runs of majority votes in each cell, ties by a coin: predictions, labels, masks, true risks of the runs."""
    n_cells, n_classes = law.table.shape
    features, labels = law.draw(2 * PAIRS, generator)
    cells, labels = features.argmax(axis=1).reshape(PAIRS, 2), labels.reshape(PAIRS, 2)
    masks = generator.integers(0, 2, (RUNS, PAIRS))
    votes = generator.random((RUNS, n_cells, n_classes)) / 2
    for run in range(RUNS):
        chosen = np.arange(PAIRS), masks[run]
        np.add.at(votes[run], (cells[chosen], labels[chosen]), 1)
    rules = votes.argmax(axis=2)
    risks = [law.error_of(rule) for rule in rules]
    return rules[:, cells], labels, masks, float(np.mean(risks))


def loss_difference_draw(generator, *, law):
    predictions, labels, masks, risk = majority_runs(law, generator)
    losses = (predictions != labels).astype(int)
    return loss_difference_cmi_bound(losses, masks, generator=generator, n_shuffles=1), risk


def prediction_draw(generator, *, law):
    predictions, labels, masks, risk = majority_runs(law, generator)
    return prediction_cmi_bound(predictions, labels, masks, generator=generator, n_shuffles=1), risk


def noisy_sign_draw(generator, *, n=10, n_sets=6):
    """W = mean of n signs + noise, predicts the sign of W; the labels are coins.  Some training sets a draw."""
    means = generator.choice([-1.0, 1.0], size=(n_sets, n)).mean(axis=1)
    plus = ndtr(means)
    errors = (1 + means) / 2 * (1 - plus) + (1 - means) / 2 * plus
    return noisy_weights_bound(means[:, None], errors, noise_std=1.0, n=n), 0.5


def best_of_coins_draw(generator, *, n_choices=20, n=50):
    """The predictor with the fewest errors among some that all toss coins."""
    errors = generator.binomial(n, 0.5, (1, n_choices)).min(axis=1) / n
    return known_information_bound(errors, information=math.log(n_choices), n=n), 0.5


def excess(differences):
    """Mean of bound less truth, in standard errors."""
    differences = np.asarray(differences)
    return differences.mean() / (differences.std(ddof=1) / math.sqrt(len(differences)))
