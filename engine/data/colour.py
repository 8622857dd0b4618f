"""Whether the images of a source are in colour; prepared ones of one channel no longer tell."""

from __future__ import annotations

import numpy as np

from engine.data import tree
from engine.errors import DataError
from engine.space import Input
from engine.spec import DataChoice

SAMPLE = 24
SIDE = 16  # small, so that large photos are decoded quickly
SPREAD = 16  # channels of a grey photo with a tint, or saved as JPEG, differ by less


def in_colour(choice: DataChoice) -> bool:
    """Whether any of a few images has colour; False where none can be looked at any more."""
    if choice.source != "folder":
        return choice.source == "cifar10"
    try:
        pictures = tree.sample(choice.path, SAMPLE, Input(SIDE, 3))
    except DataError:
        return False
    return any(int(np.ptp(p.pixels.astype(np.int16), axis=0).max()) > SPREAD for p in pictures)
