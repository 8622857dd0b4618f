"""The heat map of gates: layer and decision against time; rows and a Vega-Lite specification only.

A gate of 1 keeps its part of a layer (the ring around a smaller kernel, a band of expanded
channels, its squeeze-and-excitation, the layer itself), a gate of 0 leaves it out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.blocks.mbconv import Corners, MBConv
from engine.events import EpochEnd
from engine.space import SearchSpace, Slot
from studio.charts import theme

COLUMNS = 120
"""Most columns: longer searches are shown in blocks of epochs, by their mean."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One decision: `slot` and `index` find it in an epoch's gates; `part` is what it keeps."""

    slot: int
    index: int
    layer: str
    part: str

    @property
    def label(self) -> str:
        """Its row's name."""
        return f"{self.layer}  {self.part}"


def decisions(space: SearchSpace) -> list[Gate]:
    """Every gate that can move, from input to head; the gate of a layer that must stay is none."""
    return [
        Gate(number, index, slot.name, part)
        for number, slot in enumerate(space.slots())
        for index, part in enumerate(_parts(slot))
    ]


def _parts(slot: Slot) -> list[str]:
    """In the order of an epoch's gates; of the slot's own ops, as a place may leave out some."""
    if not slot.gated:
        return []  # its ops are drawn, not gated
    corners = Corners.of(op for op in map(MBConv.parse, slot.ops) if op)
    kernels = [f"{k}×{k}" for k in corners.kernels[1:]]
    bands = [f"expand {e}" for e in corners.expands[1:]]
    excite = ["SE"] * (len(corners.attentions) - 1)
    return [*kernels, *bands, *excite, *(["layer"] if slot.skippable else [])]


def rows(epochs: Sequence[EpochEnd], gates: Sequence[Gate]) -> dict[str, list[Any]]:
    """One row per decision and column of time: label, first and last epoch, mean gate."""
    told = [e for e in epochs if e.gates]
    width = -(-len(told) // COLUMNS) or 1
    blocks = [told[i : i + width] for i in range(0, len(told), width)]
    cells = [(gate, block) for gate in gates for block in blocks]
    return {
        "decision": [gate.label for gate, _ in cells],
        "from": [block[0].epoch - 0.5 for _, block in cells],
        "to": [block[-1].epoch + 0.5 for _, block in cells],
        "epoch": [block[-1].epoch for _, block in cells],
        "gate": [_mean(gate, block) for gate, block in cells],
    }


def _mean(gate: Gate, block: Sequence[EpochEnd]) -> float:
    return round(sum(e.gates[gate.slot][gate.index] for e in block) / len(block), 3)


def spec(gates: Sequence[Gate], *, dark: bool) -> dict[str, Any]:
    """Vega-Lite over the columns of `rows`."""
    colours = theme.palette(dark)
    x = {
        "field": "from",
        "type": "quantitative",
        "title": "epoch",
        "axis": {"tickMinStep": 1, "format": "d", "grid": False},
        "scale": {"nice": False, "zero": False},
    }
    y = {
        "field": "decision",
        "type": "nominal",
        "sort": [gate.label for gate in gates],
        "title": None,
        "axis": {
            "grid": False,
            "ticks": False,
            "domain": False,
            "labelLimit": 140,
            "labelFontSize": 11,
            "labelOverlap": False,
            "labelFlush": False,
            "labelBound": False,
        },
    }
    colour = {
        "field": "gate",
        "type": "quantitative",
        "scale": {"domain": [0, 1], "range": [colours.ground, colours.path], "interpolate": "rgb"},
        "legend": None,
    }
    tooltip = [
        {"field": "decision"},
        {"field": "epoch"},
        {"field": "gate", "title": "gate, 0 dropped to 1 kept", "format": ".2f"},
    ]
    return {
        "mark": {"type": "rect"},
        "encoding": {"x": x, "x2": {"field": "to"}, "y": y, "color": colour, "tooltip": tooltip},
        "height": {"step": 17},
        "config": theme.config(dark),
    }


def alt(epochs: Sequence[EpochEnd], gates: Sequence[Gate]) -> str:
    """The newest column in words."""
    newest = next((e for e in reversed(epochs) if e.gates), None)
    if newest is None:
        return "Gates over time; no epoch is over yet."
    dropped = [g.label for g in gates if newest.gates[g.slot][g.index] < 0.5]
    listed = ", ".join(dropped) or "nothing"
    return (
        f"Gates of {len(gates)} decisions over time. After epoch {newest.epoch} dropped: {listed}."
    )
