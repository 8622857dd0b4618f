"""From the bytes of an image file to the square of pixels a network sees; no files, no classes.

Every image is turned upright, its transparent parts laid on white, its largest centred square cut
out and resized with an antialiased bicubic filter. A square of the wanted size keeps its pixels.
"""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.source import Picture
from engine.errors import DataError
from engine.space import Input

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
MAX_PIXELS = 50_000_000
REPAIR = "Remove it or save it anew, then read the images again."
ORIENTATION = 0x0112
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# All that Pillow's readers are known to raise on damaged files; warnings where they are errors.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    RuntimeError,
    EOFError,
    MemoryError,
    AttributeError,
    struct.error,
    zlib.error,
    Warning,
)


def decode(content: bytes, name: str, shape: Input) -> Picture:
    """The image in `content` at `shape`; DataError that names it if it cannot be read."""
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Image.DecompressionBombError
            orientation = _orientation(image)
            # JPEG can be decoded at 1/2, 1/4, 1/8: large photos cost little time and memory.
            image.draft(None, (2 * shape.size, 2 * shape.size))
            image.load()
            pixels = fit(image, shape, orientation)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise DataError(
            f"{name}: must have at most {MAX_PIXELS // 10**6} megapixels, got more.",
            "Make it smaller or remove it.",
        ) from error
    except UNREADABLE as error:
        raise DataError(f"{name}: must be {KINDS}, got {_reason(content)}.", REPAIR) from error
    if orientation >= 5:
        width, height = height, width
    return Picture(pixels, width, height)


KINDS = "a readable PNG, JPEG, BMP or WebP image"


def fit(image: Image.Image, shape: Input, orientation: int = 1) -> NDArray[np.uint8]:
    """`image` as uint8 (C, S, S): upright, 1 or 3 channels, centred square, resized."""
    plain = _flat(image, "L" if shape.channels == 1 else "RGB")
    if orientation in UPRIGHT:
        plain = plain.transpose(UPRIGHT[orientation])
    if plain.size != (shape.size, shape.size):
        side = min(plain.size)
        left, top = (plain.width - side) / 2, (plain.height - side) / 2
        plain = plain.resize(
            (shape.size, shape.size),
            Image.Resampling.BICUBIC,
            box=(left, top, left + side, top + side),
            reducing_gap=3.0,
        )
    array = np.asarray(plain, dtype=np.uint8).reshape(shape.size, shape.size, shape.channels)
    return np.ascontiguousarray(array.transpose(2, 0, 1))


def _flat(image: Image.Image, mode: str) -> Image.Image:
    """`image` in `mode`, transparent parts on white, 16-bit values scaled, not clipped, to 8."""
    if image.mode.startswith("I"):
        deep = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        image = Image.fromarray((deep >> 8).astype(np.uint8))
    if image.has_transparency_data:
        layer = image.convert("RGBA")
        image = Image.new("RGB", image.size, "white")
        image.paste(layer, mask=layer.getchannel("A"))
    return image if image.mode == mode else image.convert(mode)


def _orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8; 1 where there is none or its block is damaged."""
    try:
        value = image.getexif().get(ORIENTATION, 1)
    except UNREADABLE:
        return 1
    return value if isinstance(value, int) and value in UPRIGHT else 1


def _reason(content: bytes) -> str:
    if not content:
        return "an empty file"
    starts = (b"\x89PNG", b"\xff\xd8", b"BM", b"RIFF")
    return "a damaged or cut off one" if content.startswith(starts) else "something else"
