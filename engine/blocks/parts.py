"""Pieces that several families are made of: channel attention, activations as a choice."""

from __future__ import annotations

import math

from engine.blocks.contract import Field, round8
from engine.layers import Branches, Chain, ChannelConv, Conv, Primitive, Squeeze

ACT = Field(
    "act",
    "Activation",
    ("relu", "relu6", "hswish", "swish", "gelu"),
    usual="relu",
)
ATTENTION = Field("attention", "Channel attention", ("none", "se", "sein", "eca"), usual="none")
"""`se`: squeeze to a quarter of the channels it weighs, rounded to 8, hard sigmoid (MobileNetV3);
`sein`: to a quarter of the block's input channels, sigmoid (MnasNet); `eca`: arXiv:1910.03151."""


def squeeze_excite(channels: int, squeezed: int, gate: str, act: str = "relu") -> Branches:
    """Squeeze-and-excitation (arXiv:1709.01507): channels times a gate seen over the whole map."""
    gates: Chain = (
        Squeeze(),
        Conv(channels, squeezed, act=act, norm=False),
        Conv(squeezed, channels, act=gate, norm=False),
    )
    return Branches(((), gates), "mul")


def channel_attention(kind: str, channels: int, cin: int) -> tuple[Primitive, ...]:
    """The primitives of one value of `ATTENTION` on `channels` channels of a block fed `cin`."""
    match kind:
        case "se":
            return (squeeze_excite(channels, round8(channels / 4), "hsigmoid"),)
        case "sein":
            return (squeeze_excite(channels, max(1, cin // 4), "sigmoid"),)
        case "eca":
            return (Branches(((), (Squeeze(), ChannelConv(eca_kernel(channels)))), "mul"),)
    return ()


def eca_kernel(channels: int) -> int:
    """Odd kernel of ECA: half of |log2 C + 1|, at least 3."""
    half = int(abs(math.log2(channels) + 1) / 2)
    return max(3, half if half % 2 else half + 1)
