"""Preparing, opening again, and what happens when disk, source or prepared files let us down."""

from __future__ import annotations

import fcntl
import os
import resource
import sys
import threading
from subprocess import run
from types import SimpleNamespace

import numpy as np
import pytest

from engine import data
from engine.data import open_prepared, parse_choice, prepare
from engine.errors import DataError
from engine.space import Input
from engine.spec import DataChoice
from tests.pictures import class_files, image_bytes, quiet, write_folder, write_zip

SHAPE = Input(8, 3)


@pytest.fixture
def own(tmp_path):
    return write_folder(tmp_path / "own", class_files("abc", 10))


def read(own, tmp_path, on_progress=quiet):
    return prepare(DataChoice("folder", str(own)), tmp_path / "data", SHAPE, on_progress)


def opened(own, tmp_path):
    return open_prepared(DataChoice("folder", str(own)), tmp_path / "data", SHAPE)


def left(tmp_path):
    return [path.name for path in (tmp_path / "data").glob("*/")]


def test_a_choice_is_read_from_what_is_typed(own, monkeypatch):
    monkeypatch.chdir(own.parent)
    assert parse_choice("digits") == DataChoice("digits")
    assert parse_choice("cifar10") == DataChoice("cifar10")
    assert parse_choice("cifar10=own") == DataChoice("cifar10", str(own))
    assert parse_choice("own") == DataChoice("folder", str(own))


def test_a_choice_survives_being_written_and_read(own):
    for choice in (DataChoice("digits"), DataChoice("folder", str(own))):
        assert parse_choice(str(choice)) == choice


@pytest.mark.parametrize("text", ["cifar100", "", "cifar10=", "folder", "no/such.zip", "x" * 9999])
def test_a_choice_of_nothing_is_refused(text):
    with pytest.raises(DataError, match=r"^data: must "):
        parse_choice(text)


def test_an_unknown_source_lists_the_known_ones(tmp_path):
    with pytest.raises(DataError, match="must be one of digits, cifar10, folder, got 'mnist'"):
        prepare(DataChoice("mnist"), tmp_path, SHAPE, quiet)


def test_the_folder_source_wants_a_path(tmp_path):
    with pytest.raises(DataError, match="got none"):
        prepare(DataChoice("folder"), tmp_path, SHAPE, quiet)


def test_a_path_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match="which is not there"):
        read(tmp_path / "nowhere", tmp_path)


def test_one_more_image_is_noticed(own, tmp_path):
    before = read(own, tmp_path)
    (own / "a" / "new.png").write_bytes(image_bytes(77))
    os.utime(own / "a", ns=(1, 1))  # a clock too coarse to see the change would hide it
    assert opened(own, tmp_path) is None
    assert len(read(own, tmp_path).labels) == len(before.labels) + 1


def test_another_zip_under_the_same_name_is_noticed(tmp_path):
    path = write_zip(tmp_path / "own.zip", class_files("ab", 10))
    before = read(path, tmp_path)
    write_zip(path, class_files("abc", 10))
    assert read(path, tmp_path).hash != before.hash


def test_prepared_images_outlive_their_source(tmp_path):
    path = write_zip(tmp_path / "own.zip", class_files("ab", 10))
    before = read(path, tmp_path)
    path.unlink()
    assert read(path, tmp_path).hash == before.hash


@pytest.mark.parametrize("name", ["dataset.json", "images.npy", "labels.npy", "test.npy"])
def test_damaged_prepared_files_are_made_anew(own, tmp_path, name):
    before = read(own, tmp_path)
    (file,) = (tmp_path / "data").glob(f"*/{name}")
    file.write_bytes(file.read_bytes()[:40])
    assert opened(own, tmp_path) is None
    assert read(own, tmp_path).hash == before.hash


def test_pickled_objects_are_never_loaded(own, tmp_path):
    read(own, tmp_path)
    (file,) = (tmp_path / "data").glob("*/labels.npy")
    np.save(file, np.array([{"a": 1}] * 30, dtype=object), allow_pickle=True)
    assert opened(own, tmp_path) is None


def test_changing_a_pixel_changes_the_hash(own, tmp_path):
    before = read(own, tmp_path)
    (own / "a" / "0.png").write_bytes(image_bytes(4711))
    assert read(own, tmp_path / "again").hash != before.hash


