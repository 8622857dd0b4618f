"""What may vary: a search space, its stages and slots, the architectures in it; data, no torch.

JSON form (all of it, in one example):

    {"name": "digits", "input": {"size": 16, "channels": 1}, "classes": 10,
     "stem": {"width": 8, "kernel": 3, "stride": 2},
     "stages": [{"block": "mbconv", "width": 8, "depth": [1, 2], "stride": 1,
                 "kernel": [3, 5], "expand": [3, 6]}],
     "head": {"width": 64, "dropout": 0.2}}

`depth` [least, most]: layers beyond the least may be skipped. A head of width 0 has no convolution.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
import random
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from engine.blocks import BLOCKS, parse_op
from engine.errors import SpaceError
from engine.layers import Conv, Dropout, GlobalPool, Layer, Linear, out_side
from engine.reader import Reader

MAX_SIDE, MAX_WIDTH, MAX_DEPTH, MAX_STAGES, MAX_CLASSES = 1024, 4096, 12, 16, 10_000
SKIP = "skip"


@dataclass(frozen=True, slots=True, order=True)
class Arch:
    """One architecture: an op's text per slot; `str` and `parse` are inverse (`k3e3-k5e6-skip`)."""

    ops: tuple[str, ...]

    def __str__(self) -> str:
        return "-".join(self.ops)

    @classmethod
    def parse(cls, text: str) -> Arch:
        """The architecture written as `text`; raises SpaceError for ops that no family knows."""
        ops = tuple(text.strip().split("-"))
        for op in ops:
            parse_op(op)
        return cls(ops)


@dataclass(frozen=True, slots=True)
class Input:
    """Square images of `size` pixels with `channels` channels."""

    size: int
    channels: int


@dataclass(frozen=True, slots=True)
class Stem:
    """First convolution of every network."""

    width: int
    kernel: int = 3
    stride: int = 2


@dataclass(frozen=True, slots=True)
class Head:
    """1x1 convolution to `width` (none if 0), mean over the map, dropout, classifier."""

    width: int
    dropout: float = 0.2


@dataclass(frozen=True, slots=True)
class Stage:
    """Consecutive layers of one width; only the first strides. `depth` is (least, most) layers.

    `choices` holds (field, allowed values) of the block family, values ascending.
    """

    block: str
    width: int
    depth: tuple[int, int]
    stride: int
    choices: tuple[tuple[str, tuple[int, ...]], ...]

    def values(self, field: str) -> tuple[int, ...]:
        """Allowed values of one field of the block, ascending."""
        return dict(self.choices)[field]

    def ops(self) -> tuple[str, ...]:
        """Text of every op of this stage, without skip, in order of the choices."""
        fields = [field for field, _ in self.choices]
        products = itertools.product(*(values for _, values in self.choices))
        family = BLOCKS[self.block]
        return tuple(str(family(**dict(zip(fields, p, strict=True)))) for p in products)


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

    def layer(self, op: str) -> Layer:
        """The named layer that `op` makes of this slot."""
        block = parse_op(op)
        primitives = block.layers(self.cin, self.cout, self.stride)
        shape = (self.cin, self.cout, self.stride, self.side)
        return Layer(self.name, block.family, op, *shape, primitives)


