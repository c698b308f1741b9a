"""Total variation from below, and likeness to the pretraining sample, on laws where the truth is known."""

import numpy as np
import pytest
from scipy.stats import binom, norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from carryover._core.errors import InputError
from carryover.measures.discriminant import RunningDiscriminant
from carryover.measures.heterogeneity import likeness_to_pretraining, total_variation_lower_bound


def _pair(generator, n, *, d, shift):
    """Two Gaussian samples whose total variation is 2 Phi(shift / 2) - 1."""
    source, target = generator.normal(size=(n, d)), generator.normal(size=(n, d))
    target[:, 0] += shift
    return source, target


def _lower_limits(draws, n, *, d, shift):
    limits = []
    for generator in np.random.default_rng([n, d, int(10 * shift)]).spawn(draws):
        source, target = _pair(generator, n, d=d, shift=shift)
        limits.append(total_variation_lower_bound(source, target, generator=generator).lower)
    return np.array(limits)


@pytest.mark.parametrize("n", [10, 40, 150])
def test_zero_is_inside_for_a_law_against_itself(n):
    """At most 5 % of the draws give a positive limit, up to the 99.9 % binomial quantile; never 1."""
    limits = _lower_limits(200, n, d=3, shift=0.0)
    assert (limits > 0).sum() <= binom.ppf(0.999, 200, 0.05)
    assert limits.max() < 1


