"""Pictures of a data set: images per class as bars, and its three splits as one bar."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from studio import text
from studio.charts.theme import config, palette

MAX_CLASSES = 40
# No amber: that is the latency limit everywhere.
SPLIT_COLORS = {"weights": "#0072B2", "architecture": "#56B4E9", "test": "#CC79A7"}
SPLIT_WORDS = {
    "weights": "train the weights",
    "architecture": "choose the architecture",
    "test": "tested once",
}


def class_bars(counts: Mapping[str, Mapping[str, int]], *, dark: bool) -> dict[str, Any]:
    """Vega-Lite, data included: one bar per class, splits stacked; the first 40 classes."""
    names = list(next(iter(counts.values()), {}))[:MAX_CLASSES]
    rows = [
        {"class": name, "split": split, "images": per_class.get(name, 0), "order": order}
        for order, (split, per_class) in enumerate(counts.items())
        for name in names
    ]
    splits = [split for split in SPLIT_COLORS if split in counts]
    return {
        "data": {"values": rows},
        "height": {"step": 22},
        "config": config(dark),
        "mark": {"type": "bar", "cornerRadius": 2},
        "encoding": {
            "y": {"field": "class", "type": "nominal", "sort": names, "title": None},
            "x": {
                "field": "images",
                "type": "quantitative",
                "title": "images",
                "axis": {"tickMinStep": 1},
            },
            "color": {
                "field": "split",
                "type": "nominal",
                "scale": {"domain": splits, "range": [SPLIT_COLORS[s] for s in splits]},
                "legend": {"orient": "top", "title": None},
            },
            "order": {"field": "order", "type": "quantitative"},
            "tooltip": [
                {"field": "class", "type": "nominal"},
                {"field": "split", "type": "nominal"},
                {"field": "images", "type": "quantitative", "format": ",d"},
            ],
        },
    }


def split_bar(sizes: Mapping[str, int], dark: bool) -> str:
    """HTML of the splits as one stacked bar with a line of words for each."""
    colors = palette(dark)
    total = max(1, sum(sizes.values()))
    shares = {name: 100 * size / total for name, size in sizes.items()}
    pieces = "".join(
        f'<span style="width:{share:.2f}%;background:{_color(name)};display:block"></span>'
        for name, share in shares.items()
    )
    words = "".join(
        f'<span style="margin-right:20px;white-space:nowrap"><span style="color:{_color(name)}">'
        f'■</span> <b style="color:{colors.ink}">{text.count(sizes[name])}</b>'
        f' <span style="color:{colors.muted}">{escape(SPLIT_WORDS.get(name, name))} ·'
        f" {share:.0f}{text.THIN}%</span></span>"
        for name, share in shares.items()
    )
    label = ", ".join(f"{name} {size}" for name, size in sizes.items())
    return (
        f'<div role="img" aria-label="Splits: {escape(label, quote=True)}">'
        f'<div style="display:flex;gap:2px;height:18px;border-radius:6px;overflow:hidden">{pieces}'
        f'</div><div style="display:flex;flex-wrap:wrap;margin-top:8px">{words}</div></div>'
    )


def _color(split: str) -> str:
    return SPLIT_COLORS.get(split, "#999999")
