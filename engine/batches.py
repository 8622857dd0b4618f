"""Images as tensors in memory: uint8 at rest; normalised, moved, mixed a whole batch at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.data import Dataset
from engine.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Split:
    """One split: `images` (N, C, S, S) uint8, `labels` (N,) int64; mean, std (C,) of pixels / 255.

    `shift` (pixels), `flip`, `cutout` (side of the square, pixels) and `mixup` (alpha; needs the
    number of `classes`) say how training batches of it are augmented; `most` is how many images
    may be judged at once.
    """

    images: Tensor
    labels: Tensor
    mean: Tensor
    std: Tensor
    shift: int
    flip: bool
    most: int = 1024
    cutout: int = 0
    mixup: float = 0.0
    classes: int = 0

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
        """Augmented batches in random order; a last one below half of `size` is left out.

        With `mixup` the labels are shares of classes, (N, classes); without, numbers (N,).
        """
        order = torch.randperm(len(self), generator=generator)
        for start in range(0, len(self), size):
            chosen = order[start : start + size]
            if start and len(chosen) * 2 < size:
                return
            images = augment(self.images[chosen], self.shift, self.flip, generator)
            x, y = self.ready(images), self.labels[chosen]
            if self.cutout:
                x = cut_out(x, self.cutout, generator)
            if self.mixup:
                x, y = mix(x, F.one_hot(y, self.classes).float(), self.mixup, generator)
            yield x, y

    def batches(self, size: int) -> int:
        """How many batches `shuffled` gives."""
        whole, rest = divmod(len(self), size)
        return max(1, whole + (rest * 2 >= size))


def load_splits(
    data: Dataset, *, flip: bool, most: int = 1024, recipe: Recipe | None = None
) -> dict[str, Split]:
    """The three splits (`weights`, `architecture`, `test`) of a prepared data set.

    Each is stored in a fixed random order, so that any first part of it holds all classes: batch
    norm is recalibrated, and repairs are judged, on such a part. Training batches are augmented
    and mixed as `recipe` says, or as one of usual values does; `flip` is whether mirroring keeps
    the classes.
    """
    recipe, side = recipe or Recipe(), data.images.shape[-1]
    moved = recipe.augment != "none"
    shift = max(1, side // 8) if moved else 0
    cutout = max(1, side // 2) if recipe.augment == "shift+cutout" else 0
    mean, std = torch.tensor(data.mean), torch.tensor(data.std)
    splits = {}
    for name, index in data.splits.items():
        order = np.random.default_rng(0).permutation(index)
        splits[name] = Split(
            torch.from_numpy(data.images[order]),
            torch.from_numpy(data.labels[order]),
            mean,
            std,
            shift=shift,
            flip=flip and moved,
            most=most,
            cutout=cutout,
            mixup=recipe.mixup,
            classes=len(data.classes),
        )
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


def cut_out(x: Tensor, side: int, generator: torch.Generator) -> Tensor:
    """`x` (N, C, S, S), normalised, with a square of each image at its mean, which is 0.

    Its centre is any pixel, so squares at the edge are cut off (DeVries and Taylor 2017,
    arXiv:1708.04552).
    """
    n, _, size, _ = x.shape
    first = torch.randint(0, size, (2, n, 1), generator=generator) - side // 2
    line = torch.arange(size)
    within = (line >= first) & (line < first + side)
    return x.masked_fill((within[0][:, :, None] & within[1][:, None, :])[:, None], 0.0)


def mix(
    x: Tensor, shares: Tensor, alpha: float, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Images (N, C, S, S) and their classes' shares (N, classes), mixed with others of the batch.

    One weight for all, from Beta(alpha, alpha) (Zhang et al. 2018, arXiv:1710.09412). As
    cross-entropy is linear in the shares, theirs is the two losses' mixture.
    """
    # torch's beta distribution takes no generator, so numpy's gets a seed from it.
    seed = int(torch.randint(2**62, (), generator=generator))
    weight = float(np.random.default_rng(seed).beta(alpha, alpha))
    other = torch.randperm(len(x), generator=generator)
    return torch.lerp(x[other], x, weight), torch.lerp(shares[other], shares, weight)
