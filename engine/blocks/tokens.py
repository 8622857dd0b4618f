"""The attention block of EfficientFormer's last stage."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from engine.blocks.contract import Field, Op, Place
from engine.blocks.former_parts import (
    LAYER_SCALE,
    RATIO,
    attended,
    attention_misfit,
    embed,
    left_side,
    token_mlp,
)
from engine.layers import Attend, Norm, Primitive, Residual, Scale

KEY, VALUE = 32, 128


@dataclass(frozen=True, slots=True)
class Tokens(Op):
    """Attention of all positions with learned distances, then an MLP (arXiv:2206.01191).

    Layer norm before and layer scale after both. Keys have 32 channels per head and values 128,
    whatever the width. Where width or side change, a strided 3x3 convolution comes first.
    """

    heads: int
    ratio: float = 4

    family: ClassVar[str] = "tokens"
    title: ClassVar[str] = "Attention + MLP"
    about: ClassVar[str] = "Lets every position look at all others; for small maps."
    source: ClassVar[str] = "arXiv:2206.01191"
    group: ClassVar[str] = "Attention"
    prefix: ClassVar[str] = "tok"
    fields: ClassVar[tuple[Field, ...]] = (
        Field("heads", "Heads", (1, 2, 4, 8), "h"),
        replace(RATIO, usual=4),
    )

    def misfit(self, place: Place) -> str:
        """Maps must be small."""
        return attention_misfit(left_side(place))

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """Primitives at `place`."""
        width = place.cout
        attend = Attend(self.heads, KEY, VALUE, left_side(place), offsets=True)
        body = attended(width, attend)
        mix = (Norm(width, "layer"), *body, Scale(width, LAYER_SCALE))
        return (*embed(place), Residual(mix), token_mlp(width, self.ratio))
