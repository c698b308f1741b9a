"""Contrastive pretraining as Arora et al. (ICML 2019) analyse it, where similar examples are views of one image."""

import torch
from torch import Tensor, nn

from carryover._core.errors import InputError
from carryover.objectives.curl import LOSSES, Loss, margin_loss
from carryover.objectives.keyed import Key
from carryover.objectives.views import Views
from carryover.training.precision import in_full
from carryover.training.processes import ALONE, Processes


class CurlViews(nn.Module):
    """loss(f(x)^T (f(x+) - f(x-_1)), ..., f(x)^T (f(x+) - f(x-_k))) of the images of a batch.

    x is one view of an image; f(x+) is the mean of ``block`` more views of it, f(x-_i) that of another image of the
    batch.  ``negatives`` others (k) are drawn for each image, all subsets alike, as a function of the key.
    ``encoder`` maps normalised images to features (b, d), ``projector`` features to f; the theory speaks of f
    itself, so for its bounds take the identity.  The loss couples the examples of a batch: a smaller micro-batch is
    another loss, and the batch that several processes share is taken as one.  Raises InputError for a batch of no more
    than k images.
    """

    couples_batch = True

    def __init__(
        self,
        encoder: nn.Module,
        projector: nn.Module | None = None,
        *,
        negatives: int = 1,
        block: int = 1,
        loss: Loss = "logistic",
        views: Views | None = None,
        normalize: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if loss not in LOSSES:
            raise InputError(f"curl_loss must be one of {LOSSES}, got {loss!r}")
        if negatives < 1 or block < 1:
            raise InputError(f"negatives and block must be >= 1, got {negatives} and {block}")
        self.encoder, self.projector = encoder, projector or nn.Identity()
        self.negatives, self.block, self.name = negatives, block, loss
        self.views, self.normalize = views or Views(), normalize or nn.Identity()

    def loss(self, images: Tensor, key: Key, processes: Processes = ALONE) -> Tensor:
        drawn = drawn_negatives(Key(key.seed, key.step, processes.rows(key.ids)), self.negatives)
        names = ["anchor view", *(f"similar view {place}" for place in range(self.block))]
        views = torch.cat([self.views.draw(images, key, name) for name in names])
        features, full = in_full(self.projector(self.encoder(self.normalize(views))))
        with full:
            anchor, *similar = features.chunk(len(names))
            products = processes.rows(anchor) @ processes.rows(torch.stack(similar).mean(dim=0)).T
            margins = products.diagonal()[:, None] - products.gather(1, drawn)
            return margin_loss(margins, loss=self.name)

    def losses(self, images: Tensor, key: Key) -> Tensor:
        raise InputError("the curl loss couples the examples of a batch: there is no loss of one example")

    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(self.normalize(images))


def drawn_negatives(key: Key, negatives: int) -> Tensor:
    """Positions (b, negatives) in the batch of each example's negatives: distinct, and never the example itself.

    Every subset of the others is as likely; which one is a function of the step and the ids in the batch,
    not of their order.
    """
    b = len(key.ids)
    if negatives >= b:
        raise InputError(
            f"negatives must be at most {b - 1}, the other images of a batch of {b}, got {negatives}: "
            "take fewer, or a larger batch"
        )
    order = key.ids.argsort()
    rank = order.argsort()
    if (key.ids[order].diff() == 0).any():
        raise InputError("an image stands twice in the batch: its copy would be drawn as its own negative")
    steps = 1 + key.uniform("curl negatives", b - 1).argsort(dim=1, stable=True)[:, :negatives]
    return order[(rank[:, None] + steps) % b]
