"""What every entry of DATASETS must do; a new one needs a line in SMALL and passes unchanged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.data import DATASETS, Dataset, open_prepared, prepare
from engine.errors import DataError
from engine.space import Input
from engine.spec import DataChoice
from tests.pictures import class_files, quiet, write_cifar, write_folder

SHAPE = Input(8, 3)
SMALL = {
    "digits": lambda folder: DataChoice("digits"),  # noqa: ARG005
    "cifar10": lambda folder: DataChoice("cifar10", str(write_cifar(folder / "cifar.tar.gz", 2))),
    "folder": lambda folder: DataChoice(
        "folder", str(write_folder(folder / "own", class_files("abc", 10)))
    ),
}


@pytest.fixture(params=list(DATASETS))
def choice(request: pytest.FixtureRequest, tmp_path: Path) -> DataChoice:
    return SMALL[request.param](tmp_path)


@pytest.fixture
def ready(choice: DataChoice, tmp_path: Path) -> Dataset:
    return prepare(choice, tmp_path / "data", SHAPE, quiet)


def test_images_are_uint8_of_the_wanted_shape(ready):
    assert ready.images.dtype == np.uint8
    assert ready.images.shape == (len(ready.labels), 3, 8, 8)
    assert isinstance(ready.images, np.memmap)


def test_labels_number_the_classes(ready):
    assert ready.labels.dtype == np.int64
    assert set(ready.labels) == set(range(len(ready.classes)))


def test_splits_are_disjoint_and_cover_every_image(ready):
    assert list(ready.splits) == ["weights", "architecture", "test"]
    assert sorted(np.concatenate(list(ready.splits.values()))) == list(range(len(ready.labels)))


def test_every_split_holds_every_class(ready):
    for index in ready.splits.values():
        assert len(set(ready.labels[index])) == len(ready.classes)


def test_no_image_of_one_split_is_in_another(ready):
    assert ready.report.leaks == 0
    seen = {
        name: {ready.images[i].tobytes() for i in index} for name, index in ready.splits.items()
    }
    assert not seen["weights"] & seen["test"]
    assert not seen["architecture"] & seen["test"]


def test_mean_and_std_are_those_of_the_weights_split(ready):
    images = ready.images[ready.splits["weights"]] / 255
    assert ready.mean == pytest.approx(images.mean((0, 2, 3)))
    assert ready.std == pytest.approx(images.std((0, 2, 3)))


def test_report_counts_every_image_once(ready):
    counts = ready.report.counts
    assert {name: sum(split.values()) for name, split in counts.items()} == {
        name: len(index) for name, index in ready.splits.items()
    }
    assert sum(ready.report.sizes.values()) == len(ready.labels)


def test_preparing_elsewhere_gives_the_same_hash(choice, ready, tmp_path):
    assert prepare(choice, tmp_path / "elsewhere", SHAPE, quiet).hash == ready.hash
    assert len(bytes.fromhex(ready.hash)) == 32


def test_another_shape_gives_another_hash(choice, ready, tmp_path):
    grey = prepare(choice, tmp_path / "data", Input(8, 1), quiet)
    assert grey.images.shape[1:] == (1, 8, 8)
    assert grey.hash != ready.hash


def test_it_opens_once_prepared_and_not_before(choice, tmp_path):
    assert open_prepared(choice, tmp_path / "data", SHAPE) is None
    ready = prepare(choice, tmp_path / "data", SHAPE, quiet)
    again = open_prepared(choice, tmp_path / "data", SHAPE)
    assert again is not None
    assert again.hash == ready.hash
    assert again.report == ready.report
    assert (again.images == ready.images).all()


def test_progress_rises_to_the_end_in_words(choice, tmp_path):
    told: list[tuple[float, str]] = []
    prepare(choice, tmp_path / "data", SHAPE, lambda share, words: told.append((share, words)))
    shares = [share for share, _ in told]
    assert shares == sorted(shares)
    assert 0 <= shares[0] < shares[-1] <= 1
    assert all(words for _, words in told)


def test_a_second_prepare_reads_no_image_again(choice, ready, tmp_path):
    told: list[str] = []
    again = prepare(choice, tmp_path / "data", SHAPE, lambda _, words: told.append(words))
    assert again.hash == ready.hash
    assert told == []


def test_a_damaged_source_is_refused_in_one_sentence(choice, tmp_path):
    (tmp_path / "junk.bin").write_bytes(b"no images here" * 100)
    with pytest.raises(DataError) as caught:
        prepare(
            DataChoice(choice.source, str(tmp_path / "junk.bin")), tmp_path / "data", SHAPE, quiet
        )
    assert caught.value.message.endswith(".")
    assert "\n" not in caught.value.message
    assert not list((tmp_path / "data").glob("*/"))


def test_it_says_what_it_is(choice):
    assert DATASETS[choice.source].about
