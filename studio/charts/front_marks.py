"""The marks of the Pareto chart as Vega-Lite layers; what they stand for is said in `pareto`."""

from __future__ import annotations

from typing import Any

from studio import text
from studio.charts import theme

BOLD = "datum.bold"
"""Marks that are not faint: all but what was evaluated and is neither on the front nor the best."""

SHAPES = {
    "evaluated": "circle",
    "foreseen": "diamond",
    "finetune": "triangle-up",
    "retrain": "triangle-down",
}
"""What a mark stands for, and its shape."""


def limit(limit_ms: float, x: dict[str, Any], colours: theme.Palette) -> list[dict[str, Any]]:
    """The limit as a dashed line with its name."""
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


def staircase(colours: theme.Palette) -> dict[str, Any]:
    """The line through predictions of front members."""
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


def foreseen(colours: theme.Palette) -> dict[str, Any]:
    """The staircase of what is foreseen: dashed and thin, joined to nothing that was evaluated."""
    line = {"strokeWidth": 1.2, "strokeDash": [3, 3], "opacity": 0.7, "color": colours.path}
    return {
        "transform": [{"filter": "datum.kind == 'foreseen'"}],
        "mark": {"type": "line", "interpolate": "step-after"} | line,
        "encoding": {"order": {"field": "ms"}},
    }


def joints(colours: theme.Palette) -> dict[str, Any]:
    """From every measured mark to its prediction."""
    return {
        "transform": [{"filter": "datum.measured && datum.kind == 'evaluated'"}],
        "mark": {"type": "rule", "color": colours.path},
        "encoding": {
            "x2": {"field": "predicted_ms"},
            "opacity": {"condition": {"test": BOLD, "value": 0.6}, "value": 0.25},
        },
    }


def outline(flag: str, shape: str, size: int, colour: str) -> dict[str, Any]:
    """An outline around marks whose `flag` is set."""
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


def points(colours: theme.Palette) -> dict[str, Any]:
    """All marks, and what they say of themselves."""

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
            "shape": {
                "field": "kind",
                "scale": {"domain": list(SHAPES), "range": list(SHAPES.values())},
                "legend": None,
            },
            "strokeDash": either("datum.kind == 'foreseen'", [2, 2], [1, 0]),
            "stroke": either(BOLD, colours.path, colours.muted),
            "size": {
                "condition": [
                    {"test": "datum.kind == 'foreseen'", "value": 56},
                    {"test": BOLD, "value": 110},
                ],
                "value": 34,
            },
            "opacity": either(BOLD, 1, 0.5),
            "tooltip": [
                {"field": "arch", "title": "architecture"},
                {"field": "proxy", "title": "accuracy"},
                {"field": "latency", "title": "latency"},
                {"field": "params", "title": "parameters"},
                {"field": "macs", "title": "MACs"},
            ],
        },
    }


def best_label(colours: theme.Palette) -> dict[str, Any]:
    """The word beside the best."""
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
