"""What a network may cost at most beside its latency, as frozen data; `filter` holds nets to it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Protocol

from engine.errors import RunError

UNITS = {
    "latency_ms": ("latency", "ms", 1.0),
    "params": ("parameters", "k", 1e3),
    "macs": ("MACs", "M", 1e6),
    "peak_bytes": ("peak memory", "kB", 1e3),
    "onnx_bytes": ("ONNX file", "kB", 1e3),
}
"""Of every limit: its name in sentences, the unit it is told in, and how much one of that is."""


@dataclass(frozen=True, slots=True)
class Limits:
    """The most parameters, MACs, bytes of activations at once, and bytes of the ONNX file."""

    params: int | None = None
    macs: int | None = None
    peak_bytes: int | None = None
    onnx_bytes: int | None = None

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                what = UNITS[name][0]
                raise RunError(f"limit of {what}: must be a whole number above 0, got {value!r}.")

    def asked(self) -> dict[str, int]:
        """The limits that there are, by name."""
        pairs = ((f.name, getattr(self, f.name)) for f in fields(self))
        return {name: value for name, value in pairs if value is not None}


class Figures(Protocol):
    """Whatever says what a network costs, 0 for what is not known: an evaluated candidate."""

    @property
    def params(self) -> int: ...
    @property
    def macs(self) -> int: ...
    @property
    def peak_bytes(self) -> int: ...
    @property
    def onnx_bytes(self) -> int: ...


def kept(network: Figures, limits: Limits) -> bool:
    """Whether what is known of a network keeps all limits; what is not known keeps none."""
    return all(0 < getattr(network, name) <= most for name, most in limits.asked().items())


def told(name: str, value: float, *, least: bool = False) -> str:
    """A figure with its unit, as sentences have it; the `least` one is never rounded down."""
    _, unit, per = UNITS[name]
    if name == "params" and value < per:
        return f"{math.ceil(value):,}"
    shown = value / per
    if least:
        digit = 10.0 ** (math.floor(math.log10(shown)) - 3)
        shown = math.ceil(shown / digit - 1e-9) * digit
    return f"{shown:.4g} {unit}"


def limits_from(document: Mapping[str, int | None]) -> Limits:
    """The limits in plain JSON; RunError for names that are none."""
    known = {f.name for f in fields(Limits)}
    for name in document:
        if name not in known:
            raise RunError(f"limits: must be among {', '.join(sorted(known))}, got {name!r}.")
    return Limits(**document)
