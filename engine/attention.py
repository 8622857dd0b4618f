"""Index arithmetic of the word `Attend`, which both the ONNX writer and the torch modules need."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.layers import Attend


def offsets(side: int) -> npt.NDArray[np.int64]:
    """(side², side²): the number of the distance (|dy|, |dx|) between two pixels of a map."""
    y, x = np.divmod(np.arange(side * side), side)
    number: npt.NDArray[np.int64] = np.abs(y[:, None] - y) * side + np.abs(x[:, None] - x)
    return number


def windows(attend: Attend) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """How a map is cut into windows: sizes that its two sides become, and an order of axes.

    (N, C, *sizes) in that order is (N, n, n, C, reach, reach) with n windows along a side.
    """
    reach, count = attend.reach, attend.side // attend.reach
    if attend.spread:
        return (reach, count) * 2, (0, 3, 5, 1, 2, 4)
    return (count, reach) * 2, (0, 2, 4, 1, 3, 5)


def inverse(order: Sequence[int]) -> list[int]:
    """The order of axes that undoes `order`."""
    return sorted(range(len(order)), key=order.__getitem__)
