"""Counts, copies, leakage, balance in words; previews."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from engine.data import prepare, report, thumbnails
from engine.space import Input
from engine.spec import DataChoice
from tests.pictures import class_files, image_bytes, quiet, write_folder


def read(files, tmp_path, shape=None):
    folder = write_folder(tmp_path / "own", files)
    return prepare(
        DataChoice("folder", str(folder)), tmp_path / "data", shape or Input(8, 3), quiet
    )


def in_splits(**extra):
    """Images with all three splits given, so that every image's split is known."""
    files = {
        f"{split}/{name}/{number}.png": image_bytes(100 * i + 10 * j + number)
        for i, split in enumerate(("train", "val", "test"))
        for j, name in enumerate("ab")
        for number in range(3)
    }
    return files | {name.replace("__", "/") + ".png": image_bytes(n) for name, n in extra.items()}


def test_clean_images_give_no_warning(tmp_path):
    found = read(in_splits(), tmp_path).report
    assert (found.duplicates, found.leaks, found.warnings) == (0, 0, ())


def test_counts_are_per_split_and_class(tmp_path):
    found = read(in_splits(train__a__9=999), tmp_path).report
    assert found.counts == {
        "weights": {"a": 4, "b": 3},
        "architecture": {"a": 3, "b": 3},
        "test": {"a": 3, "b": 3},
    }


def test_a_copy_within_a_split_is_no_leak(tmp_path):
    found = read(in_splits(train__a__9=0), tmp_path).report
    assert (found.duplicates, found.leaks) == (1, 0)
    assert found.warnings == (
        "1 image is an exact copy of another: train/a/9.png of train/a/0.png.",
    )


def test_copies_across_splits_are_called_leakage(tmp_path):
    found = read(in_splits(test__a__9=0, val__a__9=0), tmp_path).report
    assert (found.duplicates, found.leaks) == (2, 2)
    assert found.warnings[1] == (
        "Leakage: 2 images are exact copies of others in a different split, such as"
        " val/a/9.png of train/a/0.png; accuracy will look better than it is."
    )


def test_a_copy_under_another_class_is_told(tmp_path):
    found = read(in_splits(train__b__9=0), tmp_path).report
    assert found.warnings[1] == (
        "1 image is an exact copy of another of a different class: train/b/9.png of"
        " train/a/0.png; one of the two is wrong."
    )


def test_the_same_picture_in_another_format_is_a_copy(tmp_path):
    twins = {"a/x.png": image_bytes(1), "a/x.bmp": image_bytes(1, format="BMP")}
    assert read(class_files() | twins, tmp_path).report.duplicates == 1


def test_uneven_classes_are_told(tmp_path):
    files = class_files("a", 12) | class_files("b", 4)
    assert read(files, tmp_path).report.warnings == (
        "Uneven classes: a has 12 images, b only 4; a model may favour the frequent ones.",
    )


def test_a_class_missing_from_a_given_split_is_told(tmp_path):
    files = {name: content for name, content in in_splits().items() if "test/b" not in name}
    assert read(files, tmp_path).report.warnings == ("The test split holds no image of class b.",)


def test_rare_sizes_are_put_together(tmp_path, monkeypatch):
    monkeypatch.setattr(report, "MAX_SIZES", 2)
    extra = {f"a/x{n}.png": image_bytes(n + 50, (10 + n, 9)) for n in range(3)}
    sizes = read(class_files() | extra, tmp_path).report.sizes
    assert sizes == {"8×8": 12, "10×9": 1, "other": 2}


def test_images_of_one_colour_have_a_spread_that_can_be_divided_by(tmp_path):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), (255, 0, 51)).save(buffer, "PNG")
    ready = read({f"{c}/{n}.png": buffer.getvalue() for c in "ab" for n in range(3)}, tmp_path)
    assert ready.mean == pytest.approx((1, 0, 0.2))
    assert min(ready.std) > 0.003


@pytest.mark.parametrize("channels", [1, 3])
def test_thumbnails_show_images_of_their_class(tmp_path, channels):
    ready = read(class_files("ab", 12), tmp_path, Input(8, channels))
    pictures = thumbnails(ready, 4, side=32)
    assert {name: len(files) for name, files in pictures.items()} == {"a": 4, "b": 4}
    shown = np.asarray(Image.open(io.BytesIO(pictures["b"][0])).convert("RGB"))[::4, ::4]
    first = ready.splits["weights"][ready.labels[ready.splits["weights"]] == 1][0]
    expected = np.broadcast_to(ready.images[first].transpose(1, 2, 0), (8, 8, 3))
    assert (shown == expected).all()


def test_thumbnails_are_no_more_than_there_are(tmp_path):
    assert len(thumbnails(read(class_files("ab", 4), tmp_path), 50)["a"]) == 2
