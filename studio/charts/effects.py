"""What each choice does, as dots with intervals: accuracy and latency side by side; data only.

A row per choice: its words, and below them the two dots, each in a panel with an axis of its own.
Both panels are one chart, so that rows stay together at any width.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from engine.explain.regression import Estimate
from engine.explain.why import POINTS, Effect
from studio import text
from studio.charts import theme

STEP = 40  # pixels per row: words above, dots below
LEFT, RIGHT = 0.47, 0.53  # where the panel of accuracy ends and that of latency begins
LONGEST = 3.0  # an interval is drawn up to so many times the largest effect
SURE, UNCERTAIN, GUESS, NOTHING = "sure", "uncertain", "a guess", "cannot be told"
SHAPES = {SURE: "circle", UNCERTAIN: "circle", GUESS: "cross"}
Json = dict[str, Any]


def ordered(effects: Sequence[Effect]) -> list[Effect]:
    """The most influential first: what is sure of accuracy and of latency counts alike.

    Each is held against the largest sure one; after these, what is not sure, by its size.
    """
    most = {
        kind: max((_sure(getattr(e, kind)) for e in effects), default=0.0)
        for kind in ("accuracy", "latency_ms")
    }

    def influence(effect: Effect) -> tuple[float, float]:
        shares = (_sure(getattr(effect, k)) / top for k, top in most.items() if top)
        return -sum(shares), -abs(effect.accuracy.value or 0.0)

    return sorted(effects, key=influence)


def _sure(found: Estimate) -> float:
    return abs(found.value or 0.0) if found.sign else 0.0


def kind(found: Estimate) -> str:
    """Whether an effect is sure, uncertain (its interval holds 0), a guess, or unknown."""
    if found.value is None:
        return NOTHING
    if found.low is None:
        return GUESS
    return SURE if found.sign else UNCERTAIN


def rows(effects: Sequence[Effect]) -> dict[str, list[Any]]:
    """One row per effect: points of accuracy and ms of latency, with what is drawn of intervals."""
    found: dict[str, list[Any]] = {
        "choice": [titled(e) for e in effects],
        "seen": [f"{text.count(e.seen)} against {text.count(e.seen_usual)}" for e in effects],
    }
    accuracy = [e.accuracy for e in effects]
    latency = [e.latency_ms for e in effects]
    return found | _columns("accuracy", accuracy, POINTS) | _columns("latency", latency, 1.0)


def titled(effect: Effect) -> str:
    """An effect's words with a capital."""
    return effect.words[:1].upper() + effect.words[1:]


def _columns(name: str, found: Sequence[Estimate], scale: float) -> dict[str, list[Any]]:
    most = longest(found) * scale

    def drawn(end: float | None) -> float | None:
        return None if end is None else max(-most, min(most, scale * end))

    return {
        name: [None if e.value is None else scale * e.value for e in found],
        f"{name}_low": [drawn(e.low) for e in found],
        f"{name}_high": [drawn(e.high) for e in found],
        f"{name}_kind": [kind(e) for e in found],
        f"{name}_told": [told(e, scale) for e in found],
    }


def longest(found: Sequence[Estimate]) -> float:
    """How far from 0 an interval is drawn; beyond, one choice would hide all the others."""
    return LONGEST * max((abs(e.value) for e in found if e.value is not None), default=0.0)


def cut(effects: Sequence[Effect]) -> bool:
    """Whether an interval goes on beyond the picture."""
    kinds = ([e.accuracy for e in effects], [e.latency_ms for e in effects])
    return any(
        max(abs(e.low), abs(e.high)) > longest(found)
        for found in kinds
        for e in found
        if e.low is not None and e.high is not None
    )


def told(found: Estimate, scale: float) -> str:
    """`−0.3 (−0.6 to 0.0)`, with as many digits as its interval has a use for."""
    if found.value is None:
        return found.why
    if found.low is None or found.high is None:
        return f"{_signed(scale * found.value)}, a guess: {found.why}"
    low, high = _signed(scale * found.low), _signed(scale * found.high)
    return f"{_signed(scale * found.value)} ({low} to {high})"


def _signed(value: float) -> str:
    shown = text.significant(abs(value), 2) if abs(value) >= 1e-5 else "0"
    return shown if shown == "0" else f"{'−' if value < 0 else '+'}{shown}"


