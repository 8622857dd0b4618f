"""The pooling block of EfficientFormer."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place, scaled
from engine.blocks.former_parts import LAYER_SCALE, RATIO, embed
from engine.layers import Branches, Conv, Pool, Primitive, Residual, Scale


@dataclass(frozen=True, slots=True)
class PoolFormer(Op):
    """x + s · (mean around x - x), then an MLP of 1x1 convolutions (arXiv:2206.01191).

    Both parts have a layer scale s that starts at 1e-5. Where width or side change, a strided 3x3
    convolution comes first. Convolutions have biases before their batch norms, as published.
    """

    pool: int
    ratio: float = 4

    family: ClassVar[str] = "poolformer"
    title: ClassVar[str] = "PoolFormer"
    about: ClassVar[str] = "Mixes neighbours by plain averaging, then widens and narrows."
    source: ClassVar[str] = "arXiv:2206.01191"
    group: ClassVar[str] = "Attention"
    prefix: ClassVar[str] = "pool"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("pool", "Pooling", (3, 5, 7), "p", unit="kernel"),
        replace(RATIO, usual=4),
    )

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        width = place.cout
        mid = scaled(width, self.ratio)
        mix = Branches(((Pool("avg", self.pool),), ()), "sub")
        mlp = (
            Conv(width, mid, act="gelu", bias=True),
            Conv(mid, width, act="", bias=True),
        )
        return (
            *embed(place),
            Residual((mix, Scale(width, LAYER_SCALE))),
            Residual((*mlp, Scale(width, LAYER_SCALE))),
        )
