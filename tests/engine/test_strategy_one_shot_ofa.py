"""One-shot search by Once-for-All's points: recalibrated batch norm, and what evolution returns.

Points 1, 3, 4 and 6 are those of superkernels and encodings; there is no sorting by importance (2;
`one_shot` says why).
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import pytest

from engine.devices import Samples
from engine.events import View, fold
from engine.front.finalists import finalists, measure_finalists
from engine.front.phase import FrontPhase
from engine.problem import evaluate
from engine.space import Arch
from engine.strategies.one_shot import OneShot
from engine.train import accuracy, recalibrate_bn
from tests.planted_search import planted_problem
from tests.problems import macs_latency, toy_problem, toy_space


def test_ofa_5_recalibration_helps_small_networks_and_leaves_the_largest_within_noise():
    search = OneShot(toy_problem(strategy="one_shot", mode="uniform", epochs=5))
    for i in range(search.epochs):
        list(search.step(i))
    problem = search.problem
    split = problem.splits["architecture"]
    gains = {}
    for name, arch in (("small", search.smallest), ("large", search.largest)):
        network = problem.supernet.subnet(arch)
        before = accuracy(network, split)
        recalibrate_bn(network, problem.splits["weights"])
        gains[name] = accuracy(network, split) - before
    assert gains["large"] > -0.1
    assert gains["small"] > 0.2


def searched(front: FrontPhase) -> Iterator[View]:
    """What is known after each generation of a front phase."""
    view = View()
    for number in range(front.steps):
        yield fold(front.step([] if number == 0 else None), view)


def test_ofa_7_best_so_far_never_falls_and_is_still_worth_that_in_the_end():
    """It falls where a generation moves the weights, or makes what was known look stale."""
    problem = toy_problem(strategy="one_shot", epochs=12)
    curve = []
    for view in searched(FrontPhase(problem)):
        inside = [c for c in view.fresh() if c.predicted_ms <= problem.limit_ms]
        best = max(inside, key=lambda c: c.proxy_accuracy)
        curve.append(best.proxy_accuracy)
        assert evaluate(problem, Arch.parse(best.arch)).proxy_accuracy == best.proxy_accuracy
    assert len(curve) == 3
    assert curve == sorted(curve)


def test_ofa_7_evolution_goes_beyond_the_limit_only_as_far_as_a_front_is_worth_seeing():
    problem = planted_problem(toy_space(), strategy="one_shot", epochs=24)
    *_, view = searched(FrontPhase(problem))
    ends = {str(problem.space.largest()), str(problem.space.smallest())}
    asked = [c.predicted_ms for c in view.fresh() if c.arch not in ends]
    assert problem.limit_ms < max(asked) <= problem.filter.slack * problem.limit_ms


class Erring:
    """A device on which networks take what was predicted, but those in `slow` half more."""

    name, key = "erring device", "fake"

    def __init__(self, predicted: dict[str, float], slow: Collection[str]) -> None:
        self.ms = {arch: ms * (1.5 if arch in slow else 1.0) for arch, ms in predicted.items()}

    def provenance(self) -> dict[str, Any]:
        return {"device": self.name}

    def measure(self, models: Sequence[bytes], _effort: object, _tell: object) -> list[Samples]:
        archs = [next(a for a in self.ms if a.encode() in model) for model in models]
        return [Samples(ms, ms, ms, ms, 100, (ms,)) for ms in map(self.ms.__getitem__, archs)]


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_ofa_7_what_is_returned_is_within_the_limit(share):
    latency = macs_latency(toy_space())
    limit = latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)
    problem = planted_problem(toy_space(), strategy="one_shot", epochs=24, latency_limit_ms=limit)
    *_, view = searched(FrontPhase(problem))
    assert any(c.predicted_ms > limit for c in view.fresh())
    measured = finalists(view, limit)
    assert all(view.candidates[arch].predicted_ms <= limit for arch in measured)
    slow = sorted(measured, key=lambda arch: -view.candidates[arch].proxy_accuracy)[:3]
    device = Erring({c.arch: c.predicted_ms for c in view.fresh()}, slow)
    assert all(device.ms[arch] > limit for arch in slow)
    told = measure_finalists(
        toy_problem().supernet,
        device,
        view,
        limit_ms=limit,
        yardstick_ns=0.0,
        on_progress=lambda *_: None,
    )
    pick = fold(told, view).best(limit)
    assert pick is not None
    assert device.ms[pick.arch] <= limit
