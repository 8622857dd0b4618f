"""Small PNG images for a preview of a prepared data set; no torch, nothing decoded anew."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from engine.data.dataset import Dataset


def thumbnails(dataset: Dataset, per_class: int, side: int = 64) -> dict[str, list[bytes]]:
    """Up to `per_class` PNG files per class, spread over the weights split, `side` pixels wide."""
    index = dataset.splits["weights"]
    labels = dataset.labels[index]
    pictures = {}
    for number, name in enumerate(dataset.classes):
        members = index[labels == number]
        wanted = min(per_class, len(members))
        picks = np.linspace(0, len(members) - 1, wanted).astype(np.int64)
        pictures[name] = [_png(dataset, int(image), side) for image in members[picks]]
    return pictures


def _png(dataset: Dataset, number: int, side: int) -> bytes:
    pixels = np.array(dataset.images[number]).transpose(1, 2, 0)
    image = Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels)
    enlarging = side > image.width  # keep single pixels visible instead of blurring them
    method = Image.Resampling.NEAREST if enlarging else Image.Resampling.BICUBIC
    buffer = io.BytesIO()
    image.resize((side, side), method).save(buffer, "PNG")
    return buffer.getvalue()
