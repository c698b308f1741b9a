"""One encoded image to unsigned bytes: every mode, EXIF orientation, and a stated rule for resizing."""

import io

import numpy as np
from PIL import Image, ImageOps

from carryover._core.errors import InputError

RESIZE_RULE = (
    "resized with bicubic interpolation, keeping the aspect ratio, until it covers the declared size, then "
    "cropped about its centre"
)
_GREY_MODES = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N", "I")
# Formats whose decoders are plain libraries: Pillow hands EPS, for one, to an outside interpreter.
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "PPM", "JPEG2000", "AVIF", "TGA", "ICO")
_SIGNATURES = {b"\x89PNG": ("PNG",), b"\xff\xd8\xff": ("JPEG",), b"RIFF": ("WEBP",)}
_ROTATED = (5, 6, 7, 8)
_ORIENTATION_TAG = 0x0112


def decode_image(data: bytes, where: str) -> np.ndarray:
    """The image as uint8 (height, width, channels), channels 1 for grey modes and 3 for all others.

    Upright by its EXIF orientation; palettes, CMYK, YCbCr and others become RGB; transparency is dropped
    (the colours beneath it are kept, as torchvision's loader does); 16-bit grey is divided by 257 and
    rounded; black and white becomes 0 and 255; of animations the first frame.  InputError, beginning with
    ``where``, for what cannot be decoded, and for float and 32-bit images, whose range is not known.
    """
    try:
        with Image.open(io.BytesIO(data), formats=_formats(data)) as image:
            image.load()
            return _as_bytes(ImageOps.exif_transpose(image) if _orientation(image) != 1 else image, where)
    except InputError:
        raise
    except (
        Exception
    ) as error:  # Pillow's decoders raise OSError, SyntaxError, ValueError, struct.error and more
        raise _broken(error, where, len(data)) from error


def inspect_image(data: bytes, where: str) -> tuple[tuple[int, int], int]:
    """(height, width) upright and the number of channels, from the header alone."""
    try:
        with Image.open(io.BytesIO(data), formats=_formats(data)) as image:
            width, height = image.size
            if _orientation(image) in _ROTATED:
                width, height = height, width
            return (height, width), 1 if image.mode in _GREY_MODES else 3
    except Exception as error:
        raise _broken(error, where, len(data)) from error


def fit_image(array: np.ndarray, size: tuple[int, int], channels: int) -> np.ndarray:
    """The array at the declared (height, width), by ``RESIZE_RULE``, grey repeated where 3 channels are wanted.

    Colour is never turned to grey: that is the caller's to check.
    """
    if array.shape[:2] != size:
        plain = Image.fromarray(array[..., 0] if array.shape[2] == 1 else array)
        fitted = ImageOps.fit(plain, (size[1], size[0]), method=Image.Resampling.BICUBIC)
        array = np.asarray(fitted).reshape(*size, array.shape[2])
    if array.shape[2] < channels:
        array = np.repeat(array, channels, axis=2)
    return array


def _formats(data: bytes) -> tuple[str, ...]:
    """The formats to try: the one that the first bytes name, else all that are read."""
    return next((found for start, found in _SIGNATURES.items() if data.startswith(start)), _FORMATS)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation 1..8, 1 where there is none.

    Pillow turns TIFF images itself.  Asking a PNG whose header has no EXIF would decode it.
    """
    has_exif = image.format != "TIFF" and ("exif" in image.info or "xmp" in image.info)
    return image.getexif().get(_ORIENTATION_TAG, 1) if has_exif else 1


def _as_bytes(image: Image.Image, where: str) -> np.ndarray:
    if image.mode.startswith("I"):
        values = np.asarray(image).astype(np.int64)
        if values.size and (values.min() < 0 or values.max() > 65535):
            raise InputError(
                f"{where} has 32-bit pixels, whose range is not known: save it with 8 or 16 bits"
            )
        return np.round(values / 257).astype(np.uint8)[..., None]
    if image.mode == "F":
        raise InputError(f"{where} has float pixels, whose range is not known: save it with 8 or 16 bits")
    if image.mode in _GREY_MODES:
        return np.array(image if image.mode == "L" else image.convert("L"))[..., None]
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def _broken(error: Exception, where: str, n_bytes: int) -> InputError:
    reason = "it is in no known image format" if "cannot identify" in str(error) else f"{error}"
    return InputError(
        f"{where} is not a readable image of {n_bytes:,} bytes ({reason}): replace or remove it"
    )
