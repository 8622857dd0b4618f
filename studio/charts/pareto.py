"""The Pareto chart: candidates to rows and a Vega-Lite specification; nothing is drawn here.

Every candidate has a mark at its predicted latency (hollow). One that ran on the device has a
second, filled mark at what was measured, joined to the first. The line goes through predictions
of front members only, as a staircase: between two members the accuracy of the faster one is what
can be had.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import Candidate, View
from studio import text
from studio.charts import theme

DOMINATED = 1500
"""Most dominated candidates that are drawn; the front is always drawn whole."""

BOLD = "datum.front || datum.best"
"""Marks that are not faint: the front, and the best, which a measurement may have put beside it."""

ZOOM = "wheel![event.ctrlKey || event.metaKey]"
"""A wheel alone scrolls the page. Not Shift: browsers turn it into sideways scrolling."""

FIELDS = (
    "arch", "ms", "predicted_ms", "accuracy", "measured", "front", "best", "exported", "chosen",
    "latency", "proxy", "params", "macs",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Highlights:
    """Architectures that are marked: the best within the limit, those exported, those chosen.

    `over`: those that were over the limit when they were measured again for their archive.
    """

    best: str = ""
    exported: Collection[str] = ()
    chosen: Collection[str] = ()
    over: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Shown:
    """What one chart shows: the whole front, some of the dominated, and how many there are."""

    front: tuple[Candidate, ...]
    dominated: tuple[Candidate, ...]
    total: int


def shown(view: View, keep: int = DOMINATED) -> Shown:
    """The front of `view` and at most `keep` others: measured ones, then always the same."""
    front = view.front()
    members = {c.arch for c in front}
    others = (c for c in view.candidates.values() if c.arch not in members)
    dominated = heapq.nsmallest(keep, others, key=_order)
    return Shown(tuple(front), tuple(dominated), len(view.candidates))


def _order(candidate: Candidate) -> tuple[bool, int]:
    # A checksum of the name scatters the choice and keeps it while others arrive: nothing flickers.
    return candidate.measured is None, zlib.crc32(candidate.arch.encode())


def rows(visible: Shown, marks: Highlights) -> dict[str, list[Any]]:
    """Columns of the chart's table; dominated first, so that the front is drawn over them."""
    made = [_row(c, None, False, marks) for c in visible.dominated]
    made += [_row(c, None, True, marks) for c in visible.front]
    pairs = [(c, False) for c in visible.dominated] + [(c, True) for c in visible.front]
    made += [_row(c, c.measured.p50_ms, on, marks) for c, on in pairs if c.measured]
    return {field: [row[i] for row in made] for i, field in enumerate(FIELDS)}


def _row(candidate: Candidate, measured_ms: float | None, on_front: bool, marks: Highlights) -> Any:
    ms = candidate.predicted_ms if measured_ms is None else measured_ms
    measured = candidate.measured if measured_ms is not None else None
    ringed = candidate.arch in marks.exported and bool(measured) == bool(candidate.measured)
    how = f"measured, p50 of {text.count(measured.runs)} runs" if measured else "predicted"
    return (
        candidate.arch, ms, candidate.predicted_ms, candidate.proxy_accuracy, measured is not None,
        on_front, candidate.arch == marks.best, ringed,
        candidate.arch in marks.chosen, f"{text.ms(ms)} {how}",
        text.percent(candidate.proxy_accuracy), text.count(candidate.params),
        text.count(candidate.macs),
    )  # fmt: skip


def domain(values: Iterable[float], floor: float = -math.inf, ceiling: float = math.inf) -> Any:
    """[low, high] around `values`, rounded outwards to ticks, so that axes rest as points come."""
    known = list(values)
    low, high = min(known, default=0.0), max(known, default=1.0)
    step = tick((high - low) or abs(high) or 1.0) / 2
    low, high = (math.floor(low / step - 0.3) * step, math.ceil(high / step + 0.3) * step)
    return [round(max(low, floor), 9), round(min(high, ceiling), 9)]


