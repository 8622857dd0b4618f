"""The one-shot aggregation module of VoVNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.layers import Branches, Chain, Conv, Pool, Primitive, Residual, Squeeze

ESE = "ese"


@dataclass(frozen=True, slots=True)
class OneShot(Op):
    """Chain of `convs` 3x3 convolutions; the input and all their outputs meet in one 1x1.

    Every 3x3 convolution makes `inside` times the channels that go out. `ese` gates the result by
    one fully connected layer and a hard sigmoid (VoVNetV2). A residual where width and side are
    kept, as in VoVNetV2. A stride is a largest of 3x3 before the chain, here padded at all edges.
    """

    convs: int
    inside: float
    attention: str = "none"

    family: ClassVar[str] = "osa"
    title: ClassVar[str] = "One-shot aggregation"
    about: ClassVar[str] = (
        "Convolves several times in a row and joins all results once, at the end."
    )
    source: ClassVar[str] = (
        "An Energy and GPU-Computation Efficient Backbone Network for Real-Time Object Detection"
    )
    prefix: ClassVar[str] = "osa"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("convs", "Convolutions", (3, 4, 5)),
        # Not shared: each convolution's channels lie behind those of all before it.
        Field("inside", "Width inside", (0.2, 0.25, 0.5), "w", most=1, unit="ratio"),
        Field("attention", "Channel attention", ("none", ESE), usual="none"),
    )

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        mid, cout = scaled(place.cout, self.inside), place.cout
        gate = Branches(((), (Squeeze(), Conv(cout, cout, act="hsigmoid", norm=False))), "mul")
        body: Chain = (
            _aggregated(place.cin, mid, self.convs),
            Conv(place.cin + self.convs * mid, cout),
            *([gate] if self.attention == ESE else []),
        )
        if place.keeps:
            return (Residual(body),)
        return (Pool("max", 3, place.stride), *body) if place.stride > 1 else body


def _aggregated(cin: int, mid: int, left: int) -> Branches:
    """What comes in beside everything that `left` convolutions make of it."""
    conv = Conv(cin, mid, 3)
    return Branches(((), (conv, _aggregated(mid, mid, left - 1)) if left > 1 else (conv,)))
