"""What limits a model: labels, the representation, the domain, or "cannot tell".  The rule is in docs/verdict.md."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float

from carryover._core.results import Estimate
from carryover.diagnosis.error_parts import CAUSES, ErrorParts, part_estimates, split_error
from carryover.measures.curve_resampling import Resampling
from carryover.measures.learning_curve import LearningCurve

Cause = Literal["labels", "representation", "domain", "cannot_tell"]


@dataclass(frozen=True)
class VerdictRule:
    """Thresholds of the rule, set on the family ``gaussian_classes`` alone.

    ``near_share`` of the test examples, the ones most like the pretraining sample, count as near.  A cause is
    named if in at least ``probability`` of the joint draws its part exceeds ``ratio`` times each other part.
    Where the error is at most ``little_error`` (in half of the draws) none is.
    """

    near_share: float = 1 / 3
    probability: float = 0.85
    ratio: float = 1.75
    little_error: float = 0.03


@dataclass(frozen=True)
class Verdict:
    """``limited_by`` in a word, ``sentence`` for a person, ``evidence`` (parts of the error), ``checks`` made."""

    model: str
    limited_by: Cause
    sentence: str
    evidence: Mapping[str, Estimate]
    checks: tuple[str, ...]


def judge(
    model: str,
    curve: LearningCurve,
    resampling: Resampling,
    *,
    likeness: Float[np.ndarray, " t"] | None = None,
    rival_asymptotes: Mapping[str, Estimate] | None = None,
    rule: VerdictRule | None = None,
) -> Verdict:
    """Say what most of the error at all labels comes from, or that this data cannot tell and what would.

    ``likeness`` (t): log density ratio of the test examples to the pretraining sample, None without one; then
    the domain is not assessed.  ``rival_asymptotes``: accuracy with all labels of the other candidates, by name.
    The parts are :func:`~carryover.diagnosis.error_parts.split_error`'s.  How far apart pretraining sample and
    target lie plays no part: only where the error falls does.
    """
    rule = rule or VerdictRule()
    parts = split_error(curve, resampling, likeness=likeness, near_share=rule.near_share)
    cause = _largest(parts, rule)
    name = "a relative squared error" if curve.task == "regression" else "an error"
    sentence = {
        "labels": _labels_sentence,
        "representation": _representation_sentence,
        "domain": _domain_sentence,
        "cannot_tell": _undecided_sentence,
    }[cause](parts, name=name, rule=rule, rivals=rival_asymptotes or {})
    return Verdict(
        model=model,
        limited_by=cause,
        sentence=sentence,
        evidence=part_estimates(parts, len(curve.full_losses)),
        checks=_checks(parts, name=name, rule=rule, n_test=len(curve.full_losses)),
    )


def _largest(parts: ErrorParts, rule: VerdictRule) -> Cause:
    """The cause whose part is surely and clearly the largest."""
    if np.median(parts.error_draws) <= rule.little_error:
        return "cannot_tell"
    if parts.draws is None:
        rest = parts.error_draws - parts.domain_draws
        surely = np.mean(parts.domain_draws > rule.ratio * rest) >= rule.probability
        return "domain" if parts.domain_found and surely else "cannot_tell"
    probabilities = cause_probabilities(parts.draws, ratio=rule.ratio)
    best = int(np.argmax(probabilities))
    return CAUSES[best] if probabilities[best] >= rule.probability else "cannot_tell"


def cause_probabilities(draws: Float[np.ndarray, "b 3"], *, ratio: float) -> Float[np.ndarray, " 3"]:
    """The share of draws in which each part exceeds ``ratio`` times both others."""
    others = np.stack([np.delete(draws, cause, axis=1).max(axis=1) for cause in range(3)], axis=1)
    return (draws > ratio * others).mean(axis=0)


def _labels_sentence(
    parts: ErrorParts, *, name: str, rule: VerdictRule, rivals: Mapping[str, Estimate]
) -> str:
    gain = parts.extrapolation.gain_from_doubling
    return (
        f"Limited by labels: of {name} of {parts.error:.3f}, {parts.value[0]:.3f} would go with more labels; "
        f"doubling them is expected to gain {gain.value:.3f} ({gain.interval[0]:.3f} to {gain.interval[1]:.3f})."
    )


def _representation_sentence(
    parts: ErrorParts, *, name: str, rule: VerdictRule, rivals: Mapping[str, Estimate]
) -> str:
    start = (
        f"Limited by the representation: of {name} of {parts.error:.3f}, {parts.value[1]:.3f} would stay "
        "however many labels were added. "
    )
    ceiling = 1 - parts.value[1]
    limits = parts.extrapolation.asymptote
    top = limits.interval[1] if limits.ok else 1.0
    better = {
        name: rival
        for name, rival in rivals.items()
        if rival.ok and rival.value > ceiling and rival.interval[0] > top
    }
    if better:
        best = max(better, key=lambda rival: better[rival].value)
        return start + f"It is not the labels' noise: {best} goes on to {better[best].value:.3f} correct."
    return start + (
        "This data cannot separate what the features have lost from noise in the labels themselves: "
        "no other candidate goes on to a clearly lower error."
    )


def _domain_sentence(
    parts: ErrorParts, *, name: str, rule: VerdictRule, rivals: Mapping[str, Estimate]
) -> str:
    low, high = parts.excess.interval
    return (
        f"Limited by the domain: of {name} of {parts.error:.3f}, {parts.domain:.3f} ({low:.3f} to {high:.3f}) "
        f"is absent on the third of the examples most like the pretraining sample."
    )


def _undecided_sentence(
    parts: ErrorParts, *, name: str, rule: VerdictRule, rivals: Mapping[str, Estimate]
) -> str:
    if np.median(parts.error_draws) <= rule.little_error:
        return f"Cannot tell: there is little left to gain from {name} of {parts.error:.3f}."
    if parts.draws is None:
        return f"Cannot tell: {parts.extrapolation.asymptote.reason}; more labels would decide."
    order = np.argsort(-parts.draws.mean(axis=0))
    first, second = (CAUSES[int(cause)] for cause in order[:2])
    needs = "a larger test split" if "domain" in (first, second) else "more labels"
    if parts.excess.status == "not_applicable":
        needs += ", or a sample of the pretraining data,"
    return (
        f"Cannot tell: of {name} of {parts.error:.3f}, {first} ({parts.value[order[0]]:.3f}) and {second} "
        f"({parts.value[order[1]]:.3f}) are not clearly apart; {needs} may decide."
    )


def _checks(parts: ErrorParts, *, name: str, rule: VerdictRule, n_test: int) -> tuple[str, ...]:
    """What was looked at, in sentences."""
    if parts.excess.status == "not_applicable":
        domain = "The domain was not assessed: no pretraining sample was given."
    else:
        low, high = parts.excess.interval
        near = int(np.ceil(rule.near_share * n_test))
        outcome = "above" if parts.domain_found else "not clearly above"
        domain = (
            f"All examples together have {name} {parts.excess.value:.3f} ({low:.3f} to {high:.3f}) above that "
            f"of the {near} most like the pretraining sample: {outcome} 0."
        )
    if parts.draws is None:
        return (domain, f"The error law was not fitted: {parts.extrapolation.asymptote.reason}.")
    shares = cause_probabilities(parts.draws, ratio=rule.ratio)
    probabilities = ", ".join(f"{cause} {share:.2f}" for cause, share in zip(CAUSES, shares, strict=True))
    return (
        domain,
        f"Probability that a part exceeds {rule.ratio:g} times each other: {probabilities} "
        f"(named from {rule.probability:g}).",
    )