def test_an_image_in_another_class_changes_the_hash(tmp_path):
    def of(train):
        names = [f"{split}/{name}/1.png" for split in ("val", "test") for name in "ab"]
        files = {name: image_bytes(seed) for seed, name in enumerate([*train, *names])}
        folder = "".join(train).replace("/", "")
        return read(write_folder(tmp_path / folder, files), tmp_path)

    one = of(["train/a/1.png", "train/a/2.png", "train/b/3.png"])
    other = of(["train/a/1.png", "train/b/2.png", "train/b/3.png"])
    assert (one.images == other.images).all()
    assert one.hash != other.hash


def test_arrays_of_different_lengths_are_made_anew(own, tmp_path):
    read(own, tmp_path)
    (file,) = (tmp_path / "data").glob("*/test.npy")
    np.save(file, np.arange(3), allow_pickle=False)
    assert opened(own, tmp_path) is None


def test_a_full_disk_while_writing_is_told_and_leaves_nothing(own, tmp_path):
    (tmp_path / "data").mkdir()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, limits[1]))  # files end at 2,000 bytes
    try:
        with pytest.raises(DataError, match="must be writable and have room for the images"):
            read(own, tmp_path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert left(tmp_path) == []
    assert len(read(own, tmp_path).labels) == 30


def test_too_little_room_is_told_before_an_image_is_read(own, tmp_path, monkeypatch):
    monkeypatch.setattr(data.shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"must have 0 MB free for the images, got 0 MB\."):
        read(own, tmp_path, lambda *_: None)
    assert left(tmp_path) == []


def test_a_place_that_cannot_be_written_is_told(own, tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    with pytest.raises(DataError, match=r"data: must be writable .* File exists"):
        read(own, tmp_path)


def test_stopping_while_images_are_read_leaves_nothing(own, tmp_path):
    def stop(share, words):
        if share > 0.5:
            raise KeyboardInterrupt(words)

    with pytest.raises(KeyboardInterrupt, match="reading images"):
        read(own, tmp_path, stop)
    assert left(tmp_path) == []


def test_what_a_killed_run_left_is_cleared_away(own, tmp_path):
    read(own, tmp_path)
    (ready,) = (tmp_path / "data").glob("folder-*")
    half = ready.with_name(f".{ready.name}.preparing")
    ready.rename(half)
    assert opened(own, tmp_path) is None
    read(own, tmp_path)
    assert not half.exists()


def test_two_runs_do_not_prepare_the_same_images_at_once(own, tmp_path):
    first = read(own, tmp_path)
    (ready,) = (tmp_path / "data").glob("folder-*")
    parked = ready.rename(tmp_path / "parked")
    told: list[str] = []
    waiting = threading.Event()

    def tell(_, words):
        told.append(words)
        waiting.set()

    with (tmp_path / "data" / f".{ready.name}.lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        second = threading.Thread(target=read, args=(own, tmp_path, tell))
        second.start()
        assert waiting.wait(30)
        parked.rename(ready)
    second.join(30)
    assert told == ["waiting: another run reads the same images"]
    assert opened(own, tmp_path).hash == first.hash


def test_odd_metadata_does_not_refuse_an_image(own, tmp_path):
    odd = image_bytes(format="JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    (own / "a" / "odd.jpg").write_bytes(odd)
    assert len(read(own, tmp_path).labels) == 31


def test_links_of_a_folder_are_followed_but_not_round_in_circles(own, tmp_path):
    (own / "a" / "again").symlink_to(own / "a")
    (own / "b" / "loop.png").symlink_to(own / "b" / "loop.png")
    (own / "c" / "link.png").symlink_to(own / "a" / "0.png")
    with pytest.raises(DataError, match="must be readable"):
        read(own, tmp_path)
    (own / "b" / "loop.png").unlink()
    ready = read(own, tmp_path)
    assert len(ready.labels) == 31
    assert "c/link.png" in str(ready.report.warnings)


def test_importing_it_loads_nothing_heavy():
    heavy = "torch", "sklearn", "pooch", "requests", "onnxruntime", "streamlit"
    code = f"import sys, engine.data; sys.exit(str([m for m in {heavy} if m in sys.modules] or ''))"
    assert run([sys.executable, "-c", code], capture_output=True, check=False).stderr == b"\n"


def test_digits_have_the_promised_splits(tmp_path):
    ready = prepare(DataChoice("digits"), tmp_path, Input(16, 1), quiet)
    sizes = {name: len(index) for name, index in ready.splits.items()}
    assert sizes == {"weights": 900, "architecture": 597, "test": 300}
    assert ready.report.sizes == {"8×8": 1797}
    assert ready.report.warnings == ()
