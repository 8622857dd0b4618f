"""Curves of a search or a training over epochs: rows and Vega-Lite; nothing is drawn here.

Losses and modelled latencies are shown twice: as they are, pale, and as an exponential moving
average. In warm-up the gates are drawn at random, so the modelled latency says nothing about any
network: it is shaded, and its average starts afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median
from typing import Any

from engine.events import EpochEnd
from studio import text
from studio.charts import theme

WARM_UP, SEARCH = "warm-up", "search"
LOSS_WEIGHT, LATENCY_WEIGHT = 0.85, 0.8
NO_GRADIENT = 1e-9
"""Where a gradient of exactly zero is drawn on the logarithmic axis."""

_GRADIENT_LABEL = f"datum.value <= {NO_GRADIENT} ? '0' : format(datum.value, '.0e')"
_DECADES = [10.0**power for power in range(-9, 4)]

Columns = dict[str, list[Any]]


def smooth(values: Iterable[float], weight: float) -> list[float]:
    """Exponential moving average: `weight` of the average so far, the rest of the new value."""
    averages: list[float] = []
    for value in values:
        last = averages[-1] if averages else value
        averages.append(weight * last + (1 - weight) * value)
    return averages


def loss_rows(epochs: Sequence[EpochEnd]) -> Columns:
    """Epoch, loss and its average."""
    losses = [e.loss for e in epochs]
    return {
        "epoch": [e.epoch for e in epochs],
        "value": losses,
        "average": smooth(losses, LOSS_WEIGHT),
        "label": [f"{loss:.4g}" for loss in losses],
    }


def loss_spec(*, dark: bool) -> dict[str, Any]:
    """Loss over epochs."""
    colour = theme.palette(dark).ink
    return _frame("Loss", [_raw(colour), _average(colour), _hover("loss")], dark)


def latency_rows(epochs: Sequence[EpochEnd]) -> Columns:
    """Epoch, modelled latency, its average (None in warm-up)."""
    values = [e.modelled_ms for e in epochs]
    warm = sum(1 for e in epochs if e.phase == WARM_UP)
    return {
        "epoch": [e.epoch for e in epochs],
        "value": values,
        "average": [None] * warm + smooth(values[warm:], LATENCY_WEIGHT),
        "label": [text.ms(v) for v in values],
    }


def latency_spec(epochs: Sequence[EpochEnd], limit_ms: float, *, dark: bool) -> dict[str, Any]:
    """Modelled latency under the gates, or mean of what was trained; warm-up shaded."""
    colours = theme.palette(dark)
    layers = [_raw(colours.path), _average(colours.path), _hover(latency_title(epochs).lower())]
    limit = {
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": colours.limit, "strokeWidth": 2, "strokeDash": [6, 4]},
        "encoding": {"y": {k: v for k, v in _y("").items() if k != "field"} | {"datum": limit_ms}},
    }
    title = f"{latency_title(epochs)} in ms"
    return _frame(title, [*_warm_up(epochs, colours), *layers, limit], dark)


def latency_title(epochs: Sequence[EpochEnd]) -> str:
    """What the latency of an epoch is of: a model under gates, or networks where there are none."""
    gated = any(e.gates for e in epochs)
    return "Modelled latency" if gated else "Latency of what was trained"


def gradient_rows(epochs: Sequence[EpochEnd]) -> Columns:
    """Per epoch of the search phase: least, median and greatest norm over the layers."""
    searching = [e for e in epochs if e.phase == SEARCH and e.threshold_grads]
    norms = [[max(NO_GRADIENT, g) for g in e.threshold_grads] for e in searching]
    return {
        "epoch": [e.epoch for e in searching],
        "low": [min(n) for n in norms],
        "average": [median(n) for n in norms],
        "high": [max(n) for n in norms],
    }


def gradient_spec(*, dark: bool) -> dict[str, Any]:
    """Gradients of what decides, as norms: median layer in the band from least to greatest."""
    colour = theme.palette(dark).ink
    axis = {
        "field": "low",
        "type": "quantitative",
        "scale": {"type": "log", "nice": True},
        "axis": {"labelExpr": _GRADIENT_LABEL, "values": _DECADES},
        "title": None,
    }
    band = {
        "mark": {"type": "area", "color": colour, "opacity": 0.18},
        "encoding": {"y": axis, "y2": {"field": "high"}},
    }
    line = {
        "mark": {"type": "line", "color": colour, "strokeWidth": 2},
        "encoding": {
            "y": {"field": "average", "type": "quantitative"},
            "tooltip": [
                {"field": "epoch"},
                {"field": "average", "title": "median", "format": ".2e"},
                {"field": "low", "title": "least", "format": ".2e"},
                {"field": "high", "title": "greatest", "format": ".2e"},
            ],
        },
    }
    return _frame("Pull on the decisions", [band, line], dark)


def all_dead(epochs: Sequence[EpochEnd]) -> bool:
    """Whether no threshold of any layer got a gradient in the newest epoch of the search phase."""
    newest = next((e for e in reversed(epochs) if e.phase == SEARCH), None)
    return newest is not None and bool(newest.threshold_grads) and not any(newest.threshold_grads)


def accuracy_rows(epochs: Sequence[EpochEnd]) -> Columns:
    """Epochs of a training that have an accuracy."""
    known = [(e.epoch, e.accuracy) for e in epochs if e.accuracy is not None]
    return {
        "epoch": [epoch for epoch, _ in known],
        "value": [accuracy for _, accuracy in known],
        "average": [accuracy for _, accuracy in known],
        "label": [text.percent(accuracy) for _, accuracy in known],
    }


def accuracy_spec(*, dark: bool) -> dict[str, Any]:
    """Accuracy on the architecture split over epochs of a training."""
    colours = theme.palette(dark)
    layers = [_average(colours.path), _hover("accuracy")]
    for layer in layers:
        layer["encoding"]["y"]["axis"] = {"labelExpr": theme.PERCENT}
    return _frame("Accuracy", layers, dark)


def _frame(title: str, layers: list[dict[str, Any]], dark: bool) -> dict[str, Any]:
    x = {
        "field": "epoch",
        "type": "quantitative",
        "title": None,
        "axis": {"tickMinStep": 1, "format": "d", "grid": False},
        "scale": {"nice": False, "zero": False},
    }
    return {
        "title": {
            "text": f"{title}, by epoch",
            "anchor": "start",
            "fontSize": 13,
            "fontWeight": 600,
        },
        "layer": [_on(layer, x) for layer in layers],
        "height": 190,
        "config": theme.config(dark) | {"axisY": {"minExtent": 34}},
        "autosize": {"type": "fit", "contains": "padding"},
    }


def _on(layer: dict[str, Any], x: dict[str, Any]) -> dict[str, Any]:
    """`layer` along the epochs, unless it has data of its own."""
    return layer if "data" in layer else layer | {"encoding": {"x": x} | layer["encoding"]}


def _y(field: str) -> dict[str, Any]:
    return {"field": field, "type": "quantitative", "title": None, "scale": {"zero": False}}


def _raw(colour: str) -> dict[str, Any]:
    return {
        "mark": {"type": "line", "color": colour, "opacity": 0.3, "strokeWidth": 1.5},
        "encoding": {"y": _y("value")},
    }


def _average(colour: str) -> dict[str, Any]:
    return {
        "transform": [{"filter": "isValid(datum.average)"}],
        "mark": {"type": "line", "color": colour, "strokeWidth": 2.2},
        "encoding": {"y": _y("average")},
    }


def _hover(name: str) -> dict[str, Any]:
    tooltip = [{"field": "epoch"}, {"field": "label", "title": name}]
    return {
        "mark": {"type": "point", "opacity": 0, "size": 160},
        "encoding": {"y": _y("value"), "tooltip": tooltip},
    }


def _warm_up(epochs: Sequence[EpochEnd], colours: theme.Palette) -> list[dict[str, Any]]:
    warm = [e.epoch for e in epochs if e.phase == WARM_UP]
    if not warm:
        return []
    span = {"x": {"datum": warm[0], "type": "quantitative"}, "x2": {"datum": warm[-1]}}
    shade = {
        "data": {"values": [{}]},
        "mark": {"type": "rect", "color": colours.muted, "opacity": 0.18},
        "encoding": span,
    }
    label = {
        "data": {"values": [{}]},
        "mark": {"type": "text", "text": "warm-up", "align": "left", "dx": 4, "dy": 10},
        "encoding": {
            "x": {"datum": warm[0], "type": "quantitative"},
            "y": {"value": 0},
            "color": {"value": colours.muted},
        },
    }
    return [shade, label]
