"""Random search: as many judgements as the others make, within the limits, and nothing learned."""

from __future__ import annotations

import pytest

from engine.events import Evaluated, fold
from engine.front import phase as front_phase
from engine.front.limits import Limits
from engine.front.phase import FrontPhase
from engine.problem import Problem
from engine.space import Arch
from engine.strategies import random_search
from engine.strategies.draw import drawn_evenly, drawn_within
from engine.strategies.random_search import RandomSearch
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_problem, toy_space


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_phase, "CHILDREN", 8)


def opened(**changes) -> RandomSearch:
    return RandomSearch(toy_problem(**{"strategy": "random_search", "epochs": 3, **changes}))


def judged(search: RandomSearch) -> list[Evaluated]:
    events = [event for i in range(search.epochs, search.steps) for event in search.step(i)]
    return [event for event in events if isinstance(event, Evaluated)]


@pytest.mark.parametrize("epochs", [3, 16])
def test_it_judges_as_many_networks_as_the_front_phase_of_the_others(epochs):
    search = opened(epochs=epochs)
    front = FrontPhase(search.problem)
    assert search.steps == epochs + front.steps
    other = [e for i in range(front.steps) for e in front.step([] if i == 0 else None)]
    assert len(judged(search)) == sum(isinstance(e, Evaluated) for e in other)


def test_no_network_is_judged_twice_even_where_there_are_few():
    space = small_space(stage())
    search = opened(space=space, latency_limit_ms=macs_latency(space).slowest_ms)
    archs = [event.arch for event in judged(search)]
    assert len(set(archs)) == len(archs) == 16 < space.size()


def test_every_network_is_within_the_limits():
    most = toy_problem().filter.figure("params", toy_space().largest()) // 2
    search = opened(limits=Limits(params=int(most)))
    archs = [Arch.parse(event.arch) for event in judged(search)]
    drawn = [arch for arch in archs if arch not in front_phase.ends(search.problem)]
    assert drawn
    assert all(search.problem.filter.keeps(arch) for arch in drawn)


def test_what_a_network_is_worth_does_not_change_what_is_drawn_next(monkeypatch):
    usual = [event.arch for event in judged(opened())]
    real = random_search.evaluate

    def flattering(problem, arch):
        result = real(problem, arch)
        return type(result)(result.arch, 1.0, result.predicted_ms, result.params, result.macs)

    monkeypatch.setattr(random_search, "evaluate", flattering)
    assert [event.arch for event in judged(opened())] == usual


def test_every_epoch_trains_networks_from_all_of_the_space():
    search = opened()
    view = fold(search.step(0))
    middle = search.problem.limit_ms
    assert view.epochs[0].phase == "train"
    assert view.epochs[0].modelled_ms == pytest.approx(middle, rel=0.4)


def test_it_begins_with_the_ends_of_the_front_phase_of_the_others():
    search = opened()
    mine = [e.arch for e in search.step(search.epochs) if isinstance(e, Evaluated)]
    other = FrontPhase(search.problem).step([])
    theirs = [e.arch for e in other if isinstance(e, Evaluated)]
    ends = {str(search.problem.latency.fastest(toy_space())), str(toy_space().largest())}
    ends.add(str(toy_space().smallest()))
    assert set(mine[: len(ends)]) == set(theirs[: len(ends)]) == ends
    assert len(mine) == len(theirs)
    later = [e.arch for e in search.step(search.epochs + 1) if isinstance(e, Evaluated)]
    assert not set(later) & set(mine)


def uneven(problem: Problem) -> float:
    """How far 60 draws are from even ones, as Kolmogorov and Smirnov measure it (0..1)."""
    low, high = problem.latency.fastest_ms, min(problem.limit_ms, problem.latency.slowest_ms)
    drawn = drawn_evenly(problem, 60)
    assert len(set(drawn)) == 60
    shares = sorted((problem.latency.predict(a) - low) / (high - low) for a in drawn)
    assert shares[-1] <= 1.0 + 1e-9
    return max(abs(share - (i + 0.5) / 60) for i, share in enumerate(shares))


@pytest.mark.parametrize("times", [0.55, 1.0, 10.0])
def test_what_random_search_judges_is_spread_evenly_up_to_the_limit_or_the_slowest(times):
    limit = times * macs_latency(toy_space()).slowest_ms
    assert uneven(toy_problem(latency_limit_ms=limit)) < 0.25  # of even draws: 999 of 1,000


def test_half_of_what_is_drawn_lies_just_below_the_latency_limit():
    problem = toy_problem()
    drawn = drawn_within(problem, 60)
    near = [a for a in drawn if problem.latency.predict(a) >= 0.8 * problem.limit_ms]
    assert len(near) >= 25
    assert len(near) < 60


def test_a_space_with_fewer_networks_is_exhausted_and_that_is_all():
    space = small_space(stage(depth=[1, 1], kernel=[3]))
    problem = toy_problem(space, latency_limit_ms=macs_latency(space).slowest_ms)
    assert len(drawn_within(problem, 10)) == space.size() == 2
    assert drawn_within(problem, 10, {space.largest(), space.smallest()}) == []


def test_limits_that_few_uniform_draws_keep_are_met_by_moving():
    latency = macs_latency(toy_space())
    tight = latency.fastest_ms + 0.02 * (latency.slowest_ms - latency.fastest_ms)
    problem = toy_problem(latency_limit_ms=tight)
    drawn = drawn_within(problem, 10)
    assert drawn
    assert all(latency.predict(arch) <= tight for arch in drawn)
