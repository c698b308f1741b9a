"""The contrastive bound against the mean classifier's loss, a finite sum, on repeated draws of tuples.

Four classes without spread, at two opposite ends: the inequality is an equality (1/3), the losses are 0 or 1, and
only the confidence term stands between the bound and the truth: 8 of 1,000 draws fail, and 130 with half of it.  A
collision probability doubled is caught too (a smaller one only raises the bound while it is below 1).  With spread
within classes Jensen's gap and the wide range of the losses hide half a term: the bound is 2.3 to 3.2 times the
true loss.
"""

from functools import partial

import numpy as np
import pytest
from finite_laws import permitted
from latent_classes import contrastive_draw, spread_classes, two_directions

from carryover.bounds.contrastive import largest_contrastive_loss, named_loss


def _bounds(law, *, draws, m, largest_loss, loss="hinge", block=1, collision=None):
    generator = np.random.default_rng([draws, m, block])
    draw = partial(
        contrastive_draw,
        law=law,
        true=None,
        m=m,
        largest_loss=largest_loss,
        loss=loss,
        block=block,
        collision=collision,
    )
    return [draw(generator)[0] for _ in range(draws)]


def _check_tight(draws):
    law, true = two_directions(), 1 / 3
    bounds = _bounds(law, draws=draws, m=300, largest_loss=1.0)
    assert sum(bound.value < true for bound in bounds) <= permitted(draws)
    assert sum(b.value - b.terms["confidence"] / 2 < true for b in bounds) > permitted(draws)
    doubled = _bounds(law, draws=draws, m=300, largest_loss=1.0, collision=2 * law.collision)
    assert sum(bound.value < true for bound in doubled) > permitted(draws)


def _check_spread(draws, *, loss, block):
    law = spread_classes(np.random.default_rng(5), noise=0.3, radius=2.0)
    _, _, true = law.exact_losses(named_loss(loss).of_gap)
    largest = largest_contrastive_loss(2.0, loss=loss)
    bounds = _bounds(law, draws=draws, m=500, largest_loss=largest, loss=loss, block=block)
    assert sum(bound.value < true for bound in bounds) <= permitted(draws)
    return float(np.median([bound.value for bound in bounds])) / true


def test_small_versions_hold():
    _check_tight(500)
    _check_spread(40, loss="hinge", block=1)


@pytest.mark.slow
def test_holds_where_it_is_an_equality_and_half_the_confidence_is_caught():
    _check_tight(2000)


@pytest.mark.slow
@pytest.mark.parametrize("loss", ["hinge", "logistic"])
def test_holds_with_spread_and_blocks_tighten(loss):
    single, blocks = (_check_spread(1000, loss=loss, block=block) for block in (1, 5))
    assert 1 < blocks < single < 3.5
