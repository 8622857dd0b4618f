"""What every strategy owes the run loop, on a toy search."""

from __future__ import annotations

import io
from statistics import mean

import pytest
import torch

from engine.events import Evaluated, Event, fold
from engine.front import phase as front_phase
from engine.run import freeze, restore
from engine.space import Arch
from engine.strategies import STRATEGIES, Strategy, zero_cost
from studio import text
from tests.planted_search import by_luck, found, planted_problem, shortfall
from tests.problems import macs_latency, toy_problem, toy_space

BASELINE = "random_search"  # learns nothing by design: what the others find, it need not find
TOYS = 3  # spaces whose best network is known
NEAR = 0.05  # of accuracy: this near the best network within the limit, on average over the toys
LUCK = 0.75  # and at most so much of the way that as many random networks leave


@pytest.fixture(params=STRATEGIES)
def name(request: pytest.FixtureRequest) -> str:
    """Every strategy in turn."""
    return request.param


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer evaluations than people wait for; the contract is about none of their number."""
    monkeypatch.setattr(front_phase, "GENERATIONS", 4)
    monkeypatch.setattr(front_phase, "CHILDREN", 10)
    monkeypatch.setattr(zero_cost, "PER_EPOCH", 8)


def opened(name: str, seed: int = 0, epochs: int = 6) -> tuple[Strategy, object]:
    problem = toy_problem(strategy=name, seed=seed, epochs=epochs)
    return STRATEGIES[name](problem), problem


def steps(strategy: Strategy, start: int = 0, stop: int | None = None) -> list[Event]:
    end = strategy.steps if stop is None else stop
    return [event for i in range(start, end) for event in strategy.step(i)]


def test_its_plan_covers_every_step(name) -> None:
    strategy, _ = opened(name)
    assert strategy.steps > 0
    assert all(strategy.phase(i) and strategy.weight(i) > 0 for i in range(strategy.steps))


def test_every_phase_has_words_on_the_page(name) -> None:
    strategy, _ = opened(name)
    assert {strategy.phase(i) for i in range(strategy.steps)} <= text.PHASES.keys()


def test_it_stays_in_the_space_and_predicts_what_the_device_says(name) -> None:
    strategy, problem = opened(name)
    for event in steps(strategy):
        if isinstance(event, Evaluated):
            arch = problem.space.require(Arch.parse(event.arch))
            assert event.predicted_ms == problem.latency.predict(arch)


def test_it_tells_how_far_each_step_is_from_0_to_1(name) -> None:
    strategy, problem = opened(name)
    told: list[float] = []
    problem.tick = told.append
    for i in range(strategy.steps):
        told.clear()
        list(strategy.step(i))
        assert told == sorted(told)
        assert told[-1] == pytest.approx(1.0)


def test_the_same_seed_gives_the_same_events(name) -> None:
    assert steps(opened(name, seed=4)[0]) == steps(opened(name, seed=4)[0])


def test_it_goes_on_from_a_checkpoint_as_if_never_stopped(name) -> None:
    whole = steps(opened(name)[0])
    first, problem = opened(name)
    cut = first.steps // 2
    begun = steps(first, stop=cut)
    buffer = io.BytesIO()
    torch.save(freeze(problem, first, step=cut, seconds=0.0), buffer)
    state = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)
    second, fresh = opened(name)
    restore(state, fresh, second)
    assert begun + steps(second, start=cut) == whole


def left(name: str) -> tuple[float, float]:
    """How far what it finds on planted toys is from the best, and how far luck would be; means."""
    ways, lucks = [], []
    for seed in range(TOYS):
        problem = planted_problem(toy_space(), strategy=name, seed=seed, epochs=32)
        view = fold(steps(STRATEGIES[name](problem)))
        ways.append(shortfall(problem, found(problem, view)))
        lucks.append(by_luck(problem, len(view.candidates)))
    return mean(ways), mean(lucks)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != BASELINE])
def test_it_finds_nearly_the_best_network_of_a_toy_space(name, monkeypatch) -> None:
    monkeypatch.setattr(front_phase, "GENERATIONS", 8)
    monkeypatch.setattr(front_phase, "CHILDREN", 8)
    way, luck = left(name)
    assert way <= NEAR
    assert way <= LUCK * luck


def test_random_search_does_not_find_it(monkeypatch) -> None:
    monkeypatch.setattr(front_phase, "GENERATIONS", 8)
    monkeypatch.setattr(front_phase, "CHILDREN", 8)
    way, luck = left(BASELINE)
    assert way > NEAR
    assert way > LUCK * luck


def test_a_limit_only_the_fastest_meets_is_met(name) -> None:
    tight = macs_latency(toy_space()).fastest_ms * 1.001
    problem = toy_problem(strategy=name, latency_limit_ms=tight)
    view = fold(steps(STRATEGIES[name](problem)))
    assert any(c.predicted_ms <= tight for c in view.candidates.values())
