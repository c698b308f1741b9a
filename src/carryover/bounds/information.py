"""Conditional mutual information from repeated masks: what predictions or losses tell of who was trained on."""

import numpy as np
from jaxtyping import Int, Num, Shaped

from carryover._core.errors import InputError
from carryover.bounds.base import sample_assumptions
from carryover.bounds.expectation import ExpectationBound, expectation_bound
from carryover.bounds.supersample import (
    check_errors,
    check_masks,
    check_paired,
    mask_assumptions,
    mask_information,
    outcome_ranks,
    side_means,
)

_BOUNDED = "expected error rate, over draws of the examples, masks and training"


def loss_difference_cmi_bound(
    losses: Num[np.ndarray, "runs pairs members"],
    masks: Shaped[np.ndarray, "runs_m pairs_m"],
    *,
    generator: np.random.Generator,
    n_shuffles: int = 20,
    groups: Shaped[np.ndarray, " all"] | None = None,
    representation_independent: bool | None = None,
    drawn_here: bool = False,
) -> ExpectationBound:
    """Loss-difference CMI: expected training error + (1/n) sum over pairs of sqrt(2 I(Delta_i; S_i)).

    ``losses`` (m, n, 2) are the 0-1 losses of m runs on both members of n pairs; ``masks`` (m, n) say which member
    each run was trained on.  Delta_i = loss of member 1 - loss of member 0, in {-1, 0, 1}.

    Derivation, for one set of pairs: with S' a fair coin independent of Delta_i, (-1)^S' Delta_i has mean 0 and
    lies in [-|Delta_i|, |Delta_i|], hence E exp(t (-1)^S' Delta_i) <= exp(t^2/2).  The change of measure from
    (Delta_i, S') to (Delta_i, S_i) gives t E[(-1)^S_i Delta_i] <= I(Delta_i; S_i) + t^2/2 for all t, and the
    expectation is that pair's test loss less its training loss.  Reference: Wang and Mao, ICML 2023 (arXiv
    2302.02432), section 3, with the information conditional on the pairs; after Steinke and Zakynthinou, COLT
    2020.

    The information is the plug-in of :func:`mask_information`, and the inequality above holds for that law of
    frequencies too: the value is never below the test error that the runs themselves show
    (``stats["test_error"]``), so its expectation is never below the expected error, whatever m is.  It is biased
    up by far: ``null`` is what shuffled masks give, in which there is no information.
    Raises InputError for losses
    other than 0 and 1, shapes that disagree, and too few masks (says how many).  ``drawn_here``: whoever calls drew the
    masks and trained on them, so that both are known.
    """
    masks = check_masks(masks)
    losses = check_errors(losses, masks)
    return _bound(
        losses[:, :, 1] - losses[:, :, 0],
        losses,
        masks,
        shuffles=[generator.permutation(len(masks)) for _ in range(_check_shuffles(n_shuffles))],
        groups=groups,
        representation_independent=representation_independent,
        drawn_here=drawn_here,
    )


def prediction_cmi_bound(
    predictions: Int[np.ndarray, "runs pairs members"],
    labels: Int[np.ndarray, "pairs_l members_l"],
    masks: Shaped[np.ndarray, "runs_m pairs_m"],
    *,
    generator: np.random.Generator,
    n_shuffles: int = 20,
    groups: Shaped[np.ndarray, " all"] | None = None,
    representation_independent: bool | None = None,
    drawn_here: bool = False,
) -> ExpectationBound:
    """f-CMI: expected training error + (1/n) sum over pairs of sqrt(2 I(F_i; S_i)), F_i both predicted classes.

    ``predictions`` (m, n, 2) and ``labels`` (n, 2) are class codes, ``masks`` (m, n) as in
    :func:`loss_difference_cmi_bound`.  Given the pairs, the loss difference is a function of F_i, so that this is
    never below that bound; with K classes F_i has K^2 values and the plug-in's bias is larger.  Reference:
    Harutyunyan, Raginsky, Ver Steeg and Galstyan, NeurIPS 2021 (arXiv 2110.01584), section 3, subsets of one
    pair.  Raises InputError as :func:`loss_difference_cmi_bound`.
    """
    masks = check_masks(masks)
    predictions = check_paired(predictions, masks, "predictions")
    if labels.shape != predictions.shape[1:]:
        raise InputError(f"labels must have shape (pairs, 2) = {predictions.shape[1:]}, got {labels.shape}")
    base = int(predictions.max()) - int(predictions.min()) + 1
    return _bound(
        predictions[:, :, 0] * base + predictions[:, :, 1],
        (predictions != labels).astype(np.int64),
        masks,
        shuffles=[generator.permutation(len(masks)) for _ in range(_check_shuffles(n_shuffles))],
        groups=groups,
        representation_independent=representation_independent,
        drawn_here=drawn_here,
    )


def _check_shuffles(n_shuffles: int) -> int:
    if n_shuffles < 1:
        raise InputError(f"n_shuffles must be at least 1, got {n_shuffles}")
    return n_shuffles


def _bound(
    outcomes: Int[np.ndarray, "m n"],
    losses: Int[np.ndarray, "m n two"],
    masks: Int[np.ndarray, "m n"],
    *,
    shuffles: list[Int[np.ndarray, " m"]],
    groups: np.ndarray | None,
    representation_independent: bool | None,
    drawn_here: bool,
) -> ExpectationBound:
    training_error, test_error = side_means(losses, masks)
    ranks = outcome_ranks(outcomes)
    null = [_gap(ranks, masks[order]) for order in shuffles]
    n_masks, n_pairs = masks.shape
    assumptions = sample_assumptions(
        2 * n_pairs, groups=groups, representation_independent=representation_independent, sample="paired"
    )
    return expectation_bound(
        {"training_error": training_error, "information": _gap(ranks, masks)},
        n_repeats=n_masks,
        assumptions=(*assumptions, *mask_assumptions(masks, drawn_here=drawn_here)),
        bounded=_BOUNDED,
        null=(float(np.mean(null)), float(np.max(null))),
        stats={"n": n_pairs, "test_error": test_error},
    )


def _gap(ranks: Int[np.ndarray, "m n"], masks: Int[np.ndarray, "m n"]) -> float:
    return float(np.sqrt(2 * mask_information(ranks, masks)).mean())
