"""The transfer bound: its sum, its type, its levels, what it refuses; and the constant of vector contraction."""

import itertools
import math

import numpy as np
import pytest

from carryover._core.errors import InputError
from carryover._core.results import Bound, Estimate
from carryover.bounds.transfer import Conditions, TransferBoundEstimate, transfer_bound
from carryover.bounds.transfer_terms import Known, contraction_factor
from carryover.measures.heterogeneity import total_variation_lower_bound
from carryover.measures.rademacher import rademacher_complexity
from carryover.measures.transfer_envelope import measure_transferability
from carryover.measures.transfer_pairs import Lipschitz, transfer_pair
from carryover.measures.transferability import squared_score_error

EXACT = transfer_pair(squared_score_error(np.eye(1), np.eye(1), law_known=True), Lipschitz(1.0))
CHECKED = Conditions(True, True, True, True, True)
N = 400


def _complexity(n=N, n_outputs=1, radius=1.0):
    features = np.random.default_rng(0).normal(size=(n, 3))
    return rademacher_complexity(
        features, n_outputs=n_outputs, radius=radius, n_draws=50, generator=np.random.default_rng(1)
    )


def _bound(pair=EXACT, **given):
    arguments = {
        "pretraining_excess": Known(0.02, "closed form"),
        "complexity": _complexity(),
        "total_variation": Known(0.1, "closed form"),
        "residual": Known(0.05, "closed form"),
        "n": N,
        "lipschitz": 1.0,
        "loss_range": 2.0,
        "conditions": CHECKED,
    }
    return transfer_bound(pair, **arguments | given)


def test_every_term_by_hand():
    bound = _bound(complexity=Known(0.03, "exact"), optimization_gap=Known(0.01, "both risks are known"))
    assert isinstance(bound, Bound) and bound.confidence == 0.95
    expected = {
        "transferability": math.sqrt(2) * math.sqrt(0.02),
        "rademacher": 2 * 0.03,
        "confidence": 4 * 2 * math.sqrt(math.log(20) / (2 * N)),
        "total_variation": 2 * 2 * 0.1,
        "residual": 0.05,
        "optimization": 0.01,
    }
    assert bound.terms == pytest.approx(expected)
    assert bound.value == pytest.approx(sum(expected.values()))
    assert not bound.vacuous and _bound(total_variation=Known(1.0, "disjoint")).vacuous
    assert "excess downstream risk" in bound.bounded


def test_levels_add_up_to_the_stated_one():
    for complexity in (_complexity(), Known(0.03, "exact")):
        terms = _bound(complexity=complexity, confidence=0.9).stats["terms"]
        assert math.fsum(term.risk for term in terms) == pytest.approx(0.1)
        assert all(term.how for term in terms)
    shares = {term.name: term.risk for term in _bound(confidence=0.9).stats["terms"] if term.risk}
    assert shares == pytest.approx({"rademacher": 0.01, "confidence": 0.09})


def test_a_measured_complexity_enters_by_its_limit_not_its_mean():
    complexity = _complexity()
    term = {one.name: one for one in _bound(complexity=complexity).stats["terms"]}["rademacher"]
    assert term.value == pytest.approx(2 * complexity.upper_limit(0.995))
    assert term.value > term.estimate.value == pytest.approx(2 * complexity.estimate.value)


def test_several_outputs_pay_root_two():
    several = _complexity(n_outputs=3)
    assert _bound(complexity=several).terms["rademacher"] == pytest.approx(
        2 * math.sqrt(2) * several.upper_limit(0.995)
    )
    known = Known(0.03, "exact")
    ratio = (
        _bound(complexity=known, n_outputs=3).terms["rademacher"]
        / _bound(complexity=known).terms["rademacher"]
    )
    assert ratio == pytest.approx(math.sqrt(2))


