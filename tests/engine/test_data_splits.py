"""Stratified splits: sizes, repeatability, given ones, classes too small."""

from __future__ import annotations

import numpy as np
import pytest

from engine.data.source import SHARES
from engine.data.splits import split
from engine.errors import DataError


def carve(labels, given=None, shares=SHARES, classes=None):
    names = classes or [f"c{i}" for i in range(max(labels) + 1)]
    labels = np.asarray(labels)
    return split(labels, given or ["weights"] * len(labels), classes=names, shares=shares)


def sizes(splits):
    return {name: len(index) for name, index in splits.items()}


def test_the_usual_shares_are_70_15_15():
    assert sizes(carve([0] * 100 + [1] * 100)) == {"weights": 140, "architecture": 30, "test": 30}


def test_shares_hold_within_every_class():
    splits = carve([0] * 40 + [1] * 160)
    assert np.bincount(np.arange(200)[splits["test"]] >= 40).tolist() == [6, 24]


def test_three_images_per_class_are_one_for_each_split():
    assert sizes(carve([0, 0, 0, 1, 1, 1])) == {"weights": 2, "architecture": 2, "test": 2}


def test_large_shares_leave_every_split_an_image_of_every_class():
    labels = [0] * 4 + [1] * 3
    splits = carve(labels, shares={"architecture": 0.5, "test": 0.5})
    assert all({labels[i] for i in index} == {0, 1} for index in splits.values())


def test_the_same_labels_are_split_alike_every_time():
    labels = [i % 3 for i in range(60)]
    first, second = carve(labels), carve(labels)
    assert all((first[name] == second[name]).all() for name in first)


def test_the_split_of_known_labels_never_changes():
    splits = carve([0] * 7 + [1] * 7)
    assert splits["architecture"].tolist() == [2, 10]
    assert splits["test"].tolist() == [4, 11]


def test_images_are_not_taken_in_file_order():
    test = carve([0] * 100 + [1] * 100)["test"]
    assert not (np.diff(test[:15]) == 1).all()


def test_given_splits_are_respected():
    given = ["weights"] * 6 + ["architecture"] * 2 + ["test"] * 4
    splits = carve([0, 1] * 6, given)
    assert splits["architecture"].tolist() == [6, 7]
    assert splits["test"].tolist() == [8, 9, 10, 11]
    assert splits["weights"].tolist() == [0, 1, 2, 3, 4, 5]


def test_a_missing_split_is_carved_from_the_weights_alone():
    given = ["weights"] * 20 + ["test"] * 10
    splits = carve([0, 1] * 15, given, {"architecture": 0.2, "test": 0.5})
    assert sizes(splits) == {"weights": 16, "architecture": 4, "test": 10}
    assert splits["architecture"].max() < 20


@pytest.mark.parametrize("count", [1, 2])
def test_a_class_too_small_for_three_splits_is_named(count):
    with pytest.raises(DataError, match=f"class rare: must have at least 3 images.*got {count}"):
        carve([0] * 10 + [1] * count, classes=["common", "rare"])


def test_one_class_is_no_task():
    with pytest.raises(DataError, match="at least 2 classes, got 1"):
        carve([0] * 10)
