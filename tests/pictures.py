"""Small images, folders and archives that the data tests read; made here, nothing is downloaded."""

from __future__ import annotations

import io
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

RECORD = 3073
CIFAR_FILES = (*(f"data_batch_{number}.bin" for number in range(1, 6)), "test_batch.bin")


def image_bytes(
    seed: int = 0, size: tuple[int, int] = (8, 8), mode: str = "RGB", **save: Any
) -> bytes:
    """A noise image as the bytes of a file, PNG unless `format` says otherwise."""
    channels = {"L": (), "RGB": (3,), "RGBA": (4,)}[mode]
    noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], *channels), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(noise).save(buffer, **({"format": "PNG"} | save))
    return buffer.getvalue()


def class_files(classes: str = "ab", count: int = 6, prefix: str = "") -> dict[str, bytes]:
    """`count` different images for each one-letter class: name to content."""
    names = [f"{prefix}{name}/{number}.png" for name in classes for number in range(count)]
    return {name: image_bytes(zlib.crc32(name.encode())) for name in names}


def write_folder(root: Path, files: Mapping[str, bytes]) -> Path:
    """`files` below `root`."""
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return root


def write_zip(path: Path, files: Mapping[str, bytes]) -> Path:
    """`files` as a zip at `path`."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def write_cifar(path: Path, per_class: int = 1, folder: str = "cifar-10-batches-bin/") -> Path:
    """An archive like CIFAR-10's binary one, with `per_class` images of each class per file."""
    files = {f"{folder}batches.meta.txt": b"airplane\n"}
    for number, name in enumerate(CIFAR_FILES):
        records = np.random.default_rng(number).integers(0, 256, (10 * per_class, RECORD), np.uint8)
        records[:, 0] = np.arange(10 * per_class) % 10
        files[folder + name] = records.tobytes()
    return write_tar(path, files)


def write_tar(path: Path, files: Mapping[str, bytes]) -> Path:
    """`files` as a tar.gz at `path`."""
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return path


def quiet(share: float, words: str) -> None:
    """A progress callback that tells nobody, but insists on its contract."""
    assert 0 <= share <= 1, share
    assert words
