"""Cross-entropy and spectral contrastive pretraining against brute force on small finite laws."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, rel_entr, softmax

from carryover._core.errors import InputError
from carryover.measures.score_errors import logit_score_error, probability_score_error, spectral_score_error
from carryover.measures.transfer_pairs import Lipschitz, Squared, transfer_pair


def _posteriors(seed, inputs=4, classes=3):
    generator = np.random.default_rng(seed)
    best = generator.dirichlet(np.ones(classes), size=inputs)
    mixed = generator.dirichlet(np.ones(classes), size=inputs)
    share = 10 ** generator.uniform(-3, 0)
    return best, (1 - share) * best + share * mixed, generator.dirichlet(np.ones(inputs)), generator


@settings(max_examples=60)
@given(st.integers(0, 10**6))
def test_probabilities_after_cross_entropy(seed):
    best, found, weights, generator = _posteriors(seed)
    excess = float(weights @ rel_entr(best, found).sum(axis=1))
    for readout in (generator.normal(size=(1, 3)), generator.normal(size=(2, 3))):
        error = probability_score_error(readout)
        change = ((found - best) @ readout.T) ** 2
        assert weights @ change.sum(axis=1) <= error.factor * excess * (1 + 1e-9)


def test_probability_factor_is_attained_near_a_fair_coin():
    excess = float(rel_entr([0.5, 0.5], [0.501, 0.499]).sum())
    error = probability_score_error(np.array([[0.0, 1.0]]))
    assert 0.001**2 / (error.factor * excess) == pytest.approx(1.0, abs=1e-4)


def test_one_half_is_sharp_for_cross_entropy_too():
    """Features h = m + size v (fair signs), pretext class of probability p(m) = expit(m), downstream |s - m|.

    Pretraining excess by a fine search over the decoder: of order size^2; downstream of order size.
    """
    sizes, found = np.array([1e-1, 1e-2, 1e-3]), []
    for size in sizes:
        features = np.array([1 + size, 1 - size])
        decoders = np.linspace(1 - 2 * size, 1 + 2 * size, 4001)
        wrong = expit(decoders[:, None] * features)
        excess = rel_entr(expit(1.0), wrong) + rel_entr(expit(-1.0), 1 - wrong)
        found.append((excess.mean(axis=1).min(), np.abs(decoders[:, None] * features - 1).mean(axis=1).min()))
    pretraining, downstream = np.log(np.array(found)).T
    slopes = np.diff(downstream) / np.diff(pretraining)
    assert slopes[1] == pytest.approx(0.5, abs=0.01)


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.sampled_from([1, 2, 4]))
def test_bounded_logits_after_cross_entropy(seed, classes):
    """Random decoders on random features of three inputs, the largest logit measured."""
    generator = np.random.default_rng(seed)
    features, width = generator.normal(size=(2, 3, 2)), 2
    decoder = generator.normal(size=(classes, width))
    trained = decoder + 10 ** generator.uniform(-2, 0.5) * generator.normal(size=decoder.shape)
    readout = generator.normal(size=(1, classes))
    readout -= 0 if classes == 1 else readout.mean()
    best, found = features[0] @ decoder.T, features[1] @ trained.T
    if classes > 1:
        best, found = best - best.mean(axis=1, keepdims=True), found - found.mean(axis=1, keepdims=True)
        excess = rel_entr(softmax(best, axis=1), softmax(found, axis=1)).sum(axis=1).mean()
    else:
        excess = (rel_entr(expit(best), expit(found)) + rel_entr(expit(-best), expit(-found))).mean()
    limit = max(np.abs(best).max(), np.abs(found).max())
    error = logit_score_error(readout @ decoder, decoder, logit_limit=limit, trained_decoder=trained)
    change = (((found - best) @ readout.T) ** 2).mean()
    assert change <= error.stats["readable"].radius ** -2 * error.factor * excess * (readout**2).sum() * (
        1 + 1e-9
    )


def test_single_logit_factor_is_attained_at_small_errors():
    """All logits at the limit, where the logistic loss is flattest."""
    limit, change = 2.0, 1e-4
    excess = rel_entr(expit(limit), expit(limit - change)) + rel_entr(expit(-limit), expit(change - limit))
    error = logit_score_error(np.eye(1), np.eye(1), logit_limit=limit)
    assert change**2 / (error.factor * excess) == pytest.approx(1.0, abs=1e-3)


def test_without_a_limit_on_logits_no_constant_exists():
    """Logit s against 2 s: the downstream difference grows while the excess vanishes."""
    logits = np.array([2.0, 6.0, 12.0])
    excess = rel_entr(expit(logits), expit(2 * logits)) + rel_entr(expit(-logits), expit(-2 * logits))
    assert np.all(np.diff(excess) < 0)
    assert np.all(np.diff(logits**2 / excess) > 0) and logits[-1] ** 2 / excess[-1] > 1e6


def test_a_common_shift_of_logits_is_not_readable():
    decoder = np.array([[1.0, 0.0], [0.0, 1.0]])
    assert logit_score_error(np.array([[1.0, -1.0]]), decoder, logit_limit=1.0).ok
    shift = logit_score_error(np.array([[1.0, 1.0]]), decoder, logit_limit=1.0)
    assert shift.status == "abstained" and "lies in the span" in shift.reason


def _graph(seed, size=7):
    """Weights of inputs, and the normalised graph of random augmentations: symmetric, eigenvalues >= 0."""
    generator = np.random.default_rng(seed)
    augmented = generator.dirichlet(np.full(size, 0.3), size=12)
    joint = augmented.T @ augmented / len(augmented)
    weights = joint.sum(axis=1)
    return weights, joint / np.sqrt(np.outer(weights, weights)), generator


def _loss(joint_normalised, features):
    """The spectral loss of embedded features F (rows sqrt(w_x) f(x)) less its constant."""
    return np.linalg.norm(joint_normalised - features @ features.T) ** 2


@settings(max_examples=60)
@given(st.integers(0, 10**6), st.integers(1, 4))
def test_spectral_pretraining(seed, width):
    _, graph, generator = _graph(seed)
    values, vectors = np.linalg.eigh(graph)
    values, vectors = np.maximum(values[::-1], 0), vectors[:, ::-1]
    best = vectors[:, :width] * np.sqrt(values[:width])
    features = best + 10 ** generator.uniform(-3, 0.5) * generator.normal(size=best.shape)
    excess = _loss(graph, features) - _loss(graph, best)
    score = vectors[:, :width] @ generator.normal(size=width)
    missed = score - features @ np.linalg.pinv(features) @ score
    size = float(np.linalg.norm(score))
    error = spectral_score_error(values, width=width, score_size=size)
    if error.ok:
        assert missed @ missed <= error.factor * excess * (1 + 1e-7)


def test_spectral_loss_is_the_distance_to_the_graph():
    """-2 E f(x)^T f(x+) + E (f(x)^T f(x'))^2 is that distance less a constant, summed in full."""
    weights, graph, generator = _graph(3)
    f = generator.normal(size=(len(graph), 2))
    joint = graph * np.sqrt(np.outer(weights, weights))
    inner = f @ f.T
    direct = -2 * (joint * inner).sum() + (np.outer(weights, weights) * inner**2).sum()
    embedded = np.sqrt(weights)[:, None] * f
    assert direct == pytest.approx(_loss(graph, embedded) - np.linalg.norm(graph) ** 2)


def test_spectral_factor_is_nearly_attained():
    """One feature turned from the first eigenvector towards a second one of nearly the same eigenvalue."""
    graph, angle = np.diag([1.0, 0.98]), 0.01
    turned = np.array([[math.cos(angle)], [math.sin(angle)]])
    turned *= math.sqrt(float(np.vdot(turned, graph @ turned)))
    excess = _loss(graph, turned) - _loss(graph, np.array([[1.0], [0.0]]))
    factor = spectral_score_error(np.array([1.0, 0.98]), width=1, score_size=1.0).factor
    assert 0.98 < math.sin(angle) ** 2 / (factor * excess) <= 1


def test_tied_eigenvalues_abstain():
    tied = spectral_score_error(np.array([1.0, 0.5, 0.5]), width=2, score_size=1.0)
    assert tied.status == "abstained" and "eigenvalues 2 and 3 are equal" in tied.reason
    assert transfer_pair(tied, Lipschitz()).status == "abstained"


def test_names_and_exponents():
    error = probability_score_error(np.array([[0.0, 1.0]]), law_known=True)
    pair = transfer_pair(error, Squared(1.0), law_known=True)
    assert (pair.pretraining, pair.downstream) == ("cross-entropy, read from probabilities", "squared")
    assert (pair.exponent, pair.constant, pair.exact) == (1.0, 0.5, True)
    assert not probability_score_error(np.array([[0.0, 1.0]])).exact


def test_misuse_is_named():
    with pytest.raises(InputError, match="a column for each of at least 2 classes, got 1"):
        probability_score_error(np.ones((1, 1)))
    with pytest.raises(InputError, match=r"logit_limit must lie in \(0, 700\], got 0"):
        logit_score_error(np.eye(1), np.eye(1), logit_limit=0.0)
    with pytest.raises(InputError, match=r"head_radius must lie in \(0, inf\], got 0"):
        logit_score_error(np.eye(1), np.eye(1), logit_limit=1.0, head_radius=0.0)
    with pytest.raises(InputError, match=r"width must lie in \[1, 2\] for 3 eigenvalues, got 3"):
        spectral_score_error(np.array([1.0, 0.5, 0.2]), width=3, score_size=1.0)
    with pytest.raises(InputError, match="eigenvalues of an augmentation graph are at least 0"):
        spectral_score_error(np.array([1.0, -0.5]), width=1, score_size=1.0)
    with pytest.raises(InputError, match="score_size must lie in"):
        spectral_score_error(np.array([1.0, 0.5]), width=1, score_size=-1.0)
