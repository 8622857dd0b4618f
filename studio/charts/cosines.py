"""Which choices of a place pull the shared weights apart: a heat map of cosines; data only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from engine.events import Conflicts
from studio.charts import theme

STRONG = 0.7  # beyond it a cell is so dark that its number is written in the ground's colour
MANY = 8  # with more choices, numbers have one digit
SKIPPED = "left out"


@dataclass(frozen=True, slots=True)
class Pair:
    """Two choices of a place, and the cosine (-1..1) between the gradients that they give."""

    place: str
    one: str
    other: str
    cosine: float


def pairs(found: Sequence[Conflicts]) -> list[Pair]:
    """All pairs of different choices, those that pull furthest apart first."""
    told = [
        Pair(c.slot, named(c.ops[i]), named(c.ops[k]), c.cosine[i][k])
        for c in found
        for i, k in combinations(range(len(c.ops)), 2)
    ]
    return sorted(told, key=lambda pair: pair.cosine)


def named(op: str) -> str:
    """A choice as people read it: an op, ops of a tied stage, or that a layer is left out."""
    kept = [part for part in op.split("-") if part != "skip"]
    if not kept:
        return SKIPPED
    return kept[0] if "-" not in op else f"{len(kept)} × {kept[0]}"


def written(cosine: float, digits: int = 2) -> str:
    """A cosine with a true minus: `−0.31`."""
    shown = f"{abs(cosine):.{digits}f}"
    return f"−{shown}" if cosine < 0 and float(shown) else shown


def rows(found: Conflicts) -> dict[str, list[Any]]:
    """One row per ordered pair of different choices."""
    digits = 1 if len(found.ops) > MANY else 2
    count = range(len(found.ops))
    cells = [(i, k) for i in count for k in count if i != k]
    values = [found.cosine[i][k] for i, k in cells]
    return {
        "choice": [named(found.ops[i]) for i, _ in cells],
        "against": [named(found.ops[k]) for _, k in cells],
        "cosine": values,
        "written": [written(value, digits) for value in values],
        "says": ["pull apart" if value < 0 else "pull together" for value in values],
    }


def spec(found: Conflicts, *, dark: bool) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`; red pulls apart, grey together; the number stands."""
    colours = theme.palette(dark)
    order = [named(op) for op in found.ops]
    bare: dict[str, Any] = {"grid": False, "ticks": False, "domain": False, "labelOverlap": False}
    bare |= {"labelFlush": False, "labelBound": False, "labelFontSize": 11}
    colour = {
        "field": "cosine",
        "type": "quantitative",
        "scale": {
            "domain": [-1, 0, 1],
            "range": [colours.wrong, colours.ground, colours.muted],
            "interpolate": "rgb",
        },
        "legend": None,
    }
    strong = {"test": f"abs(datum.cosine) > {STRONG}", "value": colours.ground}
    tooltip = [{"field": "choice"}, {"field": "against"}, {"field": "cosine", "format": ".3f"}]
    return {
        "encoding": {
            "x": {"field": "against", "type": "nominal", "sort": order, "title": None}
            | {"scale": {"domain": order}}
            | {"axis": bare | {"orient": "top", "labelAngle": -50, "labelLimit": 90}},
            "y": {"field": "choice", "type": "nominal", "sort": order, "title": None}
            | {"scale": {"domain": order}, "axis": bare | {"labelLimit": 100}},
            "tooltip": [*tooltip, {"field": "says", "title": "they"}],
        },
        "layer": [
            {
                "mark": {"type": "rect", "stroke": colours.line, "strokeWidth": 0.5},
                "encoding": {"color": colour},
            },
            {
                "mark": {"type": "text", "fontSize": 11},
                "encoding": {
                    "text": {"field": "written"},
                    "color": {"condition": strong, "value": colours.ink},
                },
            },
        ],
        "height": {"step": 28},
        "config": theme.config(dark) | {"view": {"stroke": None}},
    }


def alt(found: Conflicts) -> str:
    """The pair that pulls furthest apart and the one that agrees most, in words."""
    told = pairs([found])
    least, most = told[0], told[-1]
    return (
        f"Cosines between the gradients of {len(found.ops)} choices of {found.slot}, each against"
        f" each. Furthest apart: {least.one} and {least.other}, {written(least.cosine)}. Most"
        f" alike: {most.one} and {most.other}, {written(most.cosine)}."
    )