def test_monotone_in_examples_risk_radius_and_every_term():
    assert _bound(n=1600, complexity=_complexity(1600)).value < _bound().value
    assert _bound(confidence=0.8).value < _bound().value < _bound(confidence=0.999).value
    assert _bound(complexity=_complexity(radius=0.5)).value < _bound().value
    for name in ("pretraining_excess", "total_variation", "residual"):
        assert _bound(**{name: Known(0.5, "more")}).value > _bound(**{name: Known(0.4, "less")}).value
    assert _bound(lipschitz=2.0).value > _bound().value
    assert _bound(loss_range=3.0).value > _bound().value


def _measured_distance():
    generator = np.random.default_rng(2)
    return total_variation_lower_bound(
        generator.normal(size=(60, 2)), 2 + generator.normal(size=(60, 2)), generator=generator
    )


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"total_variation": _measured_distance()}, "total_variation is known from below only"),
        ({"residual": Estimate(0.05, 0.01, (0.03, 0.07), 100)}, "The term residual is an estimate"),
        ({"pretraining_excess": Estimate(0.02, 0.01, (0.0, 0.04), 100)}, "transferability is an estimate"),
        ({"conditions": None}, "Not checked: The labelled examples are independent draws"),
        ({"conditions": Conditions(True, False, True, True, True)}, "Violated: The encoder was chosen"),
        ({"optimization_gap": Estimate(0.1)}, "The term optimization is an estimate"),
        (
            {"pair": transfer_pair(squared_score_error(np.eye(1), np.eye(1)), Lipschitz(1.0))},
            "The term transferability is an estimate",
        ),
    ],
)
def test_one_unknown_makes_it_an_estimate_of_the_bound(given, why):
    found = _bound(**given)
    assert isinstance(found, TransferBoundEstimate) and found.ok
    assert not hasattr(found, "value") and not hasattr(found, "confidence")
    assert any(why in reason for reason in found.not_a_bound_because)
    assert found.estimated_bound == pytest.approx(math.fsum(term.value for term in found.terms))
    assert found.estimated.startswith("estimate of a bound")
    assert "not a bound" in found.words and why in found.words


def test_what_is_measured_carries_its_interval():
    found = _bound(
        pretraining_excess=Estimate(0.02, 0.01, (0.01, 0.04), 100), total_variation=_measured_distance()
    )
    terms = {term.name: term for term in found.terms}
    transferred = terms["transferability"].estimate
    assert transferred.interval == pytest.approx((EXACT.excess(0.01), EXACT.excess(0.04)))
    distance = _measured_distance().estimate
    assert terms["total_variation"].value == pytest.approx(4 * distance.value)
    assert terms["total_variation"].estimate.interval == pytest.approx((4 * distance.interval[0], 4.0))
    assert found.looks_vacuous is True


def test_a_measured_pair_is_never_a_bound():
    excess = np.geomspace(0.003, 0.3, 8)
    pair = measure_transferability(excess, 2 * excess**0.5, generator=np.random.default_rng(0))
    found = _bound(pair)
    assert isinstance(found, TransferBoundEstimate)
    assert found.terms[0].value == pytest.approx(2 * math.sqrt(0.02))
    assert "an envelope measured over 8 checkpoints" in found.terms[0].how
    outside = _bound(pair, pretraining_excess=Known(1.0, "closed form"))
    assert any(
        "Violated: The pretraining excess lies in the range" in one for one in outside.not_a_bound_because
    )


def test_a_missing_term_leaves_no_sum():
    nothing = Estimate.missing("not_applicable", "no other candidate")
    few = measure_transferability(np.ones(3), np.ones(3), generator=np.random.default_rng(0))
    apart = total_variation_lower_bound(np.ones((3, 1)), np.ones((3, 1)), generator=np.random.default_rng(0))
    for term, given in (
        ("residual", {"residual": nothing}),
        ("transferability", {"pretraining_excess": nothing}),
        ("total_variation", {"total_variation": apart}),
    ):
        found = _bound(**given)
        assert (found.status, found.estimated_bound, found.looks_vacuous) == ("abstained", None, None)
        assert f"{term} is not known" in found.reason
        assert "not computed" in found.words
    assert "3 checkpoints have both excesses above their noise" in _bound(few).reason


