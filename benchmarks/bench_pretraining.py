"""Pretraining steps beside the bare model's, beside images decoded and transformed one by one, and RadReg's price.

Single-threaded, in seconds of this process's processor time: other work on the machine does not count.
"""

import io
from collections.abc import Callable, Iterable, Sequence
from time import process_time

import numpy as np
import torch
from harness import Row, interleaved
from PIL import Image, ImageEnhance
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from transformers import ViTMAEForPreTraining

from carryover.objectives.base import Objective
from carryover.objectives.building import build_objective
from carryover.objectives.contrastive import TwoViews
from carryover.objectives.keyed import Key
from carryover.objectives.regularizers import Regularizer
from carryover.objectives.simclr import nt_xent
from carryover.objectives.specs import ObjectiveSpec
from carryover.pretraining.data import ImageSet, RunData
from carryover.pretraining.phase import PretrainingLoss
from carryover.pretraining.specs import DataSpec, PretrainSpec, TrainSpec
from carryover.training.loop import LoopOptions, LoopSpec, train

N, BATCH, STEPS, REPEATS = 1024, 64, 3, 7
RATE, DECAY, BETAS = 1e-3, 0.05, (0.9, 0.95)
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
VIT_TINY = ObjectiveSpec("mae", width=192, depth=12, heads=3, decoder_depth=4, patch_size=4)
RESNET = ObjectiveSpec("simclr", encoder="resnet20")


def _data(pixels: np.ndarray) -> RunData:
    """uint8 images in memory, the same ones to pretrain on and downstream."""
    tensor = torch.from_numpy(pixels).permute(0, 3, 1, 2).contiguous()
    images = ImageSet("benchmark", tensor, tuple(map(str, range(len(tensor)))))
    return RunData(images, None, images, MEAN, STD)


def _built(spec: ObjectiveSpec, data: RunData) -> Objective:
    return build_objective(spec, data.train.size, mean=MEAN, std=STD, seed=0)


def _loss(
    objective: Objective, data: RunData, regularizer: Regularizer | None = None, pool: int = BATCH
) -> PretrainingLoss:
    """The loss that ``carryover pretrain`` trains on."""
    spec = PretrainSpec(
        DataSpec("in memory"),
        VIT_TINY,
        TrainSpec(downstream_batch=pool),
        regularizer or Regularizer(),
        DataSpec("in memory"),
    )
    return PretrainingLoss(objective, data, spec)


def _steps(objective: Objective, loss: PretrainingLoss) -> None:
    """The training loop itself, from a new optimizer on."""
    spec = LoopSpec(STEPS, BATCH, RATE, weight_decay=DECAY, betas=BETAS)
    train(objective, loss, penalty=loss.penalty, n_examples=N, spec=spec, options=LoopOptions())


def _bare(model: ViTMAEForPreTraining, batch: Tensor) -> None:
    """Forward, backward and AdamW on one batch that lies ready, from a new optimizer on."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=RATE, weight_decay=DECAY, betas=BETAS)
    for _ in range(STEPS):
        optimizer.zero_grad()
        model(batch).loss.backward()
        optimizer.step()


def _beside_the_bare_model(data: RunData) -> Row:
    objective, twin = _built(VIT_TINY, data), _built(VIT_TINY, data)
    batch = twin.normalize(data.train.floats(torch.arange(BATCH)))
    loss = _loss(objective, data)
    bare, ours, ratio = interleaved(
        lambda: _bare(twin.model, batch), lambda: _steps(objective, loss), REPEATS
    )
    rates = [STEPS * BATCH / taken for taken in (ours, bare)]
    return Row(
        "masked autoencoder's step / bare forward, backward and AdamW on a resident batch, ViT-Tiny, 64 images 32x32",
        round(ratio, 3),
        "x throughput",
        ">= .95",
        ratio >= 0.95,
        f"{rates[0]:.1f} and {rates[1]:.1f} images a processor second",
    )


class _Files(Dataset):
    """PNG files in memory, opened and transformed one by one."""

    def __init__(self, pixels: np.ndarray, transform: Callable[[Image.Image], Tensor]) -> None:
        self.files, self.transform = [_encoded(image) for image in pixels], transform

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, position: int) -> Tensor:
        return self.transform(Image.open(io.BytesIO(self.files[position])).convert("RGB"))


def _encoded(image: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, format="PNG")
    return file.getvalue()


def _as_tensor(image: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1).to(torch.float32) / 255.0


class _TwoPillowViews:
    """SimCLR's crop, flip, colours and grey as image libraries do them, twice."""

    def __init__(self) -> None:
        self.generator = np.random.default_rng(0)

    def __call__(self, image: Image.Image) -> Tensor:
        return torch.stack([_as_tensor(self._view(image)) for _ in range(2)])

    def _view(self, image: Image.Image) -> Image.Image:
        draw = self.generator.random(10)
        area, aspect = 0.2 + 0.8 * draw[0], np.exp((2 * draw[1] - 1) * np.log(4 / 3))
        width, height = min(1.0, np.sqrt(area * aspect)) * 32, min(1.0, np.sqrt(area / aspect)) * 32
        left, top = draw[2] * (32 - width), draw[3] * (32 - height)
        image = image.resize((32, 32), Image.Resampling.BILINEAR, box=(left, top, left + width, top + height))
        if draw[4] < 0.5:
            image = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        for change, number in zip(
            (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color), draw[5:8], strict=True
        ):
            image = change(image).enhance(0.6 + 0.8 * number)
        return image.convert("L").convert("RGB") if draw[8] < 0.2 else image


