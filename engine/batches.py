"""Images as tensors in memory: uint8 at rest, normalised and augmented a whole batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.data import Dataset


@dataclass(frozen=True, slots=True)
class Split:
    """One split: `images` (N, C, S, S) uint8, `labels` (N,) int64; mean, std (C,) of pixels / 255.

    `shift` (pixels) and `flip` say how training batches of it are augmented; `most` is how many
    images may be judged at once.
    """

    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor
    shift: int
    flip: bool
    most: int = 1024

    def __len__(self) -> int:
        return len(self.labels)

    def ready(self, images: Tensor) -> Tensor:
        """uint8 (N, C, S, S) to normalised float32, channels_last."""
        x = images.float().div_(255.0)
        x = (x - self.mean[:, None, None]) / self.std[:, None, None]
        return x.contiguous(memory_format=torch.channels_last)

    def in_order(self, size: int, limit: int | None = None) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches in stored order, without augmentation, of at most `limit` images in all."""
        size = min(size, self.most)
        stop = len(self) if limit is None else min(limit, len(self))
        for start in range(0, stop, size):
            end = min(start + size, stop)
            yield self.ready(self.images[start:end]), self.labels[start:end]

    def shuffled(self, size: int, generator: torch.Generator) -> Iterator[tuple[Tensor, Tensor]]:
        """Augmented batches in random order; a last one below half of `size` is left out."""
        order = torch.randperm(len(self), generator=generator)
        for start in range(0, len(self), size):
            chosen = order[start : start + size]
            if start and len(chosen) * 2 < size:
                return
            images = augment(self.images[chosen], self.shift, self.flip, generator)
            yield self.ready(images), self.labels[chosen]

    def batches(self, size: int) -> int:
        """How many batches `shuffled` gives."""
        whole, rest = divmod(len(self), size)
        return max(1, whole + (rest * 2 >= size))


def load_splits(data: Dataset, *, flip: bool, most: int = 1024) -> dict[str, Split]:
    """The three splits (`weights`, `architecture`, `test`) of a prepared data set.

    Each is stored in a fixed random order, so that any first part of it holds all classes: batch
    norm is recalibrated, and repairs are judged, on such a part.
    """
    shift = max(1, data.images.shape[-1] // 8)
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    splits = {}
    for name, index in data.splits.items():
        order = np.random.default_rng(0).permutation(index)
        images, labels = torch.from_numpy(data.images[order]), torch.from_numpy(data.labels[order])
        splits[name] = Split(images, labels, mean, std, shift, flip, most)
    return splits


def augment(images: Tensor, shift: int, flip: bool, generator: torch.Generator) -> Tensor:
    """Each image moved by up to `shift` pixels and, if `flip`, mirrored at even odds."""
    n, channels, size, _ = images.shape
    padded = torch.nn.functional.pad(images, (shift, shift, shift, shift))
    offsets = torch.randint(0, 2 * shift + 1, (2, n, 1), generator=generator)
    line = torch.arange(size)
    rows, columns = line + offsets[0], line.expand(n, size)
    if flip:
        mirrored = torch.randint(0, 2, (n, 1), generator=generator).bool()
        columns = torch.where(mirrored, columns.flip(1), columns)
    columns = columns + offsets[1]
    which = torch.arange(n)[:, None, None, None]
    band = torch.arange(channels)[None, :, None, None]
    return padded[which, band, rows[:, None, :, None], columns[:, None, None, :]]
