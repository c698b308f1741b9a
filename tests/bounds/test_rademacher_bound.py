"""The margin bound through Rademacher complexity: its loss, its constants and its invariances."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from carryover._core.errors import InputError
from carryover.bounds.rademacher import margin_terms, multiclass_margin, rademacher_bound, ramp_loss
from carryover.measures.rademacher import rademacher_complexity


def _sample(n, d, n_classes, seed=0):
    generator = np.random.default_rng(seed)
    means = 2 * generator.normal(size=(n_classes, d))
    labels = generator.integers(0, n_classes, n)
    return means[labels] + generator.normal(size=(n, d)), labels


def _bound(features, labels, n_classes=2, seed=1, **given):
    return rademacher_bound(
        features, labels, n_classes=n_classes, generator=np.random.default_rng(seed), **given
    )


def _ramp(scores, labels, margin):
    return ramp_loss(multiclass_margin(scores, labels), margin=margin)


@settings(max_examples=50)
@given(st.integers(2, 6), st.integers(0, 10_000))
def test_margin_is_root_two_lipschitz_in_the_scores(n_classes, seed):
    generator = np.random.default_rng(seed)
    first, second = generator.normal(size=(2, 1, n_classes))
    label = np.array([0])
    change = abs(_ramp(first, label, 50.0)[0] - _ramp(second, label, 50.0)[0])
    assert change <= math.sqrt(2) / 50 * np.linalg.norm(first - second) + 1e-12


def test_the_lipschitz_constant_is_attained():
    base, moved = np.array([[0.0, 0.0]]), np.array([[1.0, -1.0]]) / math.sqrt(2)
    change = _ramp(base, np.array([0]), 10.0)[0] - _ramp(moved, np.array([0]), 10.0)[0]
    assert change == pytest.approx(math.sqrt(2) / 10)


@given(st.integers(0, 10_000))
def test_ramp_dominates_the_error(seed):
    generator = np.random.default_rng(seed)
    scores, labels = generator.normal(size=(20, 3)), generator.integers(0, 3, 20)
    assert np.all(_ramp(scores, labels, 0.3) >= (scores.argmax(axis=1) != labels))


def test_symmetrised_loss_class_is_below_the_contraction_constant():
    """Brute force: sup over sampled heads of the signed ramp losses never exceeds (c / 2) ratio Rad_1 on average."""
    generator = np.random.default_rng(3)
    features, labels = generator.normal(size=(8, 2)), generator.integers(0, 3, 8)
    heads = generator.normal(size=(4000, 3, 2))
    heads /= np.linalg.norm(heads, axis=(1, 2), keepdims=True)
    losses = np.array([_ramp(features @ head.T, labels, 1.0) for head in heads])
    signs = np.array(np.meshgrid(*[[-1.0, 1.0]] * 8)).reshape(8, -1)
    of_losses = (losses @ signs).max(axis=0).mean() / 8
    of_scores = rademacher_complexity(features, n_outputs=3, n_draws=4000, generator=generator).estimate.value
    constant = margin_terms(0.0, of_scores, ratio=1.0, n_classes=3, n=8, risk=0.05)["complexity"]
    assert of_losses < constant / 2


def test_monotone_in_examples_risk_and_radius():
    def terms(ratio=1.0, n=1000, risk=0.05):
        return margin_terms(0.1, 0.02, ratio=ratio, n_classes=3, n=n, risk=risk)

    assert sum(terms(n=4000).values()) < sum(terms().values()) < sum(terms(n=300).values())
    assert sum(terms(risk=0.2).values()) < sum(terms().values()) < sum(terms(risk=0.001).values())
    assert terms(ratio=0.5)["complexity"] < terms()["complexity"] < terms(ratio=2.0)["complexity"]


@pytest.mark.parametrize("n_classes", [2, 4])
def test_reported_parts_can_be_recomputed(n_classes):
    features, labels = _sample(400, 5, n_classes)
    head = np.random.default_rng(2).normal(size=(n_classes, 5)), np.zeros(n_classes)
    bound = _bound(features, labels, n_classes, coefficients=head[0], intercept=head[1])
    assert sum(bound.terms.values()) == pytest.approx(bound.value)
    error = np.mean((features @ head[0].T).argmax(axis=1) != labels)
    assert bound.stats["training_error"] == error <= bound.terms["training_ramp_loss"] <= bound.value
    centred = head[0] - head[0].mean(axis=0)
    norm = np.linalg.norm(centred[1] - centred[0] if n_classes == 2 else centred)
    ramp = _ramp(features @ centred.T / norm, labels, 1 / bound.stats["ratio"]).mean()
    assert bound.terms["training_ramp_loss"] == pytest.approx(ramp, abs=1e-12)
    augmented = np.column_stack([features, np.full(400, bound.stats["constant_feature"])])
    cap = np.linalg.norm(augmented) * math.sqrt(1 if n_classes == 2 else n_classes) / 400
    assert cap / math.sqrt(2) < bound.stats["unit_complexity"] <= cap * (1 + 1e-12)


@settings(max_examples=10, deadline=None)
@given(st.floats(1e-6, 1e6), st.integers(0, 100))
def test_scale_of_a_head_and_a_part_common_to_all_classes_do_not_matter(scale, seed):
    features, labels = _sample(100, 4, 3, seed)
    generator = np.random.default_rng(seed)
    coefficients, intercept = generator.normal(size=(3, 4)), generator.normal(size=3)
    plain = _bound(features, labels, 3, coefficients=coefficients, intercept=intercept)
    moved = _bound(
        features,
        labels,
        3,
        coefficients=scale * coefficients + generator.normal(size=4),
        intercept=scale * intercept,
    )
    assert moved.value == pytest.approx(plain.value, rel=1e-6)


def test_units_of_the_features_cost_little():
    """The constant feature follows the scale; the declared grid of its sizes costs a logarithm of a logarithm."""
    features, labels = _sample(4000, 4, 2)
    gap = features[labels == 1].mean(axis=0) - features[labels == 0].mean(axis=0)
    head = {"coefficients": np.array([-gap, gap]), "intercept": np.zeros(2)}
    plain = _bound(features, labels, **head)
    for scale in (1e-8, 1e8):
        moved = _bound(scale * features, labels, **head)
        assert moved.value == pytest.approx(plain.value, abs=0.03)


def test_own_head_is_no_worse_than_a_bad_one_and_tightens_with_examples():
    features, labels = _sample(8000, 4, 2)
    values = [_bound(features[:n], labels[:n]).value for n in (200, 1000, 8000)]
    assert values == sorted(values, reverse=True)
    assert not _bound(features, labels).vacuous


def test_noise_is_vacuous():
    generator = np.random.default_rng(5)
    bound = _bound(generator.normal(size=(100, 50)), generator.integers(0, 5, 100), 5)
    assert bound.vacuous and bound.value >= 1


def test_zero_features_and_groups():
    labels = np.arange(60) % 2
    bound = _bound(np.zeros((60, 3)), labels, groups=labels, representation_independent=False)
    assert bound.ok
    assert [assumption.state for assumption in bound.assumptions] == ["violated", "violated", "checked"]


def test_misuse_is_named():
    features, labels = _sample(20, 3, 2)
    with pytest.raises(InputError, match="must be given together"):
        _bound(features, labels, coefficients=np.ones((2, 3)))
    with pytest.raises(InputError, match=r"must have shapes \(2, 3\) and \(2,\), got \(2, 4\) and \(2,\)"):
        _bound(features, labels, coefficients=np.ones((2, 4)), intercept=np.ones(2))
    with pytest.raises(InputError, match="coefficients has 1 values that are NaN or infinite"):
        _bound(features, labels, coefficients=np.array([[np.nan, 0, 0], [1, 1, 1]]), intercept=np.ones(2))