def tick(span: float) -> float:
    """A step of 1, 2 or 5 times a power of ten that cuts `span` into four to ten parts."""
    raw = span / 5
    power = 10.0 ** math.floor(math.log10(raw))
    return next(f * power for f in (1, 2, 5, 10) if f * power >= raw)


def spec(visible: Shown, limit_ms: float, *, where: str, dark: bool) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`; `where` names the device in the axis title.

    Selections: `pick` (a click, by `arch`) and `zoom` (Ctrl + wheel, drag); name both in
    `selection_mode`, or zoom is lost whenever the data changes.
    """
    drawn = (*visible.front, *visible.dominated)
    xs = [limit_ms, *(c.predicted_ms for c in drawn), *(c.latency_ms for c in drawn)]
    x = {
        "field": "ms",
        "type": "quantitative",
        "title": f"Latency in ms, {where}",
        "scale": {"domain": domain(xs, floor=0.0), "nice": False},
        "axis": {"grid": False, "tickCount": 10},
    }
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "Proxy accuracy",
        "scale": {
            "domain": domain((c.proxy_accuracy for c in drawn), 0.0, 1.0),
            "nice": False,
            "zero": False,
        },
        "axis": {"labelExpr": theme.PERCENT},
    }
    colours = theme.palette(dark)
    marks = (
        _staircase(colours),
        _joints(colours),
        _outline("exported", "circle", 280, colours.path),
        _outline("chosen", "square", 420, colours.ink),
        _points(colours),
        _best_label(colours),
    )
    return {
        "params": [
            {
                "name": "pick",
                "select": {"type": "point", "fields": ["arch"], "on": "click"},
                "views": ["points"],
            },
            {
                "name": "zoom",
                "select": {"type": "interval", "encodings": ["x", "y"], "zoom": ZOOM},
                "bind": "scales",
                "views": ["points"],
            },
        ],
        "layer": [
            *_limit(limit_ms, x, colours),
            *(_placed(layer, x, y) for layer in marks),
        ],
        "height": 440,
        "config": theme.config(dark),
        "autosize": {"type": "fit", "contains": "padding"},
    }


def _placed(layer: dict[str, Any], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    return layer | {"encoding": {"x": x, "y": y} | layer.get("encoding", {})}


def _limit(limit_ms: float, x: dict[str, Any], colours: theme.Palette) -> list[dict[str, Any]]:
    at = {k: v for k, v in x.items() if k != "field"} | {"datum": limit_ms}
    left = limit_ms < sum(x["scale"]["domain"]) / 2  # the label stays inside the chart
    line = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": colours.limit, "strokeWidth": 2, "strokeDash": [6, 4]},
        "encoding": {"x": at},
    }
    label = {
        "data": {"values": [{}]},
        "mark": {
            "type": "text",
            "text": f"limit {text.ms(limit_ms)}",
            "color": colours.limit,
            "align": "left" if left else "right",
            "dx": 6 if left else -6,
            "baseline": "bottom",
            "fontWeight": 600,
        },
        "encoding": {"x": at, "y": {"value": "height"}},
    }
    return [line, label]


def _staircase(colours: theme.Palette) -> dict[str, Any]:
    return {
        "transform": [{"filter": "datum.front && !datum.measured"}],
        "mark": {
            "type": "line",
            "interpolate": "step-after",
            "color": colours.path,
            "strokeWidth": 2,
            "opacity": 0.75,
        },
        "encoding": {"order": {"field": "ms"}},
    }


def _joints(colours: theme.Palette) -> dict[str, Any]:
    return {
        "transform": [{"filter": "datum.measured"}],
        "mark": {"type": "rule", "color": colours.path},
        "encoding": {
            "x2": {"field": "predicted_ms"},
            "opacity": {"condition": {"test": BOLD, "value": 0.6}, "value": 0.25},
        },
    }


def _outline(flag: str, shape: str, size: int, colour: str) -> dict[str, Any]:
    return {
        "transform": [{"filter": f"datum.{flag}"}],
        "mark": {
            "type": "point",
            "filled": False,
            "shape": shape,
            "size": size,
            "stroke": colour,
            "strokeWidth": 2,
            "opacity": 1,
        },
    }


def _points(colours: theme.Palette) -> dict[str, Any]:
    def either(test: str, yes: Any, no: Any) -> dict[str, Any]:
        return {"condition": {"test": test, "value": yes}, "value": no}

    return {
        "name": "points",
        "mark": {"type": "point", "strokeWidth": 1.8, "cursor": "pointer"},
        "encoding": {
            "fill": {
                "condition": [
                    {"test": "!datum.measured", "value": colours.ground},
                    {"test": BOLD, "value": colours.path},
                ],
                "value": colours.muted,
            },
            "stroke": either(BOLD, colours.path, colours.muted),
            "size": either(BOLD, 110, 34),
            "opacity": either(BOLD, 1, 0.5),
            "tooltip": [
                {"field": "arch", "title": "architecture"},
                {"field": "proxy", "title": "proxy accuracy"},
                {"field": "latency", "title": "latency"},
                {"field": "params", "title": "parameters"},
                {"field": "macs", "title": "MACs"},
            ],
        },
    }


def _best_label(colours: theme.Palette) -> dict[str, Any]:
    return {
        "transform": [{"filter": "datum.best && datum.measured"}],
        "mark": {
            "type": "text",
            "text": "best",
            "dy": -20,
            "align": "center",
            "fontWeight": 600,
            "color": colours.ink,
        },
    }


def alt(visible: Shown, limit_ms: float, best: Candidate | None) -> str:
    """The chart in words, for those who cannot see it."""
    if not visible.front:
        return "Proxy accuracy against latency; nothing has been evaluated yet."
    first, last = visible.front[0], visible.front[-1]
    found = (
        f" The best measured within the limit has {text.percent(best.proxy_accuracy)} at"
        f" {text.ms(best.latency_ms)}."
        if best
        else " None has been measured within the limit."
    )
    return (
        f"Proxy accuracy against latency of {text.count(visible.total)} networks, limit"
        f" {text.ms(limit_ms)}. The front has {len(visible.front)} members, from"
        f" {text.percent(first.proxy_accuracy)} at {text.ms(first.predicted_ms)} to"
        f" {text.percent(last.proxy_accuracy)} at {text.ms(last.predicted_ms)}, predicted." + found
    )


def table(visible: Shown, limit_ms: float, marks: Highlights) -> dict[str, Sequence[Any]]:
    """Columns of the table beside the chart: the front, fastest first, both latencies."""
    front = visible.front
    return {
        "": [_note(c, marks) for c in front],
        "proxy accuracy": [100 * c.proxy_accuracy for c in front],
        "predicted ms": [c.predicted_ms for c in front],
        "measured ms": [c.measured.p50_ms if c.measured else None for c in front],
        "limit": [verdict(c, limit_ms, marks.over) for c in front],
        "parameters": text.aligned(c.params for c in front),
        "MACs": text.aligned(c.macs for c in front),
        "architecture": [c.arch for c in front],
    }


def verdict(candidate: Candidate, limit_ms: float, over: Collection[str] = ()) -> str:
    """What may be said about a candidate and the limit: only a measurement can be within it.

    Architectures in `over` were measured again later, and were not.
    """
    if candidate.arch in over:
        return "over"
    if candidate.within(limit_ms):
        return "within"
    if candidate.measured is not None:
        return "over"
    return "predicted over" if candidate.predicted_ms > limit_ms else "not measured"


def _note(candidate: Candidate, marks: Highlights) -> str:
    notes = [("best", candidate.arch == marks.best), ("exported", candidate.arch in marks.exported)]
    return ", ".join(word for word, holds in notes if holds)
