"""What a source of images hands over: pictures one by one, their classes, given splits.

Not how they are stored, split or checked: `dataset.py`, `splits.py` and `report.py` do that alike
for every source.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from engine.space import Input
from engine.store import Progressing

SPLITS = ("weights", "architecture", "test")
SHARES = {"architecture": 0.15, "test": 0.15}


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded image: `pixels` (C, H, W) uint8 at the wanted size, and the size it came in."""

    pixels: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """All that a source knows before a pixel is decoded, and the pictures in the order of `labels`.

    `given` holds a name of SPLITS per image; a split that no image is given to is carved from
    `weights`, as large as its entry in `shares`. `names` tell images apart in messages.
    """

    name: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]
    given: Sequence[str]
    names: Sequence[str]
    pictures: Callable[[], Generator[Picture]]
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    notes: tuple[str, ...] = ()


class DatasetSource(Protocol):
    """Contract of an entry of `DATASETS`."""

    @property
    def about(self) -> str:
        """What it is, in a few words for people."""

    def fingerprint(self, path: str) -> str:
        """Text that changes with the source's content, cheap to get; "" if nothing is there."""

    def open(
        self, path: str, shape: Input, *, downloads: Path, on_progress: Progressing
    ) -> Material:
        """The images at `path` ("" for the source's own); DataError if they cannot be trusted."""
