"""FBNet's block; its skip where the shape changes is a 1x1 convolution of family `conv`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.layers import Conv, Primitive, Residual, Shuffle


@dataclass(frozen=True, slots=True)
class FBNet(Op):
    """Inverted residual of FBNet (arXiv:1812.03443), whose 1x1 convolutions may be grouped.

    Unlike MBConv it keeps the first 1x1 convolution with `expand` 1. With groups, the channels are
    shuffled after it, so that every group sees all others.
    """

    kernel: int
    expand: float
    groups: int

    family: ClassVar[str] = "fbnet"
    title: ClassVar[str] = "FBNet block"
    about: ClassVar[str] = "An MBConv that never drops its first 1×1 and may compute in groups."
    source: ClassVar[str] = "arXiv:1812.03443"
    prefix: ClassVar[str] = "fb"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5), "k", shared=True, unit="kernel"),
        Field("expand", "Expansion", (1, 3, 6), "e", most=10, unit="ratio"),
        Field("groups", "Groups", (1, 2), "g", usual=1),
    )

    def misfit(self, place: Place) -> str:
        """Every width must be a multiple of the groups."""
        mid = scaled(place.cin, self.expand)
        for what, width in (("width before", place.cin), ("inside", mid), ("width", place.cout)):
            if width % self.groups:
                return f"{what} must be a multiple of {self.groups} for {self}, got {width}"
        return ""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a residual where width and side are kept."""
        mid = scaled(place.cin, self.expand)
        body: tuple[Primitive, ...] = (
            Conv(place.cin, mid, groups=self.groups),
            *([Shuffle(self.groups)] if self.groups > 1 else []),
            Conv(mid, mid, self.kernel, place.stride, groups=mid),
            Conv(mid, place.cout, groups=self.groups, act=""),
        )
        return (Residual(body),) if place.keeps else body
