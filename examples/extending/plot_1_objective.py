"""
A pretraining objective of your own
===================================

An objective is an ``nn.Module`` with an ``encoder``, a ``loss`` of a batch, the ``losses`` of its examples, and
``encode``, which gives features (``carryover.objectives.base.Objective``). This one turns each image by 0, 90,
180 or 270 degrees and predicts by how much (Gidaris, Singh and Komodakis, ICLR 2018).
"""

# %%
# All randomness comes from the ``key`` of the batch's examples, so that an image is turned in the same way
# whatever batch or process it lands in, and a run that was stopped goes on as if it had not been.
import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from carryover.measures.ridge_loo import ridge_loo
from carryover.models.encoders import ImageSize, build_encoder, n_features
from carryover.models.seeding import seeded_torch
from carryover.objectives.base import Objective
from carryover.objectives.keyed import Key
from carryover.training.loop import LoopOptions, LoopSpec, train


class Rotation(nn.Module):
    """The cross-entropy of which quarter turn was made; images (b, c, h, h)."""

    couples_batch = False  # the loss of an image does not depend on the others of its batch

    def __init__(self, encoder: nn.Module, features: int) -> None:
        super().__init__()
        self.encoder, self.head = encoder, nn.Linear(features, 4)

    def loss(self, images: Tensor, key: Key) -> Tensor:
        return self.losses(images, key).mean()

    def losses(self, images: Tensor, key: Key) -> Tensor:
        turns = key.integers("rotation", 1, below=4)[:, 0]
        turned = torch.stack(
            [image.rot90(int(by), dims=(1, 2)) for image, by in zip(images, turns, strict=True)]
        )
        return cross_entropy(self.head(self.encoder(turned)), turns, reduction="none")

    def encode(self, images: Tensor) -> Tensor:
        return self.encoder(images)


def new_objective(seed: int) -> Rotation:
    """With random weights, the same for the same seed."""
    size = ImageSize(8, 8, 1)
    encoder = build_encoder("convolutional", size, width=48, seed=seed)
    with seeded_torch(seed + 1):
        return Rotation(encoder, n_features(encoder, size))


# %%
# The library's loop trains it, here on 1,200 digits without their labels. The probe is the leave-one-out
# accuracy of a ridge on 100 labelled digits that were not among them; the untrained network has to be beaten.
STEPS = globals().get("STEPS", 300)  # the tests take fewer
digits = load_digits()
images = torch.from_numpy(digits.images / 16.0).float()[:, None]
pool, probed, labels = images[:1200], images[1200:1300], digits.target[1200:1300]


def probe(objective: Rotation) -> float:
    """Leave-one-out accuracy of a ridge probe on the features of the labelled digits."""
    with torch.no_grad():
        return ridge_loo(objective.eval().encode(probed).numpy(), labels, n_classes=10).raise_if_failed()


accuracies = {"untrained": [], "rotation": []}
for seed in range(3):
    objective = new_objective(seed)
    assert isinstance(objective, Objective)  # it has all that the library asks for
    accuracies["untrained"].append(probe(objective))
    curve = []
    train(
        objective,
        lambda rows, step, objective=objective, seed=seed: (
            objective.loss(pool[rows], Key(seed, step, rows)),
            {},
        ),
        n_examples=len(pool),
        spec=LoopSpec(steps=STEPS, batch_size=64, learning_rate=3e-3, seed=seed),
        options=LoopOptions(log_every=10, progress=curve.append),
    )
    accuracies["rotation"].append(probe(objective))
for name, values in accuracies.items():
    print(name, [round(float(value), 2) for value in values])

# %%
# Left: the loss of the last run, against log 4, which guessing costs: the turns are learned. Right: the probe,
# a line for each seed. The features are no better than those of the untrained network, so for this task the
# objective carries nothing over; random convolutions are hard to beat on images of 8 x 8 pixels.
figure, axes = plt.subplots(1, 2, figsize=(8, 3), layout="constrained")
axes[0].plot([row["step"] for row in curve], [row["loss"] for row in curve], color="#0072b2")
axes[0].axhline(torch.log(torch.tensor(4.0)).item(), color="#888888", linestyle="dashed")
axes[0].set(xlabel="step", ylabel="loss of a batch", ylim=(0, None))
for pair in zip(*accuracies.values(), strict=True):
    axes[1].plot([0, 1], pair, "o-", color="#0072b2")
axes[1].set(
    xticks=[0, 1], xticklabels=list(accuracies), ylabel="probe accuracy, 100 labels", xlim=(-0.4, 1.4)
)
for axis in axes:
    axis.grid(color="#e6eaee")
plt.show()

# %%
# To make it a ``kind`` of ``carryover pretrain``, see :doc:`/extending`.
