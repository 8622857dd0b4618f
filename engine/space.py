"""What may vary: a search space and the architectures in it; data, no torch.

The parts of a space stand in `stage`, what is allowed in `rules`, the JSON form in `space_json`.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from engine.blocks import parse_op
from engine.errors import SpaceError
from engine.layers import Layer, out_side
from engine.reader import Reader
from engine.rules import MAX_DEPTH, MAX_SIDE, MAX_STAGES, MAX_WIDTH, validate
from engine.space_json import (
    head_json,
    read_head,
    read_input,
    read_stage,
    read_stem,
    stage_json,
    stem_json,
)
from engine.stage import SKIP, Head, Input, Slot, Stage, Stem, op_cost, slots_of

__all__ = [
    "MAX_DEPTH",
    "MAX_SIDE",
    "MAX_STAGES",
    "MAX_WIDTH",
    "SKIP",
    "Arch",
    "Gene",
    "Head",
    "Input",
    "SearchSpace",
    "Slot",
    "Stage",
    "Stem",
]


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
class Gene:
    """One independent choice: the slots it decides (consecutive) and what it may put there.

    Usually one slot; a tied stage is one gene. `values` begin with the least.
    """

    slots: tuple[int, ...]
    values: tuple[tuple[str, ...], ...]


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

    def genes(self) -> tuple[Gene, ...]:
        """The independent choices that make an architecture, in order of their slots."""
        return _genes(self)

    def size(self) -> int:
        """Number of architectures, exactly."""
        return math.prod(len(gene.values) for gene in self.genes())

    def __contains__(self, arch: object) -> bool:
        if not isinstance(arch, Arch) or len(arch.ops) != len(self.slots()):
            return False
        return all(
            part in legal for part, legal in zip(self.parts(arch), _legal(self), strict=True)
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
        for gene, part, legal in zip(self.genes(), self.parts(arch), _legal(self), strict=True):
            if part not in legal:
                raise SpaceError(
                    f"stage {slots[gene.slots[0]].stage}: all its layers must have the same op, the"
                    f" last ones may be left out, got {'-'.join(part)}."
                )
        return arch

    def parts(self, arch: Arch) -> list[tuple[str, ...]]:
        """The ops of `arch`, gene by gene."""
        return [arch.ops[gene.slots[0] : gene.slots[-1] + 1] for gene in self.genes()]

    def sample(self, rng: random.Random) -> Arch:
        """One architecture, uniform over the space."""
        return _arch([rng.choice(gene.values) for gene in self.genes()])

    def mutate(self, arch: Arch, rng: random.Random, p: float) -> Arch:
        """`arch` with each gene redrawn with probability `p`, at least one really changed."""
        genes, parts = self.genes(), self.parts(arch)
        free = [i for i, gene in enumerate(genes) if len(gene.values) > 1]
        if not free:
            return arch
        drawn = [
            rng.choice(g.values) if rng.random() < p else part
            for part, g in zip(parts, genes, strict=True)
        ]
        if drawn == parts:
            i = rng.choice(free)
            drawn[i] = rng.choice([value for value in genes[i].values if value != parts[i]])
        return _arch(drawn)

    def crossover(self, a: Arch, b: Arch, rng: random.Random) -> Arch:
        """Each gene from one of the two parents, at even odds."""
        pairs = zip(self.parts(a), self.parts(b), strict=True)
        return _arch([rng.choice(pair) for pair in pairs])

    def smallest(self) -> Arch:
        """The architecture of the fewest MACs: skips where allowed, the least choices elsewhere."""
        return _arch(
            [gene.values[min(range(len(c)), key=c.__getitem__)] for gene, c in _costs(self)]
        )

    def largest(self) -> Arch:
        """The architecture of the most MACs: nothing skipped, the greatest choices."""
        return _arch(
            [gene.values[max(range(len(c)), key=c.__getitem__)] for gene, c in _costs(self)]
        )

    def layers(self, arch: Arch) -> tuple[Layer, ...]:
        """The network of `arch`: stem, one layer per slot that is not skipped, head."""
        kept = [s.layer(op) for s, op in zip(self.slots(), arch.ops, strict=True) if op != SKIP]
        return (self.stem_layer(), *kept, self.head_layer())

    def stem_layer(self) -> Layer:
        """The first convolution as a layer."""
        return self.stem.layer(self.input)

    def head_layer(self) -> Layer:
        """The classifier as a layer."""
        last = self.slots()[-1]
        return self.head.layer(last.cout, out_side(last.side, last.stride), self.classes)

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
            "stem": stem_json(self.stem),
            "stages": [stage_json(stage) for stage in self.stages],
            "head": head_json(self.head),
        }

    @staticmethod
    def from_json(document: object) -> SearchSpace:
        """The space that `document` (parsed JSON) describes; raises SpaceError and nothing else."""
        top = Reader("space", document)
        top.only("name", "citation", "input", "classes", "stem", "stages", "head")
        stages = top.items("stages")
        return SearchSpace(
            name=top.text("name", "untitled"),
            citation=top.text("citation", ""),
            input=read_input(top),
            classes=top.whole("classes"),
            stem=read_stem(top),
            stages=tuple(read_stage(Reader(f"stage {i}", s)) for i, s in enumerate(stages, 1)),
            head=read_head(top),
        )

    def digest(self) -> str:
        """12 hex digits that change when the networks of the space do, not when its name does."""
        document = {k: v for k, v in self.to_json().items() if k not in ("name", "citation")}
        return hashlib.sha256(json.dumps(document, sort_keys=True).encode()).hexdigest()[:12]


@lru_cache(maxsize=256)
def _slots(space: SearchSpace) -> tuple[Slot, ...]:
    side = out_side(space.input.size, space.stem.shrinks)
    return slots_of(space.stages, space.stem.width, side)


@lru_cache(maxsize=256)
def _genes(space: SearchSpace) -> tuple[Gene, ...]:
    genes: list[Gene] = []
    for number, stage in enumerate(space.stages, 1):
        within = [(i, slot) for i, slot in enumerate(_slots(space)) if slot.stage == number]
        if stage.tied:
            ops = tuple(op for op in within[0][1].ops if op != SKIP)
            genes.append(Gene(tuple(i for i, _ in within), _tied(stage.depth, ops)))
        else:
            genes += [Gene((i,), tuple((op,) for op in slot.ops)) for i, slot in within]
    return tuple(genes)


def _tied(depth: tuple[int, int], ops: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Every depth with every op, layers left out at the end; without any layer there is no op."""
    least, most = depth
    nothing = [(SKIP,) * most] if least == 0 else []
    depths = range(max(1, least), most + 1)
    return (*nothing, *((op,) * n + (SKIP,) * (most - n) for n in depths for op in ops))


