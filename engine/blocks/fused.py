"""Fused-MBConv: the widening and the depthwise convolution in one dense convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, own_path, scaled
from engine.blocks.parts import ACT, ATTENTION, channel_attention
from engine.layers import Conv, Primitive, Residual


@dataclass(frozen=True, slots=True)
class Fused(Op):
    """Dense k x k convolution that widens, then a narrowing 1x1 without activation.

    With `expand` 1 it is a single k x k convolution with activation, as in EfficientNetV2
    (arXiv:2104.00298); attention then weighs its output.
    """

    kernel: int
    expand: float
    attention: str = "none"
    act: str = "relu"

    family: ClassVar[str] = "fused"
    title: ClassVar[str] = "Fused-MBConv"
    about: ClassVar[str] = "An MBConv whose first two steps are one dense convolution."
    source: ClassVar[str] = "arXiv:2104.00298"
    prefix: ClassVar[str] = "f"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5, 7), "k", shared=True, unit="kernel"),
        Field("expand", "Expansion", (1, 2, 4, 6, 8), "e", most=10, shared=True, unit="ratio"),
        ATTENTION,
        ACT,
    )

    @property
    def path(self) -> str:
        """With `expand` 1 there is a convolution less; ECA's kernel follows the width."""
        if self.attention == "eca":
            return f"fused {self}"
        return own_path(self) + ("e1" if self.expand == 1 else "")

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a residual where width and side are kept."""
        widens = self.expand > 1
        mid = scaled(place.cin, self.expand) if widens else place.cout
        body: tuple[Primitive, ...] = (
            Conv(place.cin, mid, self.kernel, place.stride, act=self.act),
            *channel_attention(self.attention, mid, place.cin),
            *([Conv(mid, place.cout, act="")] if widens else []),
        )
        return (Residual(body),) if place.keeps else body
