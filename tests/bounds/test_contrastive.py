"""The contrastive bound: losses against loops, the inequality and its parts summed exactly, limits, misuse."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from latent_classes import LatentClasses, spread_classes, two_directions

from carryover._core.errors import InputError
from carryover.bounds.contrastive import (
    LOSSES,
    collision_probability,
    contrastive_bound,
    contrastive_losses,
    largest_contrastive_loss,
    mean_classifier_loss,
    named_loss,
)
from carryover.bounds.contrastive_spread import collision_spread, generalization_term, minimiser_terms
from carryover.numerics.divergences import binary_kl

SHARES = (None, [0.55, 0.25, 0.15, 0.05])


def _losses(m=400):
    law = spread_classes(np.random.default_rng(1))
    anchors, positives, negatives, collided = law.tuples(m, 1, np.random.default_rng(0))
    return contrastive_losses(anchors, positives, negatives, loss="hinge"), collided


def _bound(losses, **options):
    return contrastive_bound(losses, **{"collision": 0.25, "largest_loss": 3.0, **options})


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_one_at_zero_and_above_the_error(loss):
    gaps = np.linspace(-5, 5, 201)
    values = named_loss(loss).of_gap(gaps)
    assert named_loss(loss).of_gap(np.array(0.0)) == pytest.approx(1)
    assert (values >= (gaps <= 0)).all()
    assert (np.abs(np.diff(values)) <= named_loss(loss).slope * np.diff(gaps) + 1e-12).all()
    assert largest_contrastive_loss(1.3, loss=loss) == pytest.approx(
        float(named_loss(loss).of_gap(-2 * 1.69))
    )


def test_losses_agree_with_a_double_loop():
    generator = np.random.default_rng(2)
    x, p, n = (
        generator.normal(size=(6, 3)),
        generator.normal(size=(6, 4, 3)),
        generator.normal(size=(6, 4, 3)),
    )
    got = contrastive_losses(x, p, n, loss="logistic")
    for i in range(6):
        gap = sum(x[i] @ p[i, j] - x[i] @ n[i, j] for j in range(4)) / 4
        assert got[i] == pytest.approx(math.log2(1 + math.exp(-gap)))


@settings(max_examples=20)
@given(st.integers(0, 1000), st.sampled_from(sorted(LOSSES)), st.sampled_from(SHARES), st.floats(0.05, 2))
def test_inequality_and_price_of_collisions_summed_exactly(seed, loss, shares, noise):
    """L_sup^mu <= (L_un - tau)/(1 - tau), and 1 <= L_un^= <= 1 + slope s / sqrt 2, on a law with finite cells."""
    law = spread_classes(np.random.default_rng(seed), shares=shares, noise=noise, radius=2.0)
    apart, same, supervised = law.exact_losses(named_loss(loss).of_gap)
    tau = collision_probability(law.shares)
    whole = tau * same + (1 - tau) * apart
    assert supervised <= (whole - tau) / (1 - tau) + 1e-12
    rows, labels = law.rows()
    spread = collision_spread(rows, labels, class_shares=law.shares)
    assert 1 - 1e-12 <= same <= 1 + named_loss(loss).slope / math.sqrt(2) * spread + 1e-12
    assert mean_classifier_loss(rows, labels, class_shares=law.shares, loss=loss) == pytest.approx(supervised)


def test_half_the_price_of_collisions_is_caught():
    """The logistic loss of long features: cosh is nearly a straight line, and its constant is used up to .8."""
    cells = np.array([[[40.0], [-40.0]], [[40.0], [-40.0]]])
    law = LatentClasses(np.array([0.5, 0.5]), cells)
    _, same, _ = law.exact_losses(named_loss("logistic").of_gap)
    rows, labels = law.rows()
    price = (
        named_loss("logistic").slope / math.sqrt(2) * collision_spread(rows, labels, class_shares=law.shares)
    )
    assert price / 2 < same - 1 <= price


def test_without_spread_the_inequality_is_an_equality():
    law = two_directions()
    apart, same, supervised = law.exact_losses(named_loss("hinge").of_gap)
    assert (apart, same, supervised) == pytest.approx((1 / 3, 1, 1 / 3))
    assert collision_spread(*law.rows(), class_shares=law.shares) == 0


def test_value_is_the_sum_of_its_parts_and_inverts_the_relative_entropy():
    losses, collided = _losses()
    plain, parted = _bound(losses), _bound(losses, collided=collided)
    assert plain.value == pytest.approx(parted.value)
    upper = plain.value * 0.75 + 0.25
    assert binary_kl(losses.mean() / 3, upper / 3) == pytest.approx(math.log(20) / 400, rel=1e-9)
    assert parted.terms["apart"] == pytest.approx(losses[~collided].sum() / 400 / 0.75)
    assert parted.terms["collision"] == pytest.approx((losses[collided].sum() / 400 - 0.25) / 0.75)
    assert plain.value >= (losses.mean() - 0.25) / 0.75
    assert plain.value == pytest.approx(sum(plain.terms.values()))


def test_monotone_and_vacuous():
    losses, _ = _losses()
    values = [_bound(np.tile(losses, k)).value for k in (1, 4, 16)]
    assert values == sorted(values, reverse=True)
    values = [_bound(losses, confidence=level).value for level in (0.5, 0.95, 0.999)]
    assert values == sorted(values)
    assert _bound(np.ones(50)).vacuous and not _bound(np.full(5000, 0.3)).vacuous


def test_blocks_lower_the_loss():
    """Features of length 3, so that the hinge bends (where it is straight blocks change nothing)."""
    law = spread_classes(np.random.default_rng(1), radius=3.0)
    small, large = (
        contrastive_losses(*law.tuples(20_000, block, np.random.default_rng(0))[:3], loss="hinge")
        for block in (1, 8)
    )
    assert large.mean() < small.mean() - 5 * small.std() / math.sqrt(20_000)


def test_assumptions_say_what_is_known():
    losses, _ = _losses()

    def states(**given):
        return [assumption.state for assumption in _bound(losses, **given).assumptions]

    assert states() == ["not_checkable"] * 4
    assert states(positives_from_class=True, encoder_independent=True)[1:3] == ["checked", "checked"]
    assert states(positives_from_class=False, groups=np.zeros(400))[::2] == ["violated", "violated"]


def test_terms_of_the_minimiser():
    terms = minimiser_terms(0.5, 0.2, collision=0.25, generalization=0.3, loss="hinge")
    assert terms == pytest.approx(
        {"apart": 0.5, "collision": 0.2 / (3 * math.sqrt(2)), "generalization": 0.4}
    )
    logistic = minimiser_terms(0.5, 0.2, collision=0.25, generalization=0.3, loss="logistic")
    assert logistic["collision"] == pytest.approx(terms["collision"] / math.log(2))


def test_generalization_term_covers_the_minimiser_of_a_finite_class():
    """Thirty linear encoders of one law; the complexity over signs on the tuples at hand, by drawing signs."""
    generator = np.random.default_rng(7)
    law = spread_classes(generator, d=2)
    maps = generator.normal(size=(30, 2, 2))
    maps /= np.linalg.norm(maps, ord=2, axis=(1, 2))[:, None, None]
    of_gap = named_loss("hinge").of_gap
    exact = []
    for one in maps:
        apart, same, _ = type(law)(law.shares, law.cells @ one).exact_losses(of_gap)
        exact.append(0.25 * same + 0.75 * apart)
    excesses, terms = [], []
    for _ in range(40):
        x, p, n, _ = law.tuples(60, 1, generator)
        empirical = [contrastive_losses(x @ one, p @ one, n @ one, loss="hinge").mean() for one in maps]
        outputs = np.concatenate([x, p[:, 0], n[:, 0]]) @ maps
        signs = generator.choice([-1.0, 1.0], size=(20, *outputs.shape[1:]))
        complexity = float((signs.reshape(20, -1) @ outputs.reshape(30, -1).T).max(axis=1).mean())
        excesses.append(exact[int(np.argmin(empirical))] - min(exact))
        terms.append(generalization_term(complexity, n_tuples=60, radius=1.0, loss="hinge"))
    assert max(excesses) <= min(terms)
    assert generalization_term(5.0, n_tuples=60, radius=1.0, loss="hinge") > generalization_term(
        5.0, n_tuples=600, radius=1.0, loss="hinge"
    )


def test_misuse_is_named():
    losses, collided = _losses()
    with pytest.raises(InputError, match=r"losses must lie in \[0, largest_loss = 1.5\], got .* in tuple"):
        _bound(losses, largest_loss=1.5)
    with pytest.raises(
        InputError, match=r"losses must lie in \[0, largest_loss = 3.0\], got -1.0 in tuple 3"
    ):
        _bound(np.where(np.arange(400) == 3, -1.0, losses))
    with pytest.raises(InputError, match="losses must be a non-empty vector"):
        _bound(np.array([]))
    with pytest.raises(InputError, match=r"collision must lie in \[0, 1\), got 1.0"):
        _bound(losses, collision=1.0)
    with pytest.raises(InputError, match=r"largest_loss must lie in \[1, inf\), got 0.5"):
        _bound(losses, largest_loss=0.5)
    with pytest.raises(InputError, match=r"confidence must lie in \(0, 1\), got 0.0"):
        _bound(losses, confidence=0.0)
    with pytest.raises(InputError, match="collided must have one entry for each of the 400 tuples, got 399"):
        _bound(losses, collided=collided[1:])
    with pytest.raises(InputError, match=r"there is no contrastive loss 'hing': .*did you mean 'hinge'"):
        named_loss("hing")
    with pytest.raises(InputError, match="class_shares must be >= 0, sum to 1 and name at least 2 classes"):
        collision_probability(np.array([0.5, 0.4]))
    with pytest.raises(InputError, match="each of the 2 classes of positive share needs rows, got counts"):
        mean_classifier_loss(
            np.ones((2, 2)), np.zeros(2, dtype=int), class_shares=np.full(2, 0.5), loss="hinge"
        )
    with pytest.raises(InputError, match=r"class 1 has share 0.5 and no row"):
        collision_spread(np.ones((2, 2)), np.zeros(2, dtype=int), class_shares=np.full(2, 0.5))
    with pytest.raises(InputError, match=r"radius must lie in \[0, inf\), got -1"):
        largest_contrastive_loss(-1.0, loss="hinge")
    with pytest.raises(InputError, match=r"spread must lie in \[0, inf\], got -0.1"):
        minimiser_terms(0.5, -0.1, collision=0.25, generalization=0.3, loss="hinge")
    with pytest.raises(InputError, match=r"complexity must lie in \[0, inf\], got -1"):
        generalization_term(-1.0, n_tuples=5, radius=1.0, loss="hinge")
    with pytest.raises(InputError, match=r"n_tuples must lie in \[1, inf\], got 0"):
        generalization_term(1.0, n_tuples=0, radius=1.0, loss="hinge")
