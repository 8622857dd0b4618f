"""The Tucker convolution of MobileDets, a bottleneck with a dense middle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.blocks.parts import ACT
from engine.layers import Conv, Primitive, Residual


@dataclass(frozen=True, slots=True)
class Tucker(Op):
    """Narrow 1x1, dense k x k, widen 1x1 without activation (MobileDets, arXiv:2004.14525).

    The dense convolution leads from `inner` times the channels that come in to `outer` times those
    that go out, each the nearest multiple of 8.
    """

    kernel: int
    inner: float
    outer: float
    act: str = "relu"

    family: ClassVar[str] = "tucker"
    title: ClassVar[str] = "Tucker convolution"
    about: ClassVar[str] = "Narrows, convolves densely on few channels, widens again."
    source: ClassVar[str] = "arXiv:2004.14525"
    prefix: ClassVar[str] = "t"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5, 7), "k", shared=True, unit="kernel"),
        Field("inner", "Rank in", (0.25, 0.5, 0.75), "i", most=1, shared=True, unit="ratio"),
        Field("outer", "Rank out", (0.25, 0.5, 0.75), "o", most=1, shared=True, unit="ratio"),
        ACT,
    )

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a residual where width and side are kept."""
        inner, outer = _rank(place.cin, self.inner), _rank(place.cout, self.outer)
        body: tuple[Primitive, ...] = (
            Conv(place.cin, inner, act=self.act),
            Conv(inner, outer, self.kernel, place.stride, act=self.act),
            Conv(outer, place.cout, act=""),
        )
        return (Residual(body),) if place.keeps else body


def _rank(channels: int, ratio: float) -> int:
    """The multiple of 8 nearest to `ratio` of `channels`, at least 8."""
    return max(8, int(channels * ratio / 8 + 0.5) * 8)