@dataclass(frozen=True, slots=True)
class SearchSpace:
    """All networks that may be chosen; validated on construction (SpaceError names the stage)."""

    name: str
    input: Input
    classes: int
    stem: Stem
    stages: tuple[Stage, ...]
    head: Head
    citation: str = ""

    def __post_init__(self) -> None:
        validate(self)

    def slots(self) -> tuple[Slot, ...]:
        """One slot per layer position of the deepest network, in order."""
        return _slots(self)

    def size(self) -> int:
        """Number of architectures, exactly."""
        return math.prod(len(slot.ops) for slot in self.slots())

    def __contains__(self, arch: object) -> bool:
        slots = self.slots()
        return (
            isinstance(arch, Arch)
            and len(arch.ops) == len(slots)
            and all(op in slot.ops for op, slot in zip(arch.ops, slots, strict=True))
        )

    def require(self, arch: Arch) -> Arch:
        """`arch` if it lies in this space, else SpaceError naming the first slot that is wrong."""
        slots = self.slots()
        if len(arch.ops) != len(slots):
            raise SpaceError(
                f"architecture: {self.name} needs {len(slots)} ops, got {len(arch.ops)}.",
                f"Example: {self.largest()}.",
            )
        for op, slot in zip(arch.ops, slots, strict=True):
            if op not in slot.ops:
                raise SpaceError(f"{slot.name}: must be one of {', '.join(slot.ops)}, got {op}.")
        return arch

    def sample(self, rng: random.Random) -> Arch:
        """One architecture, uniform over the space."""
        return Arch(tuple(rng.choice(slot.ops) for slot in self.slots()))

    def mutate(self, arch: Arch, rng: random.Random, p: float) -> Arch:
        """`arch` with each op redrawn with probability `p`, at least one op really changed."""
        slots = self.slots()
        free = [i for i, slot in enumerate(slots) if len(slot.ops) > 1]
        if not free:
            return arch
        ops = [
            rng.choice(s.ops) if rng.random() < p else op
            for op, s in zip(arch.ops, slots, strict=True)
        ]
        if tuple(ops) == arch.ops:
            i = rng.choice(free)
            ops[i] = rng.choice([op for op in slots[i].ops if op != arch.ops[i]])
        return Arch(tuple(ops))

    def crossover(self, a: Arch, b: Arch, rng: random.Random) -> Arch:
        """Each op from one of the two parents, at even odds."""
        return Arch(tuple(rng.choice(pair) for pair in zip(a.ops, b.ops, strict=True)))

    def smallest(self) -> Arch:
        """The architecture of skips where allowed and the first (least) choices elsewhere."""
        return Arch(tuple(SKIP if slot.skippable else slot.ops[0] for slot in self.slots()))

    def largest(self) -> Arch:
        """The architecture of the last (greatest) choices, nothing skipped."""
        return Arch(tuple([op for op in slot.ops if op != SKIP][-1] for slot in self.slots()))

    def layers(self, arch: Arch) -> tuple[Layer, ...]:
        """The network of `arch`: stem, one layer per slot that is not skipped, head."""
        kept = [s.layer(op) for s, op in zip(self.slots(), arch.ops, strict=True) if op != SKIP]
        return (self.stem_layer(), *kept, self.head_layer())

    def stem_layer(self) -> Layer:
        """The first convolution as a layer."""
        stem = self.stem
        conv = Conv(self.input.channels, stem.width, stem.kernel, stem.stride)
        shape = (conv.cin, conv.cout, stem.stride, self.input.size)
        return Layer("stem", "conv", f"k{stem.kernel}", *shape, (conv,))

    def head_layer(self) -> Layer:
        """The classifier as a layer."""
        last = self.slots()[-1]
        side = out_side(last.side, last.stride)
        width = self.head.width or last.cout
        conv = (Conv(last.cout, width),) if self.head.width else ()
        dropout = (Dropout(self.head.dropout),) if self.head.dropout else ()
        primitives = (*conv, GlobalPool(), *dropout, Linear(width, self.classes))
        return Layer(
            "head", "head", f"w{self.head.width}", last.cout, self.classes, 1, side, primitives
        )

    def with_data(self, classes: int) -> SearchSpace:
        """The same space with a classifier for `classes` classes."""
        return replace(self, classes=classes)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `from_json` is its inverse."""
        return {
            "name": self.name,
            "citation": self.citation,
            "input": {"size": self.input.size, "channels": self.input.channels},
            "classes": self.classes,
            "stem": {
                "width": self.stem.width,
                "kernel": self.stem.kernel,
                "stride": self.stem.stride,
            },
            "stages": [
                {"block": s.block, "width": s.width, "depth": list(s.depth), "stride": s.stride}
                | {field: list(values) for field, values in s.choices}
                for s in self.stages
            ],
            "head": {"width": self.head.width, "dropout": self.head.dropout},
        }

    @staticmethod
    def from_json(document: object) -> SearchSpace:
        """The space that `document` (parsed JSON) describes; raises SpaceError and nothing else."""
        top = Reader("space", document)
        stages = top.items("stages")
        return SearchSpace(
            name=top.text("name", "untitled"),
            citation=top.text("citation", ""),
            input=Input(top.child("input").whole("size"), top.child("input").whole("channels")),
            classes=top.whole("classes"),
            stem=Stem(*(top.child("stem").whole(f) for f in ("width", "kernel", "stride"))),
            stages=tuple(_stage(Reader(f"stage {i}", s)) for i, s in enumerate(stages, 1)),
            head=Head(top.child("head").whole("width"), top.child("head").number("dropout", 0.2)),
        )

    def digest(self) -> str:
        """12 hex digits that change when the networks of the space do, not when its name does."""
        document = {k: v for k, v in self.to_json().items() if k not in ("name", "citation")}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]


@lru_cache(maxsize=256)
def _slots(space: SearchSpace) -> tuple[Slot, ...]:
    slots = []
    width, side = space.stem.width, out_side(space.input.size, space.stem.stride)
    for number, stage in enumerate(space.stages, 1):
        ops = stage.ops()
        for index in range(stage.depth[1]):
            stride = stage.stride if index == 0 else 1
            allowed = (SKIP, *ops) if index >= stage.depth[0] else ops
            name = f"stage{number}.{index + 1}"
            slots.append(Slot(name, number, width, stage.width, stride, side, allowed))
            width, side = stage.width, out_side(side, stride)
    return tuple(slots)


def validate(space: SearchSpace) -> None:
    """Raises SpaceError for the first thing in `space` that cannot be built, from input to head."""
    _within("input size", space.input.size, 4, MAX_SIDE)
    if space.input.channels not in (1, 3):
        raise SpaceError(f"input channels: must be 1 or 3, got {space.input.channels}.")
    _within("classes", space.classes, 2, MAX_CLASSES)
    _within("stem width", space.stem.width, 1, MAX_WIDTH)
    _kernel("stem", space.stem.kernel)
    _stride("stem", space.stem.stride, space.input.size)
    if not 1 <= len(space.stages) <= MAX_STAGES:
        raise SpaceError(f"stages: must be 1 to {MAX_STAGES}, got {len(space.stages)}.")
    width, side = space.stem.width, out_side(space.input.size, space.stem.stride)
    for number, stage in enumerate(space.stages, 1):
        _validate_stage(f"stage {number}", stage, width, side)
        width, side = stage.width, out_side(side, stage.stride)
    _within("head width", space.head.width, 0, MAX_WIDTH)
    if not 0 <= space.head.dropout < 1:
        raise SpaceError(f"head dropout: must be at least 0 and below 1, got {space.head.dropout}.")


def _validate_stage(where: str, stage: Stage, width: int, side: int) -> None:
    _within(f"{where} width", stage.width, 1, MAX_WIDTH)
    _stride(where, stage.stride, side)
    least, most = stage.depth
    _within(f"{where} depth", most, 1, MAX_DEPTH)
    first_may_go = stage.stride == 1 and stage.width == width
    floor = 0 if first_may_go else 1
    if not floor <= least <= most:
        why = (
            "" if first_may_go else " (its first layer changes width or side and cannot be skipped)"
        )
        raise SpaceError(f"{where}: depth must start between {floor} and {most}, got {least}{why}.")
    legal = BLOCKS[stage.block].choices
    for field, values in stage.choices:
        if (
            not values
            or list(values) != sorted(set(values))
            or not set(values) <= set(legal[field])
        ):
            raise SpaceError(
                f"{where}: {field} must be one or more of {_words(legal[field])},"
                f" got {_words(values)}."
            )
    expand = dict(stage.choices).get("expand", ())
    if 1 in expand and len(expand) > 1:
        raise SpaceError(
            f"{where}: expand 1 has no widening layer and cannot share weights"
            f" with {_words(expand[1:])}.",
            "Offer 1 alone, or leave it out.",
        )


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SpaceError(f"{what}: must be {least} to {most}, got {value}.")


def _kernel(where: str, kernel: int) -> None:
    if kernel not in (1, 3, 5, 7):
        raise SpaceError(f"{where}: kernel must be 1, 3, 5 or 7, got {kernel}.")


def _stride(where: str, stride: int, side: int) -> None:
    if stride not in (1, 2):
        raise SpaceError(f"{where}: stride must be 1 or 2, got {stride}.")
    if stride > side:
        raise SpaceError(
            f"{where}: stride {stride} would shrink a {side}x{side} map below 1x1.",
            "Use stride 1 here or in an earlier stage, or larger images.",
        )


def _words(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values)) or "nothing"


def _stage(reader: Reader) -> Stage:
    block = reader.text("block", "mbconv")
    if block not in BLOCKS or not BLOCKS[block].choices:
        known = ", ".join(name for name, family in BLOCKS.items() if family.choices)
        raise SpaceError(f"{reader.where}: block must be one of {known}, got {block!r}.")
    depth = reader.wholes("depth")
    if len(depth) != 2:
        raise SpaceError(
            f"{reader.where}: depth must be two numbers, least and most, got {len(depth)}."
        )
    choices = tuple((f, tuple(sorted(set(reader.wholes(f))))) for f in BLOCKS[block].choices)
    return Stage(
        block, reader.whole("width"), (depth[0], depth[1]), reader.whole("stride"), choices
    )
