"""Ultra-lightweight sub-space attention behind a depthwise-separable convolution."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.layers import Branches, Conv, Pool, Primitive, Residual, Softmax, Split


@dataclass(frozen=True, slots=True)
class SubSpace(Op):
    """Depthwise k x k, 1x1, then one attention map over the pixels for each group of channels.

    In a group, a 1x1 depthwise convolution, the largest of 3x3, a 1x1 convolution to one channel
    and a softmax over all pixels give weights a; the group F becomes a · F + F. Both convolutions
    have batch norm and ReLU. That sum is the only way around: nothing goes around the whole block,
    as in MobileNetV1, where the paper puts its attention.
    """

    groups: int
    kernel: int

    family: ClassVar[str] = "ulsam"
    title: ClassVar[str] = "Sub-space attention"
    about: ClassVar[str] = "A separable convolution, then each group of channels weighs the pixels."
    source: ClassVar[str] = (
        "ULSAM: Ultra-Lightweight Subspace Attention Module for Compact Convolutional Neural"
        " Networks"
    )
    group: ClassVar[str] = "Attention"
    prefix: ClassVar[str] = "ulsam"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("groups", "Groups", (1, 4, 8, 16)),
        Field("kernel", "Kernel", (3, 5, 7), "k", shared=True, unit="kernel"),
    )

    def misfit(self, place: Place) -> str:
        """Groups must come out whole."""
        if place.cout % self.groups:
            return f"width must be a multiple of the {self.groups} groups, got {place.cout}"
        return ""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        cin, cout, groups = place.cin, place.cout, self.groups
        part = _attended(cout // groups)
        return (
            Conv(cin, cin, self.kernel, place.stride, groups=cin),
            Conv(cin, cout),
            Split((cout // groups,) * groups, ((part,),) * groups) if groups > 1 else part,
        )


def _attended(channels: int) -> Residual:
    """a · F + F of one group F of `channels` channels."""
    weights = (
        Conv(channels, channels, groups=channels),
        Pool("max", 3),
        Conv(channels, 1),
        Softmax(),
    )
    return Residual((Branches(((), weights), "mul"),))
