"""What of an architecture can be turned alone, read from its ops: knobs, and words for turning one.

A gene has up to three kinds of knob: how many of its layers are kept (`depth`), which family they
are of (`block`), and each field of a family that varies there. Nothing is estimated here.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.blocks import BLOCKS, Value, parse_op
from engine.blocks.contract import WORDS
from engine.space import Arch, Gene, SearchSpace
from engine.stage import SKIP

DEPTH, BLOCK = "depth", "block"
Turn = tuple[str, str]
"""A knob within its gene: its name, and the family whose field it is ("" for depth and block)."""


@dataclass(frozen=True, slots=True)
class Knob:
    """One thing that varies in gene number `gene`; `values` as they are offered, least first."""

    gene: int
    name: str
    family: str
    values: tuple[Value, ...]

    @property
    def turn(self) -> Turn:
        """Which knob of its gene it is."""
        return self.name, self.family

    def word(self, value: Value) -> str:
        """`value` as people read it."""
        if self.name == BLOCK:
            return BLOCKS[str(value)].title
        return word(value)


def word(value: Value) -> str:
    """The value of a field as people read it."""
    return WORDS.get(value, value) if isinstance(value, str) else f"{value:g}"


def settings(part: tuple[str, ...]) -> dict[Turn, Value]:
    """What the knobs of a gene stand at where its slots have the ops `part`.

    Knobs that the network does not have, such as the kernel of a layer left out, are missing.
    """
    kept = [op for op in part if op != SKIP]
    found: dict[Turn, Value] = {(DEPTH, ""): len(kept)}
    if kept:
        block = parse_op(kept[0])  # the kept layers of a gene all have the same op
        found[BLOCK, ""] = block.family
        found |= {(f.name, block.family): getattr(block, f.name) for f in block.fields}
    return found


def knobs_of(space: SearchSpace) -> tuple[Knob, ...]:
    """Every knob of the space that has at least two values, in order of the genes."""
    found = []
    for number, gene in enumerate(space.genes()):
        values: dict[Turn, dict[Value, None]] = {}
        for part in gene.values:
            for turn, value in settings(part).items():
                values.setdefault(turn, {})[value] = None
        found += [
            Knob(number, *turn, _in_order(turn, tuple(held)))
            for turn, held in values.items()
            if len(held) > 1
        ]
    return tuple(found)


def _in_order(turn: Turn, values: tuple[Value, ...]) -> tuple[Value, ...]:
    name, family = turn
    if not family:
        return values if name == BLOCK else tuple(sorted(values))
    offered = next(f.values for f in BLOCKS[family].fields if f.name == name)
    if isinstance(offered[0], str):
        return tuple(sorted(values, key=offered.index))
    return tuple(sorted(values))


def place(space: SearchSpace, gene: Gene) -> str:
    """Where a gene decides: `layer 4`, counted over all slots, or `stage 2` where it is tied."""
    if len(gene.slots) == 1:
        return f"layer {gene.slots[0] + 1}"
    return f"stage {space.slots()[gene.slots[0]].stage}"


def label(name: str, family: str) -> str:
    """A field's name as people read it."""
    return next(f.label.lower() for f in BLOCKS[family].fields if f.name == name)


def instead(space: SearchSpace, knob: Knob, value: Value, usual: Value) -> str:
    """What it means that a knob stands at `value` and not at `usual`, in words."""
    gene = space.genes()[knob.gene]
    where = place(space, gene)
    if knob.name == DEPTH:
        if len(gene.slots) == 1:
            return f"{where} {'left out' if value == 0 else 'kept'}"
        return f"{value} instead of {usual} layers in {where}"
    what = BLOCK if knob.name == BLOCK else label(knob.name, knob.family)
    several = len({f for part in gene.values for _, f in settings(part)} - {""}) > 1
    of = f"{BLOCKS[knob.family].title} " if knob.family and several else ""
    return f"{of}{what} {knob.word(value)} instead of {knob.word(usual)} in {where}"


def change(space: SearchSpace, number: int, old: tuple[str, ...], new: tuple[str, ...]) -> str:
    """What changes where gene `number` goes from `old` to `new`: `kernel 5→3 in layer 4`."""
    gene = space.genes()[number]
    where, before, after = place(space, gene), settings(old), settings(new)
    depths = before[DEPTH, ""], after[DEPTH, ""]
    first = next((op for op in old if op != SKIP), ""), next((op for op in new if op != SKIP), "")
    if 0 in depths:
        several = f"{depths[1]} times " if len(gene.slots) > 1 else ""
        return f"{where} left out" if depths[1] == 0 else f"{several}{first[1]} added as {where}"
    deeper = [f"{depths[0]}→{depths[1]} layers"] if depths[0] != depths[1] else []
    if before[BLOCK, ""] != after[BLOCK, ""]:
        fields = [f"{first[0]}→{first[1]}"]
    else:
        fields = [
            f"{label(*turn)} {word(value)}→{word(after[turn])}"
            for turn, value in before.items()
            if turn[1] and value != after[turn]
        ]
    return f"{' and '.join([*deeper, *fields])} in {where}"


def neighbours(space: SearchSpace, arch: Arch) -> list[tuple[int, tuple[str, ...], Arch]]:
    """Every architecture that differs from `arch` in one gene: the gene, its value, the whole."""
    parts = space.parts(arch)
    found = []
    for number, gene in enumerate(space.genes()):
        for part in gene.values:
            if part != parts[number]:
                swapped = [*parts[:number], part, *parts[number + 1 :]]
                found.append((number, part, Arch(tuple(op for p in swapped for op in p))))
    return found
