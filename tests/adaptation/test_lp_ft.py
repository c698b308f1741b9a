"""Kumar et al. (ICLR 2022): fine-tuning from a new head distorts perfect features off the training subspace.

Their lower bound on the error of fine-tuning at any time, for perfect features and inputs of identity covariance:

    |B^T v - w*| >= cos(theta_k) / sqrt(k) * min(phi, phi^2 / |w*|) / (1 + |w*|)^2,   phi^2 = |(v_0.v*)^2 - (v*.v*)^2|

with theta_k the largest angle between the features' row space and the directions without data.  It follows from what
gradient flow conserves, v v^T - B B^T, up to its constant: see the test of one feature.
"""

import numpy as np
import pytest
import torch
from scipy.optimize import brentq
from torch import Tensor, nn

from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import Budget, Examples, run_phase
from carryover.adaptation.plans import PLANS, Phase
from carryover.models.preprocessing import Preprocessing
from carryover.models.readout import FeatureFunction, average_positions
from carryover.models.records import LoadedModel
from carryover.training.loop import LoopOptions

D, K, N = 20, 3, 8
GENERATOR = np.random.default_rng(0)
BASIS = np.linalg.qr(GENERATOR.normal(size=(D, D)))[0]
FEATURES = np.linalg.qr(GENERATOR.normal(size=(D, K)))[0].T
"""B: the features that the target is linear in, orthonormal rows."""
TRUTH = FEATURES.T @ np.array([1.0, -2.0, 1.5])
TRAIN = BASIS[:, :N] @ GENERATOR.normal(size=(N, 40))
"""Training inputs span N of the D directions; X B^T has rank K."""


class Linear(nn.Module):
    """B x for images that are vectors (n, d, 1, 1)."""

    def __init__(self, features: np.ndarray) -> None:
        super().__init__()
        self.layer = nn.Linear(features.shape[1], len(features), bias=False)
        self.layer.weight.data = torch.from_numpy(features).float()

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))


def perfect_features(features: np.ndarray = FEATURES) -> AdaptedNetwork:
    module = Linear(features)
    read_out = FeatureFunction(module, average_positions, "its output")
    model = LoadedModel("linear", "factory", module, read_out, Preprocessing(), "pooled", "", "", "", 0)
    return AdaptedNetwork(model, width=len(features), n_outputs=1)


def data(train: np.ndarray = TRAIN, truth: np.ndarray = TRUTH) -> Examples:
    """Inputs, the columns of ``train`` (d, n), and what ``truth`` (d,) makes of them."""
    inputs = torch.from_numpy(train.T.copy()).float()[:, :, None, None]
    return Examples(inputs, torch.from_numpy(truth @ train).float())


def error_outside(network: AdaptedNetwork) -> float:
    """The error of the linear function on directions that no training input has."""
    learned = (network.head.weight @ network.encoder.layer.weight)[0].detach().double().numpy()
    return float(np.linalg.norm(BASIS[:, N:].T @ (learned - TRUTH)))


def error_inside(network: AdaptedNetwork) -> float:
    learned = (network.head.weight @ network.encoder.layer.weight)[0].detach().double().numpy()
    return float(np.linalg.norm(BASIS[:, :N].T @ (learned - TRUTH)))


@pytest.mark.parametrize("steps", [3, 30, 300])
def test_after_a_probe_fine_tuning_stays_right_where_there_is_no_data_and_from_a_new_head_it_does_not(steps):
    budget = Budget(steps=steps, batch_size=40, warmup=0.0, clip_norm=0.0)
    phase = Phase("fine-tune", learning_rate=0.05, optimizer="sgd")
    whole = np.linalg.norm(TRUTH)
    probed, new = perfect_features(), perfect_features()
    run_phase(probed, PLANS["linear_probe"].phases[0], data(), budget=budget)
    assert error_outside(probed) < 1e-3 * whole
    run_phase(probed, phase, data(), budget=budget)
    assert error_outside(probed) < 1e-3 * whole and error_inside(probed) < 1e-3 * whole
    run_phase(new, phase, data(), budget=budget)
    assert error_outside(new) > 0.05 * whole
    if steps == 300:
        # By then the training data are fitted as well as after the probe: the loss cannot tell the two apart.
        assert error_inside(new) < 1e-2 * whole
        # What training never sees it never moves: B changes only along the training inputs (their equation of motion).
        moved = new.encoder.layer.weight.detach().double().numpy() - FEATURES
        assert np.linalg.norm(moved @ BASIS[:, :N]) > 0.1


