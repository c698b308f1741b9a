import io

import numpy as np
import pytest
from PIL import Image

from carryover._core.errors import InputError
from carryover.data import images as images_module
from carryover.data.hashing import example_hash
from carryover.data.images import encoded_images, images_from_array

PIXELS = np.random.default_rng(0).integers(0, 256, (10, 6, 5, 3), dtype=np.uint8)


def _png(array):
    stream = io.BytesIO()
    Image.fromarray(array).save(stream, format="PNG")
    return stream.getvalue()


def _column(arrays, **options):
    data = [_png(one) for one in arrays]
    return encoded_images(lambda rows: [data[row] for row in rows], len(data), **options)


def test_reading_by_blocks_gives_the_pixels():
    column = _column(PIXELS)
    assert len(column) == 10
    assert column.shape == (6, 5, 3)
    assert (np.concatenate([column.read(0, 4), column.read(4, 99)]) == PIXELS).all()
    assert column.read(3, 3).shape == (0, 6, 5, 3)
    assert column.n_resized == 0


def test_views_share_rows_and_hashes():
    column = _column(PIXELS)
    view = column.take(np.array([7, 1, 1])).take([0, 2])
    assert (view.read(0, 2) == PIXELS[[7, 1]]).all()
    assert view.example_hashes == [example_hash(PIXELS[7]), example_hash(PIXELS[1])]


def test_memory_and_encoded_columns_agree():
    encoded, memory = _column(PIXELS), images_from_array(PIXELS)
    assert (encoded.read(2, 5) == memory.read(2, 5)).all()
    assert encoded.example_hashes == memory.example_hashes == [example_hash(one) for one in PIXELS]
    assert encoded.content_hash == memory.content_hash
    assert memory.take([1, 0]).content_hash != memory.take([0, 1]).content_hash
    assert images_from_array(PIXELS[..., 0]).shape == (6, 5, 1)


def test_example_hashes_do_not_depend_on_the_declared_size_but_the_content_hash_does():
    small, large = _column(PIXELS), _column(PIXELS, size=12)
    assert small.example_hashes == large.example_hashes
    assert small.content_hash != large.content_hash
    assert large.read(0, 2).shape == (2, 12, 12, 3)
    assert large.n_resized == 10


def test_default_size_is_that_of_the_majority_else_the_median_shorter_side():
    odd = np.zeros((20, 30, 3), np.uint8)
    assert _column([*PIXELS[:2], odd]).shape == (6, 5, 3)
    assert "the size of 2 of 3 images inspected" in _column([*PIXELS[:2], odd]).rule
    sizes = [(8, 20), (10, 10), (40, 12), (50, 11), (9, 9)]
    mixed = _column([np.zeros((*size, 3), np.uint8) for size in sizes])
    assert mixed.shape == (10, 10, 3)
    assert "no common size" in mixed.rule
    assert _column(PIXELS, size=(7, 9)).shape == (7, 9, 3)


def test_grey_images_keep_one_channel_among_themselves_and_repeat_it_beside_colour():
    grey = PIXELS[..., 0]
    assert _column(grey).shape == (6, 5, 1)
    mixed = _column([grey[0], PIXELS[1]])
    assert (mixed.read(0, 1) == grey[0][None, ..., None]).all()
    assert (_column(grey, channels=3).read(0, 10) == grey[..., None]).all()
    with pytest.raises(InputError, match=r"the image in row 1 of images is in colour .*channels = 3"):
        _column([grey[0], PIXELS[1]], channels=1).read(0, 2)


def test_beyond_the_memory_kept_nothing_changes(monkeypatch):
    monkeypatch.setattr(images_module, "KEEP_BYTES", 0)
    monkeypatch.setattr(images_module, "_THREADING_PIXELS", 0)
    column = _column(PIXELS, threads=2)
    assert column.example_hashes == [example_hash(one) for one in PIXELS]
    assert (column.take([4, 4, 2]).read(0, 3) == PIXELS[[4, 4, 2]]).all()


def test_each_image_is_decoded_once_where_they_are_kept():
    fetched = []
    data = [_png(one) for one in PIXELS]

    def fetch(rows):
        fetched.extend(rows.tolist())
        return [data[row] for row in rows]

    column = encoded_images(fetch, 10, size=(6, 5), channels=3)
    assert column.content_hash
    column.read(0, 10)
    assert sorted(fetched) == list(range(10))


def test_a_broken_image_is_named_by_its_row():
    data = [_png(one) for one in PIXELS]
    data[6] = data[6][:60]
    column = encoded_images(lambda rows: [data[row] for row in rows], 10, rows=np.array([5, 6]), name="birds")
    assert column.read(0, 1).shape == (1, 6, 5, 3)
    with pytest.raises(InputError, match=r"the image in row 6 of birds is not a readable image of 60 bytes"):
        column.read(0, 2)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _column([]), "images has no images: check the split"),
        (lambda: _column(PIXELS, channels=2), "channels must be 1 or 3, got 2"),
        (lambda: _column(PIXELS, size=0), "size must be at least 1 x 1, got 0 x 0"),
        (lambda: _column(PIXELS).read(4, 2), "0 <= start <= stop must hold, got start = 4, stop = 2"),
        (lambda: _column(PIXELS).take([10]), r"indices must lie in 0..9, got 10"),
        (lambda: images_from_array(PIXELS.astype(float)), "must be uint8 .* got float64"),
        (lambda: images_from_array(PIXELS[:, :, :, :2]), r"got uint8 \(10, 6, 5, 2\)"),
        (lambda: images_from_array(PIXELS[:0]), "with n >= 1"),
    ],
)
def test_misuse_is_said(make, message):
    with pytest.raises(InputError, match=message):
        make()
