"""Elitist evolution towards the front of predicted latency and accuracy; ask and tell.

Non-dominated sorting with crowding (NSGA-II) chooses parents; every child is moved to a latency
target, so no loop here waits for luck: shrinking and growing end because latency is additive per
gene and each move is strict. No torch, no evaluation: the caller says what each child is worth.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from engine.events import Event
from engine.front.filter import Filter
from engine.latency import LatencyModel, gene_ms
from engine.pareto import crowding, ranks
from engine.space import Arch, SearchSpace

MAX_TRIES = 50  # attempts at one child that is new; then the space is taken as exhausted


@dataclass(slots=True)
class Evolution:
    """State of one evolution: every architecture told so far, with (predicted ms, -accuracy)."""

    filter: Filter
    parents: int = 24
    told: dict[Arch, tuple[float, float]] = field(default_factory=dict)

    @property
    def space(self) -> SearchSpace:
        """Where it searches."""
        return self.filter.space

    @property
    def latency(self) -> LatencyModel:
        """What moves are measured with."""
        return self.filter.latency

    @property
    def limit_ms(self) -> float:
        """The latency asked for."""
        return self.filter.limit_ms

    def tell(self, arch: Arch, accuracy: float) -> None:
        """Records what `arch` is worth; telling again replaces it."""
        self.told[arch] = (self.latency.predict(arch), -accuracy)

    def ask(self, count: int, rng: random.Random) -> list[Arch]:
        """Up to `count` new architectures; fewer once the space has no more near the targets."""
        asked: list[Arch] = []
        elite, finalists = self.elite(), self._finalists()
        for _ in range(count):
            for _ in range(MAX_TRIES):
                child = self._child(elite, finalists, rng)
                if child in self.told or child in asked:
                    continue
                if self.filter.keeps(child, slack=self.filter.slack):
                    asked.append(child)
                    break
        return asked

    def foresee(self, _rng: random.Random) -> Iterator[Event]:
        """Nothing: evolution knows only what it was told."""
        yield from ()

    def elite(self) -> list[Arch]:
        """The best `parents` of all told: by front, then by crowding distance."""
        archs = list(self.told)
        points = [self.told[a] for a in archs]
        level = ranks(points)
        chosen: list[int] = []
        for front in range(max(level, default=-1) + 1):
            members = [i for i in range(len(archs)) if level[i] == front]
            gaps = dict(zip(members, crowding([points[i] for i in members]), strict=True))
            chosen += sorted(members, key=lambda i: -gaps[i])
            if len(chosen) >= self.parents:
                break
        return [archs[i] for i in chosen[: self.parents]]

    def _finalists(self) -> list[Arch]:
        """The most accurate of all told within the limit, a third as many as there are parents."""
        inside = [a for a, (ms, _) in self.told.items() if ms <= self.limit_ms]
        # of equals the older ones, as sorting leaves them
        return sorted(inside, key=lambda a: self.told[a][1])[: self.parents // 3]

    def _child(self, elite: list[Arch], finalists: list[Arch], rng: random.Random) -> Arch:
        """A child for just below the limit (with room for noise) or, as often, for anywhere."""
        if rng.random() < 0.5:
            pool, target = finalists, rng.uniform(0.90, 0.97) * self.limit_ms
        else:
            top = max(self.latency.fastest_ms, min(1.15 * self.limit_ms, self.latency.slowest_ms))
            pool, target = elite, rng.uniform(self.latency.fastest_ms, top)
        child = self._offspring(pool, rng)
        self.filter.admits(child)  # counted as it was drawn: moved, next to all are admitted
        return self.filter.fit(move_to(self.space, self.latency, child, target, rng), rng)

    def _offspring(self, pool: list[Arch], rng: random.Random) -> Arch:
        if len(pool) < 2 or rng.random() < 0.1:
            return self.space.sample(rng)
        a, b = rng.sample(pool, 2)
        child = self.space.crossover(a, b, rng) if rng.random() < 0.5 else a
        return self.space.mutate(child, rng, 0.1)


def move_to(
    space: SearchSpace, latency: LatencyModel, arch: Arch, target_ms: float, rng: random.Random
) -> Arch:
    """`arch` with random genes made cheaper until it meets the target, then dearer within it."""
    genes, tables = space.genes(), gene_ms(space, latency.slot_ms)
    parts = space.parts(arch)
    at = [gene.values.index(part) for gene, part in zip(genes, parts, strict=True)]
    ms = latency.constant_ms + sum(table[k] for table, k in zip(tables, at, strict=True))
    while ms > target_ms:
        cheaper = [
            (i, k)
            for i, table in enumerate(tables)
            for k, x in enumerate(table)
            if x < table[at[i]]
        ]
        if not cheaper:
            break
        i, k = rng.choice(cheaper)
        ms += tables[i][k] - tables[i][at[i]]
        at[i] = k
    for i in rng.sample(range(len(at)), len(at)):
        table = tables[i]
        fits = [k for k, x in enumerate(table) if 0 < x - table[at[i]] <= target_ms - ms]
        if fits:
            k = rng.choice(fits)
            ms += table[k] - table[at[i]]
            at[i] = k
    return Arch(tuple(op for gene, k in zip(genes, at, strict=True) for op in gene.values[k]))
