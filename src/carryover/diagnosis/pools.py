"""Examples without labels: the unlabelled target pool and the sample of the pretraining data."""

from dataclasses import dataclass

import numpy as np

from carryover._core.errors import InputError
from carryover._core.seeding import derive_generator
from carryover.data.images import ImageColumn
from carryover.data.sources import open_dataset
from carryover.diagnosis.specs import PoolSpec


@dataclass(frozen=True)
class Pool:
    """A named set of images."""

    name: str
    images: ImageColumn

    def __len__(self) -> int:
        return len(self.images)


def load_pool(spec: PoolSpec, role: str, *, shape: tuple[int, int, int], seed: int) -> Pool:
    """At most ``spec.max_examples`` images, drawn from the seed, read at the target's ``shape`` (h, w, channels).

    Networks see the pool as they see the target, so that what tells them apart is not the way they were read.
    Raises InputError where the pool is empty or cannot be read; ``role`` names it in the message.
    """
    try:
        source = open_dataset(spec.path, split=spec.split, where=spec.where, config=spec.config)
        height, width, channels = shape
        images = source.images(spec.image, size=(height, width), channels=channels)
    except InputError as error:
        raise InputError(f"{role}: {error}") from error
    if len(images) > spec.max_examples:
        generator = derive_generator(seed, "pool", role)
        images = images.take(np.sort(generator.choice(len(images), spec.max_examples, replace=False)))
    return Pool(source.name, images)
