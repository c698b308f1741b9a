"""timm's names, against a stand-in that answers as timm does (timm itself is an extra and may be absent)."""

import sys
import types

import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.models.loading import ModelSource, load_model

STATED = {
    "input_size": (3, 28, 28),
    "interpolation": "bicubic",
    "mean": (0.5,) * 3,
    "std": (0.25,) * 3,
    "crop_pct": 0.875,
}


class _Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Conv2d(3, 4, 3)
        self.fc = nn.Linear(4, 6)

    def forward(self, x):
        return self.fc(self.body(x).mean((2, 3)))


@pytest.fixture
def asked(monkeypatch):
    """The stand-in's calls of ``create_model``."""
    calls = []

    def create_model(name, *, pretrained):
        calls.append((name, pretrained))
        if name == "unreachable":
            raise RuntimeError("no network")
        return _Net()

    stand_in, data = types.ModuleType("timm"), types.ModuleType("timm.data")
    stand_in.__version__, stand_in.data, stand_in.create_model = "1.0", data, create_model
    stand_in.list_models = lambda: ["resnet18", "unreachable"]
    stand_in.is_model = lambda name: name in stand_in.list_models()
    data.resolve_model_data_config = lambda module: STATED
    monkeypatch.setitem(sys.modules, "timm", stand_in)
    monkeypatch.setitem(sys.modules, "timm.data", data)
    return calls


def test_a_name_gives_the_pretrained_network_and_its_preprocessing(asked):
    model = load_model(ModelSource("m", timm="resnet18.a1_in1k"))
    assert asked == [("resnet18.a1_in1k", True)]
    stated = model.preprocessing
    assert stated.shortest_edge == 32 and stated.crop_size == (28, 28) and stated.resize_mode == "bicubic"
    assert model.read_out(torch.zeros(2, 3, 28, 28)).features.shape == (2, 4)
    assert "timm's weights" in model.description


def test_a_file_of_weights_replaces_the_pretrained_ones(asked, tmp_path):
    torch.save(_Net().state_dict(), tmp_path / "w.pt")
    load_model(ModelSource("m", timm="resnet18", weights=tmp_path / "w.pt"))
    assert asked == [("resnet18", False)]


def test_names_that_are_not_there_and_weights_out_of_reach(asked):
    with pytest.raises(InputError, match=r"timm has no model 'resnet81'; .*did you mean 'resnet18'"):
        load_model(ModelSource("m", timm="resnet81"))
    with pytest.raises(InputError, match="timm could not make 'unreachable': RuntimeError: no network"):
        load_model(ModelSource("m", timm="unreachable"))
