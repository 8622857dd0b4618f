"""CIFAR-10 (Krizhevsky 2009): downloaded as raw bytes, or a local copy of them or of image files.

Never the archive for Python, whose pickles could run code.
"""

from __future__ import annotations

import os
import re
import tarfile
import zlib
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data import tree
from engine.data.download import fetch
from engine.data.pictures import fit
from engine.data.source import Material, Picture
from engine.errors import DataError
from engine.space import Input
from engine.store import Progressing

CLASSES = (
    "airplane",
    "automobile",
    "bird",
    "cat",
    "deer",
    "dog",
    "frog",
    "horse",
    "ship",
    "truck",
)
SIDE = 32
RECORD = 1 + 3 * SIDE * SIDE  # the label, then one plane per channel
MAX_RECORDS = 10_000
MAX_MEMBERS = 100
BATCH = re.compile(r"(?:.*/)?(data_batch_[1-5]|test_batch)\.bin")
BATCHES = 6
SHARES = {"architecture": 0.1, "test": 1 / 6}  # 5,000 of the 50,000 training images
DAMAGED = (tarfile.TarError, OSError, EOFError, zlib.error, ValueError)


@dataclass(frozen=True, slots=True)
class Cifar10:
    """The data set and where it is downloaded from; a path names a local copy instead."""

    about: str = "CIFAR-10: 60,000 colour photos of 32×32 pixels, a download of 170 MB."
    url: str = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
    md5: str = "c32a1d4ab5d03f1284b67883e8d87530"

    def fingerprint(self, path: str) -> str:
        """The archive's checksum, or what tells the local copy's state."""
        return tree.fingerprint(path) if path else self.md5

    def open(
        self, path: str, shape: Input, *, downloads: Path, on_progress: Progressing
    ) -> Material:
        """The images in the order of the archive, or of their file names."""
        if not path:
            downloads.mkdir(parents=True, exist_ok=True)
            path = str(fetch(self.url, self.md5, downloads, on_progress))
        else:
            on_progress(0.0, "opening CIFAR-10")
        if os.path.isfile(path) and tarfile.is_tarfile(path):
            return _from_tar(path, shape)
        material = tree.read_tree(path, "cifar10", shape)
        if material.classes != CLASSES:
            raise DataError(
                f"cifar10: must hold the classes {', '.join(CLASSES)},"
                f" got {', '.join(material.classes[:10])}.",
                "Give other images as a folder or a zip.",
            )
        return replace(material, shares=SHARES)


def _from_tar(path: str, shape: Input) -> Material:
    labels: list[NDArray[np.int64]] = []
    given: list[str] = []
    names: list[str] = []
    for name, records in _batches(path):
        labels.append(records[:, 0].astype(np.int64))
        given += ["test" if name == "test_batch" else "weights"] * len(records)
        names += [f"image {number} of {name}" for number in range(len(records))]
    if len(labels) != BATCHES:
        raise DataError(
            f"{Path(path).name}: must hold data_batch_1.bin to data_batch_5.bin and"
            f" test_batch.bin, got {len(labels)} of them.",
            "Take cifar-10-binary.tar.gz; the archive for Python is pickled and never opened.",
        )
    return Material(
        name="cifar10",
        classes=CLASSES,
        labels=np.concatenate(labels),
        given=given,
        names=names,
        pictures=lambda: _pictures(path, shape),
        shares=SHARES,
    )


def _pictures(path: str, shape: Input) -> Generator[Picture]:
    for _, records in _batches(path):
        for planes in records[:, 1:].reshape(-1, 3, SIDE, SIDE):
            if (shape.channels, shape.size) == (3, SIDE):
                yield Picture(planes, SIDE, SIDE)
            else:
                image = Image.fromarray(np.ascontiguousarray(planes.transpose(1, 2, 0)))
                yield Picture(fit(image, shape), SIDE, SIDE)


def _batches(path: str) -> Iterator[tuple[str, NDArray[np.uint8]]]:
    """Name and records (N, 3073) of each batch file, one at a time, in the archive's order."""
    where = Path(path).name
    try:
        with tarfile.open(path, "r:*") as archive:
            for number, member in enumerate(archive):
                if member.size > MAX_RECORDS * RECORD or number >= MAX_MEMBERS:
                    raise DataError(f"{where}: must be CIFAR-10's archive, got another.")
                match = BATCH.fullmatch(member.name)
                file = archive.extractfile(member) if match and member.isfile() else None
                if match and file:
                    with file:
                        yield match[1], _records(file.read(), f"{where}: {member.name}")
    except DataError:
        raise
    except DAMAGED as error:
        raise DataError(
            f"{where}: must be readable, got a damaged archive.", "Download it again."
        ) from error


def _records(content: bytes, where: str) -> NDArray[np.uint8]:
    if not content or len(content) % RECORD:
        raise DataError(f"{where} must hold records of {RECORD} bytes, got {len(content)} bytes.")
    records = np.frombuffer(content, dtype=np.uint8).reshape(-1, RECORD)
    if records[:, 0].max() >= len(CLASSES):
        raise DataError(f"{where} must hold labels 0 to 9, got {records[:, 0].max()}.")
    return records