def _largest(signs, losses):
    """Mean over all signs (s, n, ...) of the largest signed sum over a finite class (f, n, ...)."""
    flat = signs.reshape(len(signs), -1) @ losses.reshape(len(losses), -1).T
    return flat.max(axis=1).mean()


def _all_signs(*shape):
    return np.array(list(itertools.product([-1.0, 1.0], repeat=math.prod(shape)))).reshape(-1, *shape)


def test_root_two_of_vector_contraction_is_attained():
    """Two functions on one point, (0, 0) and (1, 1), loss the 2-norm: 1-Lipschitz."""
    scores = np.array([[[0.0, 0.0]], [[1.0, 1.0]]])
    of_losses = _largest(_all_signs(1), np.linalg.norm(scores, axis=-1))
    of_scores = _largest(_all_signs(1, 2), scores)
    assert of_losses == pytest.approx(contraction_factor(2) * of_scores)


@pytest.mark.parametrize("seed", range(20))
def test_vector_contraction_over_random_classes(seed):
    """Three points, three outputs, finite random classes, two 1-Lipschitz losses; all signs."""
    generator = np.random.default_rng(seed)
    scores = generator.normal(size=(6, 3, 3))
    labels = generator.integers(0, 3, 3)
    own = scores[:, np.arange(3), labels]
    others = np.where(np.eye(3, dtype=bool)[labels], -np.inf, scores).max(axis=-1)
    for losses in (np.clip(1 - (own - others) / math.sqrt(2), 0, 1), np.linalg.norm(scores, axis=-1)):
        ratio = _largest(_all_signs(3), losses) / _largest(_all_signs(3, 3), scores)
        assert ratio <= contraction_factor(3) + 1e-12


def test_vector_contraction_for_linear_heads_by_monte_carlo():
    """||W||_F <= 1 on five points in the plane: heads on a fine set of directions, the norm as loss."""
    generator = np.random.default_rng(0)
    features = generator.normal(size=(5, 2))
    heads = generator.normal(size=(20000, 3, 2))
    heads /= np.linalg.norm(heads, axis=(1, 2), keepdims=True)
    losses = np.linalg.norm(np.einsum("fkd,nd->fnk", heads, features), axis=-1)
    measured = rademacher_complexity(features, n_outputs=3, n_draws=4000, generator=generator)
    ratio = _largest(_all_signs(5), losses) / (5 * measured.estimate.value)
    assert 0.1 < ratio < contraction_factor(3)


def test_misuse_is_named():
    for given, message in (
        ({"confidence": 1.0}, r"confidence must lie in \(0, 1\), got 1"),
        ({"confidence": 0.0}, r"confidence must lie in \(0, 1\), got 0"),
        ({"loss_range": 0.0}, r"loss_range must lie in \(0, inf\), got 0"),
        ({"n": 0}, r"n must lie in \[1, inf\), got 0"),
        ({"n": 10}, "complexity must be of the n = 10 labelled inputs, got one of 400"),
        ({"lipschitz": 0.0}, r"lipschitz must lie in \(0, inf\), got 0"),
        ({"losses": np.zeros(3)}, r"losses must be a vector of length n = 400, got shape \(3,\)"),
        ({"losses": np.linspace(0, 3, N)}, r"losses must lie in \[0, 2\], the declared range; 133 do not"),
        ({"losses": np.full(N, np.nan)}, "400 do not, the first is nan"),
        ({"total_variation": Known(1.1, "")}, r"total variation must lie in \[0, 1\], got 1.1"),
        ({"residual": Known(-0.1, "")}, r"residual must lie in \[0, inf\], got -0.1"),
        ({"pretraining_excess": Known(-0.1, "")}, r"pretraining excess must lie in \[0, inf\], got -0.1"),
        ({"complexity": Known(-0.1, "")}, r"complexity must lie in \[0, inf\], got -0.1"),
        ({"complexity": Known(0.1, ""), "n_outputs": 0}, r"n_outputs must lie in \[1, inf\], got 0"),
    ):
        with pytest.raises(InputError, match=message):
            _bound(**given)
    assert _bound(losses=np.full(N, 2.0)).ok
