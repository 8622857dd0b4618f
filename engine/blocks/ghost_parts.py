"""What the two generations of Ghost bottlenecks share; the families are `ghost` and `ghostv2`."""

from __future__ import annotations

from engine.blocks.contract import Field, Place
from engine.blocks.parts import squeeze_excite
from engine.layers import Branches, Chain, Conv, Primitive, Residual, Take

KERNEL = Field(
    "kernel", "Kernel where width or side changes", (3, 5), "k", shared=True, unit="kernel"
)
EXPAND = Field("expand", "Expansion", (1, 2, 3, 4, 6), "e", most=10, unit="ratio")
"""Not shared: the second half of a Ghost module's channels begins elsewhere for every width."""
EXCITE = Field("attention", "Channel attention", ("none", "se"), usual="none")


def ghost_module(cin: int, cout: int, act: str) -> Chain:
    """Half of `cout` channels by a 1x1 convolution, the others from these by depthwise 3x3."""
    half = -(-cout // 2)
    cheap = Conv(half, half, 3, groups=half, act=act)
    ghosts = Conv(cin, half, act=act), Branches(((), (cheap,)))
    return (*ghosts, Take(cout)) if cout % 2 else ghosts


def bottleneck(place: Place, mid: int, widen: Chain, *, kernel: int, attention: str) -> Chain:
    """`widen` to `mid` channels, stride, squeeze-and-excitation, narrow; and the way around it.

    A layer that keeps width and side has no `kernel` in it; elsewhere it is that of the depthwise
    convolutions which stride and which the way around begins with.
    """
    cin, stride = place.cin, place.stride
    body: tuple[Primitive, ...] = (
        *widen,
        *([Conv(mid, mid, kernel, stride, groups=mid, act="")] if stride > 1 else []),
        *([squeeze_excite(mid, _squeezed(mid), "hsigmoid")] if attention == "se" else []),
        *ghost_module(mid, place.cout, ""),
    )
    if place.keeps:
        return (Residual(body),)
    around = Conv(cin, cin, kernel, stride, groups=cin, act=""), Conv(cin, place.cout, act="")
    return (Branches((body, around), "add"),)


def _squeezed(channels: int) -> int:
    """A quarter of `channels` as the nearest multiple of 4, never below nine tenths of it."""
    quarter = channels / 4
    nearest = max(4, int(quarter + 2) // 4 * 4)
    return nearest + 4 if nearest < 0.9 * quarter else nearest
