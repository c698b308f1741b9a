"""The cover of masked autoencoders: networks with inputs and all weights moved, random and trained."""

import math

import numpy as np
import pytest
import torch
from small_autoencoder import HEADS, arrays_of, digits, moved, small_model, spreads_at_norms

from carryover._core.errors import InputError
from carryover.bounds.perturbation import Change, WeightClass
from carryover.bounds.transformer_cover import TransformerCover, block_class, mae_cover

PATCH_RADIUS = 2.0  # four pixels in [0, 1]


def _distances(first, second, names):
    """||w - w'|| by the names of the classes, in the norm of each; heads are blocks of rows."""
    found = {}
    for name in names:
        full, rows = name, slice(None)
        if "[" in name:
            full, at = name.split("[")[0] + name.split("]")[1], int(name.split("[")[1].split("]")[0])
            size = len(first[full]) // HEADS
            rows = slice(at * size, (at + 1) * size)
        change = (first[full] - second[full])[rows]
        if "norm" in full and full.endswith("weight"):
            found[name] = float(np.abs(change).max())
        elif "token" in full:
            found[name] = float(np.linalg.norm(change))
        else:
            found[name] = float(np.linalg.norm(change.reshape(len(change), -1), 2))
    return found


def _block_ratios(model, size):
    """Largest observed change over the permitted one, for each block of the encoder."""
    ratios, generator = [], torch.Generator().manual_seed(0)
    for layer in model.vit.layers:
        other = moved(layer, size)
        inputs = torch.randn(6, 5, 16, generator=generator, dtype=torch.float64)
        inputs2 = inputs + size * torch.randn(inputs.shape, generator=generator, dtype=torch.float64)
        floors, output = spreads_at_norms(layer, lambda one, given=inputs: one(given, None))
        floors2, output2 = spreads_at_norms(other, lambda one, given=inputs2: one(given, None))
        first, second = (
            {f"b.{name}": array for name, array in arrays_of(one).items()} for one in (layer, other)
        )
        least = {f"b.{name}": min(floors[name], floors2[name]) for name in floors}
        change = block_class([first, second], "b", n_heads=HEADS, std_floors=least).change()
        moves = _distances(first, second, change.weights)
        permitted = change.input * float((inputs - inputs2).norm(dim=-1).max())
        permitted += sum(change.weights[name] * by for name, by in moves.items())
        ratios.append(float((output - output2).norm(dim=-1).max()) / permitted)
    return ratios


@pytest.mark.parametrize("size", [1e-4, 0.03, 0.5])
def test_blocks_with_random_weights(size):
    assert all(0 < ratio <= 1 for ratio in _block_ratios(small_model(steps=0), size))


def _worst_input_change(layer):
    """The change of five tokens that moves an output token most, over the block's constant: alternating maxima."""
    generator = torch.Generator().manual_seed(0)
    inputs, step = torch.randn(2, 1, 5, 16, generator=generator, dtype=torch.float64)
    floors, _ = spreads_at_norms(layer, lambda one: one(inputs, None))
    arrays = {f"b.{name}": array for name, array in arrays_of(layer).items()}
    named = {f"b.{name}": floor for name, floor in floors.items()}
    constant = block_class([arrays], "b", n_heads=HEADS, std_floors=named).change().input
    slopes = torch.autograd.functional.jacobian(lambda given: layer(given, None), inputs).reshape(5, 16, 80)
    for _ in range(50):
        step = step / step.norm(dim=-1, keepdim=True)
        outputs = slopes @ step.reshape(-1)
        largest = outputs.norm(dim=-1).argmax()
        step = (outputs[largest] @ slopes[largest]).reshape(1, 5, 16)
    return float(outputs.norm(dim=-1).max()) / constant


def test_half_of_a_blocks_constant_is_caught():
    """On random weights the worst small change of the input reaches nine tenths of what is permitted."""
    assert all(0.8 < _worst_input_change(layer) <= 1 for layer in small_model(steps=0).vit.layers)


