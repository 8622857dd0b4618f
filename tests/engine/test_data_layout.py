"""Names of files become classes and splits, or are refused."""

from __future__ import annotations

import pytest

from engine.data.layout import arrange
from engine.errors import DataError


def placed(*names):
    found = arrange(names, "own")
    return {
        name: (found.given[i], found.classes[found.labels[i]]) for i, name in enumerate(found.names)
    }


def test_one_folder_per_class():
    assert placed("b/1.png", "a/1.jpg") == {
        "a/1.jpg": ("weights", "a"),
        "b/1.png": ("weights", "b"),
    }


def test_order_and_labels_do_not_depend_on_the_order_of_the_files():
    assert arrange(["a/1.png", "b/1.png"], "own") == arrange(["b/1.png", "a/1.png"], "own")


@pytest.mark.parametrize("top", ["", "cats-and-dogs/", "outer/inner/"])
def test_split_folders_are_respected_below_a_wrapping_folder(top):
    names = [f"{top}{split}/{name}/1.png" for split in ("train", "val", "test") for name in "ab"]
    groups = [group for group, _ in placed(*names).values()]
    assert sorted(groups) == ["architecture"] * 2 + ["test"] * 2 + ["weights"] * 2


def test_split_folders_may_be_spelled_otherwise():
    found = placed("Training/a/1.png", "Validation/a/1.png", "TEST/a/1.png")
    assert [group for group, _ in found.values()] == ["test", "weights", "architecture"]


def test_only_a_train_folder_is_a_split_and_not_a_class():
    assert placed("train/a/1.png", "train/b/1.png")["train/b/1.png"] == ("weights", "b")


def test_a_class_may_be_called_train():
    assert placed("train/1.png", "car/1.png")["train/1.png"] == ("weights", "train")


def test_a_wrapping_folder_is_no_class():
    assert arrange(["top/a/1.png", "top/b/1.png"], "own").classes == ("a", "b")


def test_folders_inside_a_class_belong_to_it():
    assert placed("a/x/1.png", "b/2.png")["a/x/1.png"] == ("weights", "a")


def test_system_files_and_hidden_folders_are_passed_over_in_silence():
    junk = ("__MACOSX/a/._1.png", "a/.DS_Store", ".git/x/1.png", "a/Thumbs.db")
    found = arrange(["a/1.png", "b/1.png", *junk], "own")
    assert found.names == ("a/1.png", "b/1.png")
    assert found.notes == ()


def test_suffixes_count_in_any_case():
    assert len(placed("a/1.PNG", "a/2.JPeG", "b/3.WebP")) == 3


def test_what_is_left_out_is_told():
    names = ["train/a/1.png", "train/b/1.png", "test/7.png", "read.me", "train/a/2.gif"]
    assert arrange(names, "own").notes == (
        "Left out, not PNG, JPEG, BMP or WebP: 2 files such as read.me.",
        "Left out, in no class folder: test/7.png.",
    )


def test_composed_and_decomposed_letters_are_one_class():
    assert len(arrange(["train/café/1.png", "test/cafe\u0301/1.png"], "own").classes) == 1


def test_names_in_no_known_encoding_can_be_shown():
    found = arrange(["caf\udce9/1.png", "b\n/1.png"], "own")
    assert found.classes == ("b\ufffd", "caf\ufffd")


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "own: must hold PNG, JPEG, BMP or WebP images, got 0 other files."),
        (["a/1.txt"], "own: must hold PNG, JPEG, BMP or WebP images, got 1 other files."),
        (["data.zip"], "own: must hold images, got an archive inside it."),
        (["1.png", "2.png"], "own: images must stand in class folders, got none there."),
        (
            ["train/a/1.png", "extra/b/1.png"],
            "own: must hold nothing beside train/, val/ and test/, got extra/.",
        ),
        (
            ["train/a/1.png", "test/b/1.png"],
            "own: class b must have images in train/, got none.",
        ),
    ],
)
def test_what_is_no_set_of_classes_is_refused(names, sentence):
    with pytest.raises(DataError) as caught:
        arrange(names, "own")
    assert caught.value.message == sentence
    assert caught.value.hint