def errors_at_all_times(
    features: np.ndarray, head: np.ndarray, examples: Examples, *, truth: np.ndarray, steps: int, rate: float
) -> np.ndarray:
    """|B^T v - w*| before and after each step of gradient descent on all weights (there is no bias)."""
    network = perfect_features(features)
    network.set_head(torch.from_numpy(head[None]).float(), torch.zeros(1))
    found = [np.linalg.norm(features.T @ head - truth)]

    def look(_) -> None:
        learned = (network.head.weight @ network.encoder.layer.weight)[0].detach().double().numpy()
        found.append(np.linalg.norm(learned - truth))

    phase = Phase("fine-tune", trains=("encoder.*", "head.weight"), learning_rate=rate, optimizer="sgd")
    budget = Budget(steps=steps, batch_size=len(examples), warmup=0.0, clip_norm=0.0)
    run_phase(network, phase, examples, budget=budget, options=LoopOptions(log_every=1, progress=look))
    assert len(found) == steps + 1
    return np.array(found)


def misaligned(head: np.ndarray, right: np.ndarray) -> float:
    """phi^2 of a first head, given the right one."""
    return abs((head @ right) ** 2 - (right @ right) ** 2)


def printed_bound(phi2: float, length: float, *, cosine: float, k: int) -> float:
    return cosine / np.sqrt(k) * min(np.sqrt(phi2), phi2 / length) / (1 + length) ** 2


def proven_bound(phi2: float, length: float, *, cosine: float) -> float:
    """The least error D that what is conserved allows.

    Off the data B stays, so d = |v - v*| <= D / cosine.  Conservation, taken at v*, says
    |B^T v*|^2 - |w*|^2 = (v.v*)^2 - (v_0.v*)^2, hence phi^2 <= e (2 |w*| + e) + |w*|^2 d (2 |w*| + d),
    where e = |B^T v* - w*| <= |B| d + D and |B|^2 <= 1 + |v|^2 <= 1 + (|w*| + d)^2.
    """

    def excess(error: float) -> float:
        d = error / cosine
        e = np.sqrt(1 + (length + d) ** 2) * d + error
        return e * (2 * length + e) + length**2 * d * (2 * length + d) - phi2

    return brentq(excess, 0.0, 10 * (1 + length) ** 2, xtol=1e-14)


def test_fine_tuning_from_random_heads_is_never_better_than_the_lower_bound():
    right, length = FEATURES @ TRUTH, np.linalg.norm(TRUTH)
    cosine = np.linalg.svd(FEATURES @ BASIS[:, N:], compute_uv=False).min()
    ratios = []
    for seed in range(3):
        head = (0.5, 1.0, 3.0)[seed] * np.random.default_rng(seed).normal(size=K)
        errors = errors_at_all_times(FEATURES, head, data(), truth=TRUTH, steps=80, rate=0.04)
        bound = printed_bound(misaligned(head, right), length, cosine=cosine, k=K)
        proven = proven_bound(misaligned(head, right), length, cosine=cosine)
        assert errors.min() >= bound > 0.1 and errors.min() >= proven > 0.02
        ratios.append(errors.min() / bound)
    # Here it is far from tight: the best of these runs errs some seven times as much as it says.
    assert 1 < min(ratios) < 10


@pytest.mark.parametrize(("length", "cosine"), [(1.0, 0.1), (0.3, 0.1), (0.1, 0.3)])
def test_with_one_feature_and_a_head_near_the_right_one_the_bound_is_tight_or_too_high(length, cosine):
    """To first order in the head's error the run ends at cosine phi^2 / (2 |w*| (sine^2 + |w*|^2)).

    So for |w*| = 1 and a small cosine the constant is exact, and for a smaller |w*| one feature (k = 1) is below the
    bound as printed: it is up to twice too high there.  The bound from the conservation law holds.
    """
    sine = np.sqrt(1 - cosine**2)
    features = np.array([[sine, cosine]])
    truth, head = length * features[0], np.array([1.02 * length])
    seen = data(np.array([[1.0], [0.0]]), truth)
    errors = errors_at_all_times(features, head, seen, truth=truth, steps=100, rate=0.1)
    phi2 = misaligned(head, np.array([length]))
    ratio = errors.min() / printed_bound(phi2, length, cosine=cosine, k=1)
    assert ratio == pytest.approx((1 + length) ** 2 / (2 * (sine**2 + length**2)), rel=0.02)
    assert (1.0 <= ratio < 1.05) if length == 1.0 else (0.5 < ratio < 0.9)
    proven = proven_bound(phi2, length, cosine=cosine)
    assert errors.min() >= proven > 0 and errors.min() < 10 * proven
