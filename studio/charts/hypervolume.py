"""How a front grows with every evaluation: hypervolume, and the best within the limit.

The reference is fixed per search: the slowest network of the space, and guessing. So the curves of
one search can be read from left to right, and none of them needs to know how it ends.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import EpochEnd, Evaluated, Event
from engine.front.limits import Limits, kept
from engine.pareto import Point, front, hypervolume
from studio import text
from studio.charts import theme

UNLIMITED = Limits()
COLUMNS = 160
"""Most points of a curve."""


@dataclass(frozen=True, slots=True)
class Growth:
    """After `evaluations`: share of the reference area, best accuracy within the limit.

    A network counts each time it is evaluated, as it is again on weights that were trained on.
    `best` is None while nothing is predicted within it. `part` counts how often the shared weights
    were trained on in between, which makes what was evaluated before stale.
    """

    evaluations: int
    share: float
    best: float | None
    part: int


def growth(
    events: Sequence[Event],
    *,
    slowest_ms: float,
    classes: int,
    limit_ms: float,
    limits: Limits = UNLIMITED,
) -> list[Growth]:
    """The growth of the front along `events`, at `COLUMNS` points at most and always at the end.

    Networks that break one of `limits` count as evaluated, and add nothing.
    """
    told = list(_parts(events))
    reference = (slowest_ms, 1 - 1 / classes)
    area = reference[0] * reference[1]
    every = -(-len(told) // COLUMNS) or 1
    grown: list[Growth] = []
    members: list[Point] = []
    best: float | None = None
    part = 0
    for number, (at, event) in enumerate(told, 1):
        if at != part:
            part, members, best = at, [], None
        if kept(event, limits):
            members.append((event.predicted_ms, 1 - event.proxy_accuracy))
            if event.predicted_ms <= limit_ms:
                best = max(best or 0.0, event.proxy_accuracy)
        if number % every == 0 or number == len(told):
            members = front(members, lambda point: point)
            grown.append(Growth(number, hypervolume(members, reference) / area, best, part))
    return grown


def _parts(events: Sequence[Event]) -> Iterator[tuple[int, Evaluated]]:
    part, fresh = 0, True
    for event in events:
        if isinstance(event, EpochEnd):
            part, fresh = part + (not fresh), True
        elif isinstance(event, Evaluated):
            fresh = False
            yield part, event


def rows(grown: Sequence[Growth]) -> dict[str, list[Any]]:
    """Columns of both curves."""
    return {
        "evaluations": [g.evaluations for g in grown],
        "share": [g.share for g in grown],
        "best": [g.best for g in grown],
        "part": [g.part for g in grown],
        "share label": [text.percent(g.share, 2) for g in grown],
        "best label": [text.percent(g.best) for g in grown],
    }


def spec(field: str, title: str, *, dark: bool) -> dict[str, Any]:
    """Vega-Lite of one curve over `rows`: `share` or `best`, as steps."""
    colours = theme.palette(dark)
    x = {
        "field": "evaluations",
        "type": "quantitative",
        "title": None,
        "axis": {"tickMinStep": 1, "format": "d", "grid": False, "tickCount": 6},
        "scale": {"nice": False, "zero": False},
    }
    y = {
        "field": field,
        "type": "quantitative",
        "title": None,
        "scale": {"zero": False},
        "axis": {"labelExpr": theme.PERCENT, "tickCount": 5},
    }
    line = {"type": "line", "interpolate": "step-after", "color": colours.path, "strokeWidth": 2.2}
    tooltip = [{"field": "evaluations"}, {"field": f"{field} label", "title": title.lower()}]
    return {
        "title": {
            "text": f"{title}, by evaluations",
            "anchor": "start",
            "fontSize": 13,
            "fontWeight": 600,
        },
        "transform": [{"filter": f"isValid(datum.{field})"}],
        "encoding": {"x": x, "y": y},
        "layer": [
            {"mark": line, "encoding": {"detail": {"field": "part"}}},
            {  # a line of one point would not be seen
                "transform": [
                    {"joinaggregate": [{"op": "count", "as": "of"}], "groupby": ["part"]},
                    {"filter": "datum.of === 1"},
                ],
                "mark": {"type": "point", "filled": True, "color": colours.path, "opacity": 1},
            },
            {
                "mark": {"type": "point", "opacity": 0, "size": 160},
                "encoding": {"tooltip": tooltip},
            },
        ],
        "height": 150,
        "config": theme.config(dark) | {"axisY": {"minExtent": 34}},
        "autosize": {"type": "fit", "contains": "padding"},
    }
