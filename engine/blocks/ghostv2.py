"""The bottleneck of GhostNetV2, whose first Ghost module sees along rows and columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.blocks.ghost_parts import EXCITE, EXPAND, KERNEL, bottleneck, ghost_module
from engine.layers import Branches, Chain, Conv, Pool, Primitive, Upsample

REACH = 5


@dataclass(frozen=True, slots=True)
class GhostV2(Op):
    """Ghost bottleneck with DFC attention (GhostNetV2, arXiv:2211.12905).

    The first Ghost module's channels are weighed pixel by pixel; the weights are made at half the
    side by a 1x1 convolution and two depthwise ones, along rows and along columns. The published
    network has plain Ghost bottlenecks in its first two layers.
    """

    kernel: int
    expand: float
    attention: str = "none"

    family: ClassVar[str] = "ghostv2"
    title: ClassVar[str] = "Ghost bottleneck V2"
    about: ClassVar[str] = "A Ghost bottleneck that weighs each pixel by its row and column."
    source: ClassVar[str] = "arXiv:2211.12905"
    prefix: ClassVar[str] = "gv"
    fields: ClassVar[tuple[Field, ...]] = (KERNEL, EXPAND, EXCITE)

    def misfit(self, place: Place) -> str:
        """The map is halved for the weights."""
        if place.side < 2:
            return f"map side must be at least 2 for {self.title}, got {place.side}"
        return ""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a plain residual where width and side are kept."""
        mid = scaled(place.cin, self.expand)
        weights: Chain = (
            Pool("avg", 2, 2),
            Conv(place.cin, mid, act=""),
            Conv(mid, mid, (1, REACH), groups=mid, act=""),
            Conv(mid, mid, (REACH, 1), groups=mid, act="sigmoid"),
            Upsample(place.side),
        )
        widen: Chain = (Branches((ghost_module(place.cin, mid, "relu"), weights), "mul"),)
        return bottleneck(place, mid, widen, kernel=self.kernel, attention=self.attention)
