"""scikit-learn's handwritten digits: 1,797 grey 8x8 images, part of the installation."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.data.pictures import fit
from engine.data.source import Material, Picture
from engine.errors import DataError
from engine.space import Input
from engine.store import Progressing

BRIGHTEST = 16
# 900 are left for the weights: networks are told apart by the other splits, and with half as many
# images there most rankings would be those of luck
SHARES = {"architecture": 597 / 1797, "test": 300 / 1797}


@dataclass(frozen=True, slots=True)
class Digits:
    """The embedded data set: needs no download and no path."""

    about: str = "Handwritten digits, built in: 1,797 grey images of 8×8 pixels."

    def fingerprint(self, path: str) -> str:
        """Constant: the images come with a pinned package."""
        return "" if path else "embedded"

    def open(
        self, path: str, shape: Input, *, downloads: Path, on_progress: Progressing
    ) -> Material:
        """The digits, in their own order."""
        del downloads
        if path:
            raise DataError(f"digits: must be given without a path, got {path!r}.")
        on_progress(0.0, "loading the digits")
        from sklearn.datasets import load_digits  # slow to import, and not wanted in the UI

        loaded = load_digits()
        labels = loaded.target.astype(np.int64)
        grey = np.rint(loaded.images * (255 / BRIGHTEST)).astype(np.uint8)
        return Material(
            name="digits",
            classes=tuple(str(name) for name in loaded.target_names),
            labels=labels,
            given=["weights"] * len(labels),
            names=[f"digit {number}" for number in range(len(labels))],
            pictures=lambda: _pictures(grey, shape),
            shares=SHARES,
        )


def _pictures(grey: NDArray[np.uint8], shape: Input) -> Generator[Picture]:
    for image in grey:
        yield Picture(fit(Image.fromarray(image), shape), image.shape[1], image.shape[0])
