"""MBConv, the inverted residual of MobileNetV2."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import ClassVar

from engine.layers import Conv, Primitive, Residual


@dataclass(frozen=True, slots=True)
class MBConv:
    """Inverted residual (arXiv:1801.04381): widen 1x1, depthwise k x k, narrow 1x1.

    The narrowing convolution has no activation. With `expand` 1 the widening one is left out, as
    in MnasNet and Single-Path NAS.
    """

    kernel: int
    expand: int

    family: ClassVar[str] = "mbconv"
    choices: ClassVar[dict[str, tuple[int, ...]]] = {"kernel": (3, 5, 7), "expand": (1, 2, 3, 4, 6)}

    def __str__(self) -> str:
        return f"k{self.kernel}e{self.expand}"

    @classmethod
    def parse(cls, text: str) -> MBConv | None:
        """The op that `text` (`k5e6`) names, or None where it names none of this family."""
        match = re.fullmatch(r"k(\d{1,2})e(\d{1,2})", text)
        return cls(int(match[1]), int(match[2])) if match else None

    def layers(self, cin: int, cout: int, stride: int) -> tuple[Primitive, ...]:
        """Primitives from `cin` to `cout` channels; a residual where width and side are kept."""
        mid = cin * self.expand
        body: tuple[Primitive, ...] = (
            *([Conv(cin, mid)] if self.expand > 1 else []),
            Conv(mid, mid, self.kernel, stride, groups=mid),
            Conv(mid, cout, act=False),
        )
        return (Residual(body),) if stride == 1 and cin == cout else body