@pytest.mark.parametrize(("n", "shift"), [(30, 1.0), (150, 1.0), (150, 3.0), (15, 6.0)])
def test_limit_is_below_the_truth_for_known_gaussians(n, shift):
    truth = 2 * norm.cdf(shift / 2) - 1
    limits = _lower_limits(150, n, d=2, shift=shift)
    assert (limits > truth).sum() <= binom.ppf(0.999, 150, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_coverage_at_full_size(shift):
    truth = 2 * norm.cdf(shift / 2) - 1
    limits = _lower_limits(500, 100, d=30, shift=shift)
    assert (limits > truth).sum() <= binom.ppf(0.999, 500, 0.05)


def test_a_limit_without_the_binomial_margin_would_be_caught():
    """The same trials with the point estimate in place of the limit fail for a law against itself."""
    values = []
    for generator in np.random.default_rng(5).spawn(100):
        source, target = _pair(generator, 40, d=3, shift=0.0)
        values.append(total_variation_lower_bound(source, target, generator=generator).estimate.value)
    assert (np.array(values) > 0).sum() > binom.ppf(0.999, 100, 0.05)


def test_limit_is_tight_enough_to_be_of_use():
    """At 2,000 rows a side the limit lies within .05 of the truth where a linear rule is optimal."""
    limits = _lower_limits(10, 2000, d=10, shift=2.0)
    truth = 2 * norm.cdf(1.0) - 1
    assert np.all(limits > truth - 0.06)


def test_separable_samples_never_give_certainty():
    source, target = _pair(np.random.default_rng(0), 100, d=2, shift=1000.0)
    measured = total_variation_lower_bound(source, target, generator=np.random.default_rng(1))
    assert measured.accuracy_of_test == 1
    # Every trial won, up to the few for which the coin had emptied one sample.
    assert 0.9 < measured.lower <= 2 * 0.05 ** (1 / measured.n_trials) - 1 + 1e-12
    assert measured.estimate.std_error > 0


@pytest.mark.parametrize("scale", [1e-8, 1e8])
def test_units_and_origins_of_features_do_not_matter(scale):
    source, target = _pair(np.random.default_rng(2), 80, d=4, shift=2.0)
    scales = scale ** np.linspace(0, 1, 4)
    plain = total_variation_lower_bound(source, target, generator=np.random.default_rng(3))
    moved = total_variation_lower_bound(
        source * scales + scales, target * scales + scales, generator=np.random.default_rng(3)
    )
    assert moved.lower == pytest.approx(plain.lower, abs=1e-12)


def test_constant_features_say_nothing():
    ones = np.ones((40, 3))
    measured = total_variation_lower_bound(ones, ones, generator=np.random.default_rng(0))
    assert (measured.lower, measured.accuracy_of_test) == (0, 0)


def test_a_feature_constant_in_each_sample_separates_them():
    ones = np.full((60, 2), 0.1)
    measured = total_variation_lower_bound(ones, 2 * ones, generator=np.random.default_rng(0))
    assert measured.accuracy_of_test == 1


def test_duplicated_rows_need_groups_and_groups_are_the_units():
    """Twelve patients copied 40 times each look like 480 rows; by group there are twelve units and no certainty."""
    generator = np.random.default_rng(4)
    alone = generator.normal(size=(12, 20))
    copied, patients = np.repeat(alone, 40, axis=0), np.repeat(np.arange(12), 40)
    source = generator.normal(size=(480, 20))
    fooled = total_variation_lower_bound(source, copied, generator=np.random.default_rng(5))
    grouped = total_variation_lower_bound(source, copied, groups=patients, generator=np.random.default_rng(5))
    assert fooled.lower > 0.1
    assert grouped.lower == 0
    assert grouped.n_target == 12


def test_large_samples_are_subsampled_and_say_so():
    generator = np.random.default_rng(6)
    source, target = generator.normal(size=(6000, 2)).astype(np.float32), generator.normal(size=(50, 2))
    measured = total_variation_lower_bound(source, target, generator=generator)
    assert measured.n_pretraining == 5000
    assert measured.note == "random subsample: 5000 of 6000 source rows and 50 of 50 target rows"


def test_wide_features_are_projected_and_still_separate():
    source, target = _pair(np.random.default_rng(7), 60, d=1500, shift=0.0)
    measured = total_variation_lower_bound(source, target + 1.0, generator=np.random.default_rng(8))
    assert measured.lower > 0.8


def test_too_few_units_abstains():
    measured = total_variation_lower_bound(
        np.ones((9, 2)), np.ones((50, 2)), generator=np.random.default_rng(0)
    )
    assert measured.estimate.status == "abstained"
    assert "10 independent units of each sample, got 9 and 50" in measured.estimate.reason
    assert measured.lower is None


def test_discriminant_agrees_with_scikit_learn():
    """Without shrinkage the score is the log ratio of linear discriminant analysis, in any number of steps."""
    generator = np.random.default_rng(9)
    source, target = _pair(generator, 70, d=4, shift=1.5)
    rows, is_source = np.concatenate([source, target]), np.repeat([True, False], 70)
    discriminant = RunningDiscriminant(rows[::3], generator)
    for part in np.array_split(generator.permutation(140), 5):
        discriminant.add(discriminant.place(rows[part]), is_source[part])
    weights, offsets = discriminant.fit((1e-12,))
    reference = LinearDiscriminantAnalysis(priors=[0.5, 0.5]).fit(rows, is_source)
    ours = discriminant.place(rows) @ weights[0] + offsets[0]
    np.testing.assert_allclose(ours, reference.decision_function(rows), rtol=1e-8, atol=1e-8)


def test_likeness_recovers_the_log_density_ratio():
    generator = np.random.default_rng(10)
    source, target = _pair(generator, 2000, d=3, shift=1.0)
    values = likeness_to_pretraining(source, target, generator=generator)
    truth = 0.5 - target[:, 0]
    assert np.sqrt(np.mean((values - truth) ** 2)) < 0.2
    assert np.corrcoef(values, truth)[0, 1] > 0.98


def test_likeness_of_a_law_to_itself_is_near_zero():
    source, target = _pair(np.random.default_rng(11), 1000, d=5, shift=0.0)
    values = likeness_to_pretraining(source, target, generator=np.random.default_rng(12))
    assert np.abs(values).max() < 0.6


def test_likeness_of_a_row_does_not_look_at_its_own_fold():
    """A row that is an outlier of the target looks like the source unless a classifier had been trained on it."""
    generator = np.random.default_rng(13)
    source, target = _pair(generator, 30, d=60, shift=0.0)
    out_of_sample = likeness_to_pretraining(source, target, generator=np.random.default_rng(14))
    twins = likeness_to_pretraining(source, np.repeat(target, 2, axis=0), generator=np.random.default_rng(14))
    kept_together = likeness_to_pretraining(
        source,
        np.repeat(target, 2, axis=0),
        groups=np.repeat(np.arange(30), 2),
        generator=np.random.default_rng(14),
    )
    # A twin in the training folds gives a row away as target; whole groups, or no twin, do not.
    assert twins.mean() < kept_together.mean() - 0.2
    assert abs(out_of_sample.mean()) < 0.4
    assert abs(kept_together.mean()) < 0.4


def test_likeness_orders_separable_samples_by_distance():
    generator = np.random.default_rng(15)
    source, target = _pair(generator, 400, d=4, shift=30.0)
    values = likeness_to_pretraining(source, target, generator=generator)
    assert np.all(np.isfinite(values)) and values.max() < 0
    # The penalty spreads some of the weight over the other features.
    assert np.corrcoef(values, -target[:, 0])[0, 1] > 0.7


@pytest.mark.parametrize(
    ("measure", "source", "target", "message"),
    [
        (total_variation_lower_bound, (20, 2), (20, 3), "same features, got widths 2 and 3"),
        (likeness_to_pretraining, (20, 2), (20, 3), "same features, got widths 2 and 3"),
        (
            likeness_to_pretraining,
            (5, 2),
            (20, 2),
            "at least 10 independent rows or groups each, got 5 and 20",
        ),
    ],
)
def test_misuse_is_named(measure, source, target, message):
    generator = np.random.default_rng(0)
    with pytest.raises(InputError, match=message):
        measure(generator.normal(size=source), generator.normal(size=target), generator=generator)


def test_values_that_are_not_finite_are_refused():
    broken = np.ones((20, 2))
    broken[3, 1] = np.nan
    with pytest.raises(InputError, match="target has 1 values that are NaN or infinite"):
        total_variation_lower_bound(np.ones((20, 2)), broken, generator=np.random.default_rng(0))
