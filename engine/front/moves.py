"""Moving a network into limits by single random choices; which limits there are is `filter`'s.

How far a network is from its limits is one number, the sum of what it is above each of them as a
share of that limit; every change must lower it. So nothing that is gained under one limit is lost
under another, and moving ends.
"""

from __future__ import annotations

import random
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from engine.front.tables import Genes, additive, peaks
from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Most = Mapping[str, float]
"""The most of each figure that has a limit, by the names of `limits.UNITS`."""

LEAST = 1e-12  # sums of the same terms differ by less


class Moves:
    """The single changes of networks of one space: a column per value of every gene."""

    def __init__(self, space: SearchSpace, latency: LatencyModel) -> None:
        self.space, self.latency, self._rows = space, latency, Genes(space)
        sizes = [len(gene.values) for gene in self._rows.genes]
        self.first: Ints = np.cumsum([0, *sizes[:-1]])
        self.gene: Ints = np.repeat(np.arange(len(sizes)), sizes)
        self.peaks = np.concatenate([np.array(p, dtype=np.float64) for p in peaks(space)])
        self._sums: dict[str, tuple[float, Floats]] = {}

    def moved(
        self, arch: Arch, most: Most, rng: random.Random, *, hold: Most | None = None
    ) -> Arch:
        """`arch` with random genes changed until it keeps `most`, or as near as single changes go.

        No change takes it further from the limits to `hold`. File sizes are those of `tables`: a
        few bytes off.
        """
        at = self._at(arch)
        while True:
            here, after, _ = self._changes(at, most)
            nearer = after < here - LEAST
            if hold:
                held, then, _ = self._changes(at, hold)
                nearer &= then < held + LEAST
            better = np.flatnonzero(nearer)
            if not len(better):
                return self._arch(at)
            column = rng.choice(better.tolist())
            at[self.gene[column]] = column

    def savings(self, arch: Arch, most: Most) -> list[tuple[Arch, float]]:
        """Networks with one gene changed that are nearer to `most`, and what each saves.

        That is how much less it has of what `arch` has too much of, in shares of the limits.
        """
        at = self._at(arch)
        here, after, saved = self._changes(at, most)
        found = []
        for column in np.flatnonzero(after < here - LEAST):
            other = at.copy()
            other[self.gene[column]] = column
            found.append((self._arch(other), float(saved[column])))
        return found

    def excess(self, arch: Arch, most: Most) -> float:
        """How far `arch` is from `most`: 0 where it keeps all."""
        return self._changes(self._at(arch), most)[0]

    def total(self, name: str, arch: Arch) -> float:
        """The sum of one figure over the genes of `arch`, as `tables` has it."""
        constant, costs = self._costs(name)
        return constant + float(costs[self._at(arch)].sum())

    def _changes(self, at: Ints, most: Most) -> tuple[float, Floats, Floats]:
        """How far the network is from its limits; how far after each change; what each saves."""
        old = at[self.gene]
        here, after, saved = 0.0, np.zeros(len(old)), np.zeros(len(old))
        for name, limit in most.items():
            if name == "peak_bytes":  # every gene has to keep it for itself
                above = np.maximum(0.0, self.peaks / limit - 1)
                now = float(above[at].sum())
                then = now + above - above[old]
                less = np.where(above[old] > 0, self.peaks[old] - self.peaks, 0.0) / limit
            else:
                constant, costs = self._costs(name)
                total = constant + costs[at].sum()
                now = max(0.0, float(total) / limit - 1)
                then = np.maximum(0.0, (total + costs - costs[old]) / limit - 1)
                less = (costs[old] - costs) / limit if now > 0 else np.zeros(len(old))
            here, after, saved = here + now, after + then, saved + less
        return here, after, saved

    def _costs(self, name: str) -> tuple[float, Floats]:
        if name not in self._sums:
            constant, costs = additive(self.space, name, self.latency)
            self._sums[name] = constant, np.concatenate([np.array(table) for table in costs])
        return self._sums[name]

    def _at(self, arch: Arch) -> Ints:
        """The column of every gene's value: (genes,)."""
        return np.array(self._rows.row(arch), dtype=np.int64) + self.first

    def _arch(self, at: Ints) -> Arch:
        return self._rows.arch(at - self.first)
