"""Rank correlations with their intervals on one axis: rows and Vega-Lite; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from studio.charts import theme

OWN, CEILING = "shared weights", "noise ceiling"
SIZES = {"params": "parameters alone", "macs": "MACs alone"}
SHAPES = {OWN: "circle", CEILING: "diamond"}
OTHER = "square"
MARGIN = 0.06  # beyond the ends, for marks that stand on them

Tau = Mapping[str, float]


def taus(report: Mapping[str, Any]) -> dict[str, Tau]:
    """What a trust report knows, by name: the search's own, what noise allows, what size reaches.

    Each has `value`, `low` and `high`, from -1 to 1.
    """
    sizes = {SIZES[name]: row["tau"] for name, row in report["baselines"].items()}
    return {OWN: report["tau"], CEILING: report["ceiling"], **sizes}


def rows(known: Mapping[str, Tau]) -> dict[str, list[Any]]:
    """One row per correlation."""
    return {
        "name": list(known),
        "value": [tau["value"] for tau in known.values()],
        "low": [tau["low"] for tau in known.values()],
        "high": [tau["high"] for tau in known.values()],
        "label": [signed(tau["value"]) for tau in known.values()],
        "interval": [f"{signed(tau['low'])} to {signed(tau['high'])}" for tau in known.values()],
    }


def spec(known: Mapping[str, Tau], *, dark: bool) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`: a mark per correlation on the bar of its interval."""
    colours = theme.palette(dark)
    y = {
        "field": "name",
        "type": "nominal",
        "sort": list(known),
        "title": None,
        "axis": {"ticks": False, "domain": False, "labelColor": colours.ink, "labelLimit": 120},
    }
    x = _x("value", least(known))
    own = {"test": f"datum.name === '{OWN}'", "value": colours.path}
    colour = {"condition": own, "value": colours.muted}
    shape = {
        "field": "name",
        "type": "nominal",
        "scale": {"domain": list(known), "range": [SHAPES.get(n, OTHER) for n in known]},
        "legend": None,
    }
    tooltip = [
        {"field": "name", "title": "ranked by"},
        {"field": "label", "title": "tau"},
        {"field": "interval", "title": "95 % interval"},
    ]
    bar = {"type": "rule", "strokeWidth": 3, "strokeCap": "round", "opacity": 0.45}
    number = {"type": "text", "dy": -14, "fontSize": 12}
    clear = {"stroke": colours.ground, "strokeWidth": 4, "strokeJoin": "round"}
    mark = {"type": "point", "filled": True, "size": 110, "opacity": 1}
    layers: list[dict[str, Any]] = [
        {"mark": bar, "encoding": {"x": x | {"field": "low"}, "x2": {"field": "high"}}},
        {"mark": mark, "encoding": {"x": x, "shape": shape, "tooltip": tooltip}},
        {"mark": number | clear, "encoding": {"x": x, "text": {"field": "label"}}},
        {"mark": number | {"color": colours.ink}, "encoding": {"x": x, "text": {"field": "label"}}},
    ]
    for layer in layers[:2]:
        layer["encoding"]["color"] = colour
    return {
        "title": {
            "text": "Kendall's tau with the order of networks trained alone",
            "anchor": "start",
            "fontSize": 13,
            "fontWeight": 600,
        },
        "layer": [
            _line(0.0, x, colours.line),
            _line(known[CEILING]["value"], x, colours.muted, dash=[4, 4]),
            *(layer | {"encoding": {"y": y} | layer["encoding"]} for layer in layers),
        ],
        "height": 300,
        "config": theme.config(dark) | {"view": {"stroke": None}},
        "autosize": {"type": "fit", "contains": "padding"},
    }


def least(known: Mapping[str, Tau]) -> float:
    """Where the axis begins: at 0, or at the tenth below the lowest end of an interval."""
    low = min(tau["low"] for tau in known.values())
    return max(-1.0, min(0.0, (low * 10 // 1) / 10))


def alt(known: Mapping[str, Tau]) -> str:
    """The picture in words: every correlation with its interval."""
    told = rows(known)
    each = zip(told["name"], told["label"], told["interval"], strict=True)
    return f"Kendall's tau: {'; '.join(f'{n} {v}, from {i}' for n, v, i in each)}."


def signed(tau: float) -> str:
    """A correlation with two digits and a true minus."""
    return f"{tau:.2f}".replace("-", "−")


def _x(field: str, low: float) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": "0: no relation · 1: the same order",
        "scale": {"domain": [low - MARGIN, 1 + MARGIN], "nice": False},
        "axis": {"tickCount": 5, "format": ".1f", "grid": False},
    }


def _line(
    at: float, x: dict[str, Any], colour: str, *, dash: list[int] | None = None
) -> dict[str, Any]:
    """A line from top to bottom."""
    where = {key: value for key, value in x.items() if key != "field"} | {"datum": at}
    return {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": colour, "strokeDash": dash or [1, 0]},
        "encoding": {"x": where},
    }
