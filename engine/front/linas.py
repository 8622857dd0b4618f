"""The LINAS loop (DyNAS-T): judge few networks, learn, search among predictions, repeat.

`propose` searches 20,000 predicted networks by NSGA-II under limits and pins, in about a second and
without torch; `Linas` is the loop around it, as something to ask and to tell.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial

import numpy as np

from engine.events import Event, Foreseen, Ghost, Learned
from engine.front.encoding import Encoder, Floats, Ints
from engine.front.evolution import move_to
from engine.front.filter import Filter
from engine.front.predictor import Predictor, fit
from engine.pareto import crowding, front, ranks
from engine.space import Arch

FIRST = 48  # networks judged before anything is learned from them, at most
PREDICTED, POPULATION = 20_000, 100
THIN = 120  # members that a predicted front keeps
GHOSTS = 40  # of the predicted front that are shown
MAX_TRIES = 50

Allowed = Mapping[int, tuple[int, ...]]
"""Values, by their index, that a pinned gene may still take; genes not named are free."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """Networks on the predicted front, fastest first, with predicted accuracy and ms."""

    archs: tuple[Arch, ...]
    accuracy: Floats
    ms: Floats


@dataclass(slots=True)
class Predicted:
    """A population: rows of gene values with what is predicted of them.

    `excess`: what they are above the limits, in shares of them; 0 within all.
    """

    at: Ints
    accuracy: Floats
    ms: Floats
    excess: Floats


def propose(
    encoder: Encoder,
    predictor: Predictor,
    kept: Filter,
    *,
    seed: int = 0,
    allowed: Allowed | None = None,
    known: Ints | None = None,
    predicted: int = PREDICTED,
) -> Foresight:
    """The predicted front within the limits (latency: its slack times) after `predicted` looks.

    `known` rows (n, genes) join the first population. NSGA-II with uniform crossover, mutation at
    one gene in ten, and domination by constraint: less excess over the limits beats more.
    """
    rng = np.random.default_rng(seed)
    choose = _Choices(encoder, allowed or {})
    first = choose.sample(POPULATION, rng)
    judge = partial(judged, encoder, predictor, kept)
    if known is not None and len(known):
        first = np.concatenate([choose.clamp(known, rng), first])
    pool = judge(first)
    seen = [pool]
    for _ in range(max(1, predicted // POPULATION - 1)):
        pool = _survivors(pool)
        child = judge(_children(pool.at, choose, rng))
        seen.append(child)
        pool = _joined([pool, child])
    return _front_of(encoder, kept, _joined(seen))


class _Choices:
    """Values that each gene may take, and drawing among them."""

    def __init__(self, encoder: Encoder, allowed: Allowed) -> None:
        self.tables = [
            np.array(allowed.get(gene, tuple(range(int(size)))), dtype=np.int64)
            for gene, size in enumerate(encoder.sizes)
        ]

    def sample(self, count: int, rng: np.random.Generator) -> Ints:
        return np.stack([rng.choice(table, size=count) for table in self.tables], axis=1)

    def clamp(self, at: Ints, rng: np.random.Generator) -> Ints:
        """Rows with every value that is not allowed drawn anew."""
        fresh = self.sample(len(at), rng)
        fits = np.stack([np.isin(at[:, g], t) for g, t in enumerate(self.tables)], axis=1)
        return np.where(fits, at, fresh)


def judged(encoder: Encoder, predictor: Predictor, kept: Filter, at: Ints) -> Predicted:
    """What is predicted of rows (n, genes), and how far they are above the limits of `kept`.

    Of that of latency only what is beyond its slack counts.
    """
    ms = encoder.total("latency_ms", at)
    excess = np.maximum(0.0, ms / (kept.slack * kept.limit_ms) - 1)
    for name, most in kept.limits.asked().items():
        # a file's exact size is asked when it is proposed
        found = encoder.peak_bytes(at) if name == "peak_bytes" else encoder.total(name, at)
        excess = excess + np.maximum(0.0, found / most - 1)
    return Predicted(at, predictor(encoder.features(at)), ms, excess)


def _survivors(pool: Predicted) -> Predicted:
    """The best POPULATION: those within the limits by front and crowding, then by excess."""
    _, first = np.unique(pool.at, axis=0, return_index=True)
    inside = [int(i) for i in first if pool.excess[i] == 0]
    chosen: list[int] = []
    points = [(float(pool.ms[i]), -float(pool.accuracy[i])) for i in inside]
    level = ranks(points)
    for number in range(max(level, default=-1) + 1):
        members = [k for k, at in enumerate(level) if at == number]
        gaps = crowding([points[k] for k in members])
        order = sorted(range(len(members)), key=lambda k: -gaps[k])
        chosen += [inside[members[k]] for k in order]
        if len(chosen) >= POPULATION:
            break
    outside = sorted((int(i) for i in first if pool.excess[i] > 0), key=lambda i: pool.excess[i])
    return _taken(pool, [*chosen, *outside][:POPULATION])


def _children(at: Ints, choose: _Choices, rng: np.random.Generator) -> Ints:
    """As many rows as a population has: two parents, better ones more often, then mutation."""
    # the survivors come best first: of two drawn the earlier one wins its tournament
    pairs = rng.integers(0, len(at), size=(2, POPULATION, 2)).min(axis=2)
    mix = rng.random((POPULATION, at.shape[1])) < 0.5
    mix |= (rng.random(POPULATION) < 0.1)[:, None]
    rows = np.where(mix, at[pairs[0]], at[pairs[1]])
    changed = rng.random(rows.shape) < max(0.1, 1 / rows.shape[1])
    return np.where(changed, choose.sample(POPULATION, rng), rows)


def _front_of(encoder: Encoder, kept: Filter, seen: Predicted) -> Foresight:
    inside = np.flatnonzero(seen.excess == 0)
    chosen = front(list(inside), lambda i: (float(seen.ms[i]), -float(seen.accuracy[i])))
    thin = np.linspace(0, len(chosen) - 1, min(THIN, len(chosen))).round().astype(int)
    archs = {int(chosen[k]): encoder.arch(seen.at[chosen[k]]) for k in thin}
    rows = [i for i, arch in archs.items() if kept.keeps(arch, slack=kept.slack)]
    return Foresight(tuple(archs[i] for i in rows), seen.accuracy[rows], seen.ms[rows])


def _joined(parts: list[Predicted]) -> Predicted:
    names = ("at", "accuracy", "ms", "excess")
    return Predicted(*(np.concatenate([getattr(p, name) for p in parts]) for name in names))


def _taken(pool: Predicted, rows: list[int]) -> Predicted:
    return Predicted(pool.at[rows], pool.accuracy[rows], pool.ms[rows], pool.excess[rows])


@dataclass(slots=True)
class Linas:
    """State of one loop: every architecture told so far, with (predicted ms, -accuracy).

    `first`: networks judged before anything is learned from them.
    """

    filter: Filter
    first: int = FIRST
    told: dict[Arch, tuple[float, float]] = field(default_factory=dict)
    learned: Predictor | None = None
    _encoder: Encoder | None = None

    @property
    def encoder(self) -> Encoder:
        """The space's, made when it is first needed."""
        if self._encoder is None:
            self._encoder = Encoder(self.filter.space, self.filter.latency)
        return self._encoder

    def tell(self, arch: Arch, accuracy: float) -> None:
        """Records what `arch` is worth; telling again replaces it."""
        self.told[arch] = (self.filter.latency.predict(arch), -accuracy)

    def ask(self, count: int, rng: random.Random) -> list[Arch]:
        """Up to `count` new architectures: drawn at first, then the predicted best."""
        if len(self.told) < self.first:
            return self._drawn(count, rng, [])
        self._learn()
        assert self.learned is not None
        found = self._proposed(rng)
        return self._drawn(count, rng, self._best(found, count))

    def foresee(self, rng: random.Random) -> Iterator[Event]:
        """What has been learned, and the front that it predicts."""
        if len(self.told) < self.first:
            return
        self._learn()
        assert self.learned is not None
        yield Learned(self.learned.to_json(), self.learned.error, len(self.told))
        found = self._proposed(rng)
        thin = np.unique(np.linspace(0, len(found.archs) - 1, GHOSTS).round().astype(int))
        ghosts = [
            Ghost(str(found.archs[i]), float(found.accuracy[i]), float(found.ms[i]))
            for i in (thin if found.archs else [])
        ]
        yield Foreseen(tuple(asdict(ghost) for ghost in ghosts))

    def _learn(self) -> None:
        archs = list(self.told)
        worth = np.array([-self.told[arch][1] for arch in archs])
        self.learned = fit(self.encoder.features(self.encoder.at(archs)), worth)

    def _proposed(self, rng: random.Random) -> Foresight:
        assert self.learned is not None
        known = self.encoder.at(list(self.told))
        return propose(
            self.encoder, self.learned, self.filter, seed=rng.getrandbits(32), known=known
        )

    def _best(self, found: Foresight, count: int) -> list[Arch]:
        """New ones of the predicted front: a third the most accurate within the limit, the rest
        spread over it."""
        fresh = [i for i, arch in enumerate(found.archs) if arch not in self.told]
        within = [i for i in fresh if found.ms[i] <= 0.97 * self.filter.limit_ms]
        top = sorted(within, key=lambda i: -float(found.accuracy[i]))[: count // 3]
        rest = [i for i in fresh if i not in top]
        gaps = crowding([(float(found.ms[i]), -float(found.accuracy[i])) for i in rest])
        order = sorted(range(len(rest)), key=lambda k: -gaps[k])
        return [found.archs[i] for i in [*top, *(rest[k] for k in order)][:count]]

    def _drawn(self, count: int, rng: random.Random, asked: list[Arch]) -> list[Arch]:
        """`asked` filled up to `count` with random networks over the whole range of latency."""
        kept = self.filter
        latency = kept.latency
        most = max(latency.fastest_ms, min(1.15 * kept.limit_ms, latency.slowest_ms))
        for _ in range(count - len(asked)):
            for _ in range(MAX_TRIES):
                target = rng.uniform(latency.fastest_ms, most)
                arch = kept.space.sample(rng)
                kept.admits(arch)  # counted as it was drawn: moved, next to all are admitted
                arch = kept.fit(move_to(kept.space, latency, arch, target, rng), rng)
                if arch in self.told or arch in asked:
                    continue
                if kept.keeps(arch, slack=kept.slack):
                    asked.append(arch)
                    break
        return asked