def _predictions(model, other):
    """A cover that holds both networks, how far their weights are apart, and their predictions."""
    images, generator = digits(32), torch.Generator().manual_seed(3)
    noise = torch.rand(32, 16, generator=generator, dtype=torch.float64)
    floors, output = spreads_at_norms(model, lambda one: one(images, noise=noise).logits)
    floors2, output2 = spreads_at_norms(other, lambda one: one(images, noise=noise).logits)
    first, second = arrays_of(model), arrays_of(other)
    cover = mae_cover(
        [first, second],
        n_heads=HEADS,
        n_decoder_heads=HEADS,
        patch_radius=PATCH_RADIUS,
        std_floors={name: min(floors[name], floors2[name]) for name in floors},
    )
    moves = _distances(first, second, cover.classes)
    return cover, moves, float((output - output2).norm(dim=-1).max())


def _network_ratio(model, size):
    cover, moves, found = _predictions(model, moved(model, size))
    assert set(cover.change.weights) == set(cover.classes) and all(by > 0 for by in moves.values())
    return found / sum(cover.change.weights[name] * by for name, by in moves.items())


@pytest.mark.parametrize("size", [1e-4, 0.03, 0.5])
def test_whole_networks_with_random_weights(size):
    assert 0 < _network_ratio(small_model(steps=0), size) <= 1


@pytest.fixture(scope="module")
def trained():
    return small_model(steps=200)


def _loss(model):
    images, generator = digits(64), torch.Generator().manual_seed(5)
    with torch.no_grad():
        return float(model(images, noise=torch.rand(64, 16, generator=generator, dtype=torch.float64)).loss)


@pytest.mark.slow
@pytest.mark.parametrize("size", [1e-4, 0.03, 0.5])
def test_blocks_and_networks_after_training(trained, size):
    assert _loss(trained) < 0.75 * _loss(small_model(steps=0))
    assert all(0 < ratio <= 1 for ratio in _block_ratios(trained, size))
    assert 0 < _network_ratio(trained, size) <= 1


def test_every_weight_that_acts_is_counted():
    model = small_model(steps=0)
    cover = _cover(model)
    trained = sum(
        weight.numel()
        for name, weight in model.named_parameters()
        if "position" not in name and "pos_embed" not in name and not name.endswith("k_proj.bias")
    )
    assert cover.n_parameters == trained


def _cover(model=None, **given):
    arguments = {"n_heads": HEADS, "n_decoder_heads": HEADS, "patch_radius": PATCH_RADIUS, "eps": 1e-2}
    networks = given.pop("networks", None) or [arrays_of(model or small_model(steps=0))]
    return mae_cover(networks, **arguments | given)


def test_networks_of_one_cell_of_the_cover_predict_alike():
    """Weights moved by p_w / (P L_w) times the radius each: predictions differ by at most the radius."""
    model = small_model(steps=0)
    cover, _, _ = _predictions(model, model)
    radius, other = 0.1, moved(model, 1e-4)
    _, moves, _ = _predictions(model, other)
    share = {
        name: radius * cover.classes[name].count / (cover.n_parameters * cover.change.weights[name])
        for name in cover.classes
    }
    shrink = min(share[name] / moves[name] for name in share)
    inside = moved(model, 1e-4 * shrink)
    _, moves, found = _predictions(model, inside)
    assert all(moves[name] <= share[name] * 1.01 for name in share)
    assert 0 < found <= radius


def test_log_covering_number_by_hand():
    cover = TransformerCover(
        Change(1.0, {"a": 2.0, "b": 0.5}), {"a": WeightClass(3.0, 1.0, 10), "b": WeightClass(4.0, 4.0, 30)}
    )
    expected = 10 * math.log(1 + 4 * 1.0 * 2.0 * 40 / (0.1 * 10)) + 30 * math.log(
        1 + 4 * 4.0 * 0.5 * 40 / (0.1 * 30)
    )
    assert cover.log_covering_number(0.1) == pytest.approx(expected)
    assert cover.n_parameters == 40


