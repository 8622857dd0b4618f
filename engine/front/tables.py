"""What each choice of a space costs, figure by figure, so that networks are sums over their genes.

Latency, parameters and MACs add up exactly, the bytes of an ONNX file up to a few; peak memory is
the most of its layers. Nothing is held to a limit here, and no torch is needed.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

from engine.blocks.contract import Place
from engine.cost import network_cost
from engine.latency import LatencyModel, gene_ms
from engine.layers import Layer
from engine.space import Arch, SearchSpace
from engine.stage import SKIP, op_cost

Tables = tuple[float, tuple[tuple[float, ...], ...]]
"""What stem and head cost, and every value of every gene; their sum is the network's."""

SPARE = 8  # bytes per layer of a file for what its neighbours' names add: rather too large


class Genes:
    """Networks of one space as rows of whole numbers: the index of each gene's value."""

    def __init__(self, space: SearchSpace) -> None:
        self.space, self.genes = space, space.genes()
        self._index = [{value: k for k, value in enumerate(g.values)} for g in self.genes]

    def row(self, arch: Arch) -> list[int]:
        """The index of each gene's value in `arch`."""
        parts = zip(self._index, self.space.parts(arch), strict=True)
        return [index[part] for index, part in parts]

    def arch(self, row: Iterable[int]) -> Arch:
        """The architecture of one row; `row` is its inverse."""
        parts = (gene.values[int(k)] for gene, k in zip(self.genes, row, strict=True))
        return Arch(tuple(op for part in parts for op in part))


def additive(space: SearchSpace, name: str, latency: LatencyModel | None = None) -> Tables:
    """What adds up over the layers: `latency_ms` (of a model), `params`, `macs`, `onnx_bytes`.

    The first three are exact; a file is smaller than its sum by some tens of bytes.
    """
    if name == "latency_ms":
        assert latency is not None, "latency needs its model"
        return latency.constant_ms, tuple(map(tuple, gene_ms(space, latency.slot_ms)))
    return _files(space) if name == "onnx_bytes" else _counted(space, name)


@lru_cache(maxsize=64)
def _counted(space: SearchSpace, name: str) -> Tables:
    slots = space.slots()

    def of(value: tuple[str, ...], at: tuple[int, ...]) -> float:
        kept = ((slots[i].place, op) for i, op in zip(at, value, strict=True) if op != SKIP)
        return float(sum(getattr(op_cost(place, op), name) for place, op in kept))

    genes = tuple(tuple(of(v, gene.slots) for v in gene.values) for gene in space.genes())
    return _with_constant(space, genes, getattr(network_cost(space, space.smallest()), name))


@lru_cache(maxsize=16)
def _files(space: SearchSpace) -> Tables:
    """Of every op what it adds to a file that holds the stem; makes a few hundred small files."""
    stem, slots = space.stem_layer(), space.slots()
    known: dict[tuple[Place, str, int], int] = {}
    alone = _size((stem,), "")
    genes = []
    for gene in space.genes():
        sums = []
        for value in gene.values:
            total = 0
            for slot, op in zip((slots[i] for i in gene.slots), value, strict=True):
                at = slot.place, op, len(slot.name)
                if op != SKIP and at not in known:
                    known[at] = _size((stem, slot.layer(op)), "") - alone + SPARE
                total += len(op) + known.get(at, 0)  # the file names its architecture as well
            sums.append(float(total))
        genes.append(tuple(sums))
    return _with_constant(space, tuple(genes), onnx_bytes(space, space.smallest()))


def _with_constant(
    space: SearchSpace, genes: tuple[tuple[float, ...], ...], smallest: float
) -> Tables:
    """The tables with what is left of the smallest network's figure, which so is exact."""
    at = Genes(space).row(space.smallest())
    return smallest - sum(table[k] for table, k in zip(genes, at, strict=True)), genes


@lru_cache(maxsize=64)
def peaks(space: SearchSpace) -> tuple[tuple[int, ...], ...]:
    """Peak bytes of every value of every gene, without stem and head."""
    slots = space.slots()

    def most(value: tuple[str, ...], at: tuple[int, ...]) -> int:
        kept = ((slots[i].place, op) for i, op in zip(at, value, strict=True) if op != SKIP)
        return max((op_cost(place, op).peak_bytes for place, op in kept), default=0)

    return tuple(tuple(most(v, gene.slots) for v in gene.values) for gene in space.genes())


@lru_cache(maxsize=10_000)
def onnx_bytes(space: SearchSpace, arch: Arch) -> int:
    """Size of the ONNX file of `arch`; weights do not change it, so random ones are written."""
    return _size(space.layers(arch), str(arch))


def _size(layers: tuple[Layer, ...], arch: str) -> int:
    from engine.graph import random_weights, to_onnx  # takes a while to import

    return len(to_onnx(layers, random_weights(layers, 0), metadata={"arch": arch}))
