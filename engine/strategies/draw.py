"""Random networks within a search's limits: for baselines, and for pools that are screened."""

from __future__ import annotations

from collections.abc import Container

from engine.front.evolution import move_to
from engine.problem import Problem
from engine.space import Arch

NEAR = (0.9, 1.0)  # share of the latency limit that moved networks are moved to
TRIES = 50  # attempts at one network that is new; then the space is taken as exhausted


def drawn_within(problem: Problem, count: int, known: Container[Arch] = ()) -> list[Arch]:
    """Up to `count` networks, none of them in `known` or twice; fewer once the space has no more.

    Half are drawn uniformly and kept if every limit admits them; the other half are first moved to
    just below the latency limit, where a search looks too.
    """
    found: dict[Arch, None] = {}
    for i in range(count):
        for attempt in range(TRIES):
            # where one way finds nothing new within the limits, the other takes its place
            moved = bool(i % 2) != (attempt * 2 >= TRIES)
            arch = _moved(problem) if moved else _uniform(problem)
            if arch not in found and arch not in known and _within(problem, arch):
                found[arch] = None
                break
    return list(found)


def _within(problem: Problem, arch: Arch) -> bool:
    return problem.latency.predict(arch) <= problem.limit_ms and problem.filter.admits(arch)


def _uniform(problem: Problem) -> Arch:
    return problem.space.sample(problem.rng)


def _moved(problem: Problem) -> Arch:
    rng, space = problem.rng, problem.space
    target = rng.uniform(*NEAR) * problem.limit_ms
    return problem.filter.fit(move_to(space, problem.latency, space.sample(rng), target, rng), rng)
