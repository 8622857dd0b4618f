"""The residual block of IBN-Net-a, whose first normalisation is half instance, half batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.layers import Act, Branches, Chain, Conv, Norm, Primitive, Residual


@dataclass(frozen=True, slots=True)
class InstanceBatch(Op):
    """ResNet bottleneck: narrow 1x1, k x k with the stride, widen 1x1, ReLU after the sum.

    The first `instance` share of the narrow channels goes through instance norm, the others
    through batch norm; share 0 is the bottleneck of ResNet. A 1x1 convolution goes around where
    width or side change. Not the inverted bottleneck that MobileDets call IBN. The channels before
    the instance norm have a bias, which that norm takes out again.
    """

    kernel: int
    inside: float
    instance: float = 0.5

    family: ClassVar[str] = "ibn"
    title: ClassVar[str] = "IBN residual"
    about: ClassVar[str] = (
        "A ResNet bottleneck that forgets the style of an image in half of its channels."
    )
    source: ClassVar[str] = (
        "Two at Once: Enhancing Learning and Generalization Capacities via IBN-Net"
    )
    prefix: ClassVar[str] = "ibn"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("kernel", "Kernel", (3, 5), "k", shared=True, unit="kernel"),
        # Not shared: the batch-normed channels lie behind the instance-normed ones.
        Field("inside", "Width inside", (0.25, 0.5), "w", most=1, unit="ratio"),
        Field("instance", "Instance-norm share", (0, 0.25, 0.5), "i", usual=0.5),
    )

    def misfit(self, place: Place) -> str:
        """Instance norm of a single pixel is always zero."""
        if self.instance and place.side < 2:
            return f"instance norm needs a map side of at least 2, got {place.side}"
        return ""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        mid = scaled(place.cout, self.inside)
        body = (
            *self._first(place.cin, mid),
            Conv(mid, mid, self.kernel, place.stride),
            Conv(mid, place.cout, act=""),
        )
        if place.keeps:
            return (Residual(body, "relu"),)
        around = Conv(place.cin, place.cout, stride=place.stride, act="")
        return (Branches((body, (around,)), "add"), Act("relu"))

    def _first(self, cin: int, mid: int) -> Chain:
        """The 1x1 convolution in two, so that the batch norm of its second part can be folded."""
        part = int(mid * self.instance)
        batch = (Conv(cin, mid - part),)
        if not part:
            return batch
        instance = (Conv(cin, part, act="", norm=False), Norm(part, "instance", "relu"))
        return (Branches((instance, batch)),)
