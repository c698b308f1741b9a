"""A column of images, decoded on demand to one declared size, with a hash for every example."""

from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from jaxtyping import Int, UInt8

from carryover._core.errors import InputError
from carryover.data.decoding import RESIZE_RULE, decode_image, fit_image, inspect_image
from carryover.data.feature_rows import check_indices
from carryover.data.hashing import combined_hash, example_hash

N_INSPECTED = 1000
KEEP_BYTES = 256 << 20
_CHUNK = 256
_THREADING_PIXELS = 96 * 96
Fetch = Callable[[np.ndarray], Sequence[bytes]]


class _Store:
    """Encoded images at a declared size: decodes, hashes as it goes, and keeps what fits in KEEP_BYTES."""

    def __init__(self, fetch: Fetch, n: int, *, shape: tuple[int, int, int], name: str, threads: int) -> None:
        self.shape, self.name, self.threads = shape, name, threads
        self.resized: set[int] = set()
        self._fetch = fetch
        self._hashes: list[str | None] = [None] * n
        keeps = n * int(np.prod(shape)) <= KEEP_BYTES
        self._kept = np.empty((n, *shape), dtype=np.uint8) if keeps else None
        self._known = np.zeros(n, dtype=bool)

    def read(self, rows: np.ndarray) -> np.ndarray:
        if self._kept is None:
            return self._decode(rows)
        missing = np.unique(rows[~self._known[rows]])
        for start in range(0, len(missing), _CHUNK):
            part = missing[start : start + _CHUNK]
            self._kept[part] = self._decode(part)
            self._known[part] = True
        return self._kept[rows]

    def hashes(self, rows: np.ndarray) -> list[str]:
        unknown = np.array([row for row in rows if self._hashes[row] is None], dtype=np.int64)
        for start in range(0, len(unknown), _CHUNK):
            self.read(unknown[start : start + _CHUNK])
        return [self._hashes[row] for row in rows]

    def _decode(self, rows: np.ndarray) -> np.ndarray:
        data = self._fetch(rows)
        pairs = list(zip(rows.tolist(), data, strict=True))
        if self.threads > 1 and self.shape[0] * self.shape[1] >= _THREADING_PIXELS:
            with ThreadPoolExecutor(self.threads) as pool:
                decoded = list(pool.map(self._one, pairs))
        else:
            decoded = [self._one(pair) for pair in pairs]
        return np.stack(decoded) if decoded else np.empty((0, *self.shape), dtype=np.uint8)

    def _one(self, pair: tuple[int, bytes]) -> np.ndarray:
        row, data = pair
        where = f"the image in row {row} of {self.name}"
        array = decode_image(data, where)
        if array.shape[2] > self.shape[2]:
            raise InputError(f"{where} is in colour where grey images were declared: give channels = 3")
        if self._hashes[row] is None:
            self._hashes[row] = example_hash(array)
        if array.shape[:2] != self.shape[:2]:
            self.resized.add(row)
        return fit_image(array, self.shape[:2], self.shape[2])


class _ArrayStore:
    """Decoded images in memory."""

    def __init__(self, images: np.ndarray, *, name: str) -> None:
        self.shape, self.name = images.shape[1:], name
        self.resized: set[int] = set()
        self._images = images
        self._hashes: list[str | None] = [None] * len(images)

    def read(self, rows: np.ndarray) -> np.ndarray:
        return self._images[rows]

    def hashes(self, rows: np.ndarray) -> list[str]:
        for row in rows:
            if self._hashes[row] is None:
                self._hashes[row] = example_hash(self._images[row])
        return [self._hashes[row] for row in rows]


