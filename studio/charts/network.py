"""A network as a picture: one row per layer from the image down to the classes, as SVG text.

Widths are those of a phone, so the picture is never shrunk below what can be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

from engine.blocks import Field, Value, parse_op
from engine.layers import Conv, Layer, RepConv, Residual
from engine.space import SKIP, Arch, SearchSpace, Slot
from studio import text
from studio.charts import blocks
from studio.charts.theme import Palette, palette

WIDTH, ROW, THIN_ROW, GAP = 360, 44, 22, 8
SCALE = 1.15
LEFT, SHARE = 30, 64  # room for residual arcs, and for latency bars where there are any
FONT = "'Source Sans','Source Sans Pro',system-ui,sans-serif"
CHARACTER = 7  # pixels that a character of a title takes
MOST_DOTS = 13  # per side of a kernel's picture


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of the picture; `layer` is None for the image, the classes and layers left out."""

    top: int
    height: int
    layer: Layer | None
    words: str
    skipped: bool = False


def diagram(
    space: SearchSpace, arch: Arch, layer_share: Mapping[str, float] | None, dark: bool
) -> str:
    """SVG text of `arch`: rows by family, residual arcs, bars of `layer_share` (name to 0..1)."""
    rows = _rows(space, arch)
    colors = palette(dark)
    height = rows[-1].top + rows[-1].height + 2
    right = WIDTH - 2 - (SHARE if layer_share else 0)
    parts = [_spine(rows, (LEFT + right) // 2, colors)]
    for row in rows:
        parts.append(_draw(row, right, colors))
        if row.layer and layer_share and row.layer.name in layer_share:
            parts.append(_bar(row, layer_share[row.layer.name], max(layer_share.values()), colors))
    shown = (round(WIDTH * SCALE), round(height * SCALE))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img"'
        f' width="{shown[0]}" height="{shown[1]}" font-family="{FONT}" font-size="12">'
        f"<title>{escape(words(space, arch))}</title>{''.join(parts)}</svg>"
    )


def words(space: SearchSpace, arch: Arch) -> str:
    """The picture in one sentence, for those who do not see it."""
    layers = space.layers(arch)
    inside = ", ".join(f"{layer.name} {layer.op}" for layer in layers[1:-1]) or "no searched layer"
    return f"Network of {len(layers)} layers: stem, {inside}, head with {space.classes} classes."


def _rows(space: SearchSpace, arch: Arch) -> list[_Row]:
    size, channels = space.input.size, space.input.channels
    items: list[tuple[Layer | None, str, bool]] = [
        (None, f"image {size}×{size}×{channels}", False),
        (space.stem_layer(), "", False),
        *(_slot_row(slot, op) for slot, op in zip(space.slots(), arch.ops, strict=True)),
        (space.head_layer(), "", False),
        (None, f"{space.classes} classes", False),
    ]
    rows, top = [], 2
    for layer, words, skipped in items:
        height = ROW if layer else THIN_ROW
        rows.append(_Row(top, height, layer, words, skipped))
        top += height + GAP
    return rows


def _slot_row(slot: Slot, op: str) -> tuple[Layer | None, str, bool]:
    if op == SKIP:
        return None, f"{slot.name} left out", True
    return slot.layer(op), "", False


def _spine(rows: list[_Row], x: int, colors: Palette) -> str:
    end = rows[-1].top
    return (
        f'<line x1="{x}" y1="{rows[0].top + THIN_ROW}" x2="{x}" y2="{end}"'
        f' stroke="{colors.path}" stroke-width="2"/>'
    )


def _draw(row: _Row, right: int, colors: Palette) -> str:
    if row.layer is None:
        return _note(row, right, colors)
    layer = row.layer
    color = blocks.color(layer.family)
    box = (
        f'<rect x="{LEFT}" y="{row.top}" width="{right - LEFT}" height="{row.height}" rx="6"'
        f' fill="{colors.ground}"/><rect x="{LEFT}" y="{row.top}" width="{right - LEFT}"'
        f' height="{row.height}" rx="6" fill="{color}" fill-opacity="0.13" stroke="{color}"/>'
    )
    title = f"<title>{escape(f'{layer.name}: {called(layer)} ({layer.key})')}</title>"
    middle = row.top + row.height // 2
    inside = _shape(layer, LEFT + 24, middle, color) + _words(
        layer, (LEFT + 50, right), middle, colors
    )
    arc = _arc(row, colors) if any(isinstance(p, Residual) for p in layer.primitives) else ""
    return f"<g>{title}{arc}{box}{inside}</g>"


def _note(row: _Row, right: int, colors: Palette) -> str:
    x, y = (LEFT + right) // 2, row.top + row.height // 2
    dash = ' stroke-dasharray="3 3"' if row.skipped else ""
    width = 150
    return (
        f'<rect x="{x - width // 2}" y="{row.top}" width="{width}" height="{row.height}" rx="11"'
        f' fill="{colors.ground}" stroke="{colors.muted if row.skipped else colors.path}"{dash}/>'
        f'<text x="{x}" y="{y + 4}" text-anchor="middle"'
        f' fill="{colors.muted if row.skipped else colors.ink}">{escape(row.words)}</text>'
    )


def _shape(layer: Layer, x: int, y: int, color: str) -> str:
    """The block's outline: as wide in the middle as it widens, a dot per weight of its kernel."""
    kernel, widens = _kernel(layer), _number(layer, "expand")
    outer, inner = 6, 6 + round(2 * max(0.0, widens - 1))
    points = [(-outer, -16), (outer, -16), (inner, -8), (inner, 8), (outer, 16), (-outer, 16)]
    points += [(-inner, 8), (-inner, -8)]
    outline = " ".join(f"{x + dx},{y + dy}" for dx, dy in points)
    half = (kernel - 1) / 2
    dots = "".join(
        f'<circle cx="{x + 3 * (i - half):g}" cy="{y + 3 * (j - half):g}" r="1"/>'
        for i in range(kernel)
        for j in range(kernel)
    )
    return (
        f'<polygon points="{outline}" fill="{color}" fill-opacity="0.25" stroke="{color}"/>'
        f'<g fill="{color}">{dots}</g>'
    )


def _kernel(layer: Layer) -> int:
    """The largest kernel side of its convolutions, as its picture shows it; 1 without any."""
    convs = [leaf for leaf, _, _ in layer.walk() if isinstance(leaf, Conv | RepConv)]
    sides = [leaf.kernel if isinstance(leaf, RepConv) else max(leaf.taps) for leaf in convs]
    return min(max(sides, default=1), MOST_DOTS)


def _number(layer: Layer, field: str) -> float:
    """A field of the layer's op, or 1 where it has none."""
    block = parse_op(layer.op) if layer.name.startswith("stage") else None
    return float(getattr(block, field, 1))


def called(layer: Layer) -> str:
    """What a layer is, in words: family, kernel, and every choice that is not the usual one."""
    if layer.name == "head":
        return "Head"
    if layer.name == "stem":
        return f"Conv {_kernel(layer)}×{_kernel(layer)}"
    block = parse_op(layer.op)
    words = [block.title]
    for field in block.fields:
        value = getattr(block, field.name)
        if field.unit == "kernel":
            words[0] += f" {field.word(value)}"
        elif value != field.usual:
            words.append(_chosen(field, value))
    return " · ".join(words)


def _chosen(field: Field, value: Value) -> str:
    return field.word(value) if isinstance(value, str) else f"{field.label.lower()} {value}"


def _words(layer: Layer, between: tuple[int, int], y: int, colors: Palette) -> str:
    """Two lines between two edges; what does not fit is in the row's tooltip."""
    x, right = between
    most = (right - x) // CHARACTER
    first = called(layer)
    first = first if len(first) <= most else f"{first[: most - 1].rstrip(' ·')}…"
    second = f"{layer.name} · {layer.cin}→{layer.cout} · {layer.side}×{layer.side}"
    second += f" · s{layer.stride}" if layer.stride > 1 else ""
    return (
        f'<text x="{x}" y="{y - 3}" fill="{colors.ink}" font-weight="600" font-size="13">'
        f'{escape(first)}</text><text x="{x}" y="{y + 13}" fill="{colors.muted}">'
        f"{escape(second)}</text>"
    )


def _arc(row: _Row, colors: Palette) -> str:
    """The path around a block whose input is added to its output."""
    top, bottom = row.top - 3, row.top + row.height + 3
    bend = LEFT - 20
    return (
        f'<path d="M{LEFT + 12},{top} C{bend},{top} {bend},{bottom} {LEFT + 12},{bottom}"'
        f' fill="none" stroke="{colors.muted}" stroke-width="1.5"/>'
    )


def _bar(row: _Row, share: float, largest: float, colors: Palette) -> str:
    """How much of the latency this layer takes, as a bar and in words."""
    left, room = WIDTH - SHARE + 6, SHARE - 10
    length = max(1.5, room * share / largest) if largest > 0 else 0
    middle = row.top + row.height // 2
    return (
        f'<rect x="{left}" y="{middle + 3}" width="{length:.1f}" height="8" rx="2"'
        f' fill="{colors.path}"/><text x="{left}" y="{middle - 3}" fill="{colors.ink}"'
        f' style="font-variant-numeric:tabular-nums">{text.percent(share, 0)}</text>'
    )
