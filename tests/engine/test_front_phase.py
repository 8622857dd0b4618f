"""The last phase of a search: what it begins with, and that it learns however short it is."""

from __future__ import annotations

import pytest

from engine.events import Evaluated, Foreseen, Learned
from engine.front.limits import Limits
from engine.front.linas import FIRST
from engine.front.phase import FrontPhase, ends, within
from engine.space import Arch
from tests.problems import macs_latency, toy_problem, toy_space

SPACE = toy_space()
LATENCY = macs_latency(SPACE)


def opened(epochs: int = 4, **changes) -> FrontPhase:
    return FrontPhase(toy_problem(SPACE, epochs=epochs, **changes))


def searched(front: FrontPhase) -> list:
    return [e for i in range(front.steps) for e in front.step(None if i else [SPACE.largest()])]


def test_a_short_search_by_linas_learns_and_proposes():
    events = searched(opened(front="linas"))
    judged = sum(isinstance(e, Evaluated) for e in events)
    learned = [e for e in events if isinstance(e, Learned)]
    assert judged < 2 * FIRST
    assert learned
    assert learned[0].n <= judged // 2 + 4
    assert any(e.ghosts for e in events if isinstance(e, Foreseen))


@pytest.mark.parametrize(("epochs", "first"), [(4, 24), (12, 36), (20, 48), (400, 48)])
def test_half_of_what_will_be_judged_is_drawn_at_most(epochs, first):
    assert opened(epochs, front="linas").searcher.first == first


def test_without_other_limits_it_begins_with_its_seeds_and_the_ends_as_they_are():
    front = opened(latency_limit_ms=LATENCY.fastest_ms * 1.2)
    seed = SPACE.sample(front.problem.rng)
    known = [Arch.parse(e.arch) for e in front.step([seed]) if isinstance(e, Evaluated)]
    assert known[:2] == [seed, *ends(front.problem)][:2]
    assert {*ends(front.problem)} <= {*known}


def test_seeds_and_ends_are_moved_into_the_other_limits():
    front = opened(limits=Limits(params=3028), latency_limit_ms=2 * LATENCY.slowest_ms)
    kept = front.problem.filter
    judged = [Arch.parse(e.arch) for e in searched(front) if isinstance(e, Evaluated)]
    assert len(judged) > 10
    assert all(kept.keeps(arch) for arch in judged)
    # what had to be moved is still near to its limit, not at the other end of the space
    assert max(kept.figure("params", arch) for arch in judged) > 2000


def test_what_cannot_be_moved_into_the_limits_is_left_out():
    problem = toy_problem(SPACE, limits=Limits(params=1))
    assert within(problem, ends(problem)) == []
