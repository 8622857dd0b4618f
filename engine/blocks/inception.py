"""The residual block of Inception-ResNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.layers import Act, Branches, Chain, Conv, Primitive, Residual, Scale

FACTORISED = "factorised"


@dataclass(frozen=True, slots=True)
class Inception(Op):
    """x + scale · 1x1(branches side by side), then ReLU.

    Branch one is a 1x1 convolution, branch two a 1x1 and a k x k, branch three a 1x1 and two k x k,
    each `inside` times the channels that go out, where the paper gives every branch a width of its
    own. `factorised` has 1 x k and k x 1 in place of k x k: three branches of plain 3x3 are the
    paper's block A, two factorised ones of 7x7 its block B, of 3x3 its block C. The scale is what
    one learned factor per channel starts with. Where width or side change, the last convolution of
    each branch strides and a 1x1 convolution goes around, as in ResNet.
    """

    kernel: int
    branches: int
    inside: float
    scale: float = 0.2
    form: str = "plain"

    family: ClassVar[str] = "inception"
    title: ClassVar[str] = "Inception-ResNet"
    about: ClassVar[str] = (
        "Looks at several scales side by side and adds a little of what it finds."
    )
    source: ClassVar[str] = (
        "Inception-v4, Inception-ResNet and the Impact of Residual Connections on Learning"
    )
    prefix: ClassVar[str] = "inc"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5, 7), "k", shared=True, unit="kernel"),
        Field("branches", "Branches", (2, 3), "b"),
        # Not shared: the channels of a branch lie behind those of the branches before it.
        Field("inside", "Width of a branch", (0.1, 0.2, 0.25), "w", most=1, unit="ratio"),
        Field("scale", "Scale", (0.1, 0.2), "s", most=1, usual=0.2),
        Field("form", "Kernel form", ("plain", FACTORISED), usual="plain"),
    )

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        mid = scaled(place.cout, self.inside)
        sides = tuple(self._branch(place, mid, depth) for depth in range(self.branches))
        body: Chain = (
            Branches(sides),
            Conv(self.branches * mid, place.cout, act="", norm=False),
            Scale(place.cout, self.scale),
        )
        if place.keeps:
            return (Residual(body, "relu"),)
        around = Conv(place.cin, place.cout, stride=place.stride, act="")
        return (Branches((body, (around,)), "add"), Act("relu"))

    def _branch(self, place: Place, mid: int, depth: int) -> Chain:
        """1x1 and `depth` k x k convolutions, the last of which strides."""
        if depth == 0:
            return (Conv(place.cin, mid, stride=place.stride),)
        first = tuple(part for _ in range(depth - 1) for part in self._spatial(mid, 1))
        return (Conv(place.cin, mid), *first, *self._spatial(mid, place.stride))

    def _spatial(self, mid: int, stride: int) -> Chain:
        """One k x k convolution or its two factors."""
        k = self.kernel
        if self.form == FACTORISED:
            return (Conv(mid, mid, (1, k)), Conv(mid, mid, (k, 1), stride))
        return (Conv(mid, mid, k, stride),)
