"""The PAC-Bayes bound: its divergence, its integral and its inverse against independent computations."""

import math

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import binom, norm

from carryover._core.errors import InputError
from carryover.bounds.pac_bayes import PRIOR_STDS, gaussian_kl, gibbs_error, pac_bayes_bound, pac_bayes_terms
from carryover.numerics.divergences import binary_kl


def _sample(n, d, n_classes, seed=0, gap=1.0):
    generator = np.random.default_rng(seed)
    means = gap * generator.normal(size=(n_classes, d))
    labels = generator.integers(0, n_classes, n)
    return means[labels] + generator.normal(size=(n, d)), labels


def test_divergence_agrees_with_integration():
    """KL(N(m, 1) || N(0, s^2)) coordinate by coordinate, integrated numerically."""
    means, std = [0.3, -1.2, 2.0], 1.7
    total = sum(
        quad(lambda x, m=m: norm.pdf(x, m) * (norm.logpdf(x, m) - norm.logpdf(x, 0, std)), m - 12, m + 12)[0]
        for m in means
    )
    assert gaussian_kl(sum(m * m for m in means), 3, prior_std=std) == pytest.approx(total, rel=1e-10)


@pytest.mark.parametrize("n_classes", [2, 3, 10, 100])
@pytest.mark.parametrize("noise_std", [0.05, 1.0, 20.0])
def test_gibbs_error_agrees_with_adaptive_integration(n_classes, noise_std):
    generator = np.random.default_rng(n_classes)
    scores, labels = generator.normal(size=(6, n_classes)), generator.integers(0, n_classes, 6)
    errors = gibbs_error(scores, labels, noise_std=noise_std)
    for row, label, error in zip(scores, labels, errors, strict=True):
        gaps = (row[label] - np.delete(row, label)) / noise_std
        right, _ = quad(
            lambda z, gaps=gaps: norm.pdf(z) * norm.cdf(gaps + z).prod(), -12, 12, epsabs=1e-12, limit=400
        )
        assert error == pytest.approx(1 - right, abs=1e-6)


def test_gibbs_error_agrees_with_drawn_heads():
    """The noise on the coefficients, not on the scores: heads are drawn, and their mistakes counted."""
    generator = np.random.default_rng(1)
    rows, labels = generator.normal(size=(40, 5)), generator.integers(0, 3, 40)
    head = generator.normal(size=(3, 5))
    drawn = head + generator.normal(size=(20_000, 3, 5))
    mistakes = ((drawn @ rows.T).argmax(axis=1) != labels).mean(axis=1)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    exact = gibbs_error(rows @ head.T / length, labels, noise_std=1.0).mean()
    assert abs(mistakes.mean() - exact) < 4 * mistakes.std() / math.sqrt(20_000)


@pytest.mark.parametrize("n", [1, 2, 3, 5, 8, 30, 200])
def test_two_root_n_bounds_the_moment_at_every_sample_size(n):
    """E exp(n kl(mean || q)) <= 2 sqrt(n), summed over the binomial law; published for n >= 8."""
    k = np.arange(n + 1)
    moment = sum(binom.pmf(i, n, 0.5) * math.exp(n * binary_kl(float(i / n), 0.5)) for i in k)
    assert moment <= 2 * math.sqrt(n) + 1e-12


def test_terms_invert_the_relative_entropy():
    terms = pac_bayes_terms(0.1, 50.0, n=1000, risk=0.05)
    budget = (50 + math.log(2 * math.sqrt(1000) * len(PRIOR_STDS) / 0.05)) / 1000
    assert binary_kl(0.1, sum(terms.values())) == pytest.approx(budget, rel=1e-9)
    assert min(terms.values()) > 0


def test_monotone_in_examples_risk_and_divergence():
    def value(kl=50.0, n=1000, risk=0.05):
        return sum(pac_bayes_terms(0.1, kl, n=n, risk=risk).values())

    assert value(n=4000) < value() < value(n=300)
    assert value(risk=0.2) < value() < value(risk=0.001)
    assert value(kl=10.0) < value() < value(kl=100.0)


@pytest.mark.parametrize("n_classes", [2, 4])
def test_reported_parts_can_be_recomputed(n_classes):
    features, labels = _sample(300, 6, n_classes)
    bound = pac_bayes_bound(features, labels, n_classes=n_classes)
    head = np.column_stack([bound.stats["coefficients"], bound.stats["intercept"]])
    rows = np.column_stack([features / np.linalg.norm(features, axis=1, keepdims=True), np.ones(300)])
    generator, noise_std = np.random.default_rng(2), bound.stats["noise_std"]
    drawn = head + noise_std * generator.normal(size=(4000, *head.shape))
    mistakes = ((drawn @ rows.T).argmax(axis=1) != labels).mean(axis=1)
    assert mistakes.mean() == pytest.approx(bound.terms["training_gibbs_error"], abs=0.01)
    mean = head[1] - head[0] if n_classes == 2 else head
    kl = gaussian_kl(float((mean**2).sum()), mean.size, prior_std=bound.stats["prior_std"])
    assert kl == pytest.approx(bound.stats["kl"], rel=1e-9)
    assert sum(bound.terms.values()) == pytest.approx(bound.value)
    assert bound.bounded.startswith("error rate of the Gibbs classifier")


def test_is_not_vacuous_where_it_should_not_be_and_is_on_noise():
    features, labels = _sample(2000, 20, 2)
    assert not pac_bayes_bound(features, labels, n_classes=2).vacuous
    shuffled = np.random.default_rng(3).permutation(labels)
    assert pac_bayes_bound(features, shuffled, n_classes=2).value > 0.45


def test_more_examples_tighten_and_scale_does_not_matter():
    features, labels = _sample(2000, 10, 3)
    values = [pac_bayes_bound(features[:n], labels[:n], n_classes=3).value for n in (100, 500, 2000)]
    assert values == sorted(values, reverse=True)
    for scale in (1e-8, 1e8):
        assert pac_bayes_bound(scale * features, labels, n_classes=3).value == pytest.approx(
            values[-1], rel=1e-9
        )


def test_constant_features_and_one_class_are_survived():
    bound = pac_bayes_bound(np.ones((50, 3)), np.repeat([0, 1], 25), n_classes=2)
    assert bound.ok and bound.value > 0.5
    assert pac_bayes_bound(np.ones((50, 3)), np.zeros(50, dtype=int), n_classes=2).value < 0.3


def test_groups_violate_and_misuse_is_named():
    features, labels = _sample(40, 3, 2)
    bound = pac_bayes_bound(features, labels, n_classes=2, groups=labels, representation_independent=True)
    assert [assumption.state for assumption in bound.assumptions] == ["violated", "checked", "checked"]
    with pytest.raises(InputError, match="labels must be below n_classes = 2, got 3"):
        pac_bayes_bound(features, labels + 2, n_classes=2)
    with pytest.raises(InputError, match="n_classes must be at least 2, got 1"):
        pac_bayes_bound(features, labels, n_classes=1)
