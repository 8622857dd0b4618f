"""The op that leaves a layer out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from engine.layers import Primitive


@dataclass(frozen=True, slots=True)
class Skip:
    """Identity; allowed only where width and side are kept, and then the layer does not exist."""

    family: ClassVar[str] = "skip"
    choices: ClassVar[dict[str, tuple[int, ...]]] = {}

    def __str__(self) -> str:
        return "skip"

    @classmethod
    def parse(cls, text: str) -> Skip | None:
        """The op if `text` is `skip`, else None."""
        return cls() if text == "skip" else None

    def layers(self, cin: int, cout: int, stride: int) -> tuple[Primitive, ...]:
        """No primitives at all."""
        assert (stride, cin) == (1, cout), (cin, cout, stride)
        return ()
