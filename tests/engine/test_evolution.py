"""Evolution: it stays in the space, ends, and finds the front of a toy."""

from __future__ import annotations

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from engine.front.evolution import Evolution, move_to
from engine.front.filter import Filter
from engine.front.limits import Limits
from engine.space import Arch, SearchSpace
from tests.builders import small_space, spaces, stage
from tests.problems import macs_latency, toy_space


@given(spaces(), st.integers(0, 10_000), st.floats(0.0, 1.2))
def test_moving_to_a_target_stays_in_the_space_and_within_what_is_reachable(space, seed, share):
    latency = macs_latency(space)
    target = latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)
    rng = random.Random(seed)
    moved = move_to(space, latency, space.sample(rng), target, rng)
    assert moved in space
    assert latency.predict(moved) <= target + 1e-9


def test_a_target_below_the_fastest_ends_at_the_fastest() -> None:
    space = toy_space()
    latency = macs_latency(space)
    moved = move_to(space, latency, space.largest(), 0.0, random.Random(0))
    assert latency.predict(moved) == latency.predict(latency.fastest(space))


def worth(arch: Arch) -> float:
    """An accuracy that grows with every choice, so the true front is known by enumeration."""
    return sum({"skip": 0, "k3e3": 3, "k5e3": 4, "k3e6": 6, "k5e6": 8}[op] for op in arch.ops) / 40


def run(seed: int, generations: int, space: SearchSpace | None = None) -> Evolution:
    space = space or toy_space()
    latency = macs_latency(space)
    rng = random.Random(seed)
    limit = (latency.fastest_ms + latency.slowest_ms) / 2
    evolution = Evolution(Filter(space, latency, limit))
    for _ in range(generations):
        for arch in evolution.ask(16, rng):
            evolution.tell(arch, worth(arch))
    return evolution


def test_the_same_seed_asks_the_same() -> None:
    assert list(run(3, 4).told) == list(run(3, 4).told)


def test_nothing_is_asked_twice_and_an_exhausted_space_ends_it() -> None:
    evolution = run(0, 30, small_space(stage(depth=[1, 2])))
    assert len(evolution.told) <= evolution.space.size()
    assert len(evolution.ask(16, random.Random(1))) < 16


def test_children_are_counted_as_they_were_drawn_and_kept_as_they_were_moved() -> None:
    space = toy_space()
    kept = Filter(space, macs_latency(space), 1e9, Limits(params=2000))
    asked = Evolution(kept).ask(12, random.Random(0))
    assert len(asked) == 12
    assert all(kept.keeps(arch) for arch in asked)
    assert kept.refused["params"] > kept.asked / 2


def test_the_best_within_the_limit_is_found() -> None:
    space = toy_space()
    latency = macs_latency(space)
    evolution = run(1, 12)
    everything = [space.sample(random.Random(i)) for i in range(3000)]
    reachable = 0.97 * evolution.limit_ms  # what children are aimed at
    best = max(worth(a) for a in everything if latency.predict(a) <= reachable)
    found = max(worth(a) for a in evolution.told if latency.predict(a) <= evolution.limit_ms)
    assert found >= best
    assert len(evolution.told) < space.size()


class Luck(Evolution):
    """Evolution without parents: what it asks for is drawn, and then moved as children are."""

    def _offspring(self, _pool: list[Arch], rng: random.Random) -> Arch:
        return self.space.sample(rng)


def shares(kind: type[Evolution]) -> list[Counter[tuple[str, ...]]]:
    """How often each value of each gene is asked for by what is always told the same accuracy."""
    space = small_space(*(stage(depth=[1, 2]) for _ in range(4)))
    latency = macs_latency(space)
    limit = (latency.fastest_ms + latency.slowest_ms) / 2
    asked: list[Arch] = []
    for seed in range(60):
        rng, evolution = random.Random(seed), kind(Filter(space, latency, limit))
        for generation in range(5):
            archs = evolution.ask(12, rng)
            asked += archs if generation else []  # the first has no parents in any case
            for arch in archs:
                evolution.tell(arch, 0.5)
    found = [Counter(space.parts(arch)[i] for arch in asked) for i in range(len(space.genes()))]
    return [Counter({v: n / len(asked) for v, n in count.items()}) for count in found]


def test_spos_evolution_with_a_constant_score_equals_random_search() -> None:
    for blind, luck in zip(shares(Evolution), shares(Luck), strict=True):
        for value in blind | luck:
            assert abs(blind[value] - luck[value]) <= 0.08, value
