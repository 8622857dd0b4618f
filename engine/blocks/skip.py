"""The op that leaves a layer out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.blocks.contract import Op, Place
from engine.layers import Primitive


@dataclass(frozen=True, slots=True)
class Skip(Op):
    """Identity; allowed only where width and side are kept, and then the layer does not exist."""

    family: ClassVar[str] = "skip"
    title: ClassVar[str] = "Skip"
    about: ClassVar[str] = "Leaves the layer out."
    source: ClassVar[str] = ""
    prefix: ClassVar[str] = "skip"

    def misfit(self, place: Place) -> str:
        """Only where nothing changes."""
        return "" if place.keeps else "a layer that changes width or side cannot be skipped"

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """No primitives at all."""
        assert place.keeps, place
        return ()
