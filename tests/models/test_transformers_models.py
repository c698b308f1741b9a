"""Checkpoints in transformers format: the right features, the head, and a sentence for every misfit."""

import json

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from carryover._core.errors import InputError
from carryover.models.loading import ModelSource, load_model

SIZES = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
VIT = {**SIZES, "image_size": 16, "patch_size": 8}


@pytest.fixture
def batch():
    return torch.rand(3, 3, 16, 16, generator=torch.Generator().manual_seed(0))


def vit_classifier():
    torch.manual_seed(0)
    return transformers.ViTForImageClassification(transformers.ViTConfig(**VIT, num_labels=5))


@pytest.fixture(autouse=True)
def _keep_global_generator():
    state = torch.get_rng_state()
    yield
    torch.set_rng_state(state)


def load(folder, **options):
    return load_model(ModelSource("m", path=folder, **options))


@torch.inference_mode()
def read(model, batch):
    return model.read_out(batch)


def test_a_classifier_gives_patch_means_and_its_own_probabilities(save, batch):
    network = vit_classifier()
    model = load(save(network))
    with torch.inference_mode():
        output = network(pixel_values=batch, output_hidden_states=True)
        tokens = network.vit(pixel_values=batch).last_hidden_state
    got = read(model, batch)
    assert torch.allclose(got.features, tokens[:, 1:].mean(dim=1), atol=1e-6)
    assert torch.allclose(got.logits, output.logits, atol=1e-6)
    assert torch.allclose(model.source_probabilities(batch), output.logits.double().softmax(1), atol=1e-6)
    assert model.has_source_head and "mean over patch tokens" in model.description
    assert model.preprocessing.image_size == (16, 16)
    assert not any(parameter.requires_grad for parameter in model.module.parameters())
    assert not model.module.training


def test_cls_and_named_layers(save, batch):
    network = vit_classifier()
    folder = save(network)
    with torch.inference_mode():
        tokens = network.vit(pixel_values=batch).last_hidden_state
    assert torch.allclose(read(load(folder, layer="cls"), batch).features, tokens[:, 0], atol=1e-6)
    averaged = read(load(folder, layer="vit.layernorm"), batch).features
    assert torch.allclose(averaged, tokens.mean(dim=1), atol=1e-6)
    flat = read(load(folder, layer="vit.layernorm:flatten"), batch).features
    assert torch.allclose(flat, tokens.flatten(1), atol=1e-6)
    with pytest.raises(InputError, match=r"no layer 'vit.layernom'.*near matches: vit.layernorm"):
        load(folder, layer="vit.layernom")


def test_a_trained_pooler_is_used_and_an_untrained_one_is_not(save, batch):
    network = transformers.ViTModel(transformers.ViTConfig(**VIT))
    model = load(save(network))
    with torch.inference_mode():
        output = network(pixel_values=batch)
    assert torch.allclose(read(model, batch).features, output.pooler_output, atol=1e-6)
    assert "own pooled output" in model.description and not model.has_source_head
    file = save(network) / "model.safetensors"
    state = {key: value for key, value in load_file(file).items() if not key.startswith("pooler")}
    save_file(state, file, metadata={"format": "pt"})
    model = load(file.parent)
    assert torch.allclose(read(model, batch).features, output.last_hidden_state[:, 1:].mean(1), atol=1e-6)
    assert any("lacks pooler.dense.bias, pooler.dense.weight" in note for note in model.notes)
    assert (
        model.weights_hash == load(file.parent).weights_hash
    )  # what is drawn for the pooler does not differ


def test_a_masked_autoencoder_sees_every_patch_in_order_without_drawing(save, batch):
    decoder = {f"decoder_{key}": value for key, value in SIZES.items()}
    network = transformers.ViTMAEForPreTraining(transformers.ViTMAEConfig(**VIT, **decoder))
    model = load(save(network))
    plain = transformers.ViTModel(transformers.ViTConfig(**VIT), add_pooling_layer=False).eval()
    plain.load_state_dict(network.vit.state_dict(), strict=True)
    before = torch.get_rng_state()
    got = read(model, batch)
    assert torch.equal(before, torch.get_rng_state())
    with torch.inference_mode():
        expected = plain(pixel_values=batch).last_hidden_state[:, 1:].mean(dim=1)
    assert torch.allclose(got.features, expected, atol=1e-5)
    assert any("left out: decoder" in note for note in model.notes)


def test_a_residual_network_gives_its_pooled_output(save, batch):
    config = transformers.ResNetConfig(embedding_size=8, hidden_sizes=[8, 16], depths=[1, 1], num_labels=3)
    network = transformers.ResNetForImageClassification(config)
    model = load(save(network), image_size=16)
    with torch.inference_mode():
        expected = network.resnet(pixel_values=batch).pooler_output.flatten(1)
    assert torch.allclose(read(model, batch).features, expected, atol=1e-6)
    with pytest.raises(InputError, match="has no class token"):
        load(save(network), layer="cls")


