"""Parameters, MACs and activation memory of a network, by arithmetic alone; latency is not here.

Conventions: MACs are the multiply-accumulates of convolutions and linear layers; norms and the
products inside attention are not counted. Parameters are those kept at inference, with batch norm's
scale and shift, without its running statistics.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol, TypeVar

from engine.layers import Attend, ChannelConv, Conv, Layer, Linear, RepConv, shapes

FLOAT_BYTES = 4
STATISTICS = ("mean", "var")

A_contra = TypeVar("A_contra", contravariant=True)


class Networks(Protocol[A_contra]):
    """Whatever has networks made of layers: a search space."""

    def layers(self, arch: A_contra) -> tuple[Layer, ...]:
        """The network of `arch`."""


@dataclass(frozen=True, slots=True)
class Cost:
    """`peak_bytes`: largest input plus output of any one convolution or linear layer, or input and
    scores of attention before and after the softmax; fp32, batch 1."""

    params: int
    macs: int
    peak_bytes: int

    def __add__(self, other: Cost) -> Cost:
        peak = max(self.peak_bytes, other.peak_bytes)
        return Cost(self.params + other.params, self.macs + other.macs, peak)


@lru_cache(maxsize=20_000)  # a space has few different layers, and its networks share them
def layer_cost(layer: Layer) -> Cost:
    """Cost of one named layer at the map size it runs on."""
    params = macs = peak = 0
    for leaf, come, out in layer.walk():
        params += sum(
            math.prod(shape) for name, shape in shapes(leaf).items() if name not in STATISTICS
        )
        if isinstance(leaf, Conv | RepConv | Linear):
            macs += math.prod(shapes(leaf)["weight"]) * out.side**2
            peak = max(peak, FLOAT_BYTES * (come.numbers + out.numbers))
        elif isinstance(leaf, ChannelConv):
            macs += leaf.kernel * come.channels
        elif isinstance(leaf, Attend):
            peak = max(peak, FLOAT_BYTES * (come.numbers + 2 * leaf.scores))
    return Cost(params, macs, peak)


def network_cost(space: Networks[A_contra], arch: A_contra) -> Cost:
    """Cost of the whole network of `arch`."""
    return sum((layer_cost(layer) for layer in space.layers(arch)), Cost(0, 0, 0))