def test_more_room_needs_a_larger_cover_and_more_examples_a_smaller_complexity():
    cover, start = _cover(), arrays_of(small_model(steps=0))
    assert cover.log_covering_number(0.1) > cover.log_covering_number(0.2)
    near = _cover(references={name: 0.9 * array for name, array in start.items()})
    assert near.log_covering_number(0.1) < cover.log_covering_number(0.1)
    wide = _cover(networks=[start, {name: 2 * array for name, array in start.items()}])
    assert wide.log_covering_number(0.1) > cover.log_covering_number(0.1)
    flat = _cover(eps=1e-8)
    assert flat.log_covering_number(0.1) > cover.log_covering_number(0.1)
    many, more = (cover.rademacher(n=n, lipschitz=1.0, loss_range=1.0) for n in (10**8, 10**9))
    assert 0 < more < many < 0.5 == cover.rademacher(n=100, lipschitz=1.0, loss_range=1.0)


def test_moving_scale_from_a_norm_to_the_next_matrix_changes_no_constant_of_its_block():
    start = arrays_of(small_model(steps=0))
    prefix = "vit.layers.0"
    other = dict(start)
    for name in (f"{prefix}.layernorm_after.weight", f"{prefix}.layernorm_after.bias"):
        other[name] = 4 * start[name]
    other[f"{prefix}.mlp.fc1.weight"] = start[f"{prefix}.mlp.fc1.weight"] / 4
    plain, changed = (block_class([one], prefix, n_heads=HEADS).change() for one in (start, other))
    assert changed.input == pytest.approx(plain.input)


def test_misuse_is_named():
    start = arrays_of(small_model(steps=0))
    odd = start | {"vit.layernorm.bias": np.ones(3)}
    broken = start | {"decoder.mask_token": np.full((1, 1, 16), np.nan)}
    empty = {name: array for name, array in start.items() if "vit.layers" not in name}
    typo, flat = {"vit.layernom": 1.0}, {"vit.layernorm": 0.0}
    for given, message in (
        ({"patch_radius": 0.0}, r"patch_radius must lie in \(0, inf\), got 0"),
        ({"eps": 0.0}, r"eps must lie in \(0, inf\), got 0"),
        ({"n_heads": 3}, r"heads must divide the width 16 of vit.layers.0, got 3"),
        ({"std_floors": typo}, r"names no layer norm by 'vit.layernom'; .*did you mean 'vit.layernorm'"),
        ({"std_floors": flat}, r"std_floors\['vit.layernorm'\] must lie in \(0, inf\), got 0"),
        ({"eps": 1e-130}, "overflows: give std_floors, or smaller weights"),
        ({"references": {}}, r"must hold vit.embeddings.patch_embeddings.projection.weight; there are: none"),
        ({"networks": [odd, start]}, r"vit.layernorm.bias must be finite and have one shape"),
        ({"networks": [broken]}, r"decoder.mask_token must be finite"),
        ({"networks": [empty]}, r"at least one block named vit.layers.0"),
    ):
        with pytest.raises(InputError, match=message):
            _cover(**given)
    with pytest.raises(InputError, match="networks must hold at least one network, got none"):
        mae_cover([], n_heads=1, n_decoder_heads=1, patch_radius=1.0)
    cover = _cover()
    with pytest.raises(InputError, match=r"radius must lie in \(0, inf\], got 0"):
        cover.log_covering_number(0.0)
    for name, value in (("n", 0), ("lipschitz", 0.0), ("loss_range", 0.0)):
        with pytest.raises(InputError, match=f"{name} must lie in"):
            cover.rademacher(**{"n": 5, "lipschitz": 1.0, "loss_range": 1.0} | {name: value})
