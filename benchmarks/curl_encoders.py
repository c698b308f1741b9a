"""Encoders for the check of the contrastive bound, and their unit features of CIFAR-100's test images.

Two small residual networks are trained with the library's contrastive loss on tuples of CIFAR-100's 100 classes
(training split), with blocks of 1 and of 5; the third encoder is the longest SimCLR run of the family.
"""

from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from validate_pretraining import labelled

from carryover.models.backbones import CifarResNet
from carryover.models.seeding import seeded_torch
from carryover.objectives.curl import curl_loss
from carryover.objectives.curl_pairs import ClassTuples
from carryover.objectives.keyed import Key
from carryover.objectives.saved import encode_in_batches, load_encoder

STEPS, IMAGES_A_STEP, WIDTH, RATE = 300, 384, 64, 2e-3
BLOCKS = (1, 5)
SIMCLR = "simclr-560-none-0"
CIFAR100_MEAN, CIFAR100_STD = (0.507, 0.487, 0.441), (0.267, 0.256, 0.276)


class UnitFeatures(nn.Module):
    """uint8 images (n, 3, 32, 32) to features (n, 64) of length 1: R = 1."""

    def __init__(self, *, seed: int) -> None:
        super().__init__()
        with seeded_torch(seed):
            self.network = CifarResNet(1, WIDTH, width=WIDTH)
        self.register_buffer("mean", torch.tensor(CIFAR100_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(CIFAR100_STD).view(1, 3, 1, 1))

    def forward(self, pixels: Tensor) -> Tensor:
        return functional.normalize(
            self.network((pixels.to(torch.float32) / 255.0 - self.mean) / self.std), dim=1
        )


def _loss(encoder: UnitFeatures, pixels: Tensor, tuples: ClassTuples, *, step: int) -> Tensor:
    batch = IMAGES_A_STEP // (2 * tuples.block + 1)
    drawn = tuples.draw(Key(tuples.block, step, torch.arange(batch)))
    rows = torch.cat([drawn.anchor, drawn.positives.flatten(), drawn.negatives.flatten()])
    anchor, positive, negative = encoder(pixels[rows]).split(
        [batch, batch * tuples.block, batch * tuples.block]
    )
    blocks = batch, tuples.block, WIDTH
    return curl_loss(anchor, positive.view(blocks), negative.view(blocks)[:, None], loss="logistic")


def trained(folder: Path, block: int) -> UnitFeatures:
    """The encoder trained with blocks of that size; kept in ``folder``."""
    encoder, path = UnitFeatures(seed=block), folder / f"curl_block_{block}.pt"
    if not path.exists():
        folder.mkdir(parents=True, exist_ok=True)
        pixels, labels = labelled("cifar100", "train", image="img", label="fine_label")
        tuples = ClassTuples(labels, block=block)
        optimizer = torch.optim.AdamW(encoder.parameters(), lr=RATE, weight_decay=1e-4)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
        for step in range(STEPS):
            loss = _loss(encoder, pixels, tuples, step=step)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            if step % 50 == 0 or step == STEPS - 1:
                print(f"    blocks of {block}, step {step}: loss {float(loss.detach()):.3f}", flush=True)
        torch.save(encoder.state_dict(), path)
    encoder.load_state_dict(torch.load(path, weights_only=True))
    return encoder.eval().requires_grad_(False)


def test_features(folder: Path, runs: Path) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """By encoder, features (5,000, d) of length 1 of CIFAR-100's test images; and their fine classes.

    SimCLR's features are centred by their mean over CIFAR-10's test images first.
    """
    pixels, labels = labelled("cifar100", "test", image="img", label="fine_label")
    found = {}
    for block in BLOCKS:
        encoder = trained(folder, block)
        parts = [encoder(part) for part in pixels.split(256)]
        found[f"class pairs, blocks of {block}"] = torch.cat(parts)
    if (runs / SIMCLR / "result.json").exists():
        simclr = load_encoder(runs / SIMCLR)
        other, _ = labelled("cifar10", "test", image="img", label="label")
        mean = encode_in_batches(simclr, other[:5_000]).mean(dim=0)
        found["SimCLR, CIFAR-10"] = functional.normalize(encode_in_batches(simclr, pixels) - mean, dim=1)
    return {name: part.numpy().astype(np.float64) for name, part in found.items()}, labels.numpy()
