"""Whatever comes from outside is read or refused in one sentence, and nothing half done is left."""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.data import prepare
from engine.data.layout import arrange
from engine.data.pictures import decode
from engine.data.splits import split
from engine.errors import DataError
from engine.space import Input
from engine.spec import DataChoice
from tests.pictures import class_files, image_bytes, quiet, write_zip

SHAPE = Input(4, 3)
GOOD = {kind: image_bytes(size=(9, 7), format=kind) for kind in ("PNG", "JPEG", "BMP", "WEBP")} | {
    "EXIF": image_bytes(
        format="JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x01\0\x12\x01\x03\0" + bytes(9)
    )
}
PARTS = st.one_of(
    st.sampled_from(["a", "b", "train", "val", "test", "..", ".", "", "__MACOSX", "C:", "1.png"]),
    st.text(max_size=4),
)
NAMES = st.builds(
    lambda parts, suffix: "/".join(parts) + suffix,
    st.lists(PARTS, min_size=1, max_size=4),
    st.sampled_from([".png", ".JPG", ".txt", "/", "", "\\x.png"]),
)
CONTENTS = st.one_of(st.sampled_from(list(GOOD.values())), st.binary(max_size=40))


def attempt(action: Callable[[], Any]) -> Any:
    """What `action` returns, or None if it refuses, which must be in one sentence."""
    try:
        return action()
    except DataError as error:
        refusal = error
    assert refusal.message.endswith(".")
    assert refusal.message.isprintable()
    return None


def read_or_refuse(path: Path, folder: Path) -> None:
    ready = attempt(lambda: prepare(DataChoice("folder", str(path)), folder, SHAPE, quiet))
    if ready is not None:
        assert len(ready.classes) >= 2
        assert all(len(index) for index in ready.splits.values())
    assert len(list(folder.glob("*/"))) == (ready is not None)
    assert not list(folder.glob(".*/"))


@pytest.mark.filterwarnings("ignore:Duplicate name")  # zipfile cuts names at a zero byte
@given(st.dictionaries(NAMES, CONTENTS, max_size=8), st.booleans())
def test_any_zip_is_read_or_refused(members, with_good_ones):
    files = (class_files("ab", 3) if with_good_ones else {}) | members
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "own.zip"
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(zipfile.ZipInfo(name or "x"), content)
        read_or_refuse(path, Path(folder) / "data")


@given(st.data())
def test_any_damage_to_a_zip_is_read_or_refused(data):
    with tempfile.TemporaryDirectory() as folder:
        path = write_zip(Path(folder) / "own.zip", class_files("ab", 3))
        content = bytearray(path.read_bytes())
        positions = st.integers(0, len(content) - 1)
        # Half of the damage goes to the table of members at the end, which is read first.
        table = st.integers(content.index(b"PK\x01\x02"), len(content) - 1)
        for place in data.draw(st.lists(positions | table, max_size=6)):
            content[place] = data.draw(st.integers(0, 255))
        path.write_bytes(content[: data.draw(st.integers(1, len(content)) | st.just(len(content)))])
        read_or_refuse(path, Path(folder) / "data")


@settings(max_examples=400)
@given(st.data(), st.sampled_from(sorted(GOOD)), st.sampled_from([1, 3]))
def test_any_damage_to_an_image_is_read_or_refused(data, kind, channels):
    content = bytearray(GOOD[kind])
    for place in data.draw(st.lists(st.integers(0, len(content) - 1), max_size=6)):
        content[place] = data.draw(st.integers(0, 255))
    picture = attempt(lambda: decode(bytes(content), "x", Input(4, channels)))
    if picture is not None:
        assert picture.pixels.shape == (channels, 4, 4)
        assert picture.pixels.dtype == np.uint8


@given(st.lists(NAMES))
def test_any_names_are_arranged_or_refused(names):
    found = attempt(lambda: arrange(names, "own"))
    if found is not None:
        assert set(found.names) <= set(names)
        assert set(found.labels) == set(range(len(found.classes)))
        assert "weights" in found.given


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=80),
    st.floats(0, 0.5),
    st.floats(0, 0.5),
)
def test_splits_are_whole_disjoint_and_never_empty(labels, architecture, test):
    classes = sorted(set(labels))
    numbers = np.array([classes.index(label) for label in labels])
    shares = {"architecture": architecture, "test": test}
    names = [str(name) for name in classes]
    splits = attempt(
        lambda: split(numbers, ["weights"] * len(labels), classes=names, shares=shares)
    )
    if splits is None:
        assert len(classes) < 2 or min(np.bincount(numbers)) < 3
        return
    assert sorted(np.concatenate(list(splits.values()))) == list(range(len(labels)))
    for index in splits.values():
        assert set(numbers[index]) == set(range(len(classes)))
