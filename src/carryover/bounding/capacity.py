"""What a pretraining run's loss owes to its network's class: norms of dense layers, or a transformer's cover."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import nn

from carryover._core.checks import check_range
from carryover._core.results import Status
from carryover.bounds.capacity import network_rademacher, spectral_complexity
from carryover.bounds.transformer_cover import mae_cover
from carryover.objectives.building import build_objective
from carryover.objectives.finished import FinishedRun, open_run

_SHOWN_RADIUS = 0.1
NO_CAPACITY = (
    "its network is neither a masked autoencoder nor made of dense layers, and no capacity is derived for it"
)
NO_LOSSES = "only the encoder's folder is at hand, not that of its run, which says from which seed it started"


@dataclass(frozen=True)
class RunCapacity:
    """Rademacher complexity of the losses, clipped at ``loss_range``, of the class of a run's network on its n images.

    ``complexity``: the spectral complexity of Bartlett et al. (``measure`` "spectral"), or ln N(.1), the logarithm
    of the covering number of predictions at radius .1 ("covering").  ``vacuous``: ``rademacher`` is half of the
    range, which any class has.  Norms are those of the trained weights, distances from the weights that training
    started from, and inputs as large as normalised pixels can be.
    """

    measure: str | None
    complexity: float | None
    rademacher: float | None
    n: int
    loss_range: float
    vacuous: bool | None
    status: Status = "ok"
    reason: str | None = None


def capacity_of_run(folder: str | Path, *, loss_range: float = 1.0) -> RunCapacity:
    """:class:`RunCapacity` of the run in ``folder``; not applicable to networks for which nothing is derived.

    The class is that of networks no larger than this one, which training has chosen: a bound on the pretraining loss
    pays for that choice as well (:func:`carryover.bounds.capacity.spectral_bound`).  Raises InputError for a folder
    without a finished run and a ``loss_range`` that is not positive.
    """
    check_range("loss_range", loss_range, 0, math.inf, open_low=True, open_high=True)
    run = open_run(folder)
    n = len(run.seen["train"])
    if run.losses is None:
        return RunCapacity(None, None, None, n, loss_range, None, "not_applicable", NO_LOSSES)
    if run.record.objective.kind == "mae":
        return _covering(run, n, loss_range)
    layers = _dense_layers(run.encoder.objective)
    if layers is None:
        return RunCapacity(None, None, None, n, loss_range, None, "not_applicable", NO_CAPACITY)
    return _spectral(run, layers, n, loss_range)


def _started_from(run: FinishedRun) -> nn.Module:
    """The objective with the random weights that training started from."""
    record = run.record
    return build_objective(
        record.objective, record.size, mean=record.mean, std=record.std, seed=run.losses.seed
    )


def _largest_pixel(run: FinishedRun) -> float:
    """The largest size of a normalised pixel in [0, 1]."""
    pairs = zip(run.record.mean, run.record.std, strict=True)
    return max(max(abs(0.0 - mean), abs(1.0 - mean)) / std for mean, std in pairs)


def _dense_layers(objective: nn.Module) -> list[nn.Linear] | None:
    """The linear layers of encoder and decoder, in their order; None where there is another kind of weight."""
    modules = (
        [*objective.encoder.modules(), *objective.decoder.modules()] if hasattr(objective, "decoder") else []
    )
    layers = [module for module in modules if isinstance(module, nn.Linear)]
    held = sum(weight.numel() for layer in layers for weight in layer.parameters())
    whole = sum(weight.numel() for weight in objective.parameters())
    return layers if layers and held == whole else None


def _with_bias(layers: list[nn.Linear]) -> list[Float[np.ndarray, "out in"]]:
    """Matrices that act on a constant 1 as well, and hand it on to the next layer."""
    matrices = []
    for at, layer in enumerate(layers):
        weight, bias = (value.detach().double().numpy() for value in (layer.weight, layer.bias))
        matrix = np.hstack([weight, bias[:, None]])
        if at < len(layers) - 1:
            matrix = np.vstack([matrix, np.eye(1, matrix.shape[1], matrix.shape[1] - 1)])
        matrices.append(matrix)
    return matrices


def _spectral(run: FinishedRun, layers: list[nn.Linear], n: int, loss_range: float) -> RunCapacity:
    pixels = run.record.size.numbers
    complexity = spectral_complexity(
        _with_bias(layers), references=_with_bias(_dense_layers(_started_from(run)))
    )
    longest = math.sqrt(pixels * _largest_pixel(run) ** 2 + 1)
    rademacher = network_rademacher(
        complexity,
        input_norm=math.sqrt(n) * longest,
        n=n,
        # A mean square over q outputs, clipped at B, moves by at most 2 sqrt(B / q) times their change.
        lipschitz=2 * math.sqrt(loss_range / _predicted(run)),
        loss_range=loss_range,
    )
    return RunCapacity(
        "spectral", complexity.value, rademacher, n, loss_range, rademacher >= loss_range / 2 - 1e-12
    )


def _predicted(run: FinishedRun) -> int:
    """How many numbers an example's squared error is the mean of."""
    spec, size = run.record.objective, run.record.size
    if spec.kind == "context_encoder":
        return (spec.region or size.height // 2) ** 2 * size.channels
    return size.numbers


def _covering(run: FinishedRun, n: int, loss_range: float) -> RunCapacity:
    spec = run.record.objective
    patch = spec.patch_size**2 * run.record.size.channels
    states = [
        {name: value.detach().double().numpy() for name, value in objective.model.state_dict().items()}
        for objective in (run.encoder.objective, _started_from(run))
    ]
    cover = mae_cover(
        states[:1],
        n_heads=spec.heads,
        n_decoder_heads=spec.decoder_heads,
        patch_radius=math.sqrt(patch) * _largest_pixel(run),
        eps=run.encoder.objective.model.config.layer_norm_eps,
        references=states[1],
    )
    rademacher = cover.rademacher(n=n, lipschitz=2 * math.sqrt(loss_range / patch), loss_range=loss_range)
    return RunCapacity(
        "covering",
        cover.log_covering_number(_SHOWN_RADIUS),
        rademacher,
        n,
        loss_range,
        rademacher >= loss_range / 2 - 1e-12,
    )
