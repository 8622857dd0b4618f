"""What every value of every gene of a space costs, as arrays; sums over whole networks of them.

What a place and an op cost is kept between calls, so that after an edit only the stages that
changed are counted anew.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.blocks import Place, parse_op
from engine.blocks.mbconv import one_superkernel
from engine.latency import LatencyModel
from engine.space import SKIP, Gene, SearchSpace
from engine.stage import Slot, Stage, op_cost

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

SAMPLE = 1000
"""Networks drawn of a space; of a smaller space every network is taken."""


@dataclass(frozen=True, slots=True, eq=False)
class GeneTable:
    """One gene of stage number `stage` (from 1); the arrays have one entry per value of the gene.

    `op` is the index of the value's op among the ops of the stage, -1 where every layer is left
    out; `kept` the number of layers that are not. `ms` is None without a latency model.
    """

    gene: Gene
    stage: int
    op: Ints
    kept: Ints
    params: Ints
    macs: Ints
    peak_bytes: Ints
    ms: Floats | None


def tables(space: SearchSpace, latency: LatencyModel | None) -> tuple[GeneTable, ...]:
    """The table of every gene of `space`, in order; `latency` is a model of this space."""
    slots, ops = space.slots(), {n: stage_ops(stage) for n, stage in enumerate(space.stages, 1)}
    found = []
    for gene in space.genes():
        number = slots[gene.slots[0]].stage
        op, kept = _kinds(gene.values, ops[number])
        costs = [slot_costs(slots[i].place, ops[number]) for i in gene.slots]
        params, macs = (_run(np.cumsum, [c[row] for c in costs])[kept, op] for row in (0, 1))
        peak = _run(np.maximum.accumulate, [c[2] for c in costs])[kept, op]
        ms = None if latency is None else _ms(latency, gene, ops[number])[kept, op]
        found.append(GeneTable(gene, number, op, kept, params, macs, peak, ms))
    return tuple(found)


def ms_of(table: GeneTable) -> Floats:
    """Ms of every value of a gene, of a table made with a latency model."""
    assert table.ms is not None, "no latency model"
    return table.ms


def _run(accumulate: Callable[..., Ints], rows: list[Ints]) -> Ints:
    """Sum or maximum over the first n slots: (slots + 1, ops)."""
    nothing = np.zeros((1, len(rows[0])), dtype=np.int64)
    return np.concatenate([nothing, accumulate(np.stack(rows), axis=0)])


def _ms(latency: LatencyModel, gene: Gene, ops: tuple[str, ...]) -> Floats:
    """Ms with the first n slots of a gene kept, the others skipped: (slots + 1, ops).

    NaN for ops that count under another's name in these slots; no value of the gene has them.
    """
    terms = [latency.slot_ms[i] for i in gene.slots]
    kept = np.array([[term.get(op, math.nan) for op in ops] for term in terms])
    skipped = [term.get(SKIP, 0.0) for term in terms]
    rows = [kept[:n].sum(axis=0) + math.fsum(skipped[n:]) for n in range(len(terms) + 1)]
    return np.stack(rows)


@lru_cache(maxsize=1024)
def stage_ops(stage: Stage) -> tuple[str, ...]:
    """`stage.ops()`, kept: an edit changes one stage of many."""
    return stage.ops()


@lru_cache(maxsize=1024)
def _kinds(values: tuple[tuple[str, ...], ...], ops: tuple[str, ...]) -> tuple[Ints, Ints]:
    """Index of the op, and how many layers are kept, for every value of a gene."""
    index = {op: i for i, op in enumerate(ops)} | {SKIP: -1}
    kept = [len(value) - value.count(SKIP) for value in values]
    return np.array([index[value[0]] for value in values]), np.array(kept)


@lru_cache(maxsize=2048)
def slot_costs(place: Place, ops: tuple[str, ...]) -> Ints:
    """Parameters, MACs and peak bytes of every op at `place`: (3, ops)."""
    costs = [op_cost(place, op) for op in ops]
    return np.array([[c.params, c.macs, c.peak_bytes] for c in costs], dtype=np.int64).T.copy()


@lru_cache(maxsize=1024)
def _path_numbers(ops: tuple[str, ...]) -> Ints:
    """Number of the path (from 0) that each op belongs to; all of one where gates hold them."""
    blocks = [parse_op(op) for op in ops]
    if one_superkernel(blocks):
        return np.zeros(len(ops), dtype=np.int64)
    numbers: dict[str, int] = {}
    return np.array([numbers.setdefault(block.path, len(numbers)) for block in blocks])


def path_params(slot: Slot, ops: tuple[str, ...]) -> Ints:
    """Parameters of the superkernel of each path of a slot, which is its largest op: (paths,)."""
    number = _path_numbers(ops)
    largest: Ints = np.zeros(int(number.max()) + 1, dtype=np.int64)
    np.maximum.at(largest, number, slot_costs(slot.place, ops)[0])
    return largest


def draw(found: Sequence[GeneTable], size: int, seed: int) -> Ints:
    """Networks as the index of each gene's value, (genes, networks): uniform, the same per seed.

    1,000 drawn with repetition, or every network of a space that has no more.
    """
    counts = np.array([len(table.kept) for table in found])
    if size > SAMPLE:
        # One number per gene and network, so that an edited stage redraws no other.
        drawn = np.random.default_rng(seed).random((len(found), SAMPLE))
        scaled: Ints = (drawn * counts[:, None]).astype(np.int64)
        return scaled
    left, picks = np.arange(size), np.zeros((len(found), size), dtype=np.int64)
    for row, count in enumerate(counts):
        left, picks[row] = np.divmod(left, count)
    return picks


def total(start: float, parts: Iterable[Any]) -> Any:
    """`start` plus all `parts` (numbers, or arrays of one shape), one after the other.

    In this order everywhere: rounding is monotone, so what is the least of every part has the
    least sum to the last bit, and no verdict contradicts another.
    """
    summed = start
    for part in parts:
        summed = summed + part
    return summed
