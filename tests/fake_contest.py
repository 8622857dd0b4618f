"""Runs of a comparison that take made-up seconds and end in made-up accuracies; no torch."""

from __future__ import annotations

from functools import cache

import pytest

from engine.devices import open_device
from engine.events import (
    DataReady,
    Evaluated,
    Event,
    Finished,
    Measured,
    Progress,
    Resumed,
    Trained,
)
from engine.spec import CompareSpec, DataChoice, DeviceChoice, RunSpec, Spec, TrainSpec
from engine.store import Store
from engine.strategies import STRATEGIES
from tests.problems import macs_latency, toy_problem, toy_space

SPACE = toy_space()
LATENCY = macs_latency(SPACE)
LIMIT = (LATENCY.fastest_ms + LATENCY.slowest_ms) / 2
WORTH = {"one_shot": 0.90, "random_search": 0.80}  # of a pick trained alone; of others 0.85
EPOCH_S = {"one_shot": 3.0, "random_search": 0.3, "fbnet": 0.8, "proxyless": 0.6, "mnasnet": 0.5}
USUAL_S = 0.4  # of an epoch of the others
PHASE_S = {"front": 2.0, "draw": 2.0, "judge": 4.0, "screen": 3.0, "adapt": 1.5}  # of one step
PEAK = 5_000_000


@cache
def plan(strategy: str, epochs: int) -> tuple[str, ...]:
    """Phase of every step, as the strategy itself calls them."""
    real = STRATEGIES[strategy](toy_problem(strategy=strategy, epochs=epochs))
    return tuple(real.phase(step) for step in range(real.steps))


def seconds_of(strategy: str, epochs: int) -> float:
    """What a made-up search costs before its front is measured."""
    return sum(_step_s(strategy, phase) for phase in plan(strategy, epochs))


def _step_s(strategy: str, phase: str) -> float:
    return PHASE_S.get(phase, EPOCH_S.get(strategy, USUAL_S))


def contest(**changes: object) -> CompareSpec:
    """Two strategies, two seeds, a minute each."""
    usual = {"strategies": ("one_shot", "random_search"), "seeds": 2, "epochs": 6}
    device = DeviceChoice()
    return CompareSpec(SPACE, DataChoice("digits"), device, LIMIT, **{**usual, **changes})


class Fake:
    """Does the runs of a comparison at once, on a clock of its own; remembers what was asked."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.done = store, []
        self.now = 1000.0
        monkeypatch.setattr("engine.store.time.time", lambda: self.now)
        key = open_device(DeviceChoice()).key
        store.put_calibration(key, SPACE.with_data(3).digest(), LATENCY.to_json())

    def __call__(self, spec: Spec, words: str) -> tuple[int, int]:
        """A run of that spec, done."""
        self.done.append((spec, words))
        number = self.store.create_run(spec)
        self.play(number)
        return number, PEAK

    def play(self, number: int) -> None:
        """What the worker of a run would say."""
        spec = self.store.run(number).spec
        if isinstance(spec, RunSpec):
            self._search(number, spec)
        else:
            assert isinstance(spec, TrainSpec)
            self._train(number, spec)
        self.store.set_state(number, "finished")

    def _tell(self, number: int, seconds: float, *events: Event) -> None:
        self.now += seconds
        self.store.append(number, *events)

    def _search(self, number: int, spec: RunSpec) -> None:
        self._tell(number, 7.0, Resumed(0), DataReady("toy", "0", ("a", "b", "c"), {}))
        fast = LATENCY.fastest(SPACE)
        ms = LATENCY.predict(fast)
        steps = plan(spec.strategy, spec.epochs)
        for step, phase in enumerate(steps, 1):
            if step == len(steps):
                self._tell(number, 0.0, Evaluated(str(fast), 0.7, ms, 1, 1))
            seconds = _step_s(spec.strategy, phase)
            self._tell(number, seconds, Progress(step, len(steps) + 1, phase))
        self._tell(number, 30.0, Measured(str(fast), ms, ms, ms, 9, (ms,)))
        self._tell(number, 0.0, Progress(len(steps) + 1, len(steps) + 1, "measure"))
        self._tell(number, 0.0, Finished("budget used", 1.0))

    def _train(self, number: int, spec: TrainSpec) -> None:
        host = self.store.run(spec.run).spec
        assert isinstance(host, RunSpec)
        picked = spec.arch == str(LATENCY.fastest(SPACE))
        worth = WORTH.get(host.strategy, 0.85) if picked else 0.75 + 0.01 * (spec.seed % 3)
        bonus = 0.05 if spec.mode == "finetune" else 0.0
        worth += bonus + 0.001 * spec.seed
        self._tell(number, 1.0, Trained(spec.arch, spec.mode, 0.5, worth, worth, 1.0))
