"""PAC-Bayes around a reference head: parts recomputed independently, order among priors, what is refused."""

import numpy as np
import pytest
from scipy.stats import norm

from carryover._core.errors import InputError
from carryover.bounds.heads import unit_rows
from carryover.bounds.inequalities import Catoni, KlInverse
from carryover.bounds.pac_bayes import NORMS, PRIOR_STDS, gaussian_kl, pac_bayes_bound
from carryover.bounds.pac_bayes_head import pac_bayes_head_bound
from carryover.bounds.reference_head import ReferenceHead, fit_reference_head, no_reference


def _sample(n=240, d=4, n_classes=2, seed=0):
    generator = np.random.default_rng(seed)
    labels = generator.integers(0, n_classes, n)
    return generator.normal(size=(n_classes, d))[labels] + generator.normal(size=(n, d)), labels


def _halves(n_classes, **sizes):
    features, labels = _sample(n_classes=n_classes, **sizes)
    half = len(features) // 2
    return (features[:half], labels[:half]), (features[half:], labels[half:])


@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_a_reference_it_is_the_data_free_bound(n_classes):
    features, labels = _sample(n_classes=n_classes)
    known = pac_bayes_bound(features, labels, n_classes=n_classes)
    bound = pac_bayes_head_bound(features, labels, reference=no_reference(n_classes, 4))
    assert bound.value == pytest.approx(known.value, rel=1e-9)
    assert bound.stats["prior_std"] == known.stats["prior_std"]


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("inequality", [KlInverse(), Catoni()])
def test_reported_parts_can_be_recomputed(n_classes, inequality):
    """Heads drawn from the posterior; the divergence over a search of every prior in the grid."""
    first, (features, labels) = _halves(n_classes)
    reference = fit_reference_head(*first, n_classes=n_classes)
    bound = pac_bayes_head_bound(features, labels, reference=reference, inequality=inequality)
    mean = np.column_stack([bound.stats["coefficients"], bound.stats["intercept"]])
    rows = np.column_stack([unit_rows(features), np.ones(len(features))])
    drawn = mean + bound.stats["noise_std"] * np.random.default_rng(1).normal(size=(4000, *mean.shape))
    mistakes = ((drawn @ rows.T).argmax(axis=1) != labels).mean(axis=1)
    assert mistakes.mean() == pytest.approx(bound.terms["training_gibbs_error"], abs=0.01)

    centre = np.column_stack([reference.coefficients, reference.intercept])
    if n_classes == 2:
        mean, centre = mean[1] - mean[0], centre[1] - centre[0]
    divergences = [
        gaussian_kl(
            float(((mean - t * centre / np.linalg.norm(centre)) ** 2).sum()), mean.size, prior_std=std
        )
        for t in NORMS
        for std in PRIOR_STDS
    ]
    assert min(abs(np.array(divergences) - bound.stats["kl"])) < 1e-9
    share = 0.05 / (len(NORMS) * len(PRIOR_STDS))
    again = inequality.terms(bound.terms["training_gibbs_error"], bound.stats["kl"], n=120, risk=share)
    assert bound.terms == pytest.approx(again)
    assert bound.value == pytest.approx(sum(bound.terms.values()))
    assert bound.value >= bound.terms["training_gibbs_error"]


def test_divergence_is_the_one_of_two_gaussians_that_were_integrated():
    shift, std = 0.8, 1.6
    z = np.linspace(-12, 12, 20001)
    integrand = norm.pdf(z, shift) * (norm.logpdf(z, shift) - norm.logpdf(z, 0, std))
    assert gaussian_kl(shift**2, 1, prior_std=std) == pytest.approx(np.trapezoid(integrand, z), rel=1e-9)


