"""The inverted residual of EMO, whose middle may attend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.blocks.former_parts import WINDOW, attention_misfit, multiple_misfit, window_on
from engine.layers import Attend, Branches, Conv, Norm, Primitive, Residual, Scale

LAYER_SCALE = 1e-6


@dataclass(frozen=True, slots=True)
class Emo(Op):
    """Inverted residual mobile block of EMO (arXiv:2301.01146).

    Batch norm, widened values, mixed by `mix`, depthwise convolution beside the identity, 1x1
    back. `conv` leaves the values as they are; `close` attends in windows side by side, `remote`
    in windows that are grids over the whole map, `hybrid` adds both. Queries and keys stay narrow.
    The identity around the depthwise convolution and the layer scale are only there where width
    and side are kept. On maps no larger than a window, all three see the whole map.
    """

    kernel: int
    expand: float
    mix: str = "conv"
    head: int = 16
    window: int = 0

    family: ClassVar[str] = "emo"
    title: ClassVar[str] = "EMO block"
    about: ClassVar[str] = "An inverted residual whose widened middle may attend in windows."
    source: ClassVar[str] = "arXiv:2301.01146"
    group: ClassVar[str] = "Attention"
    prefix: ClassVar[str] = "emo"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5), "k", shared=True, unit="kernel"),
        Field("expand", "Expansion", (2, 3, 4), "e", most=10, unit="ratio"),
        Field("mix", "Mixing", ("conv", "close", "remote", "hybrid"), usual="conv"),
        Field("head", "Head size", (8, 16, 32), "h", usual=16),
        WINDOW,
    )

    def misfit(self, place: Place) -> str:
        """With attention, heads divide the widths; the map is small or cut into windows."""
        if self.mix == "conv":
            return ""
        wrong = multiple_misfit(place.cin, self.head, "channels per head")
        if wrong:
            return wrong.replace("width", "width before", 1)
        heads, mid = place.cin // self.head, scaled(place.cin, self.expand)
        if mid % heads:
            return f"expansion must give a multiple of the {heads} heads, got {mid} channels"
        return attention_misfit(place.side, self.window)

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a residual where width and side are kept."""
        mid = scaled(place.cin, self.expand)
        depthwise = Conv(mid, mid, self.kernel, place.stride, groups=mid, act="swish")
        body: tuple[Primitive, ...] = (
            Norm(place.cin),
            *self._values(place, mid),
            Residual((depthwise,)) if place.keeps else depthwise,
            Conv(mid, place.cout, act="", norm=False),
        )
        if not place.keeps:
            return body
        return (Residual((*body, Scale(place.cout, LAYER_SCALE))),)

    def _values(self, place: Place, mid: int) -> tuple[Primitive, ...]:
        if self.mix == "conv":
            return (Conv(place.cin, mid, act="swish", norm=False),)
        heads, window = place.cin // self.head, window_on(place.side, self.window)
        spreads = {"close": (False,), "remote": (True,), "hybrid": (False, True)}[self.mix]
        ways = tuple(
            Attend(heads, self.head, mid // heads, place.side, window=window, spread=spread)
            for spread in (spreads if window else (False,))
        )
        wide = Conv(place.cin, 2 * place.cin + mid, act="", norm=False)
        return (
            (wide, *ways) if len(ways) == 1 else (wide, Branches(tuple((w,) for w in ways), "add"))
        )
