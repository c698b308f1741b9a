"""Strangers' weights: nothing in them runs, and what does not fit or is not finite is named."""

import pickle
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from carryover._core.errors import InputError
from carryover.models.weights import fit_weights, hash_weights, read_weights


class _Hostile:
    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return Path.touch, (self.marker,)


class Net(nn.Module):
    def __init__(self, width: int = 4, n_classes: int | None = 3) -> None:
        super().__init__()
        self.body = nn.Linear(2, width)
        if n_classes is not None:
            self.head = nn.Linear(width, n_classes)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_hostile_pickle_does_not_run(tmp_path, zipped):
    marker, file = tmp_path / "marker", tmp_path / "weights.pt"
    torch.save({"state_dict": _Hostile(marker)}, file, _use_new_zipfile_serialization=zipped)
    with pytest.raises(InputError, match="code or objects other than tensors") as caught:
        read_weights(file)
    assert str(file) in str(caught.value) and "safetensors" in str(caught.value)
    assert not marker.exists()
    torch.load(file, weights_only=False)  # the file is a real attack: unguarded, it does run
    assert marker.exists()


def test_a_hostile_plain_pickle_does_not_run(tmp_path):
    marker, file = tmp_path / "marker", tmp_path / "weights.th"
    file.write_bytes(pickle.dumps(_Hostile(marker)))
    with pytest.raises(
        InputError, match=r"truncated or is not a torch file|code or objects other than tensors"
    ):
        read_weights(file)
    assert not marker.exists()


@pytest.mark.parametrize("kept", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_a_truncated_file_is_said_to_be_damaged(tmp_path, name, kept):
    file = tmp_path / name
    state = {"a": torch.rand(64, 64)}
    save_file(state, file) if file.suffix == ".safetensors" else torch.save(state, file)
    whole = file.read_bytes()
    file.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(InputError, match=f"{name} is (damaged|truncated).*fetch it again"):
        read_weights(file)


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["weights.pt", "weights.safetensors"])
def test_tensors_that_are_not_finite_are_named(tmp_path, name, bad):
    file = tmp_path / name
    state = {"good": torch.ones(3), "bad.weight": torch.tensor([1.0, bad])}
    save_file(state, file) if file.suffix == ".safetensors" else torch.save(state, file)
    with pytest.raises(InputError, match=r"NaN or infinity in 1 of 2 tensors: bad\.weight"):
        read_weights(file)


def test_a_missing_file_lists_what_is_there(tmp_path):
    (tmp_path / "other.pt").touch()
    with pytest.raises(InputError, match=r"no weights file .*weights\.pt: .* holds other\.pt"):
        read_weights(tmp_path / "weights.pt")
    with pytest.raises(InputError, match="does not exist either"):
        read_weights(tmp_path / "nowhere" / "weights.pt")


def test_an_unknown_suffix_is_refused(tmp_path):
    (tmp_path / "weights.h5").touch()
    with pytest.raises(InputError, match=r"ends in '\.h5': weights are read from"):
        read_weights(tmp_path / "weights.h5")


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3, "optimizer": {}}, {}, torch.ones(2)])
def test_a_file_without_tensors_by_name_says_what_it_holds(tmp_path, content):
    torch.save(content, tmp_path / "weights.pt")
    with pytest.raises(InputError, match="not tensors by name"):
        read_weights(tmp_path / "weights.pt")


@pytest.mark.parametrize("wrapper", ["state_dict", "model_state_dict", "model"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_wrapped_and_prefixed_weights_arrive_whole(tmp_path, wrapper, prefix):
    source, target = Net(), Net()
    state = {prefix + name: tensor for name, tensor in source.state_dict().items()}
    torch.save({wrapper: state, "epoch": 3}, tmp_path / "weights.pth")
    read, notes = read_weights(tmp_path / "weights.pth")
    fit = fit_weights(target, read, "weights.pth")
    assert all(torch.equal(a, b) for a, b in zip(source.parameters(), target.parameters(), strict=True))
    assert fit.has_head and wrapper in notes[0]
    assert (f"The prefix {prefix!r} of all keys was removed." in fit.notes) == bool(prefix)


def test_weights_that_do_not_fit_list_every_key_with_shapes():
    state = Net(width=5).state_dict()
    state["extra.weight"] = torch.zeros(1)
    del state["body.bias"]
    with pytest.raises(InputError) as caught:
        fit_weights(Net(), state, "file.pt")
    message = str(caught.value)
    assert "missing from the file: body.bias" in message
    assert "not in the network: extra.weight" in message
    assert "body.weight (5, 2) in the file, (4, 2) in the network" in message
    assert "file.pt does not fit the network" in message


def test_a_misfit_leaves_the_network_as_it_was():
    target = Net()
    before = target.body.weight.clone()
    state = {name: tensor + 1 for name, tensor in target.state_dict().items()} | {"extra": torch.zeros(1)}
    with pytest.raises(InputError):
        fit_weights(target, state, "file.pt")
    assert torch.equal(target.body.weight, before)


def test_a_head_on_one_side_only_is_left_out_with_a_note():
    without = fit_weights(Net(), Net(n_classes=None).state_dict(), "f")
    assert not without.has_head and "head.bias, head.weight left out" in without.notes[0]
    beyond = fit_weights(Net(n_classes=None), Net().state_dict(), "f")
    assert "head.bias, head.weight left out" in beyond.notes[0]


def test_hash_changes_with_any_bit_name_shape_or_dtype():
    base = Net()
    copy = Net()
    copy.load_state_dict(base.state_dict())
    assert hash_weights(base) == hash_weights(copy)
    with torch.no_grad():
        copy.body.weight[0, 0] = torch.nextafter(copy.body.weight[0, 0], torch.tensor(9.0))
    renamed, reshaped = nn.Module(), nn.Module()
    renamed.register_buffer("a", torch.zeros(2, 3))
    reshaped.register_buffer("a", torch.zeros(3, 2))
    other_name, other_type = nn.Module(), nn.Module()
    other_name.register_buffer("b", torch.zeros(2, 3))
    other_type.register_buffer("a", torch.zeros(2, 3, dtype=torch.int32))
    hashes = [hash_weights(module) for module in (base, copy, renamed, reshaped, other_name, other_type)]
    assert len(set(hashes)) == len(hashes)
