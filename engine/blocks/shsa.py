"""Single-head attention on some of the channels, the block of SHViT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.blocks.former_parts import (
    RATIO,
    attention_misfit,
    left_side,
    local,
    merge,
    mlp,
)
from engine.layers import Act, Attend, Conv, Norm, Primitive, Residual, Split

KEY = 16


@dataclass(frozen=True, slots=True)
class SingleHead(Op):
    """Local layer, single-head attention, MLP (arXiv:2401.16456).

    `share` of the channels, to the nearest multiple of 4, attends; the rest passes by. 0 leaves
    attention out, as in SHViT's first stage; 0.21 gives the 48 of 224 and 68 of 320 channels of
    SHViT-S1. Where width or side change, patch merging comes first.
    """

    share: float
    ratio: float = 2

    family: ClassVar[str] = "shsa"
    title: ClassVar[str] = "Single-head attention"
    about: ClassVar[str] = "One attention head on a share of the channels, the rest passes by."
    source: ClassVar[str] = "arXiv:2401.16456"
    group: ClassVar[str] = "Attention"
    prefix: ClassVar[str] = "shsa"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("share", "Share attending", (0, 0.21, 0.25, 0.5), "s", unit="ratio"),
        RATIO,
    )

    def misfit(self, place: Place) -> str:
        """Some channels must pass by; the map must be small."""
        if not self.share:
            return ""
        if place.cout < 8:
            return f"width must be at least 8 for single-head attention, got {place.cout}"
        return attention_misfit(left_side(place))

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        width = place.cout
        mixing = self._attention(place) if self.share else ()
        first = (*merge(place, self.ratio), local(width))
        return (*first, *mixing, mlp(width, self.ratio))

    def _attention(self, place: Place) -> tuple[Primitive, ...]:
        width = place.cout
        part = max(4, int(width * self.share / 4 + 0.5) * 4)
        head = (
            Norm(part, "group"),
            Conv(part, 2 * KEY + part, act=""),
            Attend(1, KEY, part, left_side(place)),
        )
        mix = (
            Split((part, width - part), (head, ())),
            Act("relu"),
            Conv(width, width, act="", gamma=0.0),
        )
        return (Residual(mix),)
