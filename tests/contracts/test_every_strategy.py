"""What every strategy owes the run loop, on a toy search."""

from __future__ import annotations

import io
import random

import pytest
import torch

from engine.events import Evaluated, Event, View, fold
from engine.front import phase as front_phase
from engine.problem import evaluate
from engine.run import freeze, restore
from engine.space import Arch
from engine.strategies import STRATEGIES, Strategy
from studio import text
from tests.problems import macs_latency, toy_problem, toy_space

pytestmark = pytest.mark.parametrize("name", STRATEGIES)


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer evaluations than people wait for; the contract is about none of their number."""
    monkeypatch.setattr(front_phase, "GENERATIONS", 4)
    monkeypatch.setattr(front_phase, "CHILDREN", 10)


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


def test_what_it_finds_within_the_limit_beats_random_networks_on_the_same_weights(name) -> None:
    strategy, problem = opened(name, epochs=5)  # more make every network right
    view: View = fold(steps(strategy))
    within = [c for c in view.candidates.values() if c.predicted_ms <= problem.limit_ms]
    best = max(c.proxy_accuracy for c in within)
    rng = random.Random(9)
    drawn = [problem.space.sample(rng) for _ in range(60)]
    inside = [a for a in drawn if problem.latency.predict(a) <= problem.limit_ms]
    assert len(inside) >= 10
    scores = [evaluate(problem, a).proxy_accuracy for a in inside]
    assert best > sum(scores) / len(scores)


def test_a_limit_only_the_fastest_meets_is_met(name) -> None:
    tight = macs_latency(toy_space()).fastest_ms * 1.001
    problem = toy_problem(strategy=name, latency_limit_ms=tight)
    view = fold(steps(STRATEGIES[name](problem)))
    assert any(c.predicted_ms <= tight for c in view.candidates.values())
