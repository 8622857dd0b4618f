"""The filter that refuses a network before anything is paid for it.

The cheapest question comes first (EEEA-Net's early exit, here in front of every sampler), and how
many networks each limit refused is counted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import lru_cache

from engine.cost import network_cost
from engine.errors import InfeasibleLimit
from engine.front.limits import UNITS, Limits, told
from engine.latency import LatencyModel, gene_ms
from engine.space import Arch, SearchSpace
from engine.stage import SKIP, op_cost

SLACK = 1.25
DRAWN, FEWEST = 10_000, 1e-4  # networks drawn to see what share of a space the limits leave


@dataclass(slots=True)
class Filter:
    """The limits of one search on one space: `admits(arch)` in the order of what asking costs.

    `slack`: up to so many times the latency limit a front is worth seeing.
    """

    space: SearchSpace
    latency: LatencyModel
    limit_ms: float
    limits: Limits = field(default_factory=Limits)
    slack: float = SLACK
    asked: int = 0
    refused: dict[str, int] = field(default_factory=dict)

    def admits(self, arch: Arch, *, slack: float = 1.0) -> bool:
        """Whether a network keeps all limits; `slack` is how far above the latency limit is let."""
        self.asked += 1
        for name, most in {"latency_ms": slack * self.limit_ms, **self.limits.asked()}.items():
            if self.figure(name, arch) > most:
                self.refused[name] = self.refused.get(name, 0) + 1
                return False
        return True

    def figure(self, name: str, arch: Arch) -> float:
        """What `arch` costs in the unit of that limit."""
        if name == "latency_ms":
            return self.latency.predict(arch)
        if name == "onnx_bytes":
            return onnx_bytes(self.space, arch)
        cost = network_cost(self.space, arch)
        return float(getattr(cost, name))

    @property
    def accepted(self) -> float:
        """Share of the networks asked about that kept every limit."""
        return 1.0 - sum(self.refused.values()) / self.asked if self.asked else 1.0

    def fit(self, arch: Arch, rng: random.Random) -> Arch:
        """`arch` made cheaper until it keeps what adds up over its layers (all but peak memory)."""
        asked = {n: m for n, m in self.limits.asked().items() if n in ("params", "macs")}
        for name, most in asked.items():
            arch = cheaper(self.space, additive(self.space, name), arch, most, rng)
        return arch

    def require_possible(self, device: str, seed: int = 0) -> float:
        """Share of the space that keeps all limits; InfeasibleLimit if next to nothing does.

        The sentence names what can be reached, each limit by the network that is best in it alone.
        """
        for name, most in self.limits.asked().items():
            least = self.figure(name, least_of(self, name))
            if least > most:
                raise InfeasibleLimit(
                    f"limit of {UNITS[name][0]} {told(name, most)}: the least that a network of "
                    f"this space has is {told(name, least)}.",
                    f"Ask for {told(name, least)} or more, or make the space smaller.",
                )
        share = self._share(random.Random(seed))
        if share < FEWEST and self.limits.asked():
            raise InfeasibleLimit(
                f"limits: fewer than 1 in 10,000 networks keep all of them on {device}; "
                f"{self._reachable(random.Random(seed))}.",
                "Loosen one of them, or make the space smaller.",
            )
        self.asked, self.refused = 0, {}
        return share

    def _share(self, rng: random.Random) -> float:
        """Of drawn networks those within the limits, of which half were first moved towards them.

        A search moves its networks in the same way, so what only moving finds counts as found.
        """
        # file sizes take a while: they follow parameters so closely that a few draws tell
        drawn = DRAWN if self.limits.onnx_bytes is None else DRAWN // 50
        inside = 0
        for i in range(drawn):
            arch = self.space.sample(rng)
            if i % 2:
                arch = self.toward(arch, rng)
            inside += self.admits(arch)
            if inside >= 20:  # far above the least share: no need to draw on
                return inside / (i + 1)
        return inside / drawn

    def toward(self, arch: Arch, rng: random.Random) -> Arch:
        """`arch` made cheaper until latency, parameters and MACs are within their limits."""
        genes = additive(self.space, "latency_ms", self.latency)
        return self.fit(cheaper(self.space, genes, arch, self.limit_ms, rng), rng)

    def _reachable(self, rng: random.Random) -> str:
        """What the limits come to where only one of them is loosened, in words."""
        words = []
        for name in ("latency_ms", *self.limits.asked()):
            others = Filter(
                self.space,
                self.latency,
                float("inf") if name == "latency_ms" else self.limit_ms,
                Limits(**{k: v for k, v in self.limits.asked().items() if k != name}),
            )
            found = [others.toward(self.space.sample(rng), rng) for _ in range(300)]
            found.append(self.latency.fastest(self.space))
            kept = [others.figure(name, arch) for arch in found if others.admits(arch)]
            if kept:
                words.append(f"{UNITS[name][0]} can reach {told(name, min(kept))}")
        return ", ".join(words) or "no network was found that keeps all but one"


Tables = tuple[float, tuple[tuple[float, ...], ...]]
"""What stem and head cost, and every value of every gene; their sum is the network's."""


