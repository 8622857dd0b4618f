"""What the front is made of: layer against op, as a heat table; rows and Vega-Lite only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from engine.space import SKIP, Arch, SearchSpace
from studio import text
from studio.charts import theme

LEFT_OUT = "left out"
"""Header of the column of layers that are skipped."""


def rows(space: SearchSpace, archs: Sequence[str]) -> dict[str, list[Any]]:
    """One row per layer and op it may have: share of `archs` that have it there, 0..1."""
    used = [Counter(ops) for ops in zip(*(Arch.parse(a).ops for a in archs), strict=True)]
    slots = zip(space.slots(), used, strict=True)
    cells = [(slot.name, op, seen[op]) for slot, seen in slots for op in slot.ops]
    return {
        "layer": [layer for layer, _, _ in cells],
        "op": [_named(op) for _, op, _ in cells],
        "share": [count / len(archs) for _, _, count in cells],
        "of": [f"{count} of {text.plural(len(archs), 'network')}" for _, _, count in cells],
    }


def _named(op: str) -> str:
    return LEFT_OUT if op == SKIP else op


def columns(space: SearchSpace) -> list[str]:
    """The ops of a space as they come, layers that are left out last."""
    ops = dict.fromkeys(op for slot in space.slots() for op in slot.ops)
    skipped = [LEFT_OUT] if ops.pop(SKIP, 0) is None else []
    return [*ops, *skipped]


def spec(space: SearchSpace, *, dark: bool) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`: blank where a layer cannot have it, a dot where none
    has it.
    """
    colours = theme.palette(dark)
    bare = {
        "grid": False,
        "ticks": False,
        "domain": False,
        "labelOverlap": False,
        "labelFlush": False,
        "labelBound": False,
    }
    x = {
        "field": "op",
        "type": "nominal",
        "sort": columns(space),
        "title": None,
        "axis": bare | {"orient": "top", "labelAngle": -50, "labelLimit": 90},
    }
    y = {
        "field": "layer",
        "type": "nominal",
        "sort": [slot.name for slot in space.slots()],
        "title": None,
        "axis": bare | {"labelLimit": 120, "labelFontSize": 11},
    }
    colour = {
        "field": "share",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": [colours.ground, colours.path], "interpolate": "rgb"},
        "legend": None,
    }
    tooltip = [{"field": "layer"}, {"field": "op"}, {"field": "of", "title": "on the front"}]
    cell = {"type": "rect", "stroke": colours.line, "strokeWidth": 0.5}
    dot = {"type": "point", "filled": True, "size": 14, "color": colours.muted, "opacity": 1}
    return {
        "encoding": {"x": x, "y": y, "tooltip": tooltip},
        "layer": [
            {"mark": cell, "encoding": {"color": colour}},
            {"transform": [{"filter": "datum.share === 0"}], "mark": dot},
        ],
        "height": {"step": 19},
        "config": theme.config(dark) | {"view": {"stroke": None}},
    }


def alt(space: SearchSpace, archs: Sequence[str]) -> str:
    """The most used op of every layer, in words."""
    used = [Counter(ops) for ops in zip(*(Arch.parse(a).ops for a in archs), strict=True)]
    most = [
        (slot.name, seen.most_common(1)[0]) for slot, seen in zip(space.slots(), used, strict=True)
    ]
    told = ", ".join(f"{name} {_named(op)} in {count}" for name, (op, count) in most)
    return f"Choices of {text.plural(len(archs), 'network')} on the front. Most used: {told}."