@lru_cache(maxsize=64)
def all_layers(space: SearchSpace) -> tuple[Layer, ...]:
    """Stem, head and every op of every slot: all layers that networks of the space may have."""
    searched = (slot.layer(op) for slot in space.slots() for op in slot.ops if op != SKIP)
    return (space.stem_layer(), space.head_layer(), *searched)


@lru_cache(maxsize=256)
def _legal(space: SearchSpace) -> tuple[frozenset[tuple[str, ...]], ...]:
    return tuple(frozenset(gene.values) for gene in _genes(space))


@lru_cache(maxsize=256)
def _costs(space: SearchSpace) -> tuple[tuple[Gene, list[tuple[int, int]]], ...]:
    """Every gene with the MACs and parameters of each of its values."""
    slots = _slots(space)

    def cost(gene: Gene, value: tuple[str, ...]) -> tuple[int, int]:
        kept = [(slots[i], op) for i, op in zip(gene.slots, value, strict=True) if op != SKIP]
        costs = [op_cost(slot.place, op) for slot, op in kept]
        return sum(cost.macs for cost in costs), sum(cost.params for cost in costs)

    return tuple((gene, [cost(gene, value) for value in gene.values]) for gene in _genes(space))


def _arch(parts: list[tuple[str, ...]]) -> Arch:
    return Arch(tuple(op for part in parts for op in part))