def additive(space: SearchSpace, name: str, latency: LatencyModel | None = None) -> Tables:
    """What adds up over the layers: `latency_ms` (of a model), `params` or `macs`."""
    if name == "latency_ms":
        assert latency is not None, "latency needs its model"
        return latency.constant_ms, tuple(map(tuple, gene_ms(space, latency.slot_ms)))
    return _counted(space, name)


@lru_cache(maxsize=64)
def _counted(space: SearchSpace, name: str) -> Tables:
    slots = space.slots()

    def of(value: tuple[str, ...], at: tuple[int, ...]) -> float:
        kept = ((slots[i].place, op) for i, op in zip(at, value, strict=True) if op != SKIP)
        return float(sum(getattr(op_cost(place, op), name) for place, op in kept))

    genes = tuple(tuple(of(v, gene.slots) for v in gene.values) for gene in space.genes())
    any_arch = space.smallest()
    at = [g.values.index(p) for g, p in zip(space.genes(), space.parts(any_arch), strict=True)]
    total = getattr(network_cost(space, any_arch), name)
    return total - sum(table[k] for table, k in zip(genes, at, strict=True)), genes


def cheaper(
    space: SearchSpace, tables: Tables, arch: Arch, most: float, rng: random.Random
) -> Arch:
    """`arch` with random genes made cheaper, until its sum is at most `most` or nothing is left."""
    constant, costs = tables
    genes = space.genes()
    at = [g.values.index(p) for g, p in zip(genes, space.parts(arch), strict=True)]
    total = constant + sum(table[k] for table, k in zip(costs, at, strict=True))
    while total > most:
        ways = [
            (i, k) for i, table in enumerate(costs) for k, x in enumerate(table) if x < table[at[i]]
        ]
        if not ways:
            break
        i, k = rng.choice(ways)
        total += costs[i][k] - costs[i][at[i]]
        at[i] = k
    return Arch(tuple(op for gene, k in zip(genes, at, strict=True) for op in gene.values[k]))


def least_of(filter_: Filter, name: str) -> Arch:
    """The network that costs least by one limit alone; for peak memory and file size close to it.

    The file follows the parameters. Peak memory is a maximum over layers, so the least of it is
    had by choosing the least peak for every gene.
    """
    space = filter_.space
    if name == "peak_bytes":
        slots = space.slots()

        def peak(value: tuple[str, ...], at: tuple[int, ...]) -> int:
            kept = ((slots[i].place, op) for i, op in zip(at, value, strict=True) if op != SKIP)
            return max((op_cost(place, op).peak_bytes for place, op in kept), default=0)

        least = []
        for gene in space.genes():
            peaks = [peak(value, gene.slots) for value in gene.values]
            least.append(gene.values[peaks.index(min(peaks))])
        return Arch(tuple(op for part in least for op in part))
    _, costs = additive(space, "params" if name == "onnx_bytes" else name, filter_.latency)
    parts = (
        gene.values[min(range(len(table)), key=table.__getitem__)]
        for gene, table in zip(space.genes(), costs, strict=True)
    )
    return Arch(tuple(op for part in parts for op in part))


@lru_cache(maxsize=10_000)
def onnx_bytes(space: SearchSpace, arch: Arch) -> int:
    """Size of the ONNX file of `arch`; weights do not change it, so random ones are written."""
    from engine.graph import random_weights, to_onnx  # takes a while to import

    layers = space.layers(arch)
    return len(to_onnx(layers, random_weights(layers, 0), metadata={"arch": str(arch)}))
