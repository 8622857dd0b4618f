"""Zip files from outside: good ones are read in place, each kind of bad one has its sentence."""

from __future__ import annotations

import stat
import struct
import zipfile

import pytest

from engine.data import archive, prepare
from engine.errors import DataError
from engine.space import Input
from engine.spec import DataChoice
from tests.pictures import class_files, image_bytes, quiet, write_folder, write_zip

SHAPE = Input(8, 3)


def read(path, tmp_path):
    return prepare(DataChoice("folder", str(path)), tmp_path / "data", SHAPE, quiet)


def refused(path, tmp_path):
    """The sentence that refuses the archive; nothing of it may stay behind."""
    with pytest.raises(DataError) as caught:
        read(path, tmp_path)
    assert not list((tmp_path / "data").glob("*/"))
    assert caught.value.hint
    return caught.value.message


def zip_with(tmp_path, name, content=b"x", **attributes):
    """A good archive with one more member, which carries the given attributes."""
    path = write_zip(tmp_path / "own.zip", class_files())
    info = zipfile.ZipInfo(name)
    for key, value in attributes.items():
        setattr(info, key, value)
    with zipfile.ZipFile(path, "a") as opened:
        opened.writestr(info, content)
    return path


def test_a_zip_gives_the_same_images_as_the_folder(tmp_path):
    files = class_files("abc", 5)
    folder = read(write_folder(tmp_path / "own", files), tmp_path)
    assert read(write_zip(tmp_path / "own.zip", files), tmp_path).hash == folder.hash


@pytest.mark.parametrize(
    "name", ["../evil.png", "a/../../evil.png", "/etc/evil.png", "C:/evil.png", "a\\..\\evil.png"]
)
def test_paths_that_leave_the_archive_are_refused(tmp_path, name):
    message = refused(zip_with(tmp_path, name), tmp_path)
    assert message == f"own.zip: paths must stay inside the archive, got {name!r}."
    assert not (tmp_path / "evil.png").exists()


def test_a_member_without_a_name_is_refused(tmp_path):
    path = zip_with(tmp_path, "\0.png")  # what follows a zero byte is not written
    assert refused(path, tmp_path) == "own.zip: paths must stay inside the archive, got ''."


def test_two_dots_in_a_name_are_no_way_out(tmp_path):
    assert len(read(zip_with(tmp_path, "a/x..png", image_bytes(99)), tmp_path).labels) == 13


def test_a_link_is_refused(tmp_path):
    path = zip_with(tmp_path, "a/l.png", b"/etc/passwd", external_attr=(stat.S_IFLNK | 0o777) << 16)
    assert refused(path, tmp_path) == "own.zip: must hold plain files only, but a/l.png is a link."


def test_an_encrypted_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "own.zip", class_files())
    content = bytearray(path.read_bytes())
    start = content.index(b"PK\x01\x02")
    struct.pack_into("<H", content, start + 8, 1)
    path.write_bytes(content)
    assert refused(path, tmp_path) == "own.zip: must not be encrypted, but a/0.png is."


def test_unusual_compression_is_refused(tmp_path):
    path = zip_with(tmp_path, "a/9.png", image_bytes(), compress_type=zipfile.ZIP_LZMA)
    assert "must be stored or deflated, but a/9.png" in refused(path, tmp_path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "RATIO_FROM_BYTES", 2**20)
    monkeypatch.setattr(archive, "read", None)
    bombs = {f"a/{number}.bmp": bytes(2**20) for number in range(4)}
    message = refused(write_zip(tmp_path / "own.zip", bombs), tmp_path)
    assert "100 times its size, got 4 MiB from 0 MiB" in message


def test_a_member_that_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBER_BYTES", 2**20)
    message = refused(zip_with(tmp_path, "a/big.bmp", bytes(2**21)), tmp_path)
    assert message.endswith("got 2 MiB for a/big.bmp.")


def test_too_many_members_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(archive, "MAX_MEMBERS", 5)
    assert refused(write_zip(tmp_path / "own.zip", class_files()), tmp_path) == (
        "own.zip: must hold at most 5 files, got 12."
    )


def test_a_nested_archive_is_left_out_and_told(tmp_path):
    ready = read(zip_with(tmp_path, "a/more.zip"), tmp_path)
    assert ready.report.warnings == ("Left out, not PNG, JPEG, BMP or WebP: a/more.zip.",)


def test_an_archive_of_archives_says_to_unpack(tmp_path):
    path = write_zip(tmp_path / "own.zip", {"train.zip": b"x", "test.zip": b"x"})
    assert refused(path, tmp_path) == "own.zip: must hold images, got an archive inside it."


def test_something_else_than_a_zip_is_refused(tmp_path):
    (tmp_path / "own.rar").write_bytes(b"Rar!" + bytes(100))
    assert refused(tmp_path / "own.rar", tmp_path) == (
        "own.rar: must be a zip archive, got a damaged one or something else."
    )


def test_a_cut_off_zip_is_refused(tmp_path):
    path = write_zip(tmp_path / "own.zip", class_files())
    path.write_bytes(path.read_bytes()[:-200])
    assert "must be a zip archive" in refused(path, tmp_path)


def test_damaged_bytes_of_a_member_are_told_with_its_name(tmp_path):
    path = tmp_path / "own.zip"
    with zipfile.ZipFile(path, "w") as opened:
        for name, content in class_files().items():
            opened.writestr(name, content)
    content = bytearray(path.read_bytes())
    content[content.index(b"a/3.png") + 60] ^= 0xFF
    path.write_bytes(content)
    assert refused(path, tmp_path) == "a/3.png: must be readable, got damaged bytes in the archive."


def test_an_unreadable_image_is_named(tmp_path):
    path = write_zip(tmp_path / "own.zip", class_files() | {"b/bad.jpg": b"\xff\xd8 no more"})
    assert refused(path, tmp_path) == (
        "b/bad.jpg: must be a readable PNG, JPEG, BMP or WebP image, got a damaged or cut off one."
    )


def test_all_unreadable_images_are_told_at_once(tmp_path):
    bad = {f"b/bad{number}.png": b"x" for number in range(5)}
    assert refused(write_zip(tmp_path / "own.zip", class_files() | bad), tmp_path) == (
        "b/bad0.png: must be a readable PNG, JPEG, BMP or WebP image, got something else"
        " (the same holds for b/bad1.png, b/bad2.png and 2 more)."
    )


def test_a_class_with_one_image_is_named(tmp_path):
    path = write_zip(tmp_path / "own.zip", class_files() | {"lone/1.png": image_bytes()})
    assert refused(path, tmp_path) == (
        "class lone: must have at least 3 images, so that each split gets one, got 1."
    )
