import io

import numpy as np
import pytest
from PIL import Image

from carryover._core.errors import InputError
from carryover.data.decoding import decode_image, fit_image, inspect_image

RNG = np.random.default_rng(0)
RGB = RNG.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def _encoded(image, **options):
    stream = io.BytesIO()
    image.save(stream, **{"format": "PNG", **options})
    return stream.getvalue()


def _rotated(format):
    exif = Image.Exif()
    exif[0x0112] = 6
    return _encoded(
        Image.fromarray(RGB), format=format, exif=exif, **({"lossless": True} if format == "WEBP" else {})
    )


def test_lossless_formats_decode_to_the_pixels():
    for options in (
        {"format": "PNG"},
        {"format": "BMP"},
        {"format": "WEBP", "lossless": True},
        {"format": "TIFF"},
    ):
        assert (decode_image(_encoded(Image.fromarray(RGB), **options), "x") == RGB).all()


def test_every_mode_becomes_bytes_of_one_or_three_channels():
    rgba = Image.fromarray(np.dstack([RGB, RGB[..., 0]]))
    assert (decode_image(_encoded(rgba), "x") == RGB).all()
    grey = Image.fromarray(RGB[..., 0])
    assert (decode_image(_encoded(grey), "x") == RGB[..., :1]).all()
    assert (decode_image(_encoded(grey.convert("LA")), "x") == RGB[..., :1]).all()
    two = decode_image(_encoded(Image.fromarray(RGB[..., 0] > 127)), "x")
    assert (two[..., 0] == np.where(RGB[..., 0] > 127, 255, 0)).all()
    palette = Image.fromarray(RGB).quantize(4)
    assert (decode_image(_encoded(palette), "x") == np.asarray(palette.convert("RGB"))).all()
    assert (decode_image(_encoded(palette, transparency=b"\x00\x80\xff\x10"), "x")
            == np.asarray(palette.convert("RGB"))).all()  # fmt: skip
    cmyk = decode_image(_encoded(Image.fromarray(RGB).convert("CMYK"), format="JPEG", quality=100), "x")
    assert cmyk.shape == (6, 9, 3)
    assert cmyk.dtype == np.uint8


def test_sixteen_bits_are_divided_by_257():
    deep = RNG.integers(0, 65536, (5, 4), dtype=np.uint16)
    found = decode_image(_encoded(Image.fromarray(deep)), "x")
    assert (found[..., 0] == np.round(deep / 257)).all()
    wide = Image.fromarray(RGB[..., 0].astype(np.uint16) * 257)
    assert (decode_image(_encoded(wide), "x")[..., 0] == RGB[..., 0]).all()


@pytest.mark.parametrize("format", ["PNG", "WEBP", "TIFF"])
def test_exif_orientation_is_respected(format):
    upright = np.rot90(RGB, -1)
    data = _rotated(format)
    assert (decode_image(data, "x") == upright).all()
    assert inspect_image(data, "x") == ((9, 6), 3)


def test_headers_tell_size_and_channels():
    assert inspect_image(_encoded(Image.fromarray(RGB)), "x") == ((6, 9), 3)
    assert inspect_image(_encoded(Image.fromarray(RGB[..., 0])), "x") == ((6, 9), 1)


def test_fitting_covers_then_crops_about_the_centre():
    stripes = np.zeros((4, 12, 1), np.uint8)
    stripes[:, 4:8] = 200
    assert (fit_image(stripes, (4, 4), 3) == 200).all()
    constant = np.full((7, 5, 3), 33, np.uint8)
    assert (fit_image(constant, (16, 9), 3) == 33).all()
    assert fit_image(RGB, (6, 9), 3) is RGB


def test_broken_images_are_named():
    whole = _encoded(Image.fromarray(RNG.integers(0, 256, (64, 64, 3), dtype=np.uint8)))
    for read in (decode_image, inspect_image):
        with pytest.raises(
            InputError, match=r"^here is not a readable image of 9 bytes \(it is in no known image"
        ):
            read(b"not image", "here")
    with pytest.raises(InputError, match=r"^here is not a readable image.*truncated.*replace or remove it"):
        decode_image(whole[: len(whole) // 2], "here")
    with pytest.raises(InputError, match=r"^here is not a readable image of 0 bytes"):
        decode_image(b"", "here")


def test_pixels_of_unknown_range_are_refused():
    with pytest.raises(InputError, match=r"here has float pixels, whose range is not known"):
        decode_image(_encoded(Image.fromarray(np.ones((2, 2), np.float32)), format="TIFF"), "here")
    with pytest.raises(InputError, match=r"here has 32-bit pixels"):
        decode_image(_encoded(Image.fromarray(np.full((2, 2), 70_000, np.int32)), format="TIFF"), "here")


def test_postscript_is_not_handed_to_an_interpreter():
    with pytest.raises(InputError, match=r"no known image format"):
        decode_image(_encoded(Image.fromarray(RGB), format="EPS"), "here")
