"""How far apart the pretraining sample and the target lie, as an encoder presents them.

Everything is measured between features.  A map cannot increase total variation (data processing), so the total
variation between the features of two laws is at most the one between their inputs.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Num, Shaped
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from carryover._core.checks import check_features, check_range
from carryover._core.errors import InputError
from carryover._core.results import Estimate
from carryover.measures.discriminant import RunningDiscriminant
from carryover.measures.two_samples import Sample, draw_both, draw_sample
from carryover.numerics.divergences import clopper_pearson_lower

FEWEST = 10
_PENALTIES = (0.1, 0.01, 1.0, 10.0)
_WARM_UP = 0.2
_BLOCKS = 8
_FOLDS = 5


@dataclass(frozen=True)
class TotalVariation:
    """Total variation TV = 1/2 ||P - Q||_1 between two laws of features, known from below only.

    ``estimate.interval`` is [lower, 1]; ``estimate.value`` is 2 ``accuracy_of_test`` - 1 (never outside the
    interval): what the test separates, at most the truth in expectation.  ``n_pretraining`` and ``n_target``
    count the independent units used (rows, or groups), ``n_trials`` the classifications of unseen units.
    """

    estimate: Estimate
    accuracy_of_test: float | None
    n_pretraining: int
    n_target: int
    n_trials: int
    note: str

    @property
    def lower(self) -> float | None:
        """The lower confidence limit."""
        return self.estimate.interval[0] if self.estimate.ok else None


def _classify_as_they_come(
    samples: tuple[Sample, Sample], n_evaluated: int, *, n_trials: int, generator: np.random.Generator
) -> tuple[int, int]:
    """Trials done and trials won, each by a classifier that had seen earlier units only."""
    used = [sample.n_units - n_evaluated for sample in samples]
    fresh = [sample.between(0, last) for sample, last in zip(samples, used, strict=True)]
    discriminant = RunningDiscriminant(np.concatenate(fresh), generator)
    won_by_penalty, won, done = np.zeros(len(_PENALTIES), dtype=np.int64), 0, 0
    for block in np.array_split(np.arange(n_trials), _BLOCKS):
        for rows, is_source in zip(fresh, (True, False), strict=True):
            discriminant.add(discriminant.place(rows), np.full(len(rows), is_source))
        weights, offsets = discriminant.fit(_PENALTIES)
        chosen = int(np.argmax(won_by_penalty))
        from_source = int(generator.binomial(len(block), 0.5))
        fresh = []
        for number, (tosses, sign) in enumerate(((from_source, 1), (len(block) - from_source, -1))):
            sample, first = samples[number], used[number]
            used[number] = min(first + tosses, sample.n_units)
            tried = discriminant.place(sample.one_of_each(first, used[number]))
            wins = (sign * (tried @ weights.T + offsets) > 0).sum(axis=0)
            won_by_penalty += wins
            won += int(wins[chosen])
            done += len(tried)
            fresh.append(sample.between(first, used[number]))
    return done, won


def total_variation_lower_bound(
    source: Num[np.ndarray, "n_source d_source"],
    target: Num[np.ndarray, "n_target d_target"],
    *,
    generator: np.random.Generator,
    groups: Shaped[np.ndarray, " n_target"] | None = None,
    source_groups: Shaped[np.ndarray, " n_source"] | None = None,
    confidence: float = 0.95,
) -> TotalVariation:
    """A lower confidence limit on the total variation between the laws behind two samples of features.

    A classifier two-sample test that learns as it goes.  Each trial tosses a fair coin, takes the next unseen
    row of the source or of the target, and lets a discriminant trained on earlier rows only say which it was
    (a fifth of the smaller sample and all that is left of the larger one are there before the first trial;
    eight refits; the penalty is the one that won most trials so far).  Whatever the past, a trial is won with
    probability at most (1 + TV)/2, so the number won is stochastically below Binomial(n_trials, (1 + TV)/2), and

        lower = max(0, 2 L - 1),    L the Clopper-Pearson lower limit on the rate of trials won,

    is valid at every sample size, for any classifier, also where the samples separate perfectly (then the limit
    is 2 (1 - confidence)^(1/n_trials) - 1, never 1).  Trials for which a sample has no row left count as lost.

    The discriminant is linear: laws that differ in covariance alone are not told apart, and a lower limit of 0
    is no evidence that the laws agree.  With ``groups`` (of the target rows) or ``source_groups`` the groups are
    the independent units: a trial takes one random row of an unseen group.  Of more than 5,000 rows a random
    5,000 are used, stated in ``note``.  Fewer than 10 units in a sample: status "abstained".
    Reference: Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017 (the test; not this limit).
    Raises InputError for shapes that do not fit and for values that are not finite.

    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> far = total_variation_lower_bound(rng.normal(size=(50, 2)), 99 + rng.normal(size=(50, 2)), generator=rng)
    >>> 0.9 < far.lower < 1
    True
    """
    check_range("confidence", confidence, 0, 1, open_low=True, open_high=True)
    samples = draw_both(source, target, groups=groups, source_groups=source_groups, generator=generator)
    n_source, n_target = (sample.n_units for sample in samples)
    note = _note_on(len(source), len(target), samples)
    if min(n_source, n_target) < FEWEST:
        reason = f"the test needs {FEWEST} independent units of each sample, got {n_source} and {n_target}"
        return TotalVariation(Estimate.missing("abstained", reason), None, n_source, n_target, 0, note)
    n_evaluated = int((1 - _WARM_UP) * min(n_source, n_target))
    n_trials = int(2 * n_evaluated - np.sqrt(2 * n_evaluated))
    done, won = _classify_as_they_come(samples, n_evaluated, n_trials=n_trials, generator=generator)
    lower = max(0.0, 2 * clopper_pearson_lower(won, n_trials, confidence=confidence) - 1)
    accuracy = won / done
    smoothed = (won + 1) / (done + 2)
    estimate = Estimate(
        value=max(lower, 2 * accuracy - 1),
        std_error=2 * float(np.sqrt(smoothed * (1 - smoothed) / done)),
        interval=(lower, 1.0),
        n_samples=n_trials,
        confidence=confidence,
    )
    return TotalVariation(estimate, accuracy, n_source, n_target, n_trials, note)


def _note_on(n_source: int, n_target: int, samples: tuple[Sample, Sample]) -> str:
    used = [len(sample.rows) for sample in samples]
    if used == [n_source, n_target]:
        return "all rows used"
    return f"random subsample: {used[0]} of {n_source} source rows and {used[1]} of {n_target} target rows"


def likeness_to_pretraining(
    source: Num[np.ndarray, "n_source d_source"],
    target: Num[np.ndarray, "n_target d_target"],
    *,
    generator: np.random.Generator,
    groups: Shaped[np.ndarray, " n_target"] | None = None,
) -> Float[np.ndarray, " n_target"]:
    """How much more likely each target row is under the pretraining law: log p_source(x) - log p_target(x), in nats.

    Cross-fitted over five folds of the target rows (of their ``groups``, where given): the value of a row comes
    from a discriminant, its penalty and its calibration that saw neither the row nor its group.  In each fold a
    shrunk linear discriminant is trained on four fifths of what is left, and the rest chooses the penalty
    (balanced log loss) and calibrates the score (logistic regression on it), so that the value is a log density
    ratio up to the linear form, and comparable between folds.  Where the samples separate perfectly the size of
    the values is set by the shrinkage of that calibration and only their order carries information.  At most
    5,000 random rows of each sample train a fold.  Returns one value for every target row, in the given order.
    Reference: Sugiyama, Suzuki and Kanamori, Density ratio estimation in machine learning (2012), chapter 4.
    Raises InputError for shapes that do not fit, values not finite, or fewer than 10 units in a sample.
    """
    target = check_features(target, "target")
    codes = np.arange(len(target)) if groups is None else np.unique(groups, return_inverse=True)[1]
    pool, probe = draw_both(source, target, groups=groups, generator=generator)
    if min(pool.n_units, probe.n_units) < FEWEST:
        raise InputError(
            f"source and target must have at least {FEWEST} independent rows or groups each, "
            f"got {pool.n_units} and {probe.n_units}"
        )
    fold = (generator.permutation(codes.max() + 1) % _FOLDS)[codes]
    values = np.empty(len(target))
    for number in range(_FOLDS):
        seen = target[fold != number]
        rest = draw_sample(seen, codes[fold != number], "target", generator)
        values[fold == number] = _log_ratio(pool, rest, target[fold == number], generator)
    return values


def _log_ratio(
    source: Sample, target: Sample, rows: Float[np.ndarray, "n d"], generator: np.random.Generator
) -> Float[np.ndarray, " n"]:
    """Calibrated log density ratio at ``rows`` from a discriminant that learns from the two samples."""
    cuts = [int(0.8 * sample.n_units) for sample in (source, target)]
    learn = [sample.between(0, cut) for sample, cut in zip((source, target), cuts, strict=True)]
    held = [sample.between(cut, sample.n_units) for sample, cut in zip((source, target), cuts, strict=True)]
    discriminant = RunningDiscriminant(np.concatenate(learn), generator)
    for part, is_source in zip(learn, (True, False), strict=True):
        discriminant.add(discriminant.place(part), np.full(len(part), is_source))
    weights, offsets = discriminant.fit(_PENALTIES)
    held_scores = discriminant.place(np.concatenate(held)) @ weights.T + offsets
    from_source = np.repeat([1, 0], [len(part) for part in held])
    balance = np.repeat([0.5 / len(part) for part in held], [len(part) for part in held])
    calibrations = [_calibrate(scores, from_source, balance) for scores in held_scores.T]
    best = int(np.argmin([loss for loss, _, _ in calibrations]))
    _, slope, shift = calibrations[best]
    return slope * (discriminant.place(rows) @ weights[best] + offsets[best]) + shift


def _calibrate(
    scores: Float[np.ndarray, " n"], from_source: Shaped[np.ndarray, " n"], balance: Float[np.ndarray, " n"]
) -> tuple[float, float, float]:
    """Balanced log loss, slope and shift of the logistic regression of the sample on the score."""
    spread = float(scores.std()) or 1.0
    column = scores[:, None] / spread
    model = LogisticRegression().fit(column, from_source, sample_weight=balance * len(balance))
    loss = log_loss(from_source, model.predict_proba(column), sample_weight=balance)
    return float(loss), float(model.coef_[0, 0]) / spread, float(model.intercept_[0])
