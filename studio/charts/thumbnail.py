"""A front as a small picture: latency to the right, accuracy upwards, the limit as a line."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from html import escape

from studio.charts.theme import palette

WIDTH, HEIGHT, MARGIN = 300, 110, 12
Point = tuple[float, float]


def thumbnail(
    points: Sequence[Point], front: Sequence[Point], limit_ms: float | None, dark: bool
) -> str:
    """SVG of (ms, accuracy) `points`, those of `front` joined; a lattice if there are none."""
    colors = palette(dark)
    if not points:
        return _svg(_lattice(colors.muted), "No front yet")
    xs = [x for x, _ in points] + ([limit_ms] if limit_ms else [])
    ys = [y for _, y in points]
    scale = _Scale(min(xs), max(xs), min(ys), max(ys))
    parts = []
    if limit_ms:
        x = scale.x(limit_ms)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="4" y2="{HEIGHT - 4}" stroke="{colors.limit}"'
            ' stroke-width="1.5" stroke-dasharray="5 4"/>'
        )
    parts += [_dot(scale, p, 2, f'fill="{colors.muted}" fill-opacity="0.4"') for p in points[:400]]
    joined = " ".join(f"{scale.x(x):.1f},{scale.y(y):.1f}" for x, y in staircase(front))
    parts.append(
        f'<polyline points="{joined}" fill="none" stroke="{colors.path}" stroke-width="2"/>'
    )
    style = f'fill="{colors.ground}" stroke="{colors.path}" stroke-width="1.5"'
    parts += [_dot(scale, p, 3, style) for p in front]
    label = f"Front of {len(front)} networks, from {min(xs):.3g} to {max(xs):.3g} ms"
    return _svg("".join(parts), label)


def staircase(front: Sequence[Point]) -> list[Point]:
    """Corners from member to member: between two, the accuracy of the faster one can be had."""
    corners = [(x, y) for (_, y), (x, _) in itertools.pairwise(front)]
    return [point for pair in zip(front, corners, strict=False) for point in pair] + [*front[-1:]]


class _Scale:
    """From (ms, accuracy) to pixels, with a margin; a single value lands in the middle."""

    def __init__(self, left: float, right: float, low: float, high: float) -> None:
        self.left, self.width = left, right - left
        self.low, self.height = low, high - low

    def x(self, ms: float) -> float:
        share = (ms - self.left) / self.width if self.width else 0.5
        return MARGIN + share * (WIDTH - 2 * MARGIN)

    def y(self, accuracy: float) -> float:
        share = (accuracy - self.low) / self.height if self.height else 0.5
        return HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN)


def _dot(scale: _Scale, point: Point, radius: int, style: str) -> str:
    x, y = scale.x(point[0]), scale.y(point[1])
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" {style}/>'


def _lattice(color: str) -> str:
    dots = "".join(
        f'<circle cx="{x}" cy="{y}" r="2"/>'
        for x in range(30, WIDTH, 30)
        for y in range(19, HEIGHT, 24)
    )
    return f'<g fill="{color}" fill-opacity="0.35">{dots}</g>'


def _svg(content: str, label: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' width="{WIDTH}" height="{HEIGHT}"><title>{escape(label)}</title>{content}</svg>'
    )
