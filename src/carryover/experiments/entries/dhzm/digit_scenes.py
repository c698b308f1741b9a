"""Scenes composed of digits, and what can be asked of every patch of them: a class, and where its digit's centre is."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from carryover._core.errors import InputError

BACKGROUND = 10
"""The class of a patch without a digit; digits are 0 to 9."""
PLACES = 4
_CUT = 4  # pixels of MNIST's margin on each side: its digits lie in the middle 20 x 20
_INK = 64  # of 255
_SHARE = 8  # a patch belongs to a digit from one pixel of ink in so many


@dataclass(frozen=True)
class Layout:
    """A square canvas of ``side`` pixels in patches of ``patch``; each digit has a quadrant, off its middle by at
    most ``jitter`` pixels each way.
    """

    side: int = 40
    patch: int = 8
    jitter: int = 2

    def __post_init__(self) -> None:
        least = 2 * (28 - 2 * _CUT)
        if self.side < least or self.side % 2:
            raise InputError(f"side must be even and >= {least}, room for four digits, got {self.side}")
        if self.patch < 1 or self.side % self.patch:
            raise InputError(f"patch must divide side = {self.side}, got {self.patch}")
        if self.jitter < 0:
            raise InputError(f"jitter must be >= 0 pixels, got {self.jitter}")

    @property
    def grid(self) -> int:
        """Patches along a side."""
        return self.side // self.patch


@dataclass(frozen=True)
class Scenes:
    """n scenes: ``owner`` says which of a scene's digits a pixel shows, -1 for none; ``classes`` and ``centres`` (row
    and column in pixels) are those of the digits, -1 and NaN where there are fewer than four.
    """

    images: UInt8[np.ndarray, "n side side"]
    owner: Int[np.ndarray, "n side side"]
    classes: Int[np.ndarray, "n 4"]
    centres: Float[np.ndarray, "n 4 2"]

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True)
class Patches:
    """What each of a scene's patches (n, grid * grid), rows first, is asked: its class, and ``offsets``, how many
    pixels to the right of its own centre that of its digit is (NaN for background).
    """

    classes: Int[np.ndarray, "n p"]
    offsets: Float[np.ndarray, "n p"]


def compose_scenes(
    digits: UInt8[np.ndarray, "m 28 28"],
    labels: Int[np.ndarray, " m"],
    *,
    n: int,
    counts: tuple[int, int],
    layout: Layout,
    generator: np.random.Generator,
) -> Scenes:
    """``n`` scenes of ``counts`` digits (fewest, most) drawn with replacement, in random quadrants; the brighter pixel
    is seen where digits overlap.  Raises InputError for digits of another size and counts outside 1 to 4.
    """
    if digits.ndim != 3 or digits.shape[1:] != (28, 28) or not len(digits):
        raise InputError(f"digits must be (m, 28, 28) with m >= 1, got {digits.shape}")
    if not 1 <= counts[0] <= counts[1] <= PLACES:
        raise InputError(f"counts must be (fewest, most) digits in 1..{PLACES}, got {counts}")
    side = layout.side
    scenes = Scenes(
        np.zeros((n, side, side), np.uint8),
        np.full((n, side, side), -1),
        np.full((n, PLACES), -1),
        np.full((n, PLACES, 2), np.nan),
    )
    for scene in range(n):
        number = int(generator.integers(counts[0], counts[1] + 1))
        for place, quadrant in enumerate(generator.permutation(PLACES)[:number]):
            one = int(generator.integers(len(digits)))
            corner = _corner(int(quadrant), layout, generator)
            _paste(scenes, digits[one, _CUT:-_CUT, _CUT:-_CUT], scene=scene, place=place, corner=corner)
            scenes.classes[scene, place] = labels[one]
    return scenes


def _corner(quadrant: int, layout: Layout, generator: np.random.Generator) -> tuple[int, int]:
    half, room = layout.side // 2, layout.side - (28 - 2 * _CUT)
    middle = np.array(divmod(quadrant, 2)) * half + (half - (28 - 2 * _CUT)) // 2
    moved = middle + generator.integers(-layout.jitter, layout.jitter + 1, 2)
    top, left = np.clip(moved, 0, room)
    return int(top), int(left)


def _paste(scenes: Scenes, digit: np.ndarray, *, scene: int, place: int, corner: tuple[int, int]) -> None:
    height, width = digit.shape
    where = (scene, slice(corner[0], corner[0] + height), slice(corner[1], corner[1] + width))
    seen = digit > scenes.images[where]
    scenes.owner[where][seen] = place
    scenes.images[where][seen] = digit[seen]
    scenes.centres[scene, place] = corner[0] + height / 2, corner[1] + width / 2


def patch_targets(scenes: Scenes, layout: Layout) -> Patches:
    """An inked patch (:func:`inked_patches`) belongs to the digit with most ink in it, any other to the background."""
    n, grid, patch = len(scenes), layout.grid, layout.patch
    ink = scenes.images >= _INK
    counts = np.stack([_per_patch((scenes.owner == place) & ink, layout) for place in range(PLACES)], axis=-1)
    first, inked, scene = counts.argmax(axis=-1), inked_patches(scenes.images, layout), np.arange(n)[:, None]
    classes = np.where(inked, scenes.classes[scene, first], BACKGROUND)
    middle = np.tile((np.arange(grid) + 0.5) * patch, grid)
    offsets = np.where(inked, scenes.centres[scene, first, 1] - middle, np.nan)
    return Patches(classes, offsets)


def _per_patch(mask: np.ndarray, layout: Layout) -> np.ndarray:
    """How many pixels of each patch are in the mask, (n, grid * grid)."""
    grid, patch = layout.grid, layout.patch
    return mask.reshape(len(mask), grid, patch, grid, patch).sum(axis=(2, 4)).reshape(len(mask), -1)


def inked_patches(images: UInt8[np.ndarray, "n side side"], layout: Layout) -> np.ndarray:
    """Which patches (n, grid * grid) of any images have ink in one pixel of eight: what can be seen without labels."""
    return _per_patch(images >= _INK, layout) * _SHARE >= layout.patch**2


def chosen_patches(
    inked: np.ndarray, generator: np.random.Generator, *, background: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rows and patches of all that are inked and at most ``background`` others of each image, at random."""
    kept = inked.copy()
    for row, own in enumerate(inked):
        kept[row, generator.permutation(np.flatnonzero(~own))[:background]] = True
    rows, patches = np.nonzero(kept)
    return rows, patches
