"""The one door for models: what is taken from any nn.Module, and how everything else is refused."""

import sys

import pytest
import torch
from torch import nn

from carryover._core.errors import InputError
from carryover.models.loading import ModelSource, load_model

SOURCE = """
from torch import nn
class Net(nn.Module):
    def __init__(self, shape):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.unused = nn.ReLU()
        if shape == "head":
            self.fc = nn.Linear(4, 5)
        self.shape = shape
    def forward(self, x):
        x = self.conv(x)
        if self.shape == "head":
            return self.fc(x.mean((2, 3)))
        if self.shape == "tokens":
            return x.flatten(2).transpose(1, 2)
        if self.shape == "map":
            return x
        if self.shape == "text":
            return "words"
        return x.flatten()
def make(shape="head"):
    return Net(shape)
"""


@pytest.fixture
def factory(tmp_path):
    (tmp_path / "nets.py").write_text(SOURCE)
    return f"{tmp_path / 'nets.py'}:make"


@pytest.fixture
def batch():
    return torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(0))


def load(factory, shape="head", **options):
    return load_model(ModelSource("m", factory=factory, factory_arguments={"shape": shape}, **options))


def test_pooled_is_what_enters_the_head(factory, batch):
    model = load(factory)
    got, maps = model.read_out(batch), model.module.conv(batch)
    assert torch.allclose(got.features, maps.mean((2, 3)))
    assert torch.allclose(got.logits, model.module.fc(got.features))
    assert torch.allclose(model.source_probabilities(batch).sum(dim=1), torch.ones(2, dtype=torch.float64))
    assert "what enters the classification layer 'fc'" in model.description
    assert model.n_parameters == 3 * 4 * 9 + 4 + 4 * 5 + 5
    assert model.preprocessing.channels == 3 and any("not normalised" in note for note in model.notes)


def test_without_a_head_the_output_is_averaged(factory, batch):
    for shape in ("map", "tokens"):
        model = load(factory, shape)
        assert torch.allclose(
            model.read_out(batch).features, model.module.conv(batch).mean((2, 3)), atol=1e-6
        )
        assert model.read_out(batch).logits is None and not model.has_source_head
        assert model.source_probabilities(batch) is None


def test_class_token_and_named_layers(factory, batch):
    model = load(factory, "tokens", layer="cls")
    assert torch.allclose(model.read_out(batch).features, model.module.conv(batch)[:, :, 0, 0])
    flat = load(factory, layer="conv:flatten")
    assert torch.allclose(flat.read_out(batch).features, flat.module.conv(batch).flatten(1))
    assert flat.read_out(batch).logits.shape == (2, 5)


@pytest.mark.parametrize(
    ("shape", "layer", "message"),
    [
        ("text", "pooled", "a layer's output must be a tensor, got a str"),
        ("flat", "pooled", r"a feature must have shape \(n, d\).*got \(128,\)"),
        ("head", "cls", r"needs an output of shape \(n, tokens, d\)"),
        ("head", "unused", "does not run in the forward pass"),
    ],
)
def test_outputs_that_are_no_features_are_refused(factory, batch, shape, layer, message):
    with pytest.raises(InputError, match=message):
        load(factory, shape, layer=layer).read_out(batch)


def test_a_failing_forward_pass_names_the_shape(factory):
    with pytest.raises(InputError, match=r"failed on a batch of shape \(1, 1, 6, 6\).*number of channels"):
        load(factory).read_out(torch.zeros(1, 1, 6, 6))


def test_layers_that_are_not_there(factory):
    with pytest.raises(InputError, match=r"model 'm': no layer 'convv' in Net; near matches: conv"):
        load(factory, layer="convv")
    with pytest.raises(InputError, match="alone or followed by ':flatten'"):
        load(factory, layer="conv:mean")


def test_weights_come_from_the_file(factory, tmp_path):
    state = load(factory, seed=7).module.state_dict()
    torch.save({"model": state}, tmp_path / "weights.pt")
    model = load(factory, weights=tmp_path / "weights.pt")
    assert model.weights_hash == load(factory, seed=7).weights_hash != load(factory).weights_hash
    assert "weights weights.pt" in model.description
    without_head = {key: value for key, value in state.items() if not key.startswith("fc")}
    torch.save(without_head, tmp_path / "weights.pt")
    assert not load(factory, weights=tmp_path / "weights.pt").has_source_head


def test_weights_as_built_must_be_finite(tmp_path):
    (tmp_path / "bad.py").write_text(
        "import torch\nfrom torch import nn\ndef make():\n    net = nn.Linear(2, 2)\n"
        "    nn.init.constant_(net.bias, float('nan'))\n    return net\n"
    )
    with pytest.raises(InputError, match="network as built has NaN or infinity in 1 of 2 tensors: bias"):
        load_model(ModelSource("m", factory=f"{tmp_path / 'bad.py'}:make"))


def test_the_architecture_hash_follows_code_and_arguments(factory, tmp_path):
    first = load(factory, "map")
    assert load(factory, "map").architecture_hash == first.architecture_hash
    assert load(factory, "tokens").architecture_hash != first.architecture_hash
    (tmp_path / "nets.py").write_text(SOURCE.replace("return x\n", "return 2 * x\n"))
    assert load(factory, "map").architecture_hash != first.architecture_hash


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "exactly one of path, factory and timm, got none"),
        ({"path": "a", "factory": "b"}, "exactly one of path, factory and timm, got path and factory"),
        ({"path": "a", "weights": "w.pt"}, "weights go with a factory or a timm name"),
        ({"path": "a", "factory_arguments": {"x": 1}}, "factory_arguments go with a factory"),
        ({"factory": "a:b", "layer": ""}, "layer must be"),
    ],
)
def test_sources_that_contradict_themselves(options, message):
    with pytest.raises(InputError, match=message):
        ModelSource("m", **options)


def test_timm_names_need_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        InputError, match=r"model 'm': timm is not installed.*pip install 'carryover\[timm\]'"
    ):
        load_model(ModelSource("m", timm="resnet18"))


def test_batch_norm_uses_its_running_statistics(tmp_path):
    (tmp_path / "norm.py").write_text("from torch import nn\ndef make():\n    return nn.BatchNorm2d(3)\n")
    model = load_model(ModelSource("m", factory=f"{tmp_path / 'norm.py'}:make"))
    batch = torch.rand(4, 3, 2, 2)
    assert torch.allclose(model.read_out(batch).features, batch.mean((2, 3)) / (1 + 1e-5) ** 0.5, atol=1e-6)
    assert isinstance(model.module, nn.BatchNorm2d) and not model.module.training
