"""A prepared data set: images as one memory-mapped array, labels, fixed splits, hash and report.

Its folder holds .npy files (never pickled objects) and `dataset.json`, written last.
"""

from __future__ import annotations

import hashlib
import json
import warnings
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from engine.data.report import DataReport, make_report
from engine.data.source import SPLITS, Material
from engine.data.splits import split
from engine.errors import DataError
from engine.space import Input
from engine.store import Progressing

VERSION = 1
ABOUT = "dataset.json"
CHUNK = 256


@dataclass(frozen=True, slots=True, eq=False)
class Dataset:
    """Labelled images in three disjoint splits.

    `images` (N, C, H, W) uint8, memory-mapped; `labels` (N,) int64; `splits`: ascending indices
    under "weights" (trains them), "architecture" (chooses it) and "test" (looked at once).
    `mean`, `std`: per channel of images / 255 over the weights split. `hash`: sha256 as hex digits
    over shape, classes, images, labels and splits.
    """

    name: str
    hash: str
    classes: tuple[str, ...]
    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    splits: dict[str, NDArray[np.int64]]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    report: DataReport


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What writing the pictures taught: sha256 of all, a digest of each, original sizes."""

    pixels: str
    digests: list[bytes]
    sizes: Counter[tuple[int, int]]


def write(
    material: Material, folder: Path, shape: Input, *, fingerprint: str, on_progress: Progressing
) -> None:
    """Decodes, splits and checks `material` into the empty `folder`; OSError if that is full."""
    splits = split(
        material.labels, material.given, classes=material.classes, shares=material.shares
    )
    with (
        warnings.catch_warnings()
    ):  # of Pillow: odd metadata does no harm, and many pixels we refuse
        warnings.filterwarnings("ignore", module=r"PIL\.")
        seen = _write_images(folder / "images.npy", material, shape, on_progress)
    _save(folder / "labels.npy", material.labels)
    for name, index in splits.items():
        _save(folder / f"{name}.npy", index)
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    mean, std = _statistics(images, splits["weights"])
    report = make_report(material, splits, digests=seen.digests, sizes=seen.sizes)
    about = {
        "version": VERSION,
        "fingerprint": fingerprint,
        "name": material.name,
        "hash": _hash(material, images.shape, splits, seen.pixels),
        "classes": material.classes,
        "mean": mean,
        "std": std,
        "report": asdict(report),
    }
    (folder / ABOUT).write_text(json.dumps(about, ensure_ascii=False), encoding="utf-8")


def read(folder: Path) -> tuple[Dataset, str]:
    """The data set in `folder` and its source's fingerprint; OSError, ValueError, LookupError or
    TypeError if it is incomplete or damaged."""
    about = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
    if about["version"] != VERSION:
        raise ValueError(f"version {about['version']}")
    images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
    report: dict[str, Any] = about["report"]
    dataset = Dataset(
        name=about["name"],
        hash=about["hash"],
        classes=tuple(about["classes"]),
        images=images,
        labels=_load(folder / "labels.npy"),
        splits={name: _load(folder / f"{name}.npy") for name in SPLITS},
        mean=tuple(about["mean"]),
        std=tuple(about["std"]),
        report=DataReport(**(report | {"warnings": tuple(report["warnings"])})),
    )
    if not len(dataset.labels) == len(images) == sum(map(len, dataset.splits.values())):
        raise ValueError("arrays of different lengths")
    return dataset, str(about["fingerprint"])


def _save(path: Path, array: NDArray[np.int64]) -> None:
    np.save(path, array.astype(np.int64), allow_pickle=False)


def _load(path: Path) -> NDArray[np.int64]:
    loaded: NDArray[np.int64] = np.load(path, allow_pickle=False)
    return loaded


def _write_images(path: Path, material: Material, shape: Input, on_progress: Progressing) -> _Seen:
    """Streams the pictures to `path`; not through a map: a full disk must not be a SIGBUS."""
    total = len(material.labels)
    form = (total, shape.channels, shape.size, shape.size)
    seen, pixels = _Seen("", [], Counter()), hashlib.sha256()
    with path.open("wb") as file, closing(material.pictures()) as pictures:
        _header(file, form)
        for picture in pictures:
            content = picture.pixels.tobytes()
            file.write(content)
            pixels.update(content)
            seen.digests.append(hashlib.blake2b(content, digest_size=16).digest())
            seen.sizes[picture.width, picture.height] += 1
            done = len(seen.digests)
            if done % max(1, total // 100) == 0:
                on_progress(done / total, f"reading images: {done:,} of {total:,}")
    if len(seen.digests) != total:
        raise DataError(
            f"{material.name}: must not change while it is read, but had {total:,} images"
            f" and now has {len(seen.digests):,}.",
            "Try again once nothing writes there.",
        )
    return _Seen(pixels.hexdigest(), seen.digests, seen.sizes)


def _header(file: IO[bytes], form: tuple[int, ...]) -> None:
    descr = npy.dtype_to_descr(np.dtype(np.uint8))
    npy.write_array_header_1_0(file, {"descr": descr, "fortran_order": False, "shape": form})


def _statistics(
    images: NDArray[np.uint8], index: NDArray[np.int64]
) -> tuple[list[float], list[float]]:
    """Mean and standard deviation per channel of images / 255, from exact counts per value."""
    channels = images.shape[1]
    counts = np.zeros((channels, 256), dtype=np.int64)
    for start in range(0, len(index), CHUNK):
        chunk = images[index[start : start + CHUNK]]
        for channel in range(channels):
            counts[channel] += np.bincount(chunk[:, channel].ravel(), minlength=256)
    values = np.arange(256) / 255
    mean = counts @ values / counts.sum(axis=1)
    variance = counts @ values**2 / counts.sum(axis=1) - mean**2
    # Images of one colour have no spread; a floor of one grey level keeps normalising finite.
    std = np.sqrt(np.maximum(variance, 255.0**-2))
    return mean.tolist(), std.tolist()


def _hash(
    material: Material,
    form: tuple[int, ...],
    splits: Mapping[str, NDArray[np.int64]],
    pixels: str,
) -> str:
    digest = hashlib.sha256(json.dumps([form, material.classes, pixels]).encode())
    digest.update(material.labels.astype("<i8").tobytes())
    for name in SPLITS:
        digest.update(splits[name].astype("<i8").tobytes())
    return digest.hexdigest()
