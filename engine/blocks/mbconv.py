"""MBConv, the inverted residual of MobileNetV2."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Block, Field, Op, Place, own_path, scaled
from engine.blocks.parts import ACT, ATTENTION, channel_attention
from engine.layers import Conv, Primitive, Residual


@dataclass(frozen=True, slots=True)
class MBConv(Op):
    """Inverted residual (arXiv:1801.04381): widen 1x1, depthwise k x k, narrow 1x1.

    The narrowing convolution has no activation. With `expand` 1 the widening one is left out, as
    in MnasNet and Single-Path NAS.
    """

    kernel: int
    expand: float
    attention: str = "none"
    act: str = "relu"

    family: ClassVar[str] = "mbconv"
    title: ClassVar[str] = "MBConv"
    about: ClassVar[str] = "Widens cheaply, looks at each channel alone, narrows again."
    source: ClassVar[str] = "arXiv:1801.04381"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5, 7), "k", shared=True, unit="kernel"),
        Field("expand", "Expansion", (1, 2, 3, 4, 6), "e", most=10, shared=True, unit="ratio"),
        ATTENTION,
        ACT,
    )

    @property
    def path(self) -> str:
        """Without widening (`expand` 1) there is a convolution less; ECA's kernel follows width."""
        if self.attention == "eca":
            return f"mbconv {self}"
        return own_path(self) + ("e1" if self.expand == 1 else "")

    @property
    def gated(self) -> bool:
        """All but ECA, which looks across the borders between bands of channels."""
        return self.attention != "eca"

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`; a residual where width and side are kept."""
        mid = scaled(place.cin, self.expand)
        body: tuple[Primitive, ...] = (
            *([Conv(place.cin, mid, act=self.act)] if self.expand > 1 else []),
            Conv(mid, mid, self.kernel, place.stride, groups=mid, act=self.act),
            *channel_attention(self.attention, mid, place.cin),
            Conv(mid, place.cout, act=""),
        )
        return (Residual(body),) if place.keeps else body


@dataclass(frozen=True, slots=True)
class Corners:
    """What varies among some MBConvs, least first: the corners that gates of all of it reach."""

    kernels: tuple[int, ...]
    expands: tuple[float, ...]
    attentions: tuple[str, ...]

    @classmethod
    def of(cls, ops: Iterable[MBConv]) -> Corners:
        """The values that `ops` have."""
        held = list(ops)
        attentions = {op.attention for op in held}
        return cls(
            tuple(sorted({op.kernel for op in held})),
            tuple(sorted({op.expand for op in held})),
            tuple(str(value) for value in ATTENTION.values if value in attentions),
        )


def one_superkernel(ops: Iterable[Block]) -> bool:
    """Whether gates of one superkernel reach all of `ops` and nothing else.

    They switch kernel, expansion and one kind of squeeze-and-excitation on or off. Two kinds, two
    activations, or widening or none, are no part of each other.
    """
    every = list(ops)
    held = [op for op in every if isinstance(op, MBConv) and op.gated]
    corners = Corners.of(held)
    alike = {(op.act, op.expand == 1) for op in held}
    kinds = [kind for kind in corners.attentions if kind != "none"]
    reached = len(corners.kernels) * len(corners.expands) * len(corners.attentions)
    return len(held) == len(every) == reached and len(alike) == 1 and len(kinds) <= 1
