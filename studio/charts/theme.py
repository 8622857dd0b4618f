"""The colours of charts and diagrams, one meaning each; those of pages stand in the theme file.

Those of block families stand in `blocks`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Palette:
    """`path`: chosen, the front. `limit`: the latency limit. `wrong`: refused. Rest: ink."""

    path: str
    limit: str
    wrong: str
    ink: str
    muted: str
    line: str
    ground: str


LIGHT = Palette("#0b7a70", "#9a5b00", "#b3261e", "#17211f", "#56625f", "#cfd8d5", "#ffffff")
DARK = Palette("#3fc7b8", "#f0a92e", "#ff8a80", "#e6eeec", "#a2b0ac", "#3a4644", "#111817")


def palette(dark: bool) -> Palette:
    """The colours of the light or the dark theme."""
    return DARK if dark else LIGHT


PERCENT = "format(datum.value * 100, '.3~g') + '\u202f%'"
"""Vega expression for the label of a share, 0..1."""


def config(dark: bool) -> dict[str, Any]:
    """Vega-Lite configuration of every chart: words that can be read on either ground."""
    colours = palette(dark)
    quiet = {"labelColor": colours.muted, "titleColor": colours.muted}
    return {"axis": quiet, "legend": quiet, "title": {"color": colours.ink}}