class ImageColumn:
    """n images as uint8 (height, width, channels) of one declared shape; make one with the functions below.

    An example's hash is that of its decoded bytes *before* resizing and before grey is repeated
    (:func:`carryover.data.hashing.example_hash`), so that it does not depend on the declared size;
    ``content_hash`` covers the hashes in order and the declared shape.
    """

    def __init__(self, store: "_Store | _ArrayStore", rows: Int[np.ndarray, " n"], *, rule: str) -> None:
        self._store = store
        self._rows = rows
        self.rule = rule

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(height, width, channels) of every image as it is read."""
        return self._store.shape

    def read(self, start: int, stop: int) -> UInt8[np.ndarray, "n h w c"]:
        """Images start..stop (cut at the end), decoded; InputError names the row of a broken one."""
        if not 0 <= start <= stop:
            raise InputError(f"0 <= start <= stop must hold, got start = {start}, stop = {stop}")
        return self._store.read(self._rows[start:stop])

    def take(self, indices: np.ndarray) -> "ImageColumn":
        """A view of these images in this order; nothing is decoded, and what is decoded is shared."""
        return ImageColumn(self._store, self._rows[check_indices(indices, len(self))], rule=self.rule)

    @property
    def example_hashes(self) -> list[str]:
        """A hash for each image; decodes those not yet read."""
        return self._store.hashes(self._rows)

    @property
    def content_hash(self) -> str:
        """One hash of all images in order at the declared shape; decodes those not yet read."""
        return combined_hash(self.example_hashes, self.shape)

    @property
    def n_resized(self) -> int:
        """How many of the images read so far did not have the declared size."""
        return sum(int(row) in self._store.resized for row in self._rows)


def images_from_array(images: np.ndarray, *, name: str = "images") -> ImageColumn:
    """Decoded images uint8 (n, h, w) or (n, h, w, c), c 1 or 3, as a column.

    >>> len(images_from_array(np.zeros((5, 8, 8), np.uint8)))
    5
    """
    array = np.asarray(images)
    if array.ndim == 3:
        array = array[..., None]
    if array.dtype != np.uint8 or array.ndim != 4 or array.shape[3] not in (1, 3) or 0 in array.shape:
        raise InputError(
            f"{name} must be uint8 (n, height, width) or (n, height, width, 1 or 3) with n >= 1, "
            f"got {array.dtype} {np.shape(images)}"
        )
    return ImageColumn(_ArrayStore(array, name=name), np.arange(len(array)), rule="as given, in memory")


def encoded_images(
    fetch: Fetch,
    n: int,
    *,
    rows: Int[np.ndarray, " m"] | None = None,
    size: int | tuple[int, int] | None = None,
    channels: int | None = None,
    name: str = "images",
    threads: int = 1,
) -> ImageColumn:
    """A column of the encoded images that ``fetch(rows)`` returns as bytes, for rows among 0..n-1.

    ``size`` is a side or (height, width); by default the most common size of up to 1,000 images spaced
    evenly, if at least half of them have it, otherwise the square whose side is their median shorter side.
    ``channels`` is 1 or 3, by default 3 unless all inspected are grey.  Images of another size are
    resized by :data:`carryover.data.decoding.RESIZE_RULE`.  ``threads`` decode large images; the result
    does not depend on it.  InputError: no images, a size or channels out of range, a broken image.
    """
    rows = np.arange(n) if rows is None else check_indices(rows, n)
    if not len(rows):
        raise InputError(f"{name} has no images: check the split and the row filter")
    if channels not in (None, 1, 3):
        raise InputError(f"channels must be 1 or 3, got {channels}")
    how = "as declared"
    if size is None or channels is None:
        found, how_found, found_channels = _inspect(fetch, rows, name)
        size, how = (found, how_found) if size is None else (size, how)
        channels = channels or found_channels
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise InputError(f"size must be at least 1 x 1, got {height} x {width}")
    store = _Store(fetch, n, shape=(height, width, channels), name=name, threads=threads)
    kind = "grey" if channels == 1 else "RGB"
    rule = f"{height} x {width} {kind} ({how}); an image of another size is {RESIZE_RULE}"
    return ImageColumn(store, rows, rule=rule)


def _inspect(fetch: Fetch, rows: np.ndarray, name: str) -> tuple[tuple[int, int], str, int]:
    """The default size, how it was chosen, and the default number of channels."""
    spaced = rows[np.unique(np.linspace(0, len(rows) - 1, min(len(rows), N_INSPECTED)).astype(np.int64))]
    seen = [
        inspect_image(data, f"the image in row {row} of {name}")
        for start in range(0, len(spaced), _CHUNK)
        for row, data in zip(
            spaced[start : start + _CHUNK], fetch(spaced[start : start + _CHUNK]), strict=True
        )
    ]
    channels = max(one for _, one in seen)
    counts = Counter(size for size, _ in seen)
    size, count = max(counts.items(), key=lambda item: (item[1], item[0]))
    if 2 * count >= len(seen):
        return size, f"the size of {count} of {len(seen)} images inspected", channels
    side = int(np.median([min(one) for one, _ in seen]))
    return (side, side), f"no common size; the median shorter side of {len(seen)} images inspected", channels
