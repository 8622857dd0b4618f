"""The words that every block is made of, as data; no arithmetic on tensors and no torch.

A network is a tuple of `Layer`s (stem, one per kept slot, head); each holds primitives.
Readers interpret them: `cost` counts, `graph` writes ONNX, `build` makes torch modules.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

BN_EPS = 1e-5
"""Added to the variance by every batch norm, in training and when it is folded for export."""


@dataclass(frozen=True, slots=True)
class Conv:
    """Convolution without bias, batch norm, ReLU if `act`; padded to `ceil(side / stride)`."""

    cin: int
    cout: int
    kernel: int = 1
    stride: int = 1
    groups: int = 1
    act: bool = True


@dataclass(frozen=True, slots=True)
class Residual:
    """Adds its input to what `body` makes of it; `body` keeps width and side."""

    body: tuple[Primitive, ...]


@dataclass(frozen=True, slots=True)
class GlobalPool:
    """Mean over the map: (N, C, H, W) to (N, C)."""


@dataclass(frozen=True, slots=True)
class Dropout:
    """Drops features with probability `rate` while training; nothing at inference."""

    rate: float


@dataclass(frozen=True, slots=True)
class Linear:
    """Fully connected layer with bias: (N, cin) to (N, cout)."""

    cin: int
    cout: int


Primitive = Conv | Residual | GlobalPool | Dropout | Linear


@dataclass(frozen=True, slots=True)
class Layer:
    """One named part of a network (`stem`, `stage2.1`, `head`) at the map size it runs on.

    `side` is the side of the square input map in pixels; `family` and `op` name what it is
    (`mbconv`, `k5e6`); `key` is what a latency table knows it by.
    """

    name: str
    family: str
    op: str
    cin: int
    cout: int
    stride: int
    side: int
    primitives: tuple[Primitive, ...]

    @property
    def key(self) -> str:
        """The layer's full shape as text: equal keys mean equal work."""
        return f"{self.family} {self.op} s{self.stride} {self.cin}>{self.cout} @{self.side}"


def out_side(side: int, stride: int) -> int:
    """Side of the map after a convolution: `ceil(side / stride)`."""
    return -(-side // stride)


def walk(primitives: tuple[Primitive, ...], side: int) -> Iterator[tuple[Primitive, int, int]]:
    """Every primitive in order with its input and output side, bodies of residuals unfolded."""
    for primitive in primitives:
        if isinstance(primitive, Residual):
            yield from walk(primitive.body, side)
            continue
        after = side
        if isinstance(primitive, Conv):
            after = out_side(side, primitive.stride)
        elif isinstance(primitive, GlobalPool):
            after = 1
        yield primitive, side, after
        side = after
