"""What a block family must offer, and what families share; the families themselves are beside it.

A family is a frozen dataclass derived from `Op`; one instance is one op. Its `fields` say what may
vary; the text of an op (`k5e6`, `fk3e4_se`) is made from them and read back by them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar, Protocol, Self

from engine.layers import Primitive

Value = int | float | str

WORDS = {
    **{"se": "SE", "sein": "SE of input", "ese": "eSE", "eca": "ECA"},
    **{"relu": "ReLU", "relu6": "ReLU6", "hswish": "h-swish", "swish": "Swish", "gelu": "GELU"},
}
"""How people write the values that are words; others are read as they are."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an op stands: channels in and out, stride, side of the input map in pixels."""

    cin: int
    cout: int
    stride: int
    side: int

    @property
    def keeps(self) -> bool:
        """Whether width and side stay, so that a residual or a skip is possible."""
        return self.stride == 1 and self.cin == self.cout


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that may vary in a family; its name is none of a stage's own keys, as `width` is.

    `values` are those offered, least first; with `most` any number of at most two decimals between
    `values[0]` and `most` is legal as well. `letter` goes before the value in an op's text; words
    are written after `_`. A value that is `usual` is left out of texts and of saved spaces.
    `shared` says that all values are slices of one superkernel.
    """

    name: str
    label: str
    values: tuple[Value, ...]
    letter: str = ""
    most: float = 0.0
    usual: Value | None = None
    shared: bool = False
    unit: str = ""

    def accepts(self, value: Value) -> bool:
        """Whether `value` is legal."""
        if value in self.values:
            return True
        least = self.values[0]
        if isinstance(value, str) or isinstance(least, str):
            return False
        return least <= value <= self.most and round(value, 2) == value

    def word(self, value: Value) -> str:
        """`value` as people read it on a chip."""
        if isinstance(value, str):
            return WORDS.get(value, value)
        return {"kernel": f"{value}×{value}", "ratio": f"×{value}"}.get(self.unit, str(value))


class Block(Protocol):
    """Contract of a block family."""

    family: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    source: ClassVar[str]
    group: ClassVar[str]
    fields: ClassVar[tuple[Field, ...]]

    def __str__(self) -> str:
        """The op's text, unique over all families, of letters, digits, `.` and `_`."""

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The op that `text` names, or None."""

    @property
    def path(self) -> str:
        """Ops of one path are slices of one superkernel; others need weights of their own."""

    @property
    def gated(self) -> bool:
        """Whether a superkernel of its path can be switched by gates, not only by slicing."""

    def misfit(self, place: Place) -> str:
        """Why this op cannot stand at `place`, as in "width must be …, got …"; "" if it can."""

    def layers(self, place: Place) -> tuple[Primitive, ...]:
        """The primitives of this op at `place`, which it fits."""


@dataclass(frozen=True)
class Op:
    """What most families share: the text of an op from its fields, and that it fits everywhere."""

    family: ClassVar[str]
    title: ClassVar[str]
    about: ClassVar[str]
    source: ClassVar[str]
    group: ClassVar[str] = "Convolutions"
    prefix: ClassVar[str] = ""
    fields: ClassVar[tuple[Field, ...]] = ()

    def __str__(self) -> str:
        return self.prefix + "".join(_part(f, getattr(self, f.name)) for f in self.fields)

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The op that `text` names, or None where it names none of this family."""
        match = _pattern(cls.prefix, cls.fields).fullmatch(text)
        if match is None:
            return None
        read = [_read(field, match[field.name]) for field in cls.fields]
        legal = (v is not None and f.accepts(v) for f, v in zip(cls.fields, read, strict=True))
        op = cls(*read) if all(legal) else None
        return op if str(op) == text else None  # one op has one text: `k3.0e6` is none

    @property
    def path(self) -> str:
        """The family and the values of the fields that no superkernel can hold."""
        return own_path(self)

    @property
    def gated(self) -> bool:
        """Only by slicing."""
        return False

    def misfit(self, place: Place) -> str:
        """No place is wrong."""
        del place
        return ""


def own_path(op: Op) -> str:
    """The family of `op` and the values of its fields that no superkernel can hold."""
    own = (_part(f, getattr(op, f.name)) for f in op.fields if not f.shared)
    return op.family + "".join(own)


def _part(field: Field, value: Value) -> str:
    if value == field.usual:
        return ""
    return f"_{value}" if isinstance(value, str) else f"{field.letter}{value}"


def _read(field: Field, text: str | None) -> Value | None:
    if text is None:
        return field.usual
    if isinstance(field.values[0], str):
        return text.removeprefix("_")
    number = float(text.removeprefix(field.letter))
    if "." in text:
        return None if number == int(number) else number  # one number has one text
    return int(number)


@lru_cache
def _pattern(prefix: str, fields: tuple[Field, ...]) -> re.Pattern[str]:
    parts = [re.escape(prefix)]
    for field in fields:
        words = [re.escape(v) for v in field.values if isinstance(v, str) and v != field.usual]
        inside = f"_(?:{'|'.join(words)})" if words else rf"{field.letter}\d{{1,3}}(?:\.\d{{1,2}})?"
        parts.append(f"(?P<{field.name}>{inside}){'' if field.usual is None else '?'}")
    return re.compile("".join(parts))


def choices(family: type[Block]) -> Mapping[str, tuple[Value, ...]]:
    """Every field of a family with the values that are offered."""
    return {field.name: field.values for field in family.fields}


def round8(value: float) -> int:
    """The multiple of 8 nearest to `value`, at least 8 and never below nine tenths of it."""
    nearest = max(8, int(value + 4) // 8 * 8)
    return nearest + 8 if nearest < 0.9 * value else nearest


def scaled(channels: int, ratio: float) -> int:
    """`channels` times `ratio`, at least 1, to the nearest whole number; rises with the ratio."""
    return max(1, round(channels * ratio))
