"""Initialisation scales, and scales that a normalisation cancels."""

import pytest
import torch
from torch import nn
from torch.nn import functional

from carryover._core.errors import InputError
from carryover.adaptation.network import AdaptedNetwork
from carryover.models.initial_scales import (
    InitialScales,
    cancellation_warning,
    cancelled_scales,
    scale_weights,
)
from carryover.models.loading import ModelSource, load_model
from carryover.models.preprocessing import Preprocessing
from carryover.models.readout import FeatureFunction, average_positions
from carryover.models.records import LoadedModel

IMAGES = torch.randn(16, 3, 8, 8, generator=torch.Generator().manual_seed(0))


class Mixed(nn.Module):
    """A convolution before a batch norm, one before nothing, a linear layer before a layer norm, and an unused one."""

    def __init__(self) -> None:
        super().__init__()
        self.before_batch_norm = nn.Conv2d(3, 4, 3)
        self.batch_norm = nn.BatchNorm2d(4)
        self.plain = nn.Conv2d(4, 4, 3)
        self.before_layer_norm = nn.Linear(4, 5)
        self.layer_norm = nn.LayerNorm(5)
        self.last = nn.Linear(5, 5)
        self.unused = nn.Linear(2, 2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.batch_norm(self.before_batch_norm(images)))
        hidden = functional.relu(self.plain(hidden)).mean(dim=(2, 3))
        return self.last(self.layer_norm(self.before_layer_norm(hidden)))


def network() -> AdaptedNetwork:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        module = Mixed()
    read_out = FeatureFunction(module, average_positions, "its output")
    model = LoadedModel("mixed", "factory", module, read_out, Preprocessing(), "pooled", "", "", "", 0)
    adapted = AdaptedNetwork(model, width=5, n_outputs=2)
    nn.init.ones_(adapted.head.weight)
    return adapted


def test_each_scale_multiplies_what_it_names():
    scaled, plain = network(), network()
    early = ("encoder.before_batch_norm.*",)
    changed = scale_weights(scaled, scaled.encoder, InitialScales(0.5, 0.1, 4.0, early_parameters=early))
    for name, weight in plain.named_parameters():
        factor = 4.0 if name.startswith("head.") else 0.05 if "before_batch_norm" in name else 0.5
        torch.testing.assert_close(dict(scaled.named_parameters())[name], factor * weight)
        assert name in changed
    plain = network()
    only_readout = scale_weights(plain, plain.encoder, InitialScales(readout=2.0))
    assert only_readout == ["head.weight", "head.bias"]
    assert scale_weights(plain, plain.encoder, InitialScales()) == []


def test_scales_before_a_normalisation_are_found_and_nothing_is_left_changed():
    adapted = network()
    adapted.batch_norm = "train"
    before = {name: value.clone() for name, value in adapted.state_dict().items()}
    every = [name for name, _ in adapted.named_parameters()]

    def cancelled(changed):
        return cancelled_scales(adapted, adapted.encoder, IMAGES, features=adapted.features, changed=changed)

    found = cancelled(every)
    assert found == ["encoder.before_batch_norm", "encoder.before_layer_norm"]
    for name, value in adapted.state_dict().items():
        assert torch.equal(value, before[name]), name
    # With its pretrained statistics a batch norm cancels nothing.
    adapted.batch_norm = "frozen"
    assert cancelled(every) == ["encoder.before_layer_norm"]
    assert cancelled(["encoder.last.weight"]) == []


def test_the_warning_names_the_layers():
    assert cancellation_warning([]) is None
    assert "cancels the scale of 2 layers (encoder.a, encoder.b)" in cancellation_warning(
        ["encoder.a", "encoder.b"]
    )
    assert "and 3 more" in cancellation_warning([f"layer{i}" for i in range(9)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: InitialScales(all_weights=0.0), "all_weights must be > 0"),
        (lambda: InitialScales(readout=float("inf")), "readout must be > 0 and finite"),
        (lambda: InitialScales(early=2.0), "needs early_parameters"),
        (
            lambda: scale_weights(nn.Linear(1, 1), nn.Linear(1, 1), InitialScales(1.0, 2.0, 1.0, ("x",))),
            "matches no parameter",
        ),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(InputError, match=message):
        make()


def test_in_a_scaled_residual_network_batch_norm_cancels_every_convolution_and_frozen_none():
    """Branches that scaling made small change the features little, which is not the same as nothing."""
    source = ModelSource(name="resnet", factory="carryover.models.backbones:cifar_resnet20")
    adapted = AdaptedNetwork(load_model(source), width=64, n_outputs=2)
    images = torch.randn(16, 3, 32, 32, generator=torch.Generator().manual_seed(2))
    changed = scale_weights(adapted, adapted.encoder, InitialScales(all_weights=0.25))
    convolutions = [
        f"encoder.{name}" for name, layer in adapted.encoder.named_modules() if isinstance(layer, nn.Conv2d)
    ]
    for mode, expected in (("train", convolutions), ("frozen", [])):
        adapted.batch_norm = mode
        found = cancelled_scales(adapted, adapted.encoder, images, features=adapted.features, changed=changed)
        assert found == expected
