"""Convolution in groups of a constant size inside an inverted residual (E2GC)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.layers import Conv, Primitive, Residual


@dataclass(frozen=True, slots=True)
class GroupSize(Op):
    """Inverted residual whose k x k convolution sees `size` channels at once, at every width.

    The number of groups grows with the width instead. With size 1 the convolution is depthwise,
    and the block an MBConv.
    """

    size: int
    kernel: int
    expand: float

    family: ClassVar[str] = "e2gc"
    title: ClassVar[str] = "Constant group size"
    about: ClassVar[str] = "An MBConv whose middle sees a few channels together, not each alone."
    source: ClassVar[str] = "E2GC: Energy-efficient Group Convolution in Deep Neural Networks"
    prefix: ClassVar[str] = "egc"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("size", "Group size", (1, 2, 4, 8, 16)),
        Field("kernel", "Kernel", (3, 5), "k", shared=True, unit="kernel"),
        Field("expand", "Expansion", (2, 4, 6), "e", most=10, shared=True, unit="ratio"),
    )

    def misfit(self, place: Place) -> str:
        """Groups must come out whole."""
        mid = scaled(place.cin, self.expand)
        if mid % self.size:
            return f"widened channels must be a multiple of the group size {self.size}, got {mid}"
        return ""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a residual where width and side are kept."""
        mid = scaled(place.cin, self.expand)
        body = (
            Conv(place.cin, mid),
            Conv(mid, mid, self.kernel, place.stride, groups=mid // self.size),
            Conv(mid, place.cout, act=""),
        )
        return (Residual(body),) if place.keeps else body
