"""Random networks within a search's limits: for baselines, and for pools that are screened."""

from __future__ import annotations

from collections.abc import Callable, Container

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

    def draw(number: int, attempt: int) -> Arch:
        # where one way finds nothing new within the limits, the other takes its place
        moved = bool(number % 2) != (attempt * 2 >= TRIES)
        return _moved(problem, NEAR[0] * problem.limit_ms) if moved else _uniform(problem)

    return _different(problem, count, known, draw=draw)


def drawn_evenly(problem: Problem, count: int, known: Container[Arch] = ()) -> list[Arch]:
    """As `drawn_within`, but spread over all latencies: a front has fast networks as well.

    Every network is moved to a latency drawn uniformly from that of the fastest to the limit.
    """
    fastest = problem.latency.fastest_ms

    def draw(_: int, attempt: int) -> Arch:
        # moved networks are as dear as they may be, which leaves some out: later attempts take any
        return _uniform(problem) if attempt * 2 >= TRIES else _moved(problem, fastest)

    return _different(problem, count, known, draw=draw)


def _different(
    problem: Problem, count: int, known: Container[Arch], *, draw: Callable[[int, int], Arch]
) -> list[Arch]:
    """What `draw` (number, attempt) finds that is new and within the limits."""
    found: dict[Arch, None] = {}
    for i in range(count):
        for attempt in range(TRIES):
            arch = draw(i, attempt)
            if arch not in found and arch not in known and problem.filter.keeps(arch):
                found[arch] = None
                break
    return list(found)


def _uniform(problem: Problem) -> Arch:
    arch = problem.space.sample(problem.rng)
    problem.filter.admits(arch)  # counted as it was drawn: moved, next to all are admitted
    return arch


def _moved(problem: Problem, least_ms: float) -> Arch:
    """A network as dear as a latency allows that is drawn between `least_ms` and the limit."""
    rng, space = problem.rng, problem.space
    most = NEAR[1] * min(problem.limit_ms, problem.latency.slowest_ms)
    target = rng.uniform(least_ms, most)
    return problem.filter.fit(move_to(space, problem.latency, _uniform(problem), target, rng), rng)
