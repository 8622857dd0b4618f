"""The bottleneck of GhostNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.blocks.ghost_parts import EXCITE, EXPAND, KERNEL, bottleneck, ghost_module
from engine.layers import Primitive


@dataclass(frozen=True, slots=True)
class Ghost(Op):
    """Ghost bottleneck (GhostNet, arXiv:1911.11907): two Ghost modules and a way around them.

    A Ghost module computes half of its channels and derives the others from these with a depthwise
    3x3 convolution. ReLU after the first module only.
    """

    kernel: int
    expand: float
    attention: str = "none"

    family: ClassVar[str] = "ghost"
    title: ClassVar[str] = "Ghost bottleneck"
    about: ClassVar[str] = "Computes half of its channels and derives the others cheaply."
    source: ClassVar[str] = "arXiv:1911.11907"
    prefix: ClassVar[str] = "g"
    fields: ClassVar[tuple[Field, ...]] = (KERNEL, EXPAND, EXCITE)

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a plain residual where width and side are kept."""
        mid = scaled(place.cin, self.expand)
        widen = ghost_module(place.cin, mid, "relu")
        return bottleneck(place, mid, widen, kernel=self.kernel, attention=self.attention)
