"""Strategies beside each other: a dot and an interval for each, as rows and Vega-Lite."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.methods import METHODS
from studio import text
from studio.charts import theme

ERRORS = 2  # standard errors that an interval reaches to either side where `t` is not known
STEP, AROUND = 30, 70  # pixels of one strategy, and of title and axis
Report = Mapping[str, Any]


def title_of(name: str) -> str:
    """What people call a strategy; its own name if it is no longer there."""
    return METHODS[name].title if name in METHODS else name


def figure(row: Mapping[str, Any], field: str) -> tuple[float, float] | None:
    """Mean and standard error of `field` (`finetuned`, `ri`, …) of a strategy, None for none."""
    found = row[field]
    if found is None:
        return None
    return float(found["value" if "value" in found else "mean"]), float(found["error"])


def rows(report: Report, field: str) -> dict[str, list[Any]]:
    """One row per strategy that has the figure, highest first; `full`: drawn as a full dot.

    Full is the highest one, and for `ri` each whose interval lies above zero. Intervals are of
    95 %, by the `t` of the figure (Student).
    """
    known = {title_of(r["strategy"]): figure(r, field) for r in report["strategies"]}
    times = {title_of(r["strategy"]): (r[field] or {}).get("t") for r in report["strategies"]}
    pairs = sorted(((v, n) for n, v in known.items() if v), key=lambda p: (-p[0][0], p[1]))
    halves = [(times[name] or ERRORS) * error for (_, error), name in pairs]
    ends = [(mean - h, mean + h) for ((mean, _), _), h in zip(pairs, halves, strict=True)]
    best = pairs[0][0][0] if pairs else 0.0
    return {
        "name": [name for _, name in pairs],
        "value": [mean for (mean, _), _ in pairs],
        "low": [low for low, _ in ends],
        "high": [high for _, high in ends],
        "full": [
            low > 0 if field == "ri" else mean == best
            for ((mean, _), _), (low, _) in zip(pairs, ends, strict=True)
        ],
        "label": [spread(value, signed=field == "ri") for value, _ in pairs],
    }


def spread(value: tuple[float, float], *, signed: bool = False) -> str:
    """Mean and standard error of a share in percent: `97.9 ± 0.3 %`; no error where it is none."""
    mean, error = value
    sign = "+" if signed and mean > 0 else ""
    said = f"{sign}{100 * mean:.1f}".replace("-", "−")
    return f"{said} ± {100 * error:.1f}{text.THIN}%" if error else f"{said}{text.THIN}%"


def spec(
    known: Mapping[str, Sequence[Any]], title: str, *, zero: str, dark: bool
) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`; `zero` names a line at 0 ("" for none)."""
    colours = theme.palette(dark)
    y = {
        "field": "name",
        "type": "nominal",
        "sort": list(known["name"]),
        "title": None,
        "axis": {
            **{"ticks": False, "domain": False, "labelOverlap": False},
            **{"labelColor": colours.ink, "labelLimit": 120},
        },
    }
    x = {
        "field": "value",
        "type": "quantitative",
        "title": zero or None,
        "scale": {"zero": bool(zero), "nice": True, "padding": 12},
        "axis": {"labelExpr": theme.PERCENT, "tickCount": 4},
    }
    colour = {"condition": {"test": "datum.full", "value": colours.path}, "value": colours.muted}
    fill = {"condition": {"test": "datum.full", "value": colours.path}, "value": colours.ground}
    tooltip = [{"field": "name", "title": "strategy"}, {"field": "label", "title": title.lower()}]
    bar = {"type": "rule", "strokeWidth": 3, "strokeCap": "round", "opacity": 0.55}
    dot = {"type": "point", "filled": False, "size": 110, "strokeWidth": 2, "opacity": 1}
    layers: list[dict[str, Any]] = [
        {
            "mark": bar,
            "encoding": {"y": y, "x": x | {"field": "low"}, "x2": {"field": "high"}},
        },
        {"mark": dot, "encoding": {"y": y, "x": x, "fill": fill, "tooltip": tooltip}},
    ]
    for layer in layers:
        layer["encoding"]["color"] = colour
    if zero:
        where = {key: value for key, value in x.items() if key != "field"} | {"datum": 0}
        line = {"type": "rule", "color": colours.ink, "strokeDash": [4, 4]}
        layers.insert(0, {"data": {"values": [{}]}, "mark": line, "encoding": {"x": where}})
    return {
        "title": {"text": title, "anchor": "start", "fontSize": 13, "fontWeight": 600},
        "layer": layers,
        "height": len(known["name"]) * STEP + AROUND,
        "config": theme.config(dark) | {"view": {"stroke": None}},
        "autosize": {"type": "fit", "contains": "padding"},
    }


def alt(known: Mapping[str, Sequence[Any]], title: str) -> str:
    """The picture in words, highest first."""
    pairs = zip(known["name"], known["label"], strict=True)
    return f"{title}, highest first: {'; '.join(f'{name} {label}' for name, label in pairs)}."
