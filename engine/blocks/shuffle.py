"""The unit of ShuffleNetV2 and its variants in the space of Single Path One-Shot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.layers import Branches, Chain, Conv, Primitive, Shuffle, Split

XCEPTION = "xception"


@dataclass(frozen=True, slots=True)
class ShuffleUnit(Op):
    """ShuffleNetV2 unit (arXiv:1807.11164), widths as in Single Path One-Shot (arXiv:1904.00420).

    Where width and side are kept, half of the channels go by untouched; elsewhere those that come
    in go by through a depthwise and a 1x1 convolution, and the others are made beside them. Then
    both parts are shuffled. The `xception` variant has three depthwise convolutions, not one.
    """

    kernel: int
    variant: str = "unit"

    family: ClassVar[str] = "shuffle"
    title: ClassVar[str] = "Shuffle unit"
    about: ClassVar[str] = "Lets half of the channels pass, convolves the others, shuffles both."
    source: ClassVar[str] = "arXiv:1807.11164"
    prefix: ClassVar[str] = "sn"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5, 7), "k", shared=True, unit="kernel"),
        Field("variant", "Variant", ("unit", XCEPTION), usual="unit"),
    )

    def misfit(self, place: Place) -> str:
        """Two halves are needed, and where the channels that come in go by, room beside them."""
        if place.cout % 2:
            return f"width must be even for {self.title}, got {place.cout}"
        if not place.keeps and place.cout <= place.cin:
            return (
                f"width must be more than the {place.cin} channels that come in"
                f" where {self.title} changes width or side, got {place.cout}"
            )
        return ""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        if place.keeps:
            half = place.cout // 2
            return Split((half, half), ((), self._main(half, half, place))), Shuffle(2)
        cin = place.cin
        by = self._depthwise(cin, place.stride), Conv(cin, cin)
        return Branches((by, self._main(cin, place.cout - cin, place))), Shuffle(2)

    def _main(self, cin: int, cout: int, place: Place) -> Chain:
        """The chain that makes `cout` new channels of `cin`."""
        mid = place.cout // 2
        if self.variant != XCEPTION:
            return Conv(cin, mid), self._depthwise(mid, place.stride), Conv(mid, cout)
        second = self._depthwise(mid), Conv(mid, mid)
        third = self._depthwise(mid), Conv(mid, cout)
        return self._depthwise(cin, place.stride), Conv(cin, mid), *second, *third

    def _depthwise(self, channels: int, stride: int = 1) -> Conv:
        return Conv(channels, channels, self.kernel, stride, groups=channels, act="")
