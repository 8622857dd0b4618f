"""What every strategy owes its user: nothing above any limit is measured, best or handed over."""

from __future__ import annotations

import pytest

from engine.events import View, fold
from engine.front import phase as front_phase
from engine.front.filter import Filter
from engine.front.finalists import finalists, measure_finalists
from engine.front.limits import Limits
from engine.problem import Problem
from engine.space import Arch
from engine.strategies import STRATEGIES
from engine.trust.plan import picked
from tests.problems import CountingDevice, macs_latency, toy_problem, toy_space

SPACE = toy_space()
LATENCY = macs_latency(SPACE)
LOOSE_MS = 2 * LATENCY.slowest_ms
SHARE = 0.25  # how far from the least to the most of the space a limit lies


def limits_of(*names: str) -> Limits:
    """Limits that all but small networks break."""
    free = Filter(SPACE, LATENCY, LOOSE_MS)
    ends = {n: [free.figure(n, a) for a in (SPACE.smallest(), SPACE.largest())] for n in names}
    return Limits(**{n: int(low + SHARE * (high - low)) for n, (low, high) in ends.items()})


LIMITS = {
    "params": limits_of("params"),
    "others": limits_of("macs", "peak_bytes", "onnx_bytes"),
}


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer evaluations than people wait for; the contract is about none of their number."""
    monkeypatch.setattr(front_phase, "GENERATIONS", 2)
    monkeypatch.setattr(front_phase, "CHILDREN", 10)


def searched(name: str, limits: Limits) -> tuple[Problem, View]:
    """A whole search with its measurements, and the view that its store would give."""
    problem = toy_problem(SPACE, strategy=name, latency_limit_ms=LOOSE_MS, limits=limits, epochs=4)
    strategy = STRATEGIES[name](problem)
    events = [event for i in range(strategy.steps) for event in strategy.step(i)]
    view = fold(events, View(limits))
    measured = measure_finalists(
        problem.supernet,
        CountingDevice(),
        view,
        limit_ms=LOOSE_MS,
        yardstick_ns=0.0,
        on_progress=lambda *_: None,
    )
    return problem, fold(measured, view)


def broken(problem: Problem, archs: list[str]) -> list[str]:
    """Which of the limits which network breaks, by what the network itself costs."""
    asked = problem.spec.limits.asked().items()
    return [
        f"{arch}: {what} {problem.filter.figure(what, Arch.parse(arch)):.0f} > {most}"
        for arch in archs
        for what, most in asked
        if problem.filter.figure(what, Arch.parse(arch)) > most
    ]


@pytest.mark.parametrize("limits", LIMITS)
@pytest.mark.parametrize("name", STRATEGIES)
def test_nothing_above_a_limit_is_on_the_front_measured_or_picked(name: str, limits: str) -> None:
    problem, view = searched(name, LIMITS[limits])
    assert view.candidates
    measured = [c.arch for c in view.candidates.values() if c.measured]
    best, pick = view.best(LOOSE_MS), picked(view, LOOSE_MS)
    assert measured
    assert best is not None
    assert pick == best.arch
    chosen = [*measured, best.arch, *finalists(view, LOOSE_MS), *(c.arch for c in view.front())]
    assert broken(problem, chosen) == []
