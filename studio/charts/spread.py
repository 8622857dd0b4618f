"""How one figure is spread over a search space: a small histogram as SVG, with a limit line.

It stands beside a number; labels and the ends themselves are text on the page around it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from studio import text
from studio.charts.theme import Palette, palette

WIDTH, HEIGHT, MARGIN = 240, 56, 8
TOP, BASE = 10, HEIGHT - 8
BINS = 24
LEAST = 1.5  # pixels of the bar of a single network among thousands


@dataclass(frozen=True, slots=True)
class _Bar:
    """Networks whose figure lies above `left` and up to `right`; `height` from 0 to 1."""

    left: float
    right: float
    height: float


def spread_svg(
    values: Sequence[float],
    *,
    low: float,
    high: float,
    limit: float | None = None,
    dark: bool,
    words: str,
) -> str:
    """SVG text of the histogram of `values`, which lie between the ends `low` and `high`.

    `words` name the figure ("Predicted latency in ms"). Bars within `limit` are full and those
    beyond it outlines; the limit is a dashed line, at the edge if it lies outside the range.
    """
    colours = palette(dark)
    label = escape(in_words(values, low=low, high=high, limit=limit, words=words), quote=True)
    bars = [
        _drawn(bar, low, high, colours, full=limit is None or bar.right <= limit)
        for bar in bars_of(values, low=low, high=high, limit=limit)
    ]
    line = "" if limit is None else _limit(_x(limit, low, high), colours)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' width="{WIDTH}" height="{HEIGHT}" aria-label="{label}"><title>{label}</title>'
        f"{_range(low, high, colours)}{''.join(bars)}{line}</svg>"
    )


def bars_of(values: Sequence[float], *, low: float, high: float, limit: float | None) -> list[_Bar]:
    """The bars that are not empty, as dense as the networks; none reaches across the limit."""
    if not values or low == high:
        return [_Bar(low, high, 1.0)] if values else []
    edges = _edges(low, high, limit)
    counts = [0] * (len(edges) - 1)
    for value in values:
        counts[min(max(bisect_left(edges, value) - 1, 0), len(counts) - 1)] += 1
    # As dense as the networks, but a sliver between limit and end is no spike above all others.
    least = (high - low) / BINS / 2
    widths = [max(right - left, least) for left, right in pairwise(edges)]
    dense = [count / width for count, width in zip(counts, widths, strict=True)]
    pairs = zip(dense, pairwise(edges), strict=True)
    return [_Bar(*ends, height / max(dense)) for height, ends in pairs if height]


def _edges(low: float, high: float, limit: float | None) -> list[float]:
    """Even edges; the one nearest to a limit inside the range is the limit itself."""
    step = (high - low) / BINS
    edges = [low + step * i for i in range(BINS)] + [high]
    if limit is None or not low < limit < high:
        return edges
    kept = [edge for edge in edges[1:-1] if abs(edge - limit) >= step / 2]
    return sorted({low, high, limit, *kept})


def in_words(
    values: Sequence[float], *, low: float, high: float, limit: float | None, words: str
) -> str:
    """The picture in one or two sentences, for those who do not see it."""
    if low == high:
        told = f"{words}: {text.significant(low)} in every network."
    else:
        told = f"{words}: from {text.significant(low)} to {text.significant(high)}"
        middle = sorted(values)[(len(values) - 1) // 2] if values else None
        told += (
            "." if middle is None else f", half of the networks up to {text.significant(middle)}."
        )
    if limit is None or not values:
        return told
    share = sum(value <= limit for value in values) / len(values)
    return f"{told} {text.percent(share, 0)} within the limit of {text.significant(limit)}."


def _x(value: float, low: float, high: float) -> float:
    """Pixels from the left; outside the range at its edge, a single value in the middle."""
    if low == high:
        return WIDTH / 2 if value == low else (MARGIN if value < low else WIDTH - MARGIN)
    share = min(max((value - low) / (high - low), 0), 1)
    return MARGIN + share * (WIDTH - 2 * MARGIN)


def _drawn(bar: _Bar, low: float, high: float, colours: Palette, *, full: bool) -> str:
    left, right = _x(bar.left, low, high), _x(bar.right, low, high)
    if left == right:
        left, right = left - 4, right + 4
    height = max(LEAST, bar.height * (BASE - TOP))
    style = f'fill="{colours.path}"' if full else f'fill="none" stroke="{colours.muted}"'
    # Half a pixel inwards on either side: neighbours stay apart, and outlines stay inside.
    width = max(LEAST, right - left - 1)
    return (
        f'<rect x="{left + 0.5:.1f}" y="{BASE - height:.1f}" width="{width:.1f}"'
        f' height="{height:.1f}" {style}/>'
    )


def _range(low: float, high: float, colours: Palette) -> str:
    """The base line, with a tick at either end of the space."""
    ends = sorted({_x(low, low, high), _x(high, low, high)})
    ticks = "".join(f"M{x:.1f} {BASE}v4" for x in ends)
    return (
        f'<path d="M{MARGIN} {BASE}H{WIDTH - MARGIN}{ticks}" fill="none" stroke="{colours.muted}"/>'
    )


def _limit(x: float, colours: Palette) -> str:
    """A dashed line with a flag on its upper end."""
    side = -6 if x > WIDTH / 2 else 6
    return (
        f'<line x1="{x:.1f}" x2="{x:.1f}" y1="2" y2="{BASE + 4}" stroke="{colours.limit}"'
        f' stroke-width="1.5" stroke-dasharray="4 3"/><path d="M{x:.1f} 2l{side} 3l{-side} 3z"'
        f' fill="{colours.limit}"/>'
    )
