"""Cascaded group attention, the block of EfficientViT."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.blocks.former_parts import (
    RATIO,
    WINDOW,
    attention_misfit,
    left_side,
    local,
    merge,
    mlp,
    multiple_misfit,
    window_on,
)
from engine.layers import Act, Attend, Chain, Conv, Primitive, Residual, Split


@dataclass(frozen=True, slots=True)
class CascadedAttention(Op):
    """Local layer, MLP, cascaded group attention, local layer, MLP (arXiv:2305.07027).

    Every head attends on its own part of the channels, to which the head before adds its output.
    A depthwise convolution refines the queries: `kernel` in the first head and 2 less, but at
    least 3, in each one after (7, 5, 3, 3). It looks across the borders of windows, where the
    published code pads. Where width or side change, patch merging comes first.
    """

    heads: int
    kernel: int
    key: int = 16
    window: int = 0
    ratio: float = 2

    family: ClassVar[str] = "cga"
    title: ClassVar[str] = "Cascaded attention"
    about: ClassVar[str] = "Attention heads on parts of the channels, each fed by the one before."
    source: ClassVar[str] = "arXiv:2305.07027"
    group: ClassVar[str] = "Attention"
    prefix: ClassVar[str] = "cga"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("heads", "Heads", (1, 2, 3, 4), "h"),
        Field("kernel", "First query kernel", (3, 5, 7), "k", unit="kernel"),
        Field("key", "Key channels", (8, 16, 32), "d", usual=16),
        WINDOW,
        RATIO,
    )

    def misfit(self, place: Place) -> str:
        """Heads must divide the width; the map must be small or cut into windows."""
        wrong = multiple_misfit(place.cout, self.heads, "heads")
        return wrong or attention_misfit(left_side(place), self.window)

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        width, part = place.cout, place.cout // self.heads
        chains = tuple(
            self._head(part, max(3, self.kernel - 2 * i), place) for i in range(self.heads)
        )
        mix = (
            Split((part,) * self.heads, chains, cascade=True),
            Act("relu"),
            Conv(width, width, act="", gamma=0.0),
        )
        rest = local(width), mlp(width, self.ratio)
        return (*merge(place, self.ratio), *rest, Residual(mix), *rest)

    def _head(self, part: int, kernel: int, place: Place) -> Chain:
        side, key = left_side(place), self.key
        query = Conv(key, key, kernel, groups=key, act="")
        return (
            Conv(part, 2 * key + part, act=""),
            Split((key, key + part), ((query,), ())),
            Attend(1, key, part, side, offsets=True, window=window_on(side, self.window)),
        )
