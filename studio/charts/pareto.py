"""The Pareto chart: candidates to rows and a Vega-Lite specification; nothing is drawn here.

Every candidate has a mark at its predicted latency (hollow). One that ran on the device has a
second, filled mark at what was measured, joined to the first. The line goes through predictions
of front members only, as a staircase: between two members the accuracy of the faster one is what
can be had. What is only foreseen, and what a training gave, are marks of other shapes on no line
of evaluated ones.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.events import Candidate, Ghost, View
from studio import text
from studio.charts import front_marks, overlay, theme

DOMINATED = 1500
"""Most dominated candidates that are drawn; the front is always drawn whole."""

TRAINED = {"finetune": "finetuned", "retrain": "retrained"}

ZOOM = "wheel![event.ctrlKey || event.metaKey]"
"""A wheel alone scrolls the page. Not Shift: browsers turn it into sideways scrolling."""

FIELDS = (
    "arch", "ms", "predicted_ms", "accuracy", "measured", "front", "best", "exported", "chosen",
    "latency", "proxy", "params", "macs", "kind", "bold",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Highlights:
    """Architectures that are marked: the best within the limit, those exported, those chosen.

    `over`: those that were over the limit when they were measured again for their archive.
    `weights`: which ones the proxy accuracies are of, in words.
    """

    best: str = ""
    exported: Collection[str] = ()
    chosen: Collection[str] = ()
    over: Collection[str] = ()
    weights: str = "shared weights"


@dataclass(frozen=True, slots=True)
class TrainedPoint:
    """A candidate with weights of its own: `how` is `finetune` or `retrain`."""

    candidate: Candidate
    how: str
    accuracy: float


@dataclass(frozen=True, slots=True)
class Shown:
    """What one chart shows: the whole front, some of the dominated, and how many there are.

    `ghosts` are foreseen, not evaluated; `trained`: the same architectures after training.
    """

    front: tuple[Candidate, ...]
    dominated: tuple[Candidate, ...]
    total: int
    ghosts: tuple[Ghost, ...] = ()
    trained: tuple[TrainedPoint, ...] = ()


def shown(view: View, keep: int = DOMINATED) -> Shown:
    """The front of `view` and at most `keep` others: measured ones, then always the same."""
    return around(view, view.front(), view.ghosts(), keep)


def around(
    view: View, front: Sequence[Candidate], ghosts: Iterable[Ghost], keep: int = DOMINATED
) -> Shown:
    """The same about another `front` of the candidates of `view`."""
    members = {c.arch for c in front}
    others = (c for c in view.candidates.values() if c.arch not in members)
    dominated = heapq.nsmallest(keep, others, key=_order)
    return Shown(tuple(front), tuple(dominated), len(view.candidates), tuple(ghosts))


def _order(candidate: Candidate) -> tuple[bool, int]:
    # A checksum of the name scatters the choice and keeps it while others arrive: nothing flickers.
    return candidate.measured is None, zlib.crc32(candidate.arch.encode())


def rows(visible: Shown, marks: Highlights) -> dict[str, list[Any]]:
    """Columns of the chart's table; dominated first, so that the front is drawn over them."""
    made = [_row(c, None, False, marks) for c in visible.dominated]
    made += [_row(c, None, True, marks) for c in visible.front]
    pairs = [(c, False) for c in visible.dominated] + [(c, True) for c in visible.front]
    made += [_row(c, c.measured.p50_ms, on, marks) for c, on in pairs if c.measured]
    made += [_ghost_row(ghost, marks) for ghost in visible.ghosts]
    made += [_trained_row(point) for point in visible.trained]
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
        f"{text.percent(candidate.proxy_accuracy)} proxy, {marks.weights}",
        text.count(candidate.params), text.count(candidate.macs), "evaluated",
        on_front or candidate.arch == marks.best,
    )  # fmt: skip


