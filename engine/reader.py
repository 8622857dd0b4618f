"""Takes typed values out of parsed JSON that came from outside; not a schema language."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from engine.errors import SpaceError

MAX_WHOLE, MAX_TEXT, MAX_ITEMS = 10**9, 500, 32
NAMES = {int: "a whole number", float: "a number", str: "a text", list: "a list"}


class Reader:
    """One JSON object; every refusal is a SpaceError that says where and what was got."""

    def __init__(self, where: str, document: object) -> None:
        if not isinstance(document, Mapping):
            raise SpaceError(f"{where}: must be a JSON object, got {_got(document)}.")
        self.where, self.document = where, document

    def whole(self, key: str, default: int | None = None) -> int:
        """A whole number of at most nine digits."""
        value = int(self._get(key, int, default))
        if abs(value) > MAX_WHOLE:
            raise SpaceError(
                f"{self.where}: {key} must be within ±{MAX_WHOLE}, got a larger number."
            )
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        value = self._get(key, float, default)
        if not -MAX_WHOLE <= value <= MAX_WHOLE:  # NaN is not either
            raise SpaceError(
                f"{self.where}: {key} must be within ±{MAX_WHOLE}, got another number."
            )
        return float(value)

    def text(self, key: str, default: str) -> str:
        """A text, cut at 500 characters; what UTF-8 cannot hold becomes a question mark."""
        return str(self._get(key, str, default))[:MAX_TEXT].encode(errors="replace").decode()

    def items(self, key: str) -> list[object]:
        """A list of anything."""
        return list(self._get(key, list))

    def wholes(self, key: str) -> list[int]:
        """A short list of whole numbers."""
        values = self.items(key)
        numbers = [v for v in values if isinstance(v, int) and not isinstance(v, bool)]
        if len(values) > MAX_ITEMS or len(numbers) < len(values):
            raise SpaceError(
                f"{self.where}: {key} must be a list of at most {MAX_ITEMS} whole numbers."
            )
        if any(abs(v) > MAX_WHOLE for v in numbers):
            raise SpaceError(
                f"{self.where}: {key} must be within ±{MAX_WHOLE}, got a larger number."
            )
        return numbers

    def numbers(self, key: str) -> list[int | float]:
        """A short list of numbers with at most two decimals, whole ones as whole numbers."""
        values = self.items(key)
        numbers = [_number(v) for v in values if _is_number(v)]
        if len(values) > MAX_ITEMS or len(numbers) < len(values):
            raise SpaceError(f"{self.where}: {key} must be a list of at most {MAX_ITEMS} numbers.")
        return numbers

    def words(self, key: str) -> list[str]:
        """A short list of texts."""
        values = self.items(key)
        words = [v for v in values if isinstance(v, str)]
        if len(values) > MAX_ITEMS or len(words) < len(values):
            raise SpaceError(f"{self.where}: {key} must be a list of at most {MAX_ITEMS} texts.")
        return words

    def flag(self, key: str) -> bool:
        """True or false; false where nothing is said."""
        value = self.document.get(key, False)
        if not isinstance(value, bool):
            raise SpaceError(f"{self.where}: {key} must be true or false, got {_got(value)}.")
        return value

    def only(self, *known: str) -> None:
        """Refuses keys other than `known`: a slip of the pen must not be taken for nothing."""
        for key in self.document:
            if key not in known:
                near = get_close_matches(str(key), known, n=1)
                hint = f"Did you mean {near[0]}?" if near else f"Known: {', '.join(known)}."
                raise SpaceError(f"{self.where}: has no {str(key)[:40]!r}.", hint)

    def below(self, item: object) -> Reader:
        """An object in a list of this one, which is told as this one."""
        return Reader(self.where, item)

    def child(self, key: str) -> Reader:
        """The object below `key`."""
        return Reader(key, self.document.get(key))

    def _get(self, key: str, kind: type, default: object = None) -> Any:
        value = self.document.get(key, default)
        fits = isinstance(value, int | float) if kind is float else isinstance(value, kind)
        if not fits or isinstance(value, bool):
            raise SpaceError(f"{self.where}: {key} must be {NAMES[kind]}, got {_got(value)}.")
        return value


def _is_number(value: object) -> bool:
    """Finite, not too large, no truth value; NaN is none."""
    return (
        isinstance(value, int | float)
        and not isinstance(value, bool)
        and -MAX_WHOLE <= value <= MAX_WHOLE
    )


def _number(value: Any) -> int | float:
    return int(value) if value == int(value) else float(value)


def _got(value: object) -> str:
    """A few words for `value`; containers only by kind, since they may be deep or huge."""
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value[:40])
    if isinstance(value, bool | float):
        return str(value)
    if isinstance(value, int):
        return str(value) if abs(value) <= MAX_WHOLE else "a huge number"
    return "a list" if isinstance(value, list) else "an object"
