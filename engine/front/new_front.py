"""A new front from an old search, without training: other limits, pinned choices, "more like this".

What was evaluated is filtered; what was not is foreseen by a predictor learned from it. No torch:
the studio asks here while a slider moves. Whatever is foreseen stays a ghost until somebody
evaluates it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from engine.errors import RunError
from engine.events import Candidate, Ghost, View
from engine.front.encoding import Encoder, Ints
from engine.front.filter import Filter
from engine.front.limits import Limits
from engine.front.linas import Allowed, Foresight, judged, propose
from engine.front.predictor import FEWEST, Predictor, fit_ridge
from engine.latency import LatencyModel
from engine.pareto import front
from engine.space import Arch, SearchSpace

NEAR_GENES, NEAR_DRAWN = 2, 20_000  # "like this": so many genes may differ; so many are looked at


@dataclass(frozen=True, slots=True)
class Wish:
    """What the new front must keep to.

    `pins`: per slot name the ops it may have; `like`: a network that others should resemble.
    """

    limit_ms: float
    limits: Limits = Limits()  # noqa: RUF009 - frozen, so one for all is fine
    pins: tuple[tuple[str, tuple[str, ...]], ...] = ()
    like: Arch | None = None


@dataclass(frozen=True, slots=True)
class NewFront:
    """`evaluated`: the front of what was evaluated; `ghosts`: foreseen; `best`: within the limit.

    `error` is the predictor's mean error on networks it had not seen, None without a predictor;
    `n` how many it learned from, or could have. `seconds` is what all of it took.
    """

    evaluated: tuple[Candidate, ...]
    ghosts: tuple[Ghost, ...]
    best: Candidate | None
    error: float | None
    n: int
    seconds: float


def new_front(space: SearchSpace, latency: LatencyModel, view: View, wish: Wish) -> NewFront:
    """The front under `wish`; the limit of latency ends it. RunError for pins that fit nothing."""
    begun = time.perf_counter()
    encoder = Encoder(space, latency)
    allowed = allowed_values(space, wish.pins)
    kept = Filter(space, latency, wish.limit_ms, wish.limits, slack=1.0)
    fresh = view.fresh()
    at = encoder.at([Arch.parse(c.arch) for c in fresh])
    fits = _fitting(encoder, at, allowed, wish.like)
    inside = [c for c, ok in zip(fresh, fits, strict=True) if ok and _admitted(kept, c)]
    predictor = _predictor(encoder, view, at)
    ghosts: tuple[Ghost, ...] = ()
    if predictor is not None:
        found = _foreseen(encoder, predictor, kept, at=at[fits], allowed=allowed, wish=wish)
        ghosts = _ghosts(found, {c.arch for c in fresh}, wish.limit_ms)
    members = front(inside, lambda c: (c.predicted_ms, -c.proxy_accuracy))
    # one that was predicted within and then measured above is not handed over
    met = [c for c in inside if c.measured is None or c.within(wish.limit_ms)]
    best = max(met, key=lambda c: (c.proxy_accuracy, -c.predicted_ms, c.arch), default=None)
    error = predictor.error if predictor else None
    n = view.learned.n if view.learned else len(fresh)
    return NewFront(tuple(members), ghosts, best, error, n, time.perf_counter() - begun)


def allowed_values(
    space: SearchSpace, pins: Sequence[tuple[str, tuple[str, ...]]]
) -> dict[int, tuple[int, ...]]:
    """Values that each pinned gene may still take; RunError if none is left."""
    number = {slot.name: i for i, slot in enumerate(space.slots())}
    for name, ops in pins:
        if name not in number:
            raise RunError(f"pin: must name a layer among {', '.join(number)}, got {name!r}.")
        known = space.slots()[number[name]].ops
        for op in ops:
            if op not in known:
                raise RunError(f"pin: {name} has the choices {', '.join(known)}, got {op!r}.")
    wanted = {number[name]: set(ops) for name, ops in pins}
    allowed = {}
    for k, gene in enumerate(space.genes()):
        pinned = [(i, wanted[slot]) for i, slot in enumerate(gene.slots) if slot in wanted]
        if not pinned:
            continue
        left = [v for v, value in enumerate(gene.values) if all(value[i] in w for i, w in pinned)]
        if not left:
            names = ", ".join(space.slots()[gene.slots[i]].name for i, _ in pinned)
            raise RunError(f"pins: no choice of {names} keeps all of them.", "Take one away.")
        allowed[k] = tuple(left)
    return allowed


def _fitting(encoder: Encoder, at: Ints, allowed: Allowed, like: Arch | None) -> np.ndarray:
    fits = np.ones(len(at), dtype=bool)
    for gene, values in allowed.items():
        fits &= np.isin(at[:, gene], values)
    if like is not None:
        fits &= (at != encoder.at([like])[0]).sum(1) <= NEAR_GENES
    return fits


def _admitted(kept: Filter, candidate: Candidate) -> bool:
    if candidate.predicted_ms > kept.limit_ms:
        return False
    arch = Arch.parse(candidate.arch)
    limits = kept.limits.asked()
    # the size of a file takes a while, and a search that was limited in it has kept it
    size = limits.pop("onnx_bytes", None) if candidate.onnx_bytes else None
    fits = size is None or candidate.onnx_bytes <= size
    return fits and all(kept.figure(name, arch) <= most for name, most in limits.items())


def _predictor(encoder: Encoder, view: View, at: Ints) -> Predictor | None:
    """What the search has learned, or a ridge regression on what it evaluated."""
    if view.learned is not None:
        return Predictor.from_json(view.learned.predictor)
    if len(at) < FEWEST:
        return None
    worth = np.array([c.proxy_accuracy for c in view.fresh()])
    return fit_ridge(encoder.features(at), worth)


def _foreseen(
    encoder: Encoder,
    predictor: Predictor,
    kept: Filter,
    *,
    at: Ints,
    allowed: Allowed,
    wish: Wish,
) -> Foresight:
    if wish.like is None:
        return propose(encoder, predictor, kept, allowed=allowed, known=at)
    rows = _around(encoder, encoder.at([wish.like])[0], allowed)
    found = judged(encoder, predictor, kept, rows)
    ms, worth = found.ms, found.accuracy
    inside = [int(i) for i in np.flatnonzero(found.excess == 0)]
    chosen = front(inside, lambda i: (float(ms[i]), -float(worth[i])))
    chosen = [i for i in chosen if kept.keeps(encoder.arch(rows[i]))]
    return Foresight(tuple(encoder.arch(rows[i]) for i in chosen), worth[chosen], ms[chosen])


def _around(encoder: Encoder, row: Ints, allowed: Allowed) -> Ints:
    """Rows that differ from `row` in one or two genes."""
    rng = np.random.default_rng(0)
    rows = np.repeat(row[None], NEAR_DRAWN, axis=0)
    fresh = encoder.sample(NEAR_DRAWN, rng)
    each = np.arange(NEAR_DRAWN)
    for _ in range(NEAR_GENES):
        gene = rng.integers(0, rows.shape[1], NEAR_DRAWN)
        rows[each, gene] = fresh[each, gene]
    rows = rows[_fitting(encoder, rows, allowed, None)]
    return np.unique(rows, axis=0)


def _ghosts(found: Foresight, known: set[str], limit_ms: float) -> tuple[Ghost, ...]:
    names = [str(arch) for arch in found.archs]
    return tuple(
        Ghost(name, float(accuracy), float(ms))
        for name, accuracy, ms in zip(names, found.accuracy, found.ms, strict=True)
        if name not in known and ms <= limit_ms
    )
