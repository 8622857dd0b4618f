"""MOAT: a convolutional block and attention, one after the other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.blocks.former_parts import (
    WINDOW,
    attended,
    attention_misfit,
    left_side,
    multiple_misfit,
    window_on,
)
from engine.layers import Attend, Branches, Chain, Conv, Norm, Pool, Primitive, Residual


@dataclass(frozen=True, slots=True)
class Moat(Op):
    """MBConv with batch norm first and GELU, then attention behind a layer norm (arXiv:2210.01820).

    The stride is the MBConv's. Where width or side change, the way around it is a 3x3 mean (2x2 in
    the paper, which odd sides do not fit) and a 1x1 convolution. Distances |dy|, |dx| are learned,
    without their signs.
    """

    kernel: int
    expand: float
    head: int = 32
    window: int = 0

    family: ClassVar[str] = "moat"
    title: ClassVar[str] = "MOAT"
    about: ClassVar[str] = "An MBConv and attention in one block, which then needs no MLP."
    source: ClassVar[str] = "arXiv:2210.01820"
    group: ClassVar[str] = "Attention"
    prefix: ClassVar[str] = "moat"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5), "k", shared=True, unit="kernel"),
        Field("expand", "Expansion", (2, 4, 6), "e", most=10, shared=True, unit="ratio"),
        Field("head", "Head size", (8, 16, 32), "h", usual=32),
        WINDOW,
    )

    def misfit(self, place: Place) -> str:
        """Heads must divide the width; the map must be small or cut into windows."""
        wrong = multiple_misfit(place.cout, self.head, "channels per head")
        return wrong or attention_misfit(left_side(place), self.window)

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        mid, width, side = scaled(place.cin, self.expand), place.cout, left_side(place)
        body = (
            Norm(place.cin),
            Conv(place.cin, mid, act="gelu"),
            Conv(mid, mid, self.kernel, place.stride, groups=mid, act="gelu"),
            Conv(mid, width, act="", norm=False),
        )
        window = window_on(side, self.window)
        attend = Attend(width // self.head, self.head, self.head, side, True, window)
        mix = Residual((Norm(width, "layer"), *attended(width, attend)))
        if place.keeps:
            return (Residual(body), mix)
        return (Branches((body, _around(place)), "add"), mix)


def _around(place: Place) -> Chain:
    pool = (Pool("avg", 3, place.stride),) if place.stride > 1 else ()
    return (*pool, Conv(place.cin, place.cout, act="", norm=False))
