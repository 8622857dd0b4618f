"""The large-kernel block of UniRepLKNet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.blocks.parts import squeeze_excite
from engine.layers import Conv, Norm, Primitive, RepConv, Residual

LAYER_SCALE = 1e-6
BESIDE: dict[int, tuple[tuple[int, int], ...]] = {
    3: (),
    5: ((3, 1), (3, 2)),
    7: ((5, 1), (3, 2), (3, 3)),
    9: ((5, 1), (5, 2), (3, 3), (3, 4)),
    11: ((5, 1), (5, 2), (3, 3), (3, 4), (3, 5)),
    13: ((5, 1), (7, 2), (3, 3), (3, 4), (3, 5)),
}
"""Per kernel, the published (kernel, dilation) of the convolutions trained beside it."""


@dataclass(frozen=True, slots=True)
class LargeKernel(Op):
    """Depthwise `kernel` x `kernel`, squeeze-and-excitation, widen, GELU, response norm, narrow.

    All of it lies in one residual. Small dilated convolutions are trained beside the large one and
    merged into it for export. The layer scale of the released code is what the last batch norm's
    scale starts with; its batch norm behind the sum of convolutions, which merging takes away, is
    left out. Where width or side change, a strided 3x3 convolution and a layer norm come first,
    as between the stages of the published networks.
    """

    kernel: int
    expand: float

    family: ClassVar[str] = "replk"
    title: ClassVar[str] = "Large kernel"
    about: ClassVar[str] = (
        "Looks far around each pixel, with small kernels that help in training and then merge."
    )
    source: ClassVar[str] = (
        "UniRepLKNet: A Universal Perception Large-Kernel ConvNet for Audio, Video, Point Cloud,"
        " Time-Series and Image Recognition"
    )
    prefix: ClassVar[str] = "rep"
    fields: ClassVar[tuple[Field, ...]] = (
        # Not shared: every kernel has convolutions of its own beside it.
        Field("kernel", "Kernel", tuple(BESIDE), "k", unit="kernel"),
        Field("expand", "Expansion", (2, 3, 4), "e", most=10, shared=True, unit="ratio"),
    )

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        cin, cout = place.cin, place.cout
        mid = scaled(cout, self.expand)
        body = Residual(
            (
                RepConv(cout, self.kernel, BESIDE[self.kernel]),
                squeeze_excite(cout, max(1, cout // 4), "sigmoid"),
                Conv(cout, mid, act="gelu", norm=False),
                Norm(mid, "response"),
                Conv(mid, cout, act="", gamma=LAYER_SCALE),
            )
        )
        if place.keeps:
            return (body,)
        return (
            Conv(cin, cout, 3, place.stride, act="", norm=False),
            Norm(cout, "layer"),
            body,
        )
