"""The parts of a search space, input to head, and the layers they become; whole spaces: `space`."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from functools import lru_cache

from engine.blocks import BLOCKS, Place, Value, parse_op
from engine.blocks.mbconv import one_superkernel
from engine.cost import Cost, layer_cost
from engine.layers import (
    Branches,
    Chain,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    Norm,
    out_side,
)

SKIP = "skip"
CLASSIFY = "classify"
HEAD_NORMS = ("none", "batch", "layer")


@dataclass(frozen=True, slots=True)
class Input:
    """Square images of `size` pixels with `channels` channels."""

    size: int
    channels: int


@dataclass(frozen=True, slots=True)
class Stem:
    """First convolution of every network, or several: each strides, each doubles the width.

    `width` is that of the last one. With `bias` they have one before their batch norm.
    """

    width: int
    kernel: int = 3
    stride: int = 2
    act: str = "relu"
    convs: int = 1
    bias: bool = False

    @property
    def shrinks(self) -> int:
        """By how much the side of the map is divided in all."""
        return int(self.stride**self.convs)

    def layer(self, image: Input) -> Layer:
        """The convolutions as one layer on images of that shape."""
        widths = [self.width >> (self.convs - i) for i in range(1, self.convs + 1)]
        pairs = zip([image.channels, *widths], widths, strict=False)
        words = tuple(
            Conv(cin, cout, self.kernel, self.stride, act=self.act, bias=self.bias)
            for cin, cout in pairs
        )
        shape = (image.channels, self.width, self.shrinks, image.size)
        return Layer("stem", "conv", str(self), *shape, words)

    def __str__(self) -> str:
        """The stem's text in the key of its layer."""
        several = f"n{self.convs}" if self.convs > 1 else ""
        return f"k{self.kernel}{several}{_word(self.act, 'relu')}{'_bias' if self.bias else ''}"


@dataclass(frozen=True, slots=True)
class Head:
    """What a network's last map becomes: class scores, so far the only `kind`.

    1x1 convolution to `width` with `act` (none if 0), mean over the map, a hidden linear layer
    (none if 0) with `act`, dropout, classifier. `norm` is `batch` (of the vector) or `layer` (of
    the map); a `distilled` head is the mean of two classifiers.
    """

    width: int
    dropout: float = 0.2
    act: str = "relu"
    hidden: int = 0
    norm: str = "none"
    distilled: bool = False
    kind: str = CLASSIFY

    def layer(self, cin: int, side: int, classes: int) -> Layer:
        """The head as a layer on maps of `cin` channels."""
        width = self.width or cin
        words: Chain = (
            *([Conv(cin, width, act=self.act)] if self.width else []),
            *([Norm(width, "layer")] if self.norm == "layer" else []),
            GlobalPool(),
            *([Norm(width, "batch")] if self.norm == "batch" else []),
            *([Linear(width, self.hidden, self.act)] if self.hidden else []),
            *([Dropout(self.dropout)] if self.dropout else []),
        )
        one = Linear(self.hidden or width, classes)
        last = Branches(((one,), (one,)), "mean") if self.distilled else one
        return Layer("head", "head", str(self), cin, classes, 1, side, (*words, last))

    def __str__(self) -> str:
        """The head's text in the key of its layer."""
        hidden = f"h{self.hidden}" if self.hidden else ""
        twice = "_distilled" if self.distilled else ""
        words = _word(self.act, "relu") + _word(self.norm, "none")
        return f"w{self.width}{hidden}{words}{twice}"


