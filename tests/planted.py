"""Searches whose truth is known: accuracies that are sums of drawn effects, plus noise."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.blocks import Value
from engine.events import Candidate
from engine.explain.knobs import BLOCK, DEPTH, Knob, knobs_of, settings
from engine.explain.why import Effect, Why
from engine.latency import LatencyModel
from engine.pareto import front
from engine.space import Arch, SearchSpace
from tests.builders import small_space, stage
from tests.made_latency import drawn_model

NOISE = 0.01
BASE = 0.8


def varied_space() -> SearchSpace:
    """Layers that may be left out, three kernels, two families, and a tied stage."""
    families = [
        {"block": "mbconv", "kernel": [3, 5], "expand": [3, 6]},
        {"block": "fused", "kernel": [3], "expand": [2, 4]},
    ]
    return small_space(
        stage(width=4, depth=[0, 2], kernel=[3, 5, 7], expand=[3]),
        {"blocks": families, "width": 8, "depth": [1, 2], "stride": 2},
        stage(depth=[1, 3], layers="same"),
    )


@dataclass(frozen=True)
class Truth:
    """What every knob's value adds to the accuracy."""

    space: SearchSpace
    added: Mapping[Knob, Mapping[Value, float]]

    def accuracy(self, arch: Arch) -> float:
        """Without noise."""
        stands = [settings(part) for part in self.space.parts(arch)]
        found = (self.added[k].get(stands[k.gene].get(k.turn, ""), 0.0) for k in self.added)
        return BASE + sum(found)

    def effect(self, why: Why, effect: Effect) -> float:
        """The true figure behind an effect, which goes by the usual values of `why`."""
        ends = (self._stands(why, effect.knob, value) for value in (effect.value, effect.usual))
        there, usual = (sum(self.added[k][v] for k, v in end.items()) for end in ends)
        return there - usual

    def _stands(self, why: Why, knob: Knob, value: Value) -> dict[Knob, Value]:
        """How the knobs of the gene stand where one of them is at `value`, the others as usual."""
        here = {k: v for k, v in why.design.usual.items() if k.gene == knob.gene} | {knob: value}
        if knob.family or (knob.name, value) == (DEPTH, 0):
            return {knob: value}
        families = [v for k, v in here.items() if k.name == BLOCK]
        return {k: v for k, v in here.items() if not families or k.family in ("", *families)}


def planted(space: SearchSpace, rng: random.Random, size: float = 2 * NOISE) -> Truth:
    """Effects drawn from a normal distribution of standard deviation `size`."""
    return Truth(space, {k: {v: rng.gauss(0.0, size) for v in k.values} for k in knobs_of(space)})


def candidate(arch: Arch, accuracy: float, latency: LatencyModel) -> Candidate:
    """An evaluated architecture."""
    return Candidate(str(arch), accuracy, latency.predict(arch), 1, 1)


def sampled(truth: Truth, rng: random.Random, count: int) -> list[Candidate]:
    """Different networks drawn from the whole space."""
    archs: set[Arch] = set()
    while len(archs) < count:
        archs.add(truth.space.sample(rng))
    return judged(truth, sorted(archs), rng)


def bred(truth: Truth, rng: random.Random, count: int) -> list[Candidate]:
    """Networks as a search finds them: a few drawn, the others children of the front so far."""
    latency = drawn_model(truth.space, 0)
    found = {c.arch: c for c in sampled(truth, rng, count // 3)}
    while len(found) < count:
        members = front(list(found.values()), lambda c: (c.predicted_ms, -c.proxy_accuracy))
        a, b = (Arch(tuple(rng.choice(members).arch.split("-"))) for _ in range(2))
        child = truth.space.mutate(truth.space.crossover(a, b, rng), rng, 0.15)
        if str(child) not in found:
            found[str(child)] = candidate(
                child, truth.accuracy(child) + rng.gauss(0, NOISE), latency
            )
    return list(found.values())


def judged(truth: Truth, archs: Sequence[Arch], rng: random.Random) -> list[Candidate]:
    """Those networks with their noisy accuracies."""
    latency = drawn_model(truth.space, 0)
    return [candidate(a, truth.accuracy(a) + rng.gauss(0, NOISE), latency) for a in archs]
