"""One ordinary convolution."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.blocks.parts import ACT
from engine.layers import Conv, Primitive

LINEAR = "linear"


@dataclass(frozen=True, slots=True)
class Plain(Op):
    """Dense k x k convolution (VGG, arXiv:1409.1556), batch norm, activation; never a residual.

    `linear` leaves the activation out, as some published stems do.
    """

    kernel: int
    act: str = "relu"

    family: ClassVar[str] = "conv"
    title: ClassVar[str] = "Convolution"
    about: ClassVar[str] = "One dense convolution that nothing goes around."
    source: ClassVar[str] = "arXiv:1409.1556"
    prefix: ClassVar[str] = "c"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (1, 3, 5, 7), "k", shared=True, unit="kernel"),
        replace(ACT, values=(*ACT.values, LINEAR)),
    )

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """The convolution at `place`."""
        act = "" if self.act == LINEAR else self.act
        return (Conv(place.cin, place.cout, self.kernel, place.stride, act=act),)
