"""What is measured of one encoder of the DHZM24 experiments: probe, RadReg of the pool, terms of the bound."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from carryover._core.seeding import derive_generator, derive_seed
from carryover.experiments.entries.dhzm.targets import Drawn
from carryover.experiments.rows import Row
from carryover.measures.heterogeneity import total_variation_lower_bound
from carryover.measures.rademacher import rademacher_complexity
from carryover.measures.ridge import RidgePath, fit_ridge_path
from carryover.objectives.base import Objective
from carryover.objectives.keyed import Key
from carryover.objectives.pool import pool_penalty
from carryover.objectives.regularizers import Regularizer

LIPSCHITZ = float(np.sqrt(2)) / 4
"""Of the soft error 1 - softmax(s)_y in the 2-norm of the scores: |p_y (e_y - p)| <= sqrt 2 p_y (1 - p_y)."""
N_DRAWS, _BATCH, _MASKED_STEP = 100, 256, -2  # masks that neither training nor the measured loss has seen


@torch.no_grad()
def features_of(objective: Objective, pixels: Tensor) -> Float[np.ndarray, "n d"]:
    """Features, float64, of whole uint8 images (n, c, h, w), as a probe sees them."""
    parts = [objective.encode(_floats(part, objective)).cpu() for part in pixels.split(_BATCH)]
    return torch.cat(parts).numpy().astype(np.float64)


@torch.no_grad()
def features_in_pretraining(objective: Objective, pixels: Tensor, *, seed: int) -> Float[np.ndarray, "n d"]:
    """Features of the images as pretraining shows them: masked, with a hole, noisy, or the first of two views."""
    parts = []
    for rows in torch.arange(len(pixels)).split(_BATCH):
        images = _floats(pixels[rows], objective)
        parts.append(_seen(objective, images, Key(seed, _MASKED_STEP, rows.to(images.device))).cpu())
    return torch.cat(parts).numpy().astype(np.float64)


def _seen(objective: Objective, images: Tensor, key: Key) -> Tensor:
    if hasattr(objective, "encode_masked"):
        return objective.encode_masked(images, key)
    seen: list[Tensor] = []
    handle = objective.encoder.register_forward_hook(lambda _, __, output: seen.append(output))
    try:
        objective.loss(images, key)
    finally:
        handle.remove()
    return seen[0][: len(images)]  # of two views, the first


def _floats(pixels: Tensor, objective: Objective) -> Tensor:
    device = next(objective.parameters()).device
    return pixels.to(device).to(torch.float32) / 255.0


def probe_columns(features: dict[str, np.ndarray], drawn: Drawn) -> tuple[Row, RidgePath]:
    """Accuracy of the ridge probe on validation and test rows, its soft error 1 - p_y there; and the probe.

    ``features`` (n, d) of the parts "labels", "validation" and "test".
    """
    path = fit_ridge_path(features["labels"], drawn.labels.codes, n_classes=drawn.n_classes)
    right = {
        name: float(np.mean(path.predict_scores(features[name]).argmax(axis=1) == part.codes))
        for name, part in (("validation", drawn.validation), ("test", drawn.test))
    }
    codes = drawn.test.codes
    of_label = path.predict_probabilities(features["test"])[np.arange(len(codes)), codes]
    row = {"probe_accuracy": right["test"], "probe_validation": right["validation"]}
    return {**row, "soft_error": float(np.mean(1.0 - of_label))}, path


def radreg_columns(objective: Objective, pool: Tensor, *, seed: int) -> Row:
    """RadReg of the whole pool for heads of norm 1, and that over the root mean square of the features."""
    batches = (
        (_floats(pool[rows], objective), rows.to(next(objective.parameters()).device))
        for rows in torch.arange(len(pool)).split(_BATCH)
    )
    found = pool_penalty(
        Regularizer("radreg", n_draws=N_DRAWS),
        objective,
        batches,
        seed=derive_seed(seed, "pool report") % 2**63,
    )
    return {"radreg": found.estimate.value, "normalized_radreg": found.normalized.value}


def term_columns(features: dict[str, np.ndarray], path: RidgePath, *, n_classes: int, seed: int) -> Row:
    """Terms of the bound for the soft error, B = 1 and G = sqrt 2 / 4.

    - ``head_norm``: of the probe's head with its intercept, over its temperature, on features of unit mean square
    - ``complexity``: 2 sqrt 2 G Rad_n at the labelled inputs for heads of that norm
    - ``total_variation``: what a linear test separates between pretraining images ("source") and the target's
      ("test"), whole images; ``view_variation``: between what pretraining saw ("view") and the target's; ``..._low``:
      lower limits at 95 %
    """
    scale = float(np.sqrt(np.mean(features["labels"] ** 2))) or 1.0
    offsets = path.intercept - path.intercept.mean()  # the softmax does not see what all classes share
    length = np.sum((path.coefficients * scale) ** 2) + np.sum(offsets**2)
    norm = float(np.sqrt(length) / path.temperature)
    rows = np.concatenate([features["labels"] / scale, np.ones((len(features["labels"]), 1))], axis=1)
    unit = rademacher_complexity(rows, n_outputs=n_classes, generator=derive_generator(seed, "term signs"))
    row: Row = {"head_norm": norm, "complexity": 2 * np.sqrt(2) * LIPSCHITZ * norm * unit.estimate.value}
    for name, source in (("total_variation", "source"), ("view_variation", "view")):
        found = total_variation_lower_bound(
            features[source], features["test"], generator=derive_generator(seed, name)
        )
        row |= {name: found.estimate.value, f"{name}_low": found.lower}
    return {key: None if value is None else float(value) for key, value in row.items()}
