"""Fronts of other searches behind the one that is shown: quiet lines, told apart by dash, shape and
name. Each stands for itself: accuracies on other shared weights are never joined.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from studio import text
from studio.charts import theme

MOST = 4
"""More at once cannot be told apart without colours."""
DASHES = ([6, 3], [2, 2], [8, 3, 2, 3], [12, 4])
SHAPES = (
    "M-0.7,-0.7L0.7,0.7M0.7,-0.7L-0.7,0.7",
    "M0,-1V1M-0.87,-0.5L0.87,0.5M0.87,-0.5L-0.87,0.5",
    "M0,0V1M0,0L-0.87,-0.5M0,0L0.87,-0.5",
    "cross",
)
"""A ×, six rays, three and a plus: nothing that the front itself is drawn with."""

Point = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Other:
    """The front of another search: its `name`, predicted ms and proxy accuracy of its members.

    `weights`: which ones these accuracies are of, in words.
    """

    name: str
    points: tuple[Point, ...]
    archs: tuple[str, ...]
    weights: str = "shared weights"


def layers(others: Sequence[Other], colours: theme.Palette) -> list[dict[str, Any]]:
    """Vega-Lite layers with data of their own, along the chart's axes: line and marks each."""
    return [
        layer
        for number, other in enumerate(others[:MOST])
        for layer in _one(number, other, colours)
    ]


def _one(number: int, other: Other, colours: theme.Palette) -> list[dict[str, Any]]:
    data = {"values": _values(other)}
    line = {"interpolate": "step-after", "strokeWidth": 1.5, "strokeDash": DASHES[number]}
    mark = {"type": "point", "filled": False, "shape": SHAPES[number], "size": 90}
    tooltip = [
        {"field": "search"},
        {"field": "arch", "title": "architecture"},
        {"field": "proxy", "title": "accuracy"},
        {"field": "latency"},
    ]
    return [
        {
            "data": data,
            "mark": {"type": "line", "color": colours.muted} | line,
            "encoding": {"order": {"field": "ms"}},
        },
        {
            "data": data,
            "mark": mark | {"stroke": colours.muted, "strokeWidth": 1.8, "opacity": 1},
            "encoding": {"tooltip": tooltip},
        },
    ]


def names(others: Sequence[Other], colours: theme.Palette) -> list[dict[str, Any]]:
    """A name under the end of each line, above all marks, with the ground around its letters."""
    falling = sorted(others[:MOST], key=lambda other: -max((a for _, a in other.points), default=0))
    return [
        {"data": {"values": _values(other)[-1:]}, "mark": _name(other.name, number) | style}
        for number, other in enumerate(falling)
        for style in (
            {"stroke": colours.ground, "strokeWidth": 5, "strokeJoin": "round"},
            {"color": colours.ink},
        )
    ]


def _name(name: str, number: int) -> dict[str, Any]:
    # one below the other in the order of the lines, which may end together
    return {"type": "text", "text": name, "align": "right", "dy": 16 + 15 * number}


def _values(other: Other) -> list[dict[str, Any]]:
    return [
        {
            "search": other.name,
            "arch": arch,
            "ms": ms,
            "accuracy": accuracy,
            "proxy": f"{text.percent(accuracy)} proxy, {other.weights} of that search",
            "latency": f"{text.ms(ms)} predicted",
        }
        for (ms, accuracy), arch in zip(other.points, other.archs, strict=True)
    ]