def _ghost_row(ghost: Ghost, marks: Highlights) -> Any:
    ms, accuracy = ghost.predicted_ms, ghost.proxy_accuracy
    return (
        ghost.arch, ms, ms, accuracy, False, False, False, False, ghost.arch in marks.chosen,
        f"{text.ms(ms)} predicted", f"{text.percent(accuracy)} foreseen, not evaluated",
        text.UNKNOWN, text.UNKNOWN, "foreseen", True,
    )  # fmt: skip


def _trained_row(point: TrainedPoint) -> Any:
    known, measured = point.candidate, point.candidate.measured is not None
    # On no front, in no outline, on no line: it has other weights than all the circles.
    return (
        known.arch, known.latency_ms, known.latency_ms, point.accuracy, measured, False, False,
        False, False, f"{text.ms(known.latency_ms)} {known.latency_source}",
        f"{text.percent(point.accuracy)} {TRAINED[point.how]}, weights of its own",
        text.count(known.params), text.count(known.macs), point.how, True,
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


def spec(
    visible: Shown,
    limit_ms: float,
    *,
    where: str,
    dark: bool,
    others: Sequence[overlay.Other] = (),
) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`; `where` names the device in the axis title.

    `others` are fronts of other searches, drawn behind.

    Selections: `pick` (a click, by `arch`) and `zoom` (Ctrl + wheel, drag); name both in
    `selection_mode`, or zoom is lost whenever the data changes.
    """
    xs, ys = _reach(visible, others)
    x = {
        "field": "ms",
        "type": "quantitative",
        "title": f"Latency in ms, {where}",
        "scale": {"domain": domain([limit_ms, *xs], floor=0.0), "nice": False},
        "axis": {"grid": False, "tickCount": 10},
    }
    y = {
        "field": "accuracy",
        "type": "quantitative",
        "title": "Accuracy; triangles: after training" if visible.trained else "Proxy accuracy",
        "scale": {"domain": domain(ys, 0.0, 1.0), "nice": False, "zero": False},
        "axis": {"labelExpr": theme.PERCENT},
    }
    colours = theme.palette(dark)
    marks = (
        *overlay.layers(others, colours),
        *([front_marks.foreseen(colours)] if visible.ghosts else []),
        front_marks.staircase(colours),
        front_marks.joints(colours),
        front_marks.outline("exported", "circle", 280, colours.path),
        front_marks.outline("chosen", "square", 420, colours.ink),
        front_marks.points(colours),
        front_marks.best_label(colours),
        *overlay.names(others, colours),
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
            *front_marks.limit(limit_ms, x, colours),
            *(_placed(layer, x, y) for layer in marks),
        ],
        "height": 440,
        "config": theme.config(dark),
        "autosize": {"type": "fit", "contains": "padding"},
    }


def _reach(visible: Shown, others: Sequence[overlay.Other]) -> tuple[list[float], list[float]]:
    """All latencies and all accuracies that are drawn."""
    drawn, ghosts = (*visible.front, *visible.dominated), visible.ghosts
    at = [point for other in others for point in other.points]
    at += [(c.predicted_ms, c.proxy_accuracy) for c in drawn]
    at += [(ghost.predicted_ms, ghost.proxy_accuracy) for ghost in ghosts]
    at += [(c.latency_ms, c.proxy_accuracy) for c in drawn]
    at += [(point.candidate.latency_ms, point.accuracy) for point in visible.trained]
    return [ms for ms, _ in at], [accuracy for _, accuracy in at]


def _placed(layer: dict[str, Any], x: dict[str, Any], y: dict[str, Any]) -> dict[str, Any]:
    return layer | {"encoding": {"x": x, "y": y} | layer.get("encoding", {})}


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
        f" {text.percent(last.proxy_accuracy)} at {text.ms(last.predicted_ms)}, predicted."
        f"{found}{_also(visible)}"
    )


def _also(visible: Shown) -> str:
    """The marks of other shapes in words."""
    told = ""
    if visible.ghosts:
        told += f" {text.plural(len(visible.ghosts), 'network')} foreseen, not evaluated."
    if visible.trained:
        told += f" {text.plural(len(visible.trained), 'network')} with weights of their own."
    return told


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
