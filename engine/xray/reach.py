"""Which choices a latency limit leaves usable: proved by arithmetic, and as seen in a sample.

Predicted latency is additive in the genes, so the fastest network that contains a choice is that
choice with the fastest of everything else: the choice is dead exactly if that one is too slow.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from engine.blocks import BLOCKS, Value
from engine.space import SearchSpace
from engine.stage import Option, Stage
from engine.xray.tables import Floats, GeneTable, Ints, ms_of

Mask = npt.NDArray[np.bool_]
BLOCK, DEPTH, LEAVE_OUT = "block", "depth", "skip"


@dataclass(frozen=True, slots=True)
class Choice:
    """One thing that may be chosen in stage number `stage` (from 1).

    `field` is a field of family `block` with one of its values, or `block` (the family itself),
    `depth` (`value` layers are kept) or `skip` (some layer is left out).
    """

    stage: int
    field: str
    value: Value = ""
    block: str = ""

    def __str__(self) -> str:
        return self.told()

    def told(self, *, with_block: bool = False) -> str:
        """The choice in words, as in `kernel 5×5`; of a value, on request, with its family."""
        if self.field == BLOCK:
            return BLOCKS[self.block].title
        if self.field == DEPTH:
            return f"{self.value} layers" if self.value != 1 else "1 layer"
        if self.field == LEAVE_OUT:
            return "skip"
        known = next(f for f in BLOCKS[self.block].fields if f.name == self.field)
        words = f"{known.label.lower()} {known.word(self.value)}"
        return f"{BLOCKS[self.block].title} {words}" if with_block else words


def least_ms(
    found: Sequence[GeneTable], constant_ms: float, *, space: SearchSpace
) -> dict[Choice, float]:
    """Ms of the fastest network that contains each choice of the space; all tables have `ms`."""
    mins = [float(ms_of(table).min()) for table in found]
    through = _through(found, constant_ms, mins=mins)
    least: dict[Choice, float] = {}
    for number, stage in enumerate(space.stages, 1):
        own = [i for i, table in enumerate(found) if table.stage == number]
        choices = op_choices(number, stage)
        count = len(choices[0][1]) if choices else 0
        ops = _best_ops([found[i] for i in own], [through[i] for i in own], count=count)
        for choice, mask in choices:
            if np.isfinite(ops[mask].min()):  # else it counts under another's name everywhere
                least[choice] = float(ops[mask].min())
        left_out = [through[i][_left_out(found[i])] for i in own]
        if any(map(len, left_out)):
            least[Choice(number, LEAVE_OUT)] = float(np.concatenate(left_out).min())
        for depth, ms in _depths(found, constant_ms, mins=mins, number=number):
            least[Choice(number, DEPTH, depth)] = ms
    return least


def seen(found: Sequence[GeneTable], picks: Ints, *, space: SearchSpace) -> dict[Choice, Mask]:
    """Which of the networks `picks` (genes, networks) make each choice: (networks,) each."""
    makers: dict[Choice, Mask] = {}
    for number, stage in enumerate(space.stages, 1):
        own = [(found[i], picks[i]) for i in range(len(found)) if found[i].stage == number]
        choices = op_choices(number, stage)
        if choices:
            masks = np.array([mask for _, mask in choices], dtype=np.float32)
            hits = _used(own, masks.shape[1]) @ masks.T > 0
            makers |= {choice: hits[:, i] for i, (choice, _) in enumerate(choices)}
        if any(_left_out(table).any() for table, _ in own):
            out = [_left_out(table)[row] for table, row in own]
            makers[Choice(number, LEAVE_OUT)] = np.any(out, axis=0)
            depth = np.sum([table.kept[row] for table, row in own], axis=0)
            for layers in range(stage.depth[0], stage.depth[1] + 1):
                makers[Choice(number, DEPTH, layers)] = depth == layers
    return makers


def _used(own: Sequence[tuple[GeneTable, Ints]], count: int) -> npt.NDArray[np.float32]:
    """1 where a network has an op in any layer of a stage, else 0: (networks, ops)."""
    networks = len(own[0][1])
    used = np.zeros((networks, count), dtype=np.float32)
    for table, row in own:
        op = table.op[row]
        has = op >= 0
        used[np.arange(networks)[has], op[has]] = 1
    return used


@lru_cache(maxsize=1024)
def op_choices(number: int, stage: Stage) -> tuple[tuple[Choice, Mask], ...]:
    """Every family and value that a stage really chooses between, with the ops that have it."""
    sizes = [math.prod(len(values) for _, values in option.choices) for option in stage.options]
    found, start = [], 0
    for option, size in zip(stage.options, sizes, strict=True):
        own = slice(start, start + size)
        start += size
        if len(stage.options) > 1:
            found.append((Choice(number, BLOCK, block=option.block), _placed(own, sum(sizes))))
        for field, value, mask in _values(option):
            choice = Choice(number, field, value, option.block)
            found.append((choice, _placed(own, sum(sizes), mask)))
    return tuple(found)


def _placed(own: slice, size: int, mask: Mask | bool = True) -> Mask:
    """A mask over the ops of a stage from one over those of a family."""
    whole = np.zeros(size, dtype=bool)
    whole[own] = mask
    return whole


def _values(option: Option) -> Iterator[tuple[str, Value, Mask]]:
    """Field, value and which ops of the family have it, of fields with several values."""
    counts = [len(values) for _, values in option.choices]
    index = np.indices(counts).reshape(len(counts), -1)
    for row, (field, values) in enumerate(option.choices):
        if len(values) > 1:
            for i, value in enumerate(values):
                yield field, value, index[row] == i


def _through(found: Sequence[GeneTable], constant_ms: float, *, mins: list[float]) -> list[Floats]:
    """Ms of the fastest network through every value of every gene."""
    through, before = [], constant_ms
    for i, table in enumerate(found):
        ms = before + ms_of(table)
        for rest in mins[i + 1 :]:
            ms += rest  # one by one, as `total` adds
        through.append(ms)
        before += mins[i]
    return through


def _best_ops(own: Sequence[GeneTable], through: Sequence[Floats], *, count: int) -> Floats:
    """Ms of the fastest network that has each of `count` ops of one stage in any of its layers."""
    most = max(int(table.op.max()) for table in own) + 1
    best = np.full(max(count, most), np.inf)
    for table, ms in zip(own, through, strict=True):
        has = table.op >= 0
        np.minimum.at(best, table.op[has], ms[has])
    return best


def _depths(
    found: Sequence[GeneTable], constant_ms: float, *, mins: list[float], number: int
) -> Iterator[tuple[int, float]]:
    """Every depth that stage `number` may have, with the ms of the fastest such network."""
    best = np.array([constant_ms])  # by the number of layers kept so far
    for table, least in zip(found, mins, strict=True):
        best = best + least if table.stage != number else _deeper(best, table)
    depths = np.flatnonzero(np.isfinite(best))
    if len(depths) > 1:
        yield from ((int(depth), float(best[depth])) for depth in depths)


def _deeper(best: Floats, table: GeneTable) -> Floats:
    grown = np.full(len(best) + int(table.kept.max()), np.inf)
    for kept in np.unique(table.kept):
        ms = ms_of(table)[table.kept == kept].min()
        part = grown[kept : kept + len(best)]
        np.minimum(part, best + ms, out=part)
    return grown


def _left_out(table: GeneTable) -> Mask:
    return table.kept < len(table.gene.slots)