def test_the_vision_half_of_a_two_tower_model_is_taken(save, batch):
    text = {**SIZES, "vocab_size": 50, "bos_token_id": 0, "eos_token_id": 1}
    network = transformers.CLIPModel(
        transformers.CLIPConfig(text_config=text, vision_config=VIT, projection_dim=8)
    )
    model = load(save(network))
    with torch.inference_mode():
        expected = network.vision_model(pixel_values=batch).pooler_output
    assert torch.allclose(read(model, batch).features, expected, atol=1e-5)
    assert any("text_model" in note for note in model.notes)


def test_stated_preprocessing_is_read_and_overridden(save):
    folder = save(vit_classifier())
    stated = {
        "size": {"height": 16, "width": 16},
        "resample": 3,
        "image_mean": [0.5] * 3,
        "image_std": [0.25] * 3,
    }
    (folder / "preprocessor_config.json").write_text(json.dumps(stated))
    model = load(folder)
    assert model.preprocessing.image_size == (16, 16) and model.preprocessing.resize_mode == "bicubic"
    assert (
        model.preprocessing.mean == (0.5,) * 3 and model.preprocessing.std == (0.25,) * 3 and not model.notes
    )
    assert load(folder, mean=(0.1,), std=(0.2,)).preprocessing.mean == (0.1,)
    (folder / "preprocessor_config.json").write_text("{")
    with pytest.raises(InputError, match=r"preprocessor_config.json could not be read"):
        load(folder)


def test_bin_weights_are_read_and_hostile_ones_do_not_run(save, batch, tmp_path):
    network = vit_classifier()
    folder = save(network)
    (folder / "model.safetensors").unlink()
    torch.save(network.state_dict(), folder / "pytorch_model.bin")
    assert torch.allclose(read(load(folder), batch).logits, network(pixel_values=batch).logits, atol=1e-6)
    marker = tmp_path / "marker"

    class Hostile:
        def __reduce__(self):
            return type(marker).touch, (marker,)

    torch.save(Hostile(), folder / "pytorch_model.bin")
    with pytest.raises(InputError, match="could not be read"):
        load(folder)
    assert not marker.exists()


def test_code_that_comes_with_a_checkpoint_is_not_run(save, tmp_path):
    folder, marker = save(vit_classifier()), tmp_path / "marker"
    config = json.loads((folder / "config.json").read_text())
    config |= {"model_type": "stranger", "auto_map": {"AutoConfig": "code.Config", "AutoModel": "code.Model"}}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "code.py").write_text(f"import pathlib; pathlib.Path({str(marker)!r}).touch()")
    with pytest.raises(InputError, match="could not be read"):
        load(folder)
    assert not marker.exists()


def test_a_language_model_is_sent_to_features_files(save):
    config = transformers.BertConfig(**SIZES, vocab_size=50)
    with pytest.raises(InputError, match=r"BertModel takes no pixel_values.*extract the features yourself"):
        load(save(transformers.BertModel(config)))


def edit_weights(folder, change):
    file = folder / "model.safetensors"
    state = change(load_file(file))
    save_file(state, file, metadata={"format": "pt"})


def test_missing_unexpected_and_mismatched_keys_are_listed(save):
    folder = save(vit_classifier())

    def change(state):
        del state[
            next(
                key
                for key in state
                if key.endswith("1.mlp.fc1.bias") or key.endswith("1.intermediate.dense.bias")
            )
        ]
        state["vit.layernorm.extra"] = torch.zeros(1)
        state["vit.layernorm.weight"] = torch.zeros(7)
        return state

    edit_weights(folder, change)
    with pytest.raises(InputError) as caught:
        load(folder)
    message = str(caught.value)
    assert "missing from the file: vit." in message
    assert "not in the network: vit.layernorm.extra" in message
    assert "vit.layernorm.weight (7,) in the file, (32,) in the network" in message


def test_weights_that_are_not_finite_or_not_whole(save):
    folder = save(vit_classifier())
    whole = (folder / "model.safetensors").read_bytes()
    edit_weights(folder, lambda state: state | {"vit.layernorm.bias": torch.full((32,), float("nan"))})
    with pytest.raises(InputError, match=r"NaN or infinity in 1 of \d+ tensors: vit\.layernorm\.bias"):
        load(folder)
    (folder / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(InputError, match=r"the weights in .* could not be read"):
        load(folder)
    (folder / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"the weights in .* could not be read"):
        load(folder)


def test_places_that_hold_no_checkpoint(tmp_path, monkeypatch):
    (tmp_path / "notes.txt").touch()
    (tmp_path / "vit").mkdir()
    with pytest.raises(InputError, match=r"has no config.json.*it holds notes.txt, vit"):
        load(tmp_path)
    with pytest.raises(InputError, match="is a file: path takes a folder"):
        load(tmp_path / "notes.txt")
    with pytest.raises(InputError, match=r"no folder .*vti; folders beside it: vit"):
        load(tmp_path / "vti")
    (tmp_path / "vit" / "config.json").write_text("{")
    with pytest.raises(InputError, match="could not be read"):
        load(tmp_path / "vit")


def test_a_hub_that_cannot_be_reached_is_said_so(monkeypatch):
    def refuse(place, **_):
        raise OSError(f"We couldn't connect to the hub to load {place}")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", refuse)
    said = r"model 'm': there is no folder someone/vit; as a hub id it could not be read: We couldn't connect"
    with pytest.raises(InputError, match=said):
        load("someone/vit")
