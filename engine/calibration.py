"""Fits a table of isolated layers to a few whole networks; arithmetic only, nothing is measured.

A layer alone takes other times than the same layer in a network: every run of a file has a cost of
its own, and neighbours are fused or share caches. So the time of a network is modelled as

    ms(network) = base + sum over its layers of (scale + stage + layer) * row + call

where `row` is the table's ms of the layer, `scale` and `call` hold for all layers, `stage` for the
layers of one stage and `layer` for one op of one stage. Every network is a sum over its slots, so
expected latency stays multilinear. `stage` and `layer` are drawn towards 0 (a Gaussian prior, that
is, ridge regression), so few networks suffice and a layer that was in none of them keeps its row.
"""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.space import SKIP, Arch, SearchSpace, Slot

Floats = npt.NDArray[np.float64]
Unit = tuple[int, str]  # stage number and table key: what has one time in all networks of a space

CALIBRATION, HELD_OUT = 20, 32
ENUMERABLE = 500
TRIES = 10_000
NOISE = 0.015  # of a measured network, as a fraction of its time
STAGE_STD, LAYER_STD = 0.1, 0.03  # how far stages and layers may leave the common scale


def choose(space: SearchSpace, seed: int = 0) -> tuple[list[Arch], list[Arch]]:
    """Networks to calibrate with (smallest and largest first) and others to test with.

    20 and 32 of them, all different; of a space with fewer than 52, all there are, 2 to 3.
    """
    rng = random.Random(seed)
    size = space.size()
    if size <= ENUMERABLE:
        parts = itertools.product(*(gene.values for gene in space.genes()))
        everything = [Arch(tuple(itertools.chain(*ops))) for ops in parts]
        rng.shuffle(everything)
    else:
        everything = [space.sample(rng) for _ in range(TRIES)]
    ends = [space.smallest(), space.largest()]
    chosen = list(dict.fromkeys([*ends, *everything]))[: CALIBRATION + HELD_OUT]
    known = min(CALIBRATION, math.ceil(0.4 * len(chosen)))
    return chosen[:known], chosen[known:]


@dataclass(frozen=True)
class Fit:
    """Fitted times in ms: what every network has, and each op of each stage."""

    base_ms: float
    unit_ms: dict[Unit, float]

    def op_ms(self, slot: Slot, op: str) -> float:
        """Ms that `op` adds in `slot`; 0 for a skip."""
        return 0.0 if op == SKIP else self.unit_ms[slot.stage, slot.layer(op).key]


def units(space: SearchSpace, arch: Arch) -> list[Unit]:
    """The searched layers of `arch` as units, skips left out."""
    pairs = zip(space.slots(), arch.ops, strict=True)
    return [(slot.stage, slot.layer(op).key) for slot, op in pairs if op != SKIP]


def fit(
    space: SearchSpace,
    rows: Mapping[str, float],
    networks: Sequence[tuple[Arch, float]],
) -> Fit:
    """Fits to measured `networks` (architecture, ms); `rows` has the ms of every layer alone."""
    names = sorted(
        {(s.stage, s.layer(op).key) for s in space.slots() for op in s.ops if op != SKIP}
    )
    row_ms = np.array([rows[key] for _, key in names])
    counts = np.array([_counts(units(space, arch), names) for arch, _ in networks])
    ms = np.array([ms for _, ms in networks])
    fixed_ms = rows[space.stem_layer().key] + rows[space.head_layer().key]
    stages = np.array([[stage == n + 1 for n in range(len(space.stages))] for stage, _ in names])

    mean, std = _prior(row_ms, stages, float(np.median(ms)))
    columns = _columns(counts, row_ms, stages)
    measured = np.vstack([columns / ms[:, None] / NOISE, np.diag(1 / std)])
    wanted = np.concatenate([(ms - fixed_ms) / ms / NOISE, mean / std])
    found = np.linalg.lstsq(measured, wanted, rcond=None)[0]

    one_each = _columns(np.eye(len(names)), row_ms, stages)[:, 1:] @ found[1:]
    unit_ms = np.maximum(one_each, 0.0)  # a layer that saves time by being there is noise
    base = max(float(fixed_ms + found[0]), 0.0)
    return Fit(base, {name: float(value) for name, value in zip(names, unit_ms, strict=True)})


def _counts(layers: Sequence[Unit], names: Sequence[Unit]) -> list[int]:
    return [layers.count(name) for name in names]


def _columns(counts: Floats, row_ms: Floats, stages: Floats) -> Floats:
    """Per network: 1, sum of rows, number of layers, sum of rows per stage, rows per unit."""
    rows = counts * row_ms
    ones = np.ones((len(counts), 1))
    return np.column_stack([ones, rows.sum(1), counts.sum(1), rows @ stages, rows])


def _prior(row_ms: Floats, stages: Floats, typical_ms: float) -> tuple[Floats, Floats]:
    """Mean and standard deviation of base, scale, call, every stage and every unit."""
    several = stages.shape[1]
    std = [typical_ms, 1.0, float(row_ms.mean()), *[STAGE_STD] * several]
    std += [LAYER_STD] * len(row_ms)
    mean = np.zeros(len(std))
    mean[1] = 1.0
    return mean, np.array(std)
