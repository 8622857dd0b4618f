"""The one function that X-rays a space; what it returns stands in `figures`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import numpy.typing as npt

from engine.cost import Cost, layer_cost
from engine.latency import LatencyModel
from engine.layers import out_side
from engine.sanity import sanity
from engine.space import Arch, SearchSpace
from engine.stage import Stage
from engine.xray import words
from engine.xray.figures import ALWAYS, LATENCY, MACS, NEVER, SOMETIMES, Card, Spread, Within, XRay
from engine.xray.reach import least_ms, seen
from engine.xray.tables import (
    Floats,
    GeneTable,
    Ints,
    draw,
    ms_of,
    path_params,
    stage_ops,
    tables,
    total,
)

EXPECTED = 5
"""Sampled networks within a limit that should make a choice, before none is worth a word."""


def examine(
    space: SearchSpace,
    *,
    latency: LatencyModel | None = None,
    limit_ms: float | None = None,
    seed: int = 0,
) -> XRay:
    """The X-ray of `space`; `latency` is a model of this space, and a limit is judged only by one.

    The same for the same seed; after an edit only the stages that changed are counted anew.
    """
    assert latency is None or latency.space_digest == space.digest(), "a model of another space"
    sample = _sample(space, latency, seed)
    latency_ms = None if latency is None else sample.spread(sample.ms, latency.constant_ms)
    macs = sample.spread([table.macs for table in sample.tables], sample.fixed.macs)
    smallest, median, largest = sample.networks(macs if latency_ms is None else latency_ms)
    within = None
    if latency is not None and latency_ms is not None and limit_ms is not None:
        within = _within(sample, latency_ms, limit_ms, constant_ms=latency.constant_ms)
    xray = XRay(
        size=space.size(),
        sampled=sample.picks.shape[1],
        complete=sample.picks.shape[1] == space.size(),
        params=sample.spread([table.params for table in sample.tables], sample.fixed.params),
        macs=macs,
        peak_bytes=sample.peak(),
        latency_ms=latency_ms,
        within=within,
        by=MACS if latency is None else LATENCY,
        smallest=sample.arch(smallest),
        median=sample.arch(median),
        largest=sample.arch(largest),
        cards=tuple(_cards(sample, median, latency)),
        median_sanity=sanity(space, sample.arch(median)),
        largest_sanity=sanity(space, sample.arch(largest)),
    )
    return replace(
        xray, warnings=(*words.warnings(xray), *words.equals(space)), notes=tuple(words.notes(xray))
    )


@dataclass(frozen=True, eq=False)
class _Sample:
    """A space as tables, and networks of it: `picks` (genes, networks) index the genes' values."""

    space: SearchSpace
    tables: tuple[GeneTable, ...]
    picks: Ints
    stem: Cost
    head: Cost

    @property
    def fixed(self) -> Cost:
        """What every network has."""
        return self.stem + self.head

    @cached_property
    def ms(self) -> list[Floats]:
        """Ms of every value of every gene."""
        return [ms_of(table) for table in self.tables]

    def spread(self, parts: Sequence[npt.NDArray[np.number]], start: float) -> Spread:
        """The spread of a figure that adds up: `start` and a part per gene."""
        drawn = total(start, [part[row] for part, row in zip(parts, self.picks, strict=True)])
        smallest = total(start, [part.min().item() for part in parts])
        return _spread(smallest, total(start, [part.max().item() for part in parts]), drawn)

    def peak(self) -> Spread:
        """The spread of the activation peak, which is the greatest of the parts."""
        parts = [table.peak_bytes for table in self.tables]
        drawn = [part[row] for part, row in zip(parts, self.picks, strict=True)]
        least = max(self.fixed.peak_bytes, *(int(part.min()) for part in parts))
        most = max(self.fixed.peak_bytes, *(int(part.max()) for part in parts))
        return _spread(least, most, np.maximum(np.max(drawn, axis=0), self.fixed.peak_bytes))

    def networks(self, by: Spread) -> tuple[Ints, Ints, Ints]:
        """The smallest of all, the median of the sampled and the largest of all, as picks."""
        order = np.argsort(by.values, kind="stable")
        parts = [table.macs if table.ms is None else table.ms for table in self.tables]
        least = np.array([part.argmin() for part in parts])
        most = np.array([part.argmax() for part in parts])
        return least, self.picks[:, order[(len(order) - 1) // 2]], most

    def arch(self, pick: Ints) -> Arch:
        """The architecture of one pick of a value per gene."""
        values = [table.gene.values[i] for table, i in zip(self.tables, pick, strict=True)]
        return Arch(tuple(op for value in values for op in value))


def _sample(space: SearchSpace, latency: LatencyModel | None, seed: int) -> _Sample:
    found = tables(space, latency)
    ends = (layer_cost(space.stem_layer()), layer_cost(space.head_layer()))
    return _Sample(space, found, draw(found, space.size(), seed), *ends)


def _spread(smallest: float, largest: float, drawn: npt.NDArray[np.number]) -> Spread:
    values = drawn.tolist()
    return Spread(smallest, sorted(values)[(len(values) - 1) // 2], largest, tuple(values))


def _within(sample: _Sample, ms: Spread, limit_ms: float, *, constant_ms: float) -> Within:
    inside = np.array(ms.values) <= limit_ms
    share = float(inside.mean())
    if ms.largest <= limit_ms:
        return Within(limit_ms, share, ALWAYS, ms.smallest)
    if ms.smallest > limit_ms:
        return Within(limit_ms, share, NEVER, ms.smallest)
    least = least_ms(sample.tables, constant_ms, space=sample.space)
    dead = tuple(choice for choice, fastest in least.items() if fastest > limit_ms)
    makers = seen(sample.tables, sample.picks, space=sample.space)
    unused = tuple(
        choice
        for choice in least
        if choice not in dead
        and makers[choice].sum() * share >= EXPECTED
        and not makers[choice][inside].any()
    )
    return Within(limit_ms, share, SOMETIMES, ms.smallest, dead, unused)


def _cards(sample: _Sample, median: Ints, latency: LatencyModel | None) -> list[Card]:
    """Stem, stages, head, with their shares of the network `median`."""
    space, count = sample.space, len(sample.space.stages)
    params = [sample.stem.params, *[0] * count, sample.head.params]
    macs = [sample.stem.macs, *[0] * count, sample.head.macs]
    ms = [0.0] * (count + 2)
    if latency is not None:
        ms[0] = latency.constant_ms * latency.stem_share
        ms[-1] = latency.constant_ms - ms[0]
    for table, i in zip(sample.tables, median, strict=True):
        params[table.stage] += int(table.params[i])
        macs[table.stage] += int(table.macs[i])
        ms[table.stage] += 0.0 if table.ms is None else float(table.ms[i])
    times: list[float] | list[None] = [None] * (count + 2) if latency is None else _shares(ms)
    shares = list(zip(_shares(params), _shares(macs), times, strict=True))
    stem, head = space.stem_layer(), space.head_layer()
    after_stem = out_side(stem.side, stem.stride)
    return [
        Card("stem", 0, stem.side, after_stem, stem.cin, stem.cout, *shares[0]),
        *(
            _stage(space, n, stage=stage, shares=shares[n])
            for n, stage in enumerate(space.stages, 1)
        ),
        Card("head", 0, head.side, 1, head.cin, head.cout, *shares[-1]),
    ]


def _shares(parts: Sequence[float]) -> list[float]:
    whole = sum(parts)
    return [part / whole if whole else 0.0 for part in parts]


def _stage(
    space: SearchSpace, number: int, *, stage: Stage, shares: tuple[float, float, float | None]
) -> Card:
    slots = [slot for slot in space.slots() if slot.stage == number]
    paths = [path_params(slot, stage_ops(stage)) for slot in slots]
    first, last = slots[0], slots[-1]
    return Card(
        f"stage {number}",
        number,
        first.side,
        out_side(last.side, last.stride),
        first.cin,
        last.cout,
        *shares,
        decisions=_decisions(stage),
        paths=len(paths[0]),
        path_params=sum(int(path.sum()) for path in paths),
        single_params=sum(int(path.max()) for path in paths),
    )


def _decisions(stage: Stage) -> int:
    """Yes-or-no decisions per layer: further families, further values of each field, skip."""
    values = max(sum(len(v) - 1 for _, v in option.choices) for option in stage.options)
    return len(stage.options) - 1 + values + (stage.depth[0] < stage.depth[1])
