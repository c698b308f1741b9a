"""A small masked autoencoder in double precision, its state as arrays, and the spread at its layer norms."""

import copy

import numpy as np
import torch
from sklearn.datasets import load_digits

from carryover.objectives.mae import vit_mae

HEADS = 2


def digits(n):
    return torch.tensor(load_digits().images[:n, None] / 16.0, dtype=torch.float64)


def small_model(*, steps, seed=0):
    """A ViTMAE on 8 x 8 digits, trained for ``steps`` steps of Adam."""
    model = vit_mae(
        image_size=8,
        patch_size=2,
        channels=1,
        width=16,
        depth=2,
        heads=HEADS,
        decoder_width=16,
        decoder_depth=1,
        decoder_heads=HEADS,
        normalize_patches=False,
        seed=seed,
    ).model.double()
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(seed)
    images = digits(400)
    for _ in range(steps):
        rows = torch.randint(len(images), (64,), generator=generator)
        loss = model(images[rows], noise=torch.rand(64, 16, generator=generator, dtype=torch.float64)).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return model.eval()


def arrays_of(module):
    return {name: value.detach().numpy() for name, value in module.state_dict().items()}


def moved(module, size, seed=1):
    """A copy with every trained weight moved by ``size`` times its root mean square (at least .02), at random."""
    other, generator = copy.deepcopy(module), torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in other.named_parameters():
            if "position" in name or "pos_embed" in name:
                continue
            scale = max(float(weight.square().mean().sqrt()), 0.02)
            weight += size * scale * torch.randn(weight.shape, generator=generator, dtype=torch.float64)
    return other


def spreads_at_norms(module, run):
    """By name of a layer norm, the least sqrt(variance + eps) of its inputs while ``run`` runs the module."""
    found, hooks = {}, []
    for name, layer in module.named_modules():
        if isinstance(layer, torch.nn.LayerNorm):

            def look(layer, given, name=name):
                spread = float((given[0].var(dim=-1, unbiased=False) + layer.eps).sqrt().min())
                found[name] = min(spread, found.get(name, np.inf))

            hooks.append(layer.register_forward_pre_hook(look))
    with torch.no_grad():
        output = run(module)
    for hook in hooks:
        hook.remove()
    return found, output
