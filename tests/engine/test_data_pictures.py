"""Bytes of an image file become the pixels a network sees, or are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.data import pictures
from engine.data.pictures import decode
from engine.errors import DataError
from engine.space import Input
from tests.pictures import image_bytes

RGB8, GREY8 = Input(8, 3), Input(8, 1)


def saved(image, **options):
    buffer = io.BytesIO()
    image.save(buffer, **({"format": "PNG"} | options))
    return buffer.getvalue()


def test_a_square_of_the_wanted_size_keeps_its_pixels():
    content = image_bytes(3)
    expected = np.asarray(Image.open(io.BytesIO(content))).transpose(2, 0, 1)
    assert (decode(content, "x.png", RGB8).pixels == expected).all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "WEBP"])
def test_each_kind_is_read(kind):
    picture = decode(image_bytes(size=(20, 10), format=kind), "x", RGB8)
    assert picture.pixels.shape == (3, 8, 8)
    assert (picture.width, picture.height) == (20, 10)


def test_the_centre_square_is_cut_out():
    wide = Image.new("L", (24, 8), 0)
    wide.paste(200, (8, 0, 16, 8))
    assert (decode(saved(wide), "x.png", GREY8).pixels == 200).all()


def test_colour_becomes_grey_and_grey_colour():
    red = saved(Image.new("RGB", (8, 8), (255, 0, 0)))
    assert (decode(red, "x.png", GREY8).pixels == 76).all()
    grey = decode(saved(Image.new("L", (8, 8), 9)), "x.png", RGB8).pixels
    assert grey.shape == (3, 8, 8)
    assert (grey == 9).all()


def test_transparent_parts_lie_on_white():
    clear = Image.new("RGBA", (8, 8), (10, 10, 10, 0))
    assert (decode(saved(clear), "x.png", RGB8).pixels == 255).all()


def test_transparency_of_a_palette_lies_on_white_too():
    image = Image.new("P", (8, 8), 0)
    image.putpalette([10, 10, 10, 200, 0, 0])
    image.paste(1, (4, 0, 8, 8))
    pixels = decode(saved(image, transparency=bytes([0, 255])), "x.png", RGB8).pixels
    assert pixels[:, 0, 0].tolist() == [255, 255, 255]
    assert pixels[:, 0, 7].tolist() == [200, 0, 0]


def test_sixteen_bit_grey_is_scaled_not_clipped():
    deep = Image.fromarray(np.full((8, 8), 0x8000, np.uint16))
    assert (decode(saved(deep), "x.png", GREY8).pixels == 128).all()


def test_black_and_white_is_read():
    assert (decode(saved(Image.new("1", (8, 8), 1)), "x.png", GREY8).pixels == 255).all()


def test_cmyk_is_read():
    ink = saved(Image.new("CMYK", (8, 8), (0, 0, 0, 0)), format="JPEG")
    assert (decode(ink, "x.jpg", RGB8).pixels > 250).all()


def test_a_rotated_photo_is_turned_upright():
    image = Image.new("L", (16, 8), 0)
    image.paste(255, (0, 0, 16, 4))  # white above black, stored
    exif = Image.Exif()
    exif[0x0112] = 6  # to be shown a quarter turn clockwise: white on the right
    picture = decode(saved(image, exif=exif), "x.png", GREY8)
    assert picture.pixels[0, 4, 0] < 30
    assert picture.pixels[0, 4, 7] > 225
    assert (picture.width, picture.height) == (8, 16)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_a_damaged_orientation_does_not_refuse_the_image():
    content = image_bytes(format="JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert decode(content, "x.jpg", RGB8).pixels.shape == (3, 8, 8)


def test_large_photos_are_decoded_small():
    picture = decode(image_bytes(size=(640, 480), format="JPEG"), "x.jpg", RGB8)
    assert (picture.width, picture.height) == (640, 480)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"hello", "something else"),
        (image_bytes()[:60], "a damaged or cut off one"),
        (image_bytes(size=(64, 64), format="JPEG")[:600], "a damaged or cut off one"),
        (b"GIF89a" + bytes(100), "something else"),
    ],
)
def test_an_unreadable_image_is_named_with_what_it_is(content, reason):
    with pytest.raises(DataError) as caught:
        decode(content, "cats/3.png", RGB8)
    assert caught.value.message.startswith("cats/3.png: must be a readable PNG")
    assert caught.value.message.endswith(f"got {reason}.")
    assert caught.value.hint


def test_an_image_of_too_many_pixels_is_refused_before_it_is_decoded(monkeypatch):
    monkeypatch.setattr(pictures, "MAX_PIXELS", 50)
    with pytest.raises(DataError, match=r"^big.png: must have at most 0 megapixels, got more"):
        decode(image_bytes(), "big.png", RGB8)


def test_a_png_that_claims_billions_of_pixels_is_refused():
    content = bytearray(image_bytes())
    content[16:24] = b"\x00\x01\x00\x00\x00\x01\x00\x00"  # 65536 x 65536 in the header
    with pytest.raises(DataError, match=r"x\.png: must"):
        decode(bytes(content), "x.png", RGB8)