@dataclass(frozen=True, slots=True)
class Option:
    """One block family with the values allowed of each of its fields, ascending."""

    block: str
    choices: tuple[tuple[str, tuple[Value, ...]], ...]

    def values(self, field: str) -> tuple[Value, ...]:
        """Allowed values of one field."""
        return dict(self.choices)[field]

    def ops(self) -> tuple[str, ...]:
        """Text of every op, in order of the choices."""
        fields = [field for field, _ in self.choices]
        products = itertools.product(*(values for _, values in self.choices))
        family = BLOCKS[self.block]
        return tuple(str(family(**dict(zip(fields, p, strict=True)))) for p in products)


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive layers of one width; only the first strides. `depth` is (least, most) layers.

    Each layer chooses one op of one of `options` for itself; in a `tied` stage all kept layers
    have the same op and those left out are the last ones (the factorised form of MnasNet).
    """

    width: int
    depth: tuple[int, int]
    stride: int
    options: tuple[Option, ...]
    tied: bool = False

    @property
    def block(self) -> str:
        """The first block family, which the stage is coloured and named by."""
        return self.options[0].block

    def values(self, field: str) -> tuple[Value, ...]:
        """Allowed values of a field of the first family."""
        return self.options[0].values(field)

    def ops(self) -> tuple[str, ...]:
        """Text of every op of this stage, without skip."""
        return tuple(op for option in self.options for op in option.ops())


@dataclass(frozen=True, slots=True)
class Slot:
    """One searchable layer: where it stands, its shapes (`side`: input map), its possible ops."""

    name: str
    stage: int
    cin: int
    cout: int
    stride: int
    side: int
    ops: tuple[str, ...]

    @property
    def skippable(self) -> bool:
        """Whether the layer may be left out."""
        return SKIP in self.ops

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.cin, self.cout, self.stride, self.side)

    @property
    def paths(self) -> dict[str, tuple[str, ...]]:
        """The ops that are slices of one another, for every such set."""
        paths: dict[str, list[str]] = {}
        for op in self.ops:
            if op != SKIP:
                paths.setdefault(parse_op(op).path, []).append(op)
        return {path: tuple(ops) for path, ops in paths.items()}

    @property
    def gated(self) -> bool:
        """Whether one superkernel under gates holds all its ops."""
        return one_superkernel(parse_op(op) for op in self.ops if op != SKIP)

    def layer(self, op: str) -> Layer:
        """The named layer that `op` makes of this slot."""
        block = parse_op(op)
        shape = (self.cin, self.cout, self.stride, self.side)
        return Layer(self.name, block.family, op, *shape, block.layers(self.place))


@lru_cache(maxsize=100_000)  # by place, not by layer: layers of a stage differ by name only
def op_cost(place: Place, op: str) -> Cost:
    """Cost of the layer that `op` makes at `place`."""
    block = parse_op(op)
    shape = (place.cin, place.cout, place.stride, place.side)
    return layer_cost(Layer("", block.family, op, *shape, block.layers(place)))


def slots_of(stages: tuple[Stage, ...], width: int, side: int) -> tuple[Slot, ...]:
    """The slots of consecutive stages that begin on maps of `width` channels and `side` pixels.

    Ops that come to the same layer there count once, under the first of their names.
    """
    slots = []
    for number, stage in enumerate(stages, 1):
        for index, (place, ops) in enumerate(_placed(stage, width, side)):
            allowed = (SKIP, *ops) if index >= stage.depth[0] else ops
            shape = (place.cin, place.cout, place.stride, place.side)
            slots.append(Slot(f"stage{number}.{index + 1}", number, *shape, allowed))
        width, side = stage.width, out_side(side, stage.stride)
    return tuple(slots)


@lru_cache(maxsize=1024)  # an edit leaves most stages as they were
def _placed(stage: Stage, width: int, side: int) -> tuple[tuple[Place, tuple[str, ...]], ...]:
    """Where each layer of a stage stands, and its different ops."""
    first = Place(width, stage.width, stage.stride, side)
    later = Place(stage.width, stage.width, 1, out_side(side, stage.stride))
    places = (first, *[later] * (stage.depth[1] - 1))
    if stage.tied:  # one choice for all, so ops differ if they do anywhere
        ops = _different(stage.ops(), tuple(dict.fromkeys(places)))
        return tuple((place, ops) for place in places)
    return tuple((place, _different(stage.ops(), (place,))) for place in places)


@lru_cache(maxsize=1024)
def _different(ops: tuple[str, ...], places: tuple[Place, ...]) -> tuple[str, ...]:
    """Of ops that come to the same layers at all places, the first; `rules` judges misfits."""
    found: dict[object, str] = {}
    for op in ops:
        block = parse_op(op)
        fits = not any(block.misfit(place) for place in places)
        found.setdefault(tuple(block.layers(place) for place in places) if fits else op, op)
    return tuple(found.values())


def _word(value: str, usual: str) -> str:
    return "" if value == usual else f"_{value or 'linear'}"
