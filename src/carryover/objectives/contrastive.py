"""Contrastive pretraining of an encoder on two views of every image: SimCLR's and the spectral loss."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.objectives.keyed import Key
from carryover.objectives.simclr import nt_xent
from carryover.objectives.spectral import spectral_contrastive
from carryover.objectives.views import Views
from carryover.training.precision import in_full
from carryover.training.processes import ALONE, Processes

LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"simclr": nt_xent, "spectral": spectral_contrastive}


class TwoViews(nn.Module):
    """The loss of the projections of two views of each image.

    ``encoder`` maps normalised images to features (b, d), ``projector`` features to projections, and is left behind
    after pretraining.  ``normalize`` is applied after the views are drawn.  The loss couples the examples
    of a batch: a smaller micro-batch is another loss, and the batch that several processes share is taken as one.
    """

    couples_batch = True

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module,
        *,
        loss: str = "simclr",
        views: Views | None = None,
        normalize: nn.Module | None = None,
        temperature: float = 0.5,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise InputError(f"loss must be one of {tuple(LOSSES)}, got {loss!r}")
        if not temperature > 0.0:
            raise InputError(f"temperature must be > 0, got {temperature:g}")
        self.encoder, self.projector = encoder, projector
        self.name, self.views, self.temperature = loss, views or Views(), temperature
        self.normalize = normalize or nn.Identity()

    def loss(self, images: Tensor, key: Key, processes: Processes = ALONE) -> Tensor:
        views = torch.cat([self.views.draw(images, key, name) for name in ("first view", "second view")])
        projections, full = in_full(self.projector(self.encoder(self.normalize(views))))
        with full:
            first, second = (processes.rows(view) for view in projections.chunk(2))
            if self.name == "simclr":
                return nt_xent(first, second, temperature=self.temperature)
            return LOSSES[self.name](first, second)

    def losses(self, images: Tensor, key: Key) -> Tensor:
        raise InputError(
            f"the {self.name} loss couples the examples of a batch: there is no loss of one example"
        )

    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(self.normalize(images))


def projection_head(width: int, *, hidden: int | None = None, out: int = 128) -> nn.Module:
    """Linear, batch norm, ReLU, linear: SimCLR's head."""
    hidden = hidden or width
    return nn.Sequential(
        nn.Linear(width, hidden, bias=False), nn.BatchNorm1d(hidden), nn.ReLU(), nn.Linear(hidden, out)
    )
