"""One draw of each bound on an error rate, beside the true risk: tests repeat it a little, the benchmark a lot."""

import numpy as np
from finite_laws import Law

from carryover.bounds.disagreement import disagreement_certificate, gibbs_disagreement
from carryover.bounds.holdout import holdout_bound
from carryover.bounds.pac_bayes import pac_bayes_bound
from carryover.bounds.pac_bayes_head import pac_bayes_head_bound
from carryover.bounds.rademacher import rademacher_bound
from carryover.bounds.reference_head import ReferenceHead, fit_reference_head, no_reference

_TABLE = np.zeros((10, 2))
_TABLE[:5, 0], _TABLE[5:] = 0.1, (0.07, 0.03)
HALF_CERTAIN = Law(_TABLE)
"""Cells 0 to 4 have a certain class, cells 5 to 9 the same one with probability .7."""
RIGHT, OTHER = np.zeros(10, dtype=int), np.where(np.arange(10) < 2, 1, 0)
"""A rule that is right wherever it can be, and one that differs from it in two certain cells."""


def simulate(draw, seed, draws):
    """Pairs of bound and truth from independent generators."""
    return [draw(generator) for generator in np.random.default_rng(seed).spawn(draws)]


def violations(results, broken=lambda bound: bound.value):
    """How many bounds, or broken versions of them, lie below the truth."""
    return sum(broken(bound) < true for bound, true in results)


def rule_of(stats):
    """The class that a linear head gives to each cell."""
    return (stats["coefficients"].T + stats["intercept"]).argmax(axis=1)


def holdout_draw(generator, *, law, n, rule):
    features, labels = law.draw(n, generator)
    return holdout_bound(rule[features.argmax(axis=1)] == labels), law.error_of(rule)


def rademacher_draw(generator, *, law, n):
    features, labels = law.draw(n, generator)
    n_classes = law.table.shape[1]
    bound = rademacher_bound(features, labels, n_classes=n_classes, generator=generator, n_draws=20)
    return bound, law.error_of(rule_of(bound.stats))


def memorising_draw(generator, *, law, n):
    """A head that remembers two classes' rows, priced at the ratio at which its ramp loss is 0."""
    features, labels = law.draw(n, generator)
    coefficients = np.array([[-1.0], [1.0]]) * ((2 * labels - 1) @ features)
    bound = rademacher_bound(
        features,
        labels,
        n_classes=2,
        coefficients=coefficients,
        intercept=np.zeros(2),
        generator=generator,
        n_draws=20,
    )
    return bound, law.error_of(coefficients.argmax(axis=0))


def pac_bayes_draw(generator, *, law, n):
    bound = pac_bayes_bound(*law.draw(n, generator), n_classes=law.table.shape[1])
    return bound, law.gibbs_error_of(bound.stats)


def pac_bayes_head_draw(generator, *, law, n, inequality, prior):
    """``prior``: "other half" of 2n rows, "none", "same rows" (which is cheating), or "given", as if fine-tuned
    elsewhere: right in every cell, of which nothing is known to have been seen."""
    n_cells, n_classes = law.table.shape
    names = [f"example {i}" for i in range(2 * n)]
    features, labels = law.draw(2 * n, generator)
    reference = no_reference(n_classes, n_cells)
    if prior in ("other half", "same rows"):
        fitted_to = slice(None, n) if prior == "other half" else slice(n, None)
        reference = fit_reference_head(
            features[fitted_to], labels[fitted_to], n_classes=n_classes, hashes=names[:n]
        )
    elif prior == "given":
        best = np.eye(n_classes)[law.table.argmax(axis=1)].T
        reference = ReferenceHead(best - 1 / n_classes, np.zeros(n_classes), None)
    bound = pac_bayes_head_bound(
        features[n:], labels[n:], reference=reference, inequality=inequality, hashes=names[n:]
    )
    return bound, law.gibbs_error_of(bound.stats)


def certificate_draw(generator, *, n, m):
    """OTHER certified from RIGHT on n labelled and m unlabelled examples of HALF_CERTAIN."""
    features, labels = HALF_CERTAIN.draw(n, generator)
    unlabelled = HALF_CERTAIN.draw(m, generator)[0].argmax(axis=1)
    reference = holdout_bound(RIGHT[features.argmax(axis=1)] == labels, confidence=0.96)
    bound = disagreement_certificate(OTHER[unlabelled] != RIGHT[unlabelled], reference=reference)
    return bound, HALF_CERTAIN.error_of(OTHER)


def gibbs_to_head_draw(generator, *, n, m):
    """PAC-Bayes at .98 on HALF_CERTAIN, passed on to the head itself with the rest of the risk."""
    features, labels = HALF_CERTAIN.draw(n, generator)
    gibbs = pac_bayes_bound(features, labels, n_classes=2, confidence=0.98)
    parts = {name: gibbs.stats[name] for name in ("coefficients", "intercept", "noise_std")}
    unlabelled = HALF_CERTAIN.draw(m, generator)[0]
    bound = disagreement_certificate(gibbs_disagreement(unlabelled, **parts), reference=gibbs)
    return bound, HALF_CERTAIN.error_of(rule_of(gibbs.stats))