def test_a_prior_from_the_other_half_beats_a_data_free_one_and_more_examples_tighten():
    first, second = _halves(2, n=2000, d=30)
    reference = fit_reference_head(*first, n_classes=2)
    informed = pac_bayes_head_bound(*second, reference=reference).value
    assert informed < pac_bayes_head_bound(*second, reference=no_reference(2, 30)).value
    assert informed < pac_bayes_head_bound(second[0][:200], second[1][:200], reference=reference).value
    values = [
        pac_bayes_head_bound(*second, reference=reference, confidence=level).value
        for level in (0.5, 0.95, 0.999)
    ]
    assert values == sorted(values)


def test_scale_of_a_reference_does_not_matter():
    first, second = _halves(3)
    fitted = fit_reference_head(*first, n_classes=3)
    scaled = ReferenceHead(1e6 * fitted.coefficients + 5, 1e6 * fitted.intercept + 5, fitted.seen)
    values = [pac_bayes_head_bound(*second, reference=one).value for one in (fitted, scaled)]
    assert values[0] == pytest.approx(values[1], rel=1e-6)


def test_a_fine_tuned_head_is_bounded_around_itself():
    """The posterior's mean is a multiple of the head given; the reference itself costs no divergence."""
    (features, _), second = _halves(2)
    unit = float(np.sqrt((features**2).sum(axis=1).mean()))
    reference = ReferenceHead(np.array([[0.0] * 4, [1.0, -1.0, 0.5, 0.0]]), np.zeros(2), None, unit=unit)
    tuned = (reference.coefficients + 0.1, reference.intercept + np.array([0.0, 0.3]))
    bound = pac_bayes_head_bound(*second, reference=reference, head=tuned)
    got = np.append(np.diff(bound.stats["coefficients"], axis=0), np.diff(bound.stats["intercept"]))
    wanted = np.array([1.0, -1.0, 0.5, 0.0, 0.3])
    np.testing.assert_allclose(got / np.linalg.norm(got), wanted / np.linalg.norm(wanted), atol=1e-12)
    same = (reference.coefficients, reference.intercept)
    assert pac_bayes_head_bound(*second, reference=reference, head=same).stats["kl"] == 0
    assert bound.assumptions[2].state == "not_checkable"


def test_a_useless_reference_is_survived():
    first, second = _halves(2)
    wrong = fit_reference_head(first[0], 1 - first[1], n_classes=2)
    assert pac_bayes_head_bound(*second, reference=wrong).ok


def test_groups_violate_and_misuse_is_named():
    first, second = _halves(2)
    reference = fit_reference_head(*first, n_classes=2)
    states = [
        a.state for a in pac_bayes_head_bound(*second, reference=reference, groups=second[1]).assumptions
    ]
    assert states == ["violated", "not_checkable", "checked", "checked"]
    with pytest.raises(InputError, match="the prior has seen the bound's data: 120 of 120 rows"):
        pac_bayes_head_bound(*first, reference=reference)
    with pytest.raises(InputError, match="the prior has seen the bound's data: 1 of 120 rows"):
        names = [f"id{i}" for i in range(119)]
        named = fit_reference_head(*first, n_classes=2, hashes=[*names, "shared"])
        pac_bayes_head_bound(*second, reference=named, hashes=["shared", *(f"x{name}" for name in names)])
    with pytest.raises(InputError, match="the reference head takes 3 features, got 4"):
        pac_bayes_head_bound(*second, reference=no_reference(2, 3))
    with pytest.raises(
        InputError, match=r"head must have coefficients \(2, 4\) and an intercept \(2,\), got"
    ):
        pac_bayes_head_bound(*second, reference=reference, head=(np.ones((3, 4)), np.ones(3)))
    with pytest.raises(InputError, match="head has 1 values that are NaN"):
        broken = np.ones((2, 4))
        broken[0, 0] = np.nan
        pac_bayes_head_bound(*second, reference=reference, head=(broken, np.ones(2)))
    with pytest.raises(InputError, match=r"confidence must lie in \(0, 1\), got 1.0"):
        pac_bayes_head_bound(*second, reference=reference, confidence=1.0)
