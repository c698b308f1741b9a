"""Kumar et al. (ICLR 2022): fine-tuning from a new head distorts perfect features off the training subspace."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from carryover.adaptation.network import AdaptedNetwork
from carryover.adaptation.phases import Budget, Examples, run_phase
from carryover.adaptation.plans import PLANS, Phase
from carryover.models.preprocessing import Preprocessing
from carryover.models.readout import FeatureFunction, average_positions
from carryover.models.records import LoadedModel

D, K, N = 20, 3, 8
GENERATOR = np.random.default_rng(0)
BASIS = np.linalg.qr(GENERATOR.normal(size=(D, D)))[0]
FEATURES = np.linalg.qr(GENERATOR.normal(size=(D, K)))[0].T
"""B: the features that the target is linear in, orthonormal rows."""
TRUTH = FEATURES.T @ np.array([1.0, -2.0, 1.5])
TRAIN = BASIS[:, :N] @ GENERATOR.normal(size=(N, 40))
"""Training inputs span N of the D directions; X B^T has rank K."""


class Linear(nn.Module):
    """B x for images that are vectors (n, D, 1, 1)."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(D, K, bias=False)
        self.layer.weight.data = torch.from_numpy(FEATURES).float()

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1))


def perfect_features() -> AdaptedNetwork:
    module = Linear()
    read_out = FeatureFunction(module, average_positions, "its output")
    model = LoadedModel("linear", "factory", module, read_out, Preprocessing(), "pooled", "", "", "", 0)
    return AdaptedNetwork(model, width=K, n_outputs=1)


def data() -> Examples:
    inputs = torch.from_numpy(TRAIN.T.copy()).float()[:, :, None, None]
    return Examples(inputs, torch.from_numpy(TRUTH @ TRAIN).float())


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
