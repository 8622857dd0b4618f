"""Which networks a trust run trains alone: drawn, not trained; needs no torch."""

from __future__ import annotations

import random
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from math import inf

from engine.errors import RunError
from engine.events import View
from engine.front.filter import Filter
from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace
from engine.spec import RunSpec, TrustSpec
from engine.trust.verdict import FEWEST

PICK_SEEDS = 3  # at least, and so many seeds take turns among the random networks
WINDOWS = (0.1, 0.2, 0.4, 0.8)  # half-widths tried around the pick's latency, as a fraction
DRAWS, MOVES = 40, 60  # networks drawn per one wanted, and moves of each towards its band


@dataclass(frozen=True, slots=True)
class Unit:
    """One training from scratch."""

    arch: str
    seed: int


@dataclass(frozen=True, slots=True)
class Plan:
    """The networks of a trust run; see `trust.Evidence` for what each is for."""

    subnets: tuple[str, ...]
    pick: str | None
    others: tuple[str, ...]
    window_ms: tuple[float, float]
    seeds: tuple[int, ...]
    pick_seeds: tuple[int, ...]

    def units(self) -> list[Unit]:
        """All trainings, seed by seed, so that what is done tells how long the rest will take."""
        found = [Unit(arch, seed) for seed in self.seeds for arch in self.subnets]
        if self.pick is not None:
            found += [Unit(self.pick, seed) for seed in self.pick_seeds]
        turns = enumerate(self.others)
        found += [Unit(arch, self.pick_seeds[i % PICK_SEEDS]) for i, arch in turns]
        return list(dict.fromkeys(found))


def plan(spec: TrustSpec, search: RunSpec, view: View, filter_: Filter) -> Plan:
    """The networks of one trust run of a search; the same for the same search and seed.

    RunError for a space of fewer than eight networks, which has no ranking to speak of.
    """
    space, latency = filter_.space, filter_.latency
    if space.size() < FEWEST:
        raise RunError(
            f"space: must have at least {FEWEST} networks to be ranked, got {space.size()}.",
            "Widen the space.",
        )
    rng = random.Random(spec.seed)
    known = {c.arch: c.predicted_ms for c in view.fresh()}
    subnets = spread(space, latency, known=known, count=spec.subnets, rng=rng)
    pick = picked(view, search.latency_limit_ms)
    others: tuple[str, ...] = ()
    window = (0.0, 0.0)
    if pick is not None:
        others, window = neighbours(Arch.parse(pick), filter_, count=spec.subnets, rng=rng)
    both = range(spec.seed, spec.seed + 2 * spec.seeds)
    pick_seeds = range(spec.seed, spec.seed + max(PICK_SEEDS, 2 * spec.seeds))
    return Plan(subnets, pick, others, window, tuple(both), tuple(pick_seeds))


def picked(view: View, limit_ms: float) -> str | None:
    """What the search would hand over: the best measured, else the best predicted, within.

    A network above one of the search's other limits never is.
    """
    best = view.best(limit_ms)
    if best is not None:
        return best.arch
    # one that was predicted within and then measured above is not handed over
    inside = [c for c in view.admitted() if max(c.predicted_ms, c.latency_ms) <= limit_ms]
    if not inside:
        return None
    return max(inside, key=lambda c: (c.proxy_accuracy, -c.predicted_ms, c.arch)).arch


def spread(
    space: SearchSpace,
    latency: LatencyModel,
    *,
    known: dict[str, float],
    count: int,
    rng: random.Random,
) -> tuple[str, ...]:
    """`count` different networks, one from each of as many bands of predicted latency.

    The bands are equal in ratio, not in ms: accuracy rises with the logarithm of cost, so that most
    of equal bands would lie where hardly anything changes, and rank noise. Every other band gives
    one that the search evaluated (`known`: arch to ms), if it has any; the rest are drawn. Bands
    without a network are made up for by random ones. Fastest first.
    """
    count = min(count, space.size())
    ratio = latency.slowest_ms / latency.fastest_ms
    chosen: dict[str, None] = {}
    for i in range(count):
        low, high = (latency.fastest_ms * ratio ** (at / count) for at in (i, i + 1))
        # the ends are open, since the same sum in another order may lie beyond them
        low, high = low if i else 0.0, high if i + 1 < count else inf
        there = sorted(a for a, ms in known.items() if low <= ms <= high and a not in chosen)
        if i % 2 == 0 and there:
            chosen[rng.choice(there)] = None
        elif found := _drawn(space, partial(_far, latency, (low, high)), but=chosen, rng=rng):
            chosen[found] = None
    while len(chosen) < count:
        chosen[str(space.sample(rng))] = None
    return tuple(sorted(chosen, key=lambda a: (latency.predict(Arch.parse(a)), a)))


def neighbours(
    pick: Arch, filter_: Filter, *, count: int, rng: random.Random
) -> tuple[tuple[str, ...], tuple[float, float]]:
    """`count` random networks that keep the limits in a latency window around `pick`, and it.

    The window is widened where it holds too few; a small space may have fewer all the same.
    """
    space, latency = filter_.space, filter_.latency
    ms = latency.predict(pick)
    window, found = (ms, ms), dict[str, None]()
    for half in WINDOWS:
        window = (ms * (1 - half), max(ms, min(ms * (1 + half), filter_.limit_ms)))
        for _ in range(DRAWS * count):
            if len(found) == count:
                return tuple(found), window
            far = partial(_far, latency, window, limits=filter_)
            name = _drawn(space, far, but={str(pick), *found}, rng=rng, draws=1)
            # the window keeps the limit of latency
            if name and filter_.keeps(Arch.parse(name), slack=inf):
                found[name] = None
    return tuple(found), window


def _drawn(
    space: SearchSpace,
    far: Callable[[Arch], float],
    *,
    but: Collection[str],
    rng: random.Random,
    draws: int = DRAWS,
) -> str | None:
    """A random network that is not `far`, None if none was met: drawn, then moved by choices."""
    for _ in range(draws):
        arch = _moved(space, space.sample(rng), far, rng=rng)
        if arch is not None and str(arch) not in but:
            return str(arch)
    return None


def _moved(
    space: SearchSpace, arch: Arch, gap: Callable[[Arch], float], *, rng: random.Random
) -> Arch | None:
    left = gap(arch)
    for _ in range(MOVES):
        if left == 0:
            return arch
        other = space.mutate(arch, rng, 0.0)
        if (now := gap(other)) < left:
            arch, left = other, now
    return arch if left == 0 else None


def _far(
    latency: LatencyModel, band: tuple[float, float], arch: Arch, *, limits: Filter | None = None
) -> float:
    """How far a network is outside a band of ms, and above `limits`; 0 where it is neither."""
    ms = latency.predict(arch)
    outside = max(band[0] - ms, ms - band[1], 0.0) / latency.slowest_ms
    return outside + (limits.excess(arch) if limits else 0.0)
