"""Draws of the compression bound beside the true risk: the library's head, the best of a whole codebook."""

import itertools
import math
from dataclasses import dataclass

import numpy as np
from bound_draws import rule_of

from carryover.bounds.compression import compression_bound
from carryover.bounds.head_code import Codebook, CodedHead, code_length, head_of
from carryover.bounds.reference_head import fit_reference_head, no_reference
from carryover.numerics.binomial import binomial_limit

SMALL = Codebook(widths=(0, 100), levels=(1,), steps=(0.25, 1.0, 4.0))


def fitted_draw(generator, *, law, n, reference):
    """Bound and true risk; the reference is fitted to n more rows where it is "other half"."""
    n_cells, n_classes = law.table.shape
    features, labels = law.draw(2 * n, generator)
    names = [f"example {at}" for at in range(2 * n)]
    head = no_reference(n_classes, n_cells)
    if reference == "other half":
        head = fit_reference_head(features[:n], labels[:n], n_classes=n_classes, hashes=names[:n])
    bound = compression_bound(features[n:], labels[n:], reference=head, codebook=SMALL, hashes=names[n:])
    return bound, law.error_of(rule_of(bound.stats))


def every_rule(n_cells, codebook):
    """Predictions (heads, cells) of all heads for two classes without a reference, and the bits of each."""
    start, rules, bits = no_reference(2, n_cells), [], []
    for width, level in itertools.product(range(len(codebook.widths)), range(len(codebook.levels))):
        largest, size = codebook.levels[level], min(codebook.widths[width], n_cells + 1)
        for symbols in itertools.product(range(-largest, largest + 1), repeat=size):
            coded = CodedHead(False, width, level, 0, np.array(symbols, dtype=np.int64)[None])
            coefficients, intercept = head_of(coded, reference=start, codebook=codebook)
            rules.append((coefficients.T + intercept).argmax(axis=1))
            bits.append(code_length(coded, codebook))
    return np.array(rules), np.array(bits)


@dataclass(frozen=True)
class Searched:
    """The smallest bound among many heads, with the errors and the bits of the head that has it."""

    value: float
    errors: int
    bits: int


def searched_draw(generator, *, law, n, rules, bits):
    """The head of the smallest bound among all, and its true risk."""
    features, labels = law.draw(n, generator)
    counts = np.zeros(law.table.shape, dtype=int)
    np.add.at(counts, (features.argmax(axis=1), labels), 1)
    right = counts[np.arange(len(counts)), rules].sum(axis=1)
    best, most, true = None, -1, None
    for length in np.unique(bits):
        at = int(np.where(bits == length, right, -1).argmax())
        if right[at] > most:  # a longer code with no fewer errors is no better
            most = right[at]
            limit = binomial_limit(n - int(most), n, log_risk=log_risk_of(length))
            if best is None or limit < best.value:
                best, true = Searched(limit, n - int(most), int(length)), law.error_of(rules[at])
    return best, true


def log_risk_of(bits):
    """What a code of this length leaves of the risk .05, in nats."""
    return math.log(0.05) - int(bits) * math.log(2)
