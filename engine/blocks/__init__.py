"""The block families: what a block must offer, and the table of those that exist.

A block is a frozen dataclass; one instance is one op (`MBConv(5, 6)`, text `k5e6`).
To add one: a file beside this one, one line in `BLOCKS`.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from engine.blocks.mbconv import MBConv
from engine.blocks.skip import Skip
from engine.errors import SpaceError
from engine.layers import Primitive


class Block(Protocol):
    """Contract of a block family; `choices` lists what may vary and the legal values."""

    family: ClassVar[str]
    choices: ClassVar[dict[str, tuple[int, ...]]]

    def __str__(self) -> str:
        """The op's text, unique over all families and without `-`."""

    @classmethod
    def parse(cls, text: str) -> Block | None:
        """The op that `text` names, or None."""

    def layers(self, cin: int, cout: int, stride: int) -> tuple[Primitive, ...]:
        """The primitives of this op between `cin` and `cout` channels."""


BLOCKS: dict[str, type[Block]] = {
    "mbconv": MBConv,
    "skip": Skip,
}


def parse_op(text: str) -> Block:
    """The op named `text`; raises SpaceError that says what ops look like."""
    for family in BLOCKS.values():
        op = family.parse(text)
        if op is not None:
            return op
    raise SpaceError(
        f"op: must be like k5e6 or skip, got {text!r}.",
        "Families known: " + ", ".join(BLOCKS) + ".",
    )
