"""Ops and places that the tests of blocks go through, for every family in the table."""

from __future__ import annotations

from collections.abc import Iterator

from engine.blocks import BLOCKS, Block, Place, Value
from engine.layers import Layer

PLACES = (
    Place(8, 8, 1, 7),
    Place(8, 16, 1, 7),
    Place(8, 16, 2, 8),
    Place(16, 16, 1, 8),
    Place(8, 8, 2, 7),
    Place(64, 64, 1, 4),
    Place(32, 64, 2, 8),
    Place(128, 128, 1, 8),
    Place(128, 192, 2, 8),
)


def some_ops(family: str) -> list[Block]:
    """Ops in which every value of every field occurs, among least and among greatest others."""
    fields = BLOCKS[family].fields
    ends = [{f.name: f.values[end] for f in fields} for end in (0, -1)]
    varied = (end | {f.name: value} for end in ends for f in fields for value in f.values)
    return list(dict.fromkeys(_op(family, values) for values in (*ends, *varied)))


def _op(family: str, values: dict[str, Value]) -> Block:
    return BLOCKS[family](**values)


def fitting(op: Block) -> list[Place]:
    """The places at which the op can stand."""
    return [place for place in PLACES if not op.misfit(place)]


def layer(op: Block, place: Place, name: str = "stage1.1") -> Layer:
    """The op at a place as a named layer."""
    shape = (place.cin, place.cout, place.stride, place.side)
    return Layer(name, op.family, str(op), *shape, op.layers(place))


def some_layers(families: tuple[str, ...]) -> Iterator[Layer]:
    """Every op of `some_ops` at the first place that it fits and the first that changes width."""
    for family in families:
        for op in some_ops(family):
            places = fitting(op)
            wider = [place for place in places if not place.keeps]
            for place in dict.fromkeys([*places[:1], *wider[:1]]):
                yield layer(op, place)
