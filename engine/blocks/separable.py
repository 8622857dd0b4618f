"""The depthwise-separable convolution of MobileNetV1."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.blocks.parts import ACT
from engine.layers import Conv, Primitive


@dataclass(frozen=True, slots=True)
class Separable(Op):
    """Depthwise k x k, then 1x1, an activation after each and never a residual.

    The form without the second activation and with a residual is MBConv with expansion 1.
    """

    kernel: int
    act: str = "relu"

    family: ClassVar[str] = "separable"
    title: ClassVar[str] = "Depthwise-separable"
    about: ClassVar[str] = "Looks at each channel alone, then mixes them; nothing goes around it."
    source: ClassVar[str] = "arXiv:1704.04861"
    prefix: ClassVar[str] = "ds"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5, 7), "k", shared=True, unit="kernel"),
        ACT,
    )

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        cin = place.cin
        return (
            Conv(cin, cin, self.kernel, place.stride, groups=cin, act=self.act),
            Conv(cin, place.cout, act=self.act),
        )