def spec(effects: Sequence[Effect], *, dark: bool) -> Json:
    """Vega-Lite over the columns of `rows`; as wide as its place, `STEP` high per effect."""
    colours = theme.palette(dark)
    words: Json = {"type": "text", "align": "left", "yOffset": -9, "fontSize": 12}
    words |= {"limit": {"expr": "width"}}
    halo = {"stroke": colours.ground, "strokeWidth": 4}  # lines do not cross the words
    at = {"x": {"value": 0}, "text": {"field": "choice"}}
    return {
        "layer": [
            _panel("accuracy", "proxy accuracy, points", effects, dark=dark),
            _panel("latency", "latency, ms", effects, dark=dark),
            {"mark": words | halo, "encoding": at},
            {"mark": words | {"color": colours.ink}, "encoding": at},
        ],
        "encoding": {
            "y": {
                "field": "choice",
                "type": "nominal",
                "sort": [titled(e) for e in effects],
                "axis": None,
            }
        },
        "resolve": {"scale": {"x": "independent"}},
        "height": {"step": STEP},
        "config": theme.config(dark) | {"view": {"stroke": None}},
    }


def _panel(name: str, title: str, effects: Sequence[Effect], *, dark: bool) -> Json:
    colours = theme.palette(dark)
    span = [0, {"expr": f"{LEFT} * width"}]
    if name == "latency":
        span = [{"expr": f"{RIGHT} * width"}, {"expr": "width"}]
    x = {
        "field": name,
        "type": "quantitative",
        "title": title,
        "scale": {"range": span, "domain": _domain(name, effects), "nice": True},
        "axis": {"orient": "top", "tickCount": 4, "grid": True, "gridColor": colours.line}
        | {"domain": False, "ticks": False, "labelOverlap": True, "gridOpacity": 0.6},
    }
    tooltip = [
        {"field": "choice"},
        {"field": f"{name}_told", "title": title},
        {"field": f"{name}_kind", "title": "it is"},
        {"field": "seen", "title": "networks"},
    ]
    sure = {"test": f"datum.{name}_kind === '{SURE}'", "value": colours.ink}
    ends = {"x": x | {"field": f"{name}_low"}, "x2": {"field": f"{name}_high"}}
    zero = {"color": colours.muted, "strokeWidth": 1}
    zero_x = {key: part for key, part in x.items() if key != "field"} | {"datum": 0}
    return {
        "layer": [
            {
                "mark": {"type": "rule"} | zero,
                "encoding": {"x": zero_x, "y": {"value": 0}, "y2": {"value": "height"}},
            },
            {
                "transform": [{"filter": f"isValid(datum.{name}_low)"}],
                "mark": {"type": "rule", "yOffset": 9, "y2Offset": 9},
                "encoding": ends
                | {
                    "color": {"condition": sure, "value": colours.muted},
                    "size": {"condition": sure | {"value": 2.5}, "value": 1},
                    "tooltip": tooltip,
                },
            },
            {
                "transform": [{"filter": f"isValid(datum.{name})"}],
                "mark": {
                    "type": "point",
                    "size": 60,
                    "yOffset": 9,
                    "strokeWidth": 1.5,
                    "opacity": 1,
                },
                "encoding": {
                    "x": x,
                    "shape": {
                        "field": f"{name}_kind",
                        "type": "nominal",
                        "scale": {"domain": list(SHAPES), "range": list(SHAPES.values())},
                        "legend": None,
                    },
                    "fill": {"condition": sure, "value": colours.ground},
                    "stroke": {"condition": sure, "value": colours.muted},
                    "tooltip": tooltip,
                },
            },
        ]
    }


def _domain(name: str, effects: Sequence[Effect]) -> list[float]:
    columns = rows(effects)
    held = [v for key in ("", "_low", "_high") for v in columns[name + key] if v is not None]
    least, most = min([0.0, *held]), max([0.0, *held])
    spare = 0.04 * (most - least) or 1.0
    return [least - spare, most + spare]


def legend(effects: Sequence[Effect]) -> str:
    """What the marks mean that occur, and that an interval was cut."""
    kinds = {kind(e) for effect in effects for e in (effect.accuracy, effect.latency_ms)}
    named = [
        (SURE, "● sure"),
        (UNCERTAIN, "○ uncertain: the interval holds 0"),
        (GUESS, "✚ a guess, without an interval"),
        (NOTHING, "no mark: cannot be told"),
    ]
    told = " · ".join(words for found, words in named if found in kinds)
    return f"{told}." + (" An interval at the edge goes on beyond it." if cut(effects) else "")


def alt(effects: Sequence[Effect], most: int = 5) -> str:
    """The first few effects in words."""
    named = "; ".join(effect.sentence for effect in effects[:most])
    more = f" and {len(effects) - most} more" if len(effects) > most else ""
    return f"Effects of {text.plural(len(effects), 'choice')}, with intervals: {named}{more}."
