"""Labelled images: the table of sources, and how one becomes a prepared data set for all runs.

A source hands over `Material` (see `source.py`); splitting, checking, hashing and storing are the
same for all. To add one: a file beside this one, one line in `DATASETS`.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

from engine.data import dataset as prepared
from engine.data.cifar10 import Cifar10
from engine.data.dataset import Dataset
from engine.data.digits import Digits
from engine.data.folder import ImageFolder
from engine.data.locks import alone
from engine.data.report import DataReport
from engine.data.source import DatasetSource, Material
from engine.data.thumbnails import thumbnails
from engine.errors import DataError
from engine.space import Input
from engine.spec import DataChoice
from engine.store import Progressing

__all__ = [
    "DATASETS",
    "DataReport",
    "Dataset",
    "DatasetSource",
    "open_prepared",
    "parse_choice",
    "prepare",
    "thumbnails",
]

DATASETS: dict[str, DatasetSource] = {
    "digits": Digits(),
    "cifar10": Cifar10(),
    "folder": ImageFolder(),
}

WAITING = "waiting: another run reads the same images"
OPENING = 0.5  # the share of progress that opening a source may take, a download for example


def parse_choice(text: str) -> DataChoice:
    """The choice written as `digits`, `cifar10`, `cifar10=PATH` or PATH; paths become absolute."""
    source, equals, path = text.partition("=")
    if source not in DATASETS:
        source, path = "folder", text
    if path:
        found = os.path.abspath(os.path.expanduser(path))
        if not os.path.exists(found):
            known = ", ".join(name for name in DATASETS if name != "folder")
            raise DataError(
                f"data: must be {known}, or the path of a folder or a .zip, got {text!r}.",
                "Check the spelling.",
            )
        path = found
    if not path and (equals or source == "folder"):
        raise DataError(f"data: must name a folder or a .zip, got {text!r}.")
    return DataChoice(source, path)


def prepare(choice: DataChoice, folder: Path, shape: Input, on_progress: Progressing) -> Dataset:
    """The data set of `choice` at `shape`, prepared below `folder` unless that was done before.

    DataError for images that cannot be read, split or trusted, and for a folder that is full or
    closed to us; nothing half done stays behind.
    """
    source = _source(choice)
    ready = open_prepared(choice, folder, shape)
    if ready is not None:
        return ready
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with alone(folder / f".{_key(choice, shape)}.lock", on_progress, WAITING):
            ready = open_prepared(choice, folder, shape)
            return ready or _prepare(source, choice, folder, shape, on_progress)
    except OSError as error:
        raise DataError(
            f"{folder}: must be writable and have room for the images, but"
            f" {error.strerror or error}.",
            "Free some space or choose another folder, then try again.",
        ) from error


def open_prepared(choice: DataChoice, folder: Path, shape: Input) -> Dataset | None:
    """The data set if it is prepared and its source has not changed since; quick, reads no images.

    A source that is gone counts as unchanged: what was prepared from it stays usable.
    """
    source = _source(choice)
    try:
        ready, fingerprint = prepared.read(folder / _key(choice, shape))
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return ready if source.fingerprint(choice.path) in ("", fingerprint) else None


def _source(choice: DataChoice) -> DatasetSource:
    if choice.source not in DATASETS:
        raise DataError(f"data: must be one of {', '.join(DATASETS)}, got {choice.source!r}.")
    return DATASETS[choice.source]


def _key(choice: DataChoice, shape: Input) -> str:
    key = f"{choice.source}-{shape.size}x{shape.channels}"
    if not choice.path:
        return key
    path = choice.path.encode("utf-8", "surrogatepass")
    return f"{key}-{hashlib.sha256(path).hexdigest()[:12]}"


def _prepare(
    source: DatasetSource,
    choice: DataChoice,
    folder: Path,
    shape: Input,
    on_progress: Progressing,
) -> Dataset:
    """Prepares beside the final folder and renames; the lock is held, so leftovers are nobody's."""
    reached = 0.0

    def opening(share: float, words: str) -> None:
        nonlocal reached
        reached = max(reached, OPENING * share)
        on_progress(reached, words)

    def reading(share: float, words: str) -> None:
        on_progress(reached + (1 - reached) * share, words)

    target, scratch = folder / _key(choice, shape), folder / f".{_key(choice, shape)}.preparing"
    fingerprint = source.fingerprint(choice.path)
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    try:
        downloads = folder / "downloads"
        material = source.open(choice.path, shape, downloads=downloads, on_progress=opening)
        _check_room(scratch, material, shape)
        prepared.write(material, scratch, shape, fingerprint=fingerprint, on_progress=reading)
        # A damaged or outdated data set may be in the way; who has mapped it keeps its pages.
        shutil.rmtree(target, ignore_errors=True)
        scratch.rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return prepared.read(target)[0]


def _check_room(folder: Path, material: Material, shape: Input) -> None:
    needed = len(material.labels) * (shape.channels * shape.size**2 + 16)
    free = shutil.disk_usage(folder).free
    if needed > free:
        raise DataError(
            f"{folder.parent}: must have {needed / 1e6:,.0f} MB free for the images,"
            f" got {free / 1e6:,.0f} MB.",
            "Free some space or choose another folder, then try again.",
        )
