"""Proxy accuracy against what the same networks reach alone: rows and Vega-Lite; nothing is drawn.

The axes are those of the networks, not of all accuracies: what matters is the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from engine.trust.figures import kendall
from studio import text
from studio.charts import theme

Network = Mapping[str, Any]
"""A network of a trust report: `proxy`, `mean`, and `alone` as pairs of seed and accuracy."""

PAD, LEAST = 0.08, 0.004  # of the range, and at least as a share
SEEN = 0.2  # of an axis that a line must cross to be worth drawing

Span = tuple[float, float]


def rows(networks: Sequence[Network]) -> dict[str, list[Any]]:
    """One row per network: proxy accuracy, mean accuracy alone, and the range of its seeds."""
    seeds = [[accuracy for _, accuracy in network["alone"]] for network in networks]
    ends = [(min(each), max(each)) for each in seeds]
    return {
        "arch": [network["arch"] for network in networks],
        "proxy": [network["proxy"] for network in networks],
        "mean": [network["mean"] for network in networks],
        "low": [low for low, _ in ends],
        "high": [high for _, high in ends],
        "proxy label": [text.percent(network["proxy"]) for network in networks],
        "alone label": [
            f"{text.percent(network['mean'])}, {text.plural(len(each), 'seed')} from"
            f" {text.percent(low)} to {text.percent(high)}"
            for network, each, (low, high) in zip(networks, seeds, ends, strict=True)
        ],
        "latency": [f"{text.ms(network['predicted_ms'])} predicted" for network in networks],
    }


def spec(networks: Sequence[Network], *, dark: bool) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`: a point per network, its seeds as a bar."""
    colours = theme.palette(dark)
    across, up = spans(networks)
    x = _axis("proxy", "Proxy accuracy, shared weights", across)
    y = _axis("mean", None, up)
    bar: dict[str, Any] = {
        "mark": {"type": "rule", "color": colours.muted, "strokeWidth": 1.5},
        "encoding": {"y": y | {"field": "low"}, "y2": {"field": "high"}},
    }
    tooltip = [
        {"field": "arch", "title": "architecture"},
        {"field": "proxy label", "title": "proxy accuracy"},
        {"field": "alone label", "title": "trained alone"},
        {"field": "latency"},
    ]
    point: dict[str, Any] = {
        "mark": {"type": "point", "filled": True, "size": 75, "opacity": 1, "color": colours.path},
        "encoding": {"y": y, "tooltip": tooltip},
    }
    layers = [layer | {"encoding": {"x": x} | layer["encoding"]} for layer in (bar, point)]
    return {
        "title": {
            "text": "Accuracy trained alone, mean of the seeds",
            "anchor": "start",
            "fontSize": 13,
            "fontWeight": 600,
        },
        "layer": [*_equal(diagonal(across, up), x, y, colours=colours), *layers],
        "height": 300,
        "config": theme.config(dark) | {"axisY": {"minExtent": 34}},
        "autosize": {"type": "fit", "contains": "padding"},
    }


def spans(networks: Sequence[Network]) -> tuple[Span, Span]:
    """What the two axes show: proxy accuracies, and every accuracy of a network alone."""
    alone = [accuracy for network in networks for _, accuracy in network["alone"]]
    return _padded([network["proxy"] for network in networks]), _padded(alone)


def diagonal(across: Span, up: Span) -> Span | None:
    """From where to where both accuracies are equal within the axes; None if hardly seen."""
    low, high = max(across[0], up[0]), min(across[1], up[1])
    shorter = min(across[1] - across[0], up[1] - up[0])
    return (low, high) if high - low >= SEEN * shorter else None


def alt(networks: Sequence[Network]) -> str:
    """The picture in words: how many networks, both ranges, and how well the orders agree."""
    proxy, mean = ([network[key] for network in networks] for key in ("proxy", "mean"))
    tau = float(kendall(np.array(proxy), np.array(mean)))
    return (
        f"{text.plural(len(networks), 'network')} as points: proxy accuracy from"
        f" {text.percent(min(proxy))} to {text.percent(max(proxy))}, trained alone from"
        f" {text.percent(min(mean))} to {text.percent(max(mean))}; Kendall's tau {tau:.2f}."
    )


def _padded(values: Sequence[float]) -> Span:
    low, high = min(values), max(values)
    pad = max(PAD * (high - low), LEAST)
    return max(0.0, low - pad), min(1.0, high + pad)


def _axis(field: str, title: str | None, span: Span) -> dict[str, Any]:
    return {
        "field": field,
        "type": "quantitative",
        "title": title,
        "scale": {"domain": list(span), "nice": False, "zero": False},
        "axis": {"labelExpr": theme.PERCENT, "tickCount": 5},
    }


def _equal(
    ends: Span | None, x: dict[str, Any], y: dict[str, Any], *, colours: theme.Palette
) -> list[dict[str, Any]]:
    """The faint line along which a network is as accurate alone as was promised."""
    if ends is None:
        return []
    mark = {"type": "line", "color": colours.muted, "opacity": 0.6, "strokeDash": [3, 4]}
    return [
        {
            "data": {"values": [{"at": at} for at in ends]},
            "mark": mark,
            "encoding": {"x": x | {"field": "at"}, "y": y | {"field": "at"}},
        }
    ]
