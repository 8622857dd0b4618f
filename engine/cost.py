"""Parameters, MACs and activation memory of a network, by arithmetic alone; latency is not here.

Conventions: MACs are the multiply-accumulates of convolutions and linear layers, batch norm not
counted. Parameters include batch norm's scale and shift, not its running statistics.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.layers import Conv, Layer, Linear, walk
from engine.space import Arch, SearchSpace

FLOAT_BYTES = 4


@dataclass(frozen=True, slots=True)
class Cost:
    """`peak_bytes`: largest input plus output of any one convolution, fp32, batch 1."""

    params: int
    macs: int
    peak_bytes: int

    def __add__(self, other: Cost) -> Cost:
        peak = max(self.peak_bytes, other.peak_bytes)
        return Cost(self.params + other.params, self.macs + other.macs, peak)


def layer_cost(layer: Layer) -> Cost:
    """Cost of one named layer at the map size it runs on."""
    params = macs = peak = 0
    for primitive, side_in, side_out in walk(layer.primitives, layer.side):
        if isinstance(primitive, Conv):
            weights = primitive.cin // primitive.groups * primitive.cout * primitive.kernel**2
            params += weights + 2 * primitive.cout
            macs += weights * side_out**2
            moved = primitive.cin * side_in**2 + primitive.cout * side_out**2
            peak = max(peak, FLOAT_BYTES * moved)
        elif isinstance(primitive, Linear):
            params += primitive.cin * primitive.cout + primitive.cout
            macs += primitive.cin * primitive.cout
    return Cost(params, macs, peak)


def network_cost(space: SearchSpace, arch: Arch) -> Cost:
    """Cost of the whole network of `arch`."""
    return sum((layer_cost(layer) for layer in space.layers(arch)), Cost(0, 0, 0))
