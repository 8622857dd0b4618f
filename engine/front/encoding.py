"""Architectures as numbers: one column per op of every slot, and what they cost; numpy only.

A network is first a row of whole numbers, the index of each gene's value; features and sums of many
networks are then gathered from tables, thousands in a millisecond.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from engine.front.tables import Genes, additive, peaks
from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
TOTALS = ("latency_ms", "params", "macs")


class Encoder:
    """Rows of gene values, features (n, width) and costs of architectures of one space.

    Features: 1 where a slot has an op, else 0, in the order of `columns`; then latency, parameters
    and MACs, each from 0 (least of the space) to 1 (most): statistics that cost nothing and already
    tell much of the accuracy.
    """

    def __init__(self, space: SearchSpace, latency: LatencyModel) -> None:
        self.space, self.latency = space, latency
        self._rows = Genes(space)
        self.genes = self._rows.genes
        slots = space.slots()
        self.columns = [(i, op) for i, slot in enumerate(slots) for op in slot.ops]
        number = {column: k for k, column in enumerate(self.columns)}
        self.sizes = np.array([len(gene.values) for gene in self.genes])
        self._hot = []
        for gene in self.genes:
            hot = np.zeros((len(gene.values), len(self.columns)))
            for row, value in enumerate(gene.values):
                for i, op in zip(gene.slots, value, strict=True):
                    hot[row, number[i, op]] = 1.0
            self._hot.append(hot)
        self._sums = {name: additive(space, name, latency) for name in TOTALS}
        self._peaks = [np.array(most) for most in peaks(space)]
        self._ends = {name: self._range(name) for name in TOTALS}

    def _range(self, name: str) -> tuple[float, float]:
        constant, tables = self._sums[name]
        least = constant + sum(min(table) for table in tables)
        return least, constant + sum(max(table) for table in tables)

    @property
    def width(self) -> int:
        """Number of features."""
        return len(self.columns) + len(TOTALS)

    def at(self, archs: Sequence[Arch]) -> Ints:
        """Index of each gene's value: (n, genes)."""
        rows = [self._rows.row(arch) for arch in archs]
        return np.array(rows, dtype=np.int64).reshape(len(archs), len(self.genes))

    def arch(self, row: Ints) -> Arch:
        """The architecture of one row."""
        return self._rows.arch(row)

    def total(self, name: str, at: Ints) -> Floats:
        """Predicted ms, parameters, MACs or bytes of the ONNX file of each row: (n,)."""
        if name not in self._sums:  # files take a moment
            self._sums[name] = additive(self.space, name, self.latency)
        constant, tables = self._sums[name]
        found = np.full(len(at), constant)
        for gene, table in enumerate(tables):
            found += np.asarray(table)[at[:, gene]]
        return found

    def peak_bytes(self, at: Ints) -> Floats:
        """Peak bytes of each row's searched layers: (n,)."""
        found = np.zeros(len(at))
        for gene, table in enumerate(self._peaks):
            np.maximum(found, table[at[:, gene]], out=found)
        return found

    def features(self, at: Ints) -> Floats:
        """What a predictor sees of each row: (n, width)."""
        found = np.zeros((len(at), self.width))
        hot = found[:, : len(self.columns)]
        for gene, table in enumerate(self._hot):
            hot += table[at[:, gene]]
        for k, name in enumerate(TOTALS, len(self.columns)):
            least, most = self._ends[name]
            found[:, k] = (self.total(name, at) - least) / max(most - least, 1e-12)
        return found

    def sample(self, count: int, rng: np.random.Generator) -> Ints:
        """Rows of networks drawn gene by gene, every value as likely: (count, genes)."""
        return rng.integers(0, self.sizes, size=(count, len(self.genes)))