class _OneByOne:
    """The same loss on batches that a loader puts together image by image."""

    def __init__(self, files: _Files, of_batch: Callable[[Tensor, Tensor, int], Tensor]) -> None:
        self.files, self.of_batch = files, of_batch

    def __call__(self, positions: Tensor, step: int) -> tuple[Tensor, dict[str, Tensor]]:
        loader = DataLoader(self.files, batch_size=len(positions), sampler=positions.tolist())
        loss = self.of_batch(next(iter(loader)), positions, step)
        return loss, {"pretraining_loss": loss}


def _masked_one_by_one(data: RunData, pixels: np.ndarray) -> Row:
    objective, other = _built(VIT_TINY, data), _built(VIT_TINY, data)
    loss = _loss(objective, data)
    theirs = _OneByOne(
        _Files(pixels, _as_tensor), lambda images, rows, step: other.loss(images, Key(0, step, rows))
    )
    return _against_loader("masked autoencoder's step, ViT-Tiny", (objective, loss), (other, theirs))


def _contrastive_one_by_one(data: RunData, pixels: np.ndarray) -> Row:
    objective, other = _built(RESNET, data), _built(RESNET, data)
    loss = _loss(objective, data)

    def of_batch(views: Tensor, _: Tensor, __: int) -> Tensor:
        return _two_view_loss(other, views.transpose(0, 1).flatten(0, 1))

    theirs = _OneByOne(_Files(pixels, _TwoPillowViews()), of_batch)
    return _against_loader("SimCLR's step, ResNet-20", (objective, loss), (other, theirs))


def _two_view_loss(objective: TwoViews, views: Tensor) -> Tensor:
    first, second = objective.projector(objective.encoder(objective.normalize(views))).chunk(2)
    return nt_xent(first, second, temperature=objective.temperature)


def _against_loader(name: str, ours: Sequence, theirs: Sequence) -> Row:
    slow, fast, ratio = interleaved(lambda: _steps(*theirs), lambda: _steps(*ours), REPEATS, process_time)
    rates = [STEPS * BATCH / taken for taken in (fast, slow)]
    return Row(
        f"{name} / the same step on PNG images that a loader decodes and transforms one by one with Pillow",
        round(ratio, 3),
        "x throughput",
        ">= 1",
        ratio >= 1.0,
        f"{rates[0]:.1f} and {rates[1]:.1f} images a processor second",
    )


def _radreg(data: RunData) -> Iterable[Row]:
    objective = _built(VIT_TINY, data)
    plain = _loss(objective, data)
    whole = _loss(objective, data, Regularizer("radreg", 0.1))
    pool = data.downstream.floats(torch.arange(BATCH))

    def step_and_pass() -> None:
        _steps(objective, plain)
        for _ in range(STEPS):
            objective.zero_grad()
            objective.encode(pool).square().mean().backward()

    first, second, ratio = interleaved(lambda: _steps(objective, whole), step_and_pass, REPEATS, process_time)
    work = "RadReg's step, 64 whole downstream images / (step without + encoder forward and backward on them)"
    note = f"{first / STEPS:.2f} and {second / STEPS:.2f} s"
    yield Row(work, round(ratio, 3), "x time", "<= 1.05", ratio <= 1.05, note)
    for size in (BATCH, BATCH // 4):
        masked = _loss(objective, data, Regularizer("radreg", 0.1, view="masked"), pool=size)
        first, second, ratio = interleaved(
            lambda masked=masked: _steps(objective, masked),
            lambda: _steps(objective, plain),
            REPEATS,
            process_time,
        )
        target, met = ("<= 1.3", ratio <= 1.3) if size < BATCH else ("", None)
        note = f"{first / STEPS:.2f} and {second / STEPS:.2f} s"
        work = f"RadReg's step, visible patches of {size} downstream images / step without"
        yield Row(work, round(ratio, 3), "x time", target, met, note)


def rows() -> Iterable[Row]:
    """The table's rows on pretraining, one thread each."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    pixels = np.random.default_rng(0).integers(0, 256, (N, 32, 32, 3), dtype=np.uint8)
    data = _data(pixels)
    try:
        yield _beside_the_bare_model(data)
        yield _masked_one_by_one(data, pixels)
        yield _contrastive_one_by_one(data, pixels)
        yield from _radreg(data)
    finally:
        torch.set_num_threads(threads)
