"""The filter that refuses a network before anything is paid for it.

The cheapest question comes first (EEEA-Net's early exit, here in front of every sampler), and how
many of the networks that were drawn each limit refused is counted.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from engine.cost import network_cost
from engine.errors import InfeasibleLimit
from engine.front.limits import UNITS, Limits, told
from engine.front.moves import Moves
from engine.front.tables import Genes, additive, onnx_bytes, peaks
from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace

SLACK = 1.25
DRAWN, FEWEST = 10_000, 1e-4  # networks drawn to see what share of a space the limits leave
ENOUGH = 20  # of those within the limits: far above the least share, no need to draw on
WRITTEN = 3  # of them are held against the sizes of their files, not only against the tables'
SOUGHT = 300  # networks that are moved to learn what a limit could be
AGAIN = 20  # networks that moving begins from, where single changes lead nowhere


@dataclass(slots=True)
class Filter:
    """The limits of one search on one space: `keeps(arch)` in the order of what asking costs.

    `slack`: up to so many times the latency limit a front is worth seeing. `asked` and `refused`
    count what was drawn, before it was moved anywhere: `admits`.
    """

    space: SearchSpace
    latency: LatencyModel
    limit_ms: float
    limits: Limits = field(default_factory=Limits)
    slack: float = SLACK
    asked: int = 0
    refused: dict[str, int] = field(default_factory=dict)
    _moves: Moves | None = field(default=None, init=False, repr=False, compare=False)

    def admits(self, arch: Arch, *, slack: float = 1.0) -> bool:
        """`keeps`, and counts the answer: for what was drawn, and not moved towards the limits."""
        self.asked += 1
        broken = self._broken(arch, slack=slack)
        if broken:
            self.refused[broken] = self.refused.get(broken, 0) + 1
        return not broken

    def keeps(self, arch: Arch, *, slack: float = 1.0, rough: bool = False) -> bool:
        """Whether a network keeps all limits; `slack` is how far above the latency limit is let.

        `rough`: file sizes by tables, some bytes off, where thousands are asked about.
        """
        return not self._broken(arch, slack=slack, rough=rough)

    def _broken(self, arch: Arch, *, slack: float, rough: bool = False) -> str:
        """The first limit that a network does not keep; "" if it keeps all."""
        asked = {"latency_ms": slack * self.limit_ms, **self.limits.asked()}
        figure = self._rough if rough else self.figure
        return next((name for name, most in asked.items() if figure(name, arch) > most), "")

    def figure(self, name: str, arch: Arch) -> float:
        """What `arch` costs in the unit of that limit."""
        if name == "latency_ms":
            return self.latency.predict(arch)
        if name == "onnx_bytes":
            return onnx_bytes(self.space, arch)
        cost = network_cost(self.space, arch)
        return float(getattr(cost, name))

    def _rough(self, name: str, arch: Arch) -> float:
        return self.moves.total(name, arch) if name == "onnx_bytes" else self.figure(name, arch)

    # -- moving towards the limits ------------------------------------------------------------

    @property
    def moves(self) -> Moves:
        """The single changes of networks of the space, made when they are first needed."""
        if self._moves is None:
            self._moves = Moves(self.space, self.latency)
        return self._moves

    def excess(self, arch: Arch) -> float:
        """How far a network is above the limits but that of latency, in shares of them; about."""
        return self.moves.excess(arch, self.limits.asked())

    def most(self, *, ms: float | None = None, slack: float = 1.0) -> dict[str, float]:
        """All limits, `slack` times as wide, by name; `ms` in place of the latency limit."""
        limit_ms = self.limit_ms if ms is None else ms
        # a sum in another order may be greater by its last digit
        rest = {name: slack * most for name, most in self.limits.asked().items()}
        return {"latency_ms": slack * limit_ms * (1 - 1e-12), **rest}

    def fit(self, arch: Arch, rng: random.Random, *, slack: float = 1.0) -> Arch:
        """`arch` moved until it keeps all limits but that of latency (or near to it: `keeps`).

        It does not become slower than the latency limit, or than it was if that is more. `slack`
        is how far above all limits is let.
        """
        if not self.limits.asked():
            return arch
        ms = max(self.limit_ms, self.latency.predict(arch) / slack * (1 + 1e-9))
        return self.moves.moved(arch, self.most(ms=ms, slack=slack), rng)

    def toward(self, arch: Arch, rng: random.Random) -> Arch:
        """`arch` moved until it keeps all limits, that of latency too.

        Where single changes lead nowhere, other networks are drawn and moved; the last of them
        comes back if none arrives, which `keeps` tells.
        """
        for _ in range(AGAIN):
            arch = self.moves.moved(arch, self.most(), rng)
            if self.keeps(arch):
                break
            arch = self.space.sample(rng)
        return arch

    # -- wishes that cannot be met ------------------------------------------------------------

    def require_possible(self, device: str, seed: int = 0) -> float:
        """Share of the space that keeps all limits; InfeasibleLimit if next to nothing does.

        The sentence names what can be reached, each limit by the network that is best in it alone.
        """
        for name, most in self.limits.asked().items():
            least = self.figure(name, least_of(self, name))
            if least > most:
                raise InfeasibleLimit(
                    f"limit of {UNITS[name][0]} {told(name, most)}: the least that a network of "
                    f"this space has is {told(name, least, least=True)}.",
                    f"Ask for {told(name, least, least=True)} or more, or make the space smaller.",
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
        inside = 0
        for i in range(DRAWN):
            arch = self.space.sample(rng)
            if i % 2:
                arch = self.moves.moved(arch, self.most(), rng)
            exactly = inside < WRITTEN
            inside += self.keeps(arch, rough=True) and (not exactly or self.keeps(arch))
            if inside >= ENOUGH:
                return inside / (i + 1)
        return inside / DRAWN

    def _reachable(self, rng: random.Random) -> str:
        """What a limit would have to be for the others to be kept, in words."""
        words = []
        limits = {"latency_ms": self.limit_ms, **self.limits.asked()}
        for name, asked in limits.items():
            others = {k: most for k, most in self.most().items() if k != name}
            least = {name: self.figure(name, least_of(self, name))}
            kept = []
            for _ in range(SOUGHT):
                arch = self.moves.moved(self.space.sample(rng), others, rng)
                arch = self.moves.moved(arch, least, rng, hold=others)
                if all(self._rough(k, arch) <= most for k, most in others.items()):
                    kept.append(self._rough(name, arch))
            if kept and min(kept) > asked:
                words.append(f"{UNITS[name][0]} can reach {told(name, min(kept), least=True)}")
        return ", ".join(words) or "no network was found that keeps all but one"


def least_of(filter_: Filter, name: str) -> Arch:
    """The network that costs least by one limit alone; for file size some bytes off it.

    Peak memory is a maximum over layers, so the least of it is had by choosing the least peak for
    every gene.
    """
    space = filter_.space
    if name == "peak_bytes":
        costs: tuple[tuple[float, ...], ...] = peaks(space)
    else:
        _, costs = additive(space, name, filter_.latency)
    return Genes(space).arch(min(range(len(table)), key=table.__getitem__) for table in costs)
