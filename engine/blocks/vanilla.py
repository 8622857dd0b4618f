"""The block of VanillaNet, as it is after merging."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.layers import Conv, Pool, Primitive


@dataclass(frozen=True, slots=True)
class Vanilla(Op):
    """1x1 convolution, largest of 2x2 where it strides, series activation; never a residual.

    The series activation is a depthwise convolution of ReLU(x) over the `series` pixels to every
    side. This is the merged form, which runs at inference and is trained here as it is: the second
    1x1 convolution that the paper trains along and merges away in the end is not built.
    """

    series: int

    family: ClassVar[str] = "vanilla"
    title: ClassVar[str] = "VanillaNet block"
    about: ClassVar[str] = "As few layers as possible: one 1×1 and an activation that sees around."
    source: ClassVar[str] = "VanillaNet: the Power of Minimalism in Deep Learning"
    prefix: ClassVar[str] = "van"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("series", "Series reach", (1, 2, 3), shared=True, unit="pixels"),
    )

    def misfit(self, place: Place) -> str:
        """The 2x2 windows must cover the map."""
        if place.stride > 1 and place.side % 2:
            return f"pooling by 2 needs an even map side, got {place.side}"
        return ""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; the ReLU stands before the pooling, with which it commutes."""
        cout = place.cout
        return (
            Conv(place.cin, cout),
            *([Pool("max", 2, place.stride)] if place.stride > 1 else []),
            Conv(cout, cout, 2 * self.series + 1, groups=cout, act=""),
        )
