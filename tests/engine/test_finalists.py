"""What a search measures at its end, and how the pick is confirmed, on a device with a script."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from engine.cost import network_cost
from engine.devices import Effort, Samples, calm
from engine.events import EpochEnd, Evaluated, Measured, View, Warned, fold
from engine.front.finalists import CONFIRMATIONS, MOST, finalists, measure_finalists
from engine.front.limits import Limits
from engine.space import Arch
from engine.store import Progressing
from engine.supernet import SuperNet
from tests.problems import toy_problem, toy_space

LIMIT = 1.0
EPOCH = EpochEnd("settle", 3, 0.5, 1.0, 0.0, (), ())


def archs(count: int) -> list[str]:
    """Different networks of the toy space."""
    rng, names = random.Random(0), dict[str, None]()
    while len(names) < count:
        names[str(toy_space().sample(rng))] = None
    return list(names)


A, B, C, D, E = archs(5)


def evaluated(arch: str, accuracy: float, predicted_ms: float) -> Evaluated:
    cost = network_cost(toy_space(), Arch.parse(arch))
    return Evaluated(arch, accuracy, predicted_ms, cost.params, cost.macs)


def seen(**found: tuple[float, float]) -> View:
    """A view of candidates A to E by (accuracy, predicted ms)."""
    names = dict(zip("ABCDE", (A, B, C, D, E), strict=True))
    return fold([evaluated(names[letter], *values) for letter, values in found.items()])


class Scripted:
    """A device that says of every network what it was told to: its sessions, call by call.

    The last entry of a network's script repeats. `asked` holds the networks of every call.
    """

    name, key = "scripted device", "fake"

    def __init__(self, script: Mapping[str, Sequence[tuple[float, ...]]]) -> None:
        self.script = {arch: list(calls) for arch, calls in script.items()}
        self.yardsticks = [0.0]
        self.asked: list[list[str]] = []

    def provenance(self) -> dict[str, Any]:
        return {"device": self.name}

    def measure(
        self, models: Sequence[bytes], _effort: Effort, on_progress: Progressing
    ) -> list[Samples]:
        names = [next(a for a in self.script if a.encode() in model) for model in models]
        self.asked.append(names)
        on_progress(1.0, "")
        yardstick = self.yardsticks.pop(0) if len(self.yardsticks) > 1 else self.yardsticks[0]
        return [self._samples(self._next(name), yardstick) for name in names]

    def _next(self, name: str) -> tuple[float, ...]:
        calls = self.script[name]
        return calls.pop(0) if len(calls) > 1 else calls[0]

    def _samples(self, sessions: tuple[float, ...], yardstick: float) -> Samples:
        p50 = sorted(sessions)[len(sessions) // 2]
        return Samples(p50, p50, p50, p50, 100, sessions, 0.0, yardstick)


@pytest.fixture(scope="module")
def supernet() -> SuperNet:
    return toy_problem().supernet


@pytest.fixture(autouse=True)
def rests(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that were rested, without resting."""
    rested: list[float] = []
    monkeypatch.setattr(calm.time, "sleep", rested.append)
    return rested


def measured(
    supernet: SuperNet, device: Scripted, view: View, *, yardstick_ns: float = 0.0
) -> tuple[list[Measured | Warned], list[float]]:
    """Events of measuring (folded into the view), and the shares that were told."""
    told: list[float] = []
    events = list(
        measure_finalists(
            supernet,
            device,
            view,
            limit_ms=LIMIT,
            yardstick_ns=yardstick_ns,
            on_progress=lambda share, _: told.append(share),
        )
    )
    fold(events, view)
    return events, told


# -- which ----------------------------------------------------------------------------------------


def test_the_front_is_measured_up_to_the_limit_and_no_further() -> None:
    view = seen(A=(0.5, 0.2), B=(0.6, 0.5), C=(0.7, 0.999), D=(0.8, 1.001), E=(0.9, 1.5))
    assert set(finalists(view, LIMIT)) == {A, B, C}


def test_others_are_measured_only_near_the_limit_and_with_room_below_it() -> None:
    front = {"A": (0.9, 0.3)}  # dominates all others
    assert set(finalists(seen(**front, B=(0.8, 0.81), C=(0.7, 0.97)), LIMIT)) == {A, B, C}
    assert finalists(seen(**front, B=(0.8, 0.79), C=(0.7, 0.98)), LIMIT) == [A]


def test_only_the_fastest_is_measured_where_no_prediction_meets_the_limit() -> None:
    assert finalists(seen(A=(0.9, 1.4), B=(0.3, 1.1), C=(0.5, 1.2)), LIMIT) == [B]


def test_many_near_the_limit_leave_room_for_the_front_and_the_best_come_first() -> None:
    names = archs(100)
    near = [evaluated(a, 0.5 + i / 1000, 0.9) for i, a in enumerate(names[:90])]
    front = [evaluated(a, 0.1 + i / 100, 0.1 + i / 100) for i, a in enumerate(names[90:])]
    chosen = finalists(fold([*near, *front]), LIMIT)
    assert len(chosen) == len(set(chosen)) == MOST
    assert chosen[: MOST // 2] == [e.arch for e in reversed(near)][: MOST // 2]
    assert {e.arch for e in front} <= set(chosen)


def test_what_was_evaluated_before_the_weights_moved_on_is_not_measured() -> None:
    view = fold([evaluated(A, 0.99, 0.9), EPOCH, evaluated(B, 0.5, 0.9)])
    assert finalists(view, LIMIT) == [B]
    assert finalists(fold([evaluated(A, 0.6, 0.9)], view), LIMIT) == [A, B]


def test_what_is_above_another_limit_of_the_search_is_not_measured() -> None:
    costs = {a: network_cost(toy_space(), Arch.parse(a)).params for a in (A, B, C)}
    largest = max(costs, key=costs.__getitem__)
    names = sorted(costs, key=costs.__getitem__)
    limits = Limits(params=costs[largest] - 1)
    view = fold([evaluated(a, 0.5 + i / 10, 0.9) for i, a in enumerate(names)], View(limits))
    assert set(finalists(view, LIMIT)) == {*names} - {largest}
    assert largest not in finalists(view, 0.1)  # where only the fastest is taken


# -- measuring ------------------------------------------------------------------------------------


def test_all_are_measured_in_one_go_and_the_pick_once_more_alone(supernet) -> None:
    view = seen(A=(0.9, 0.95), B=(0.8, 0.9), C=(0.7, 0.85))
    device = Scripted({A: [(0.9, 0.95), (0.91, 0.96)], B: [(0.7, 0.8)], C: [(0.6, 0.6)]})
    events, told = measured(supernet, device, view)
    assert [sorted(names) for names in device.asked] == [sorted([A, B, C]), [A]]
    assert [e.arch for e in events] == [*device.asked[0], A]
    assert told == sorted(told)
    assert 0 <= told[0] <= told[-1] <= 1
    assert view.best(LIMIT).arch == A


def test_a_confirmed_pick_has_the_sessions_and_runs_of_both_and_the_later_percentiles(
    supernet,
) -> None:
    view = seen(A=(0.9, 0.95))
    events, _ = measured(supernet, Scripted({A: [(0.9, 0.95), (0.8, 0.85)]}), view)
    assert events[0] == Measured(A, 0.95, 0.95, 0.95, 100, (0.9, 0.95))
    assert events[1] == Measured(A, 0.85, 0.85, 0.85, 200, (0.9, 0.95, 0.8, 0.85))
    assert view.candidates[A].measured == events[1]


def test_a_pick_that_fails_its_second_measurement_is_replaced_by_the_next_best(supernet) -> None:
    view = seen(A=(0.9, 0.95), B=(0.8, 0.9), C=(0.7, 0.85))
    script = {A: [(0.9, 0.95), (0.9, 1.01)], B: [(0.7, 0.8)], C: [(0.6, 0.6)]}
    device = Scripted(script)
    events, _ = measured(supernet, device, view)
    assert device.asked[1:] == [[A], [B]]
    assert not any(isinstance(e, Warned) for e in events)
    assert view.best(LIMIT).arch == B
    assert not view.candidates[A].within(LIMIT)


def test_one_session_above_the_limit_is_enough_not_to_be_picked(supernet) -> None:
    view = seen(A=(0.9, 0.95), B=(0.8, 0.9))
    device = Scripted({A: [(0.5, 0.5, 1.01)], B: [(0.9, 0.9, 0.9)]})
    measured(supernet, device, view)
    assert device.asked[1:] == [[B]]
    assert view.best(LIMIT).arch == B


def test_a_pick_at_exactly_the_limit_is_within(supernet) -> None:
    view = seen(A=(0.9, 0.95))
    events, _ = measured(supernet, Scripted({A: [(LIMIT, LIMIT)]}), view)
    assert [type(e) for e in events] == [Measured, Measured]
    assert view.best(LIMIT).arch == A


def test_none_within_the_limit_is_said_and_nothing_measured_again(supernet) -> None:
    view = seen(A=(0.9, 0.95), B=(0.8, 0.9))
    device = Scripted({A: [(1.2, 1.2)], B: [(1.1, 1.1)]})
    events, _ = measured(supernet, device, view)
    assert len(device.asked) == 1
    assert [type(e) for e in events] == [Measured, Measured, Warned]
    assert events[-1].message == "No measured network met the limit: search with a higher one."
    assert view.best(LIMIT) is None


def test_all_failing_their_second_measurement_is_said(supernet) -> None:
    view = seen(A=(0.9, 0.95), B=(0.8, 0.9))
    device = Scripted({A: [(0.9, 0.9), (1.1, 1.1)], B: [(0.8, 0.8), (1.2, 1.2)]})
    events, _ = measured(supernet, device, view)
    assert device.asked[1:] == [[A], [B]]
    assert isinstance(events[-1], Warned)
    assert view.best(LIMIT) is None


def test_a_device_that_never_confirms_is_not_asked_for_ever(supernet) -> None:
    names = archs(CONFIRMATIONS + 4)
    view = fold([evaluated(a, 0.5 + i / 100, 0.9) for i, a in enumerate(names)])
    device = Scripted({a: [(0.9, 0.9), (1.1, 1.1)] for a in names})
    events, _ = measured(supernet, device, view)
    assert len(device.asked) == 1 + CONFIRMATIONS
    assert isinstance(events[-1], Warned)
    assert "Every pick failed its second measurement" in events[-1].message
    assert "kept the device busy" in events[-1].message


def test_a_session_that_something_slowed_down_is_not_blamed_on_the_networks(supernet) -> None:
    view = seen(A=(0.9, 0.95))
    events, _ = measured(supernet, Scripted({A: [(0.9, 1.4)]}), view)
    assert "kept the device busy" in events[-1].message
    assert view.best(LIMIT) is None


def test_a_pick_keeps_the_other_limits_as_well(supernet) -> None:
    fewer, more = sorted((A, B), key=lambda a: network_cost(toy_space(), Arch.parse(a)).params)
    limits = Limits(params=network_cost(toy_space(), Arch.parse(fewer)).params)
    view = fold([evaluated(fewer, 0.6, 0.9), evaluated(more, 0.9, 0.9)], View(limits))
    device = Scripted({fewer: [(0.9, 0.9)], more: [(0.5, 0.5)]})
    measured(supernet, device, view)
    assert device.asked == [[fewer], [fewer]]
    assert view.best(LIMIT).arch == fewer


def test_nothing_within_the_other_limits_is_said_and_nothing_measured(supernet) -> None:
    view = fold([evaluated(A, 0.9, 0.9)], View(Limits(params=1)))
    device = Scripted({})
    events, _ = measured(supernet, device, view)
    assert device.asked == []
    assert [type(e) for e in events] == [Warned]
    assert "keeps all limits" in events[0].message


# -- a device that is slow as a whole -------------------------------------------------------------


def test_a_device_slower_than_its_table_is_given_rests_and_then_that_is_said(
    supernet, rests
) -> None:
    device = Scripted({A: [(0.9, 0.9)]})
    device.yardsticks = [150.0]
    events, _ = measured(supernet, device, seen(A=(0.9, 0.95)), yardstick_ns=100.0)
    assert len(rests) == 2 * (calm.TRIES - 1)  # for the first round, and for the confirmation
    assert isinstance(events[0], Warned)
    assert "busy" in events[0].message
    assert [type(e) for e in events[1:]] == [Measured, Measured]


def test_a_device_that_calms_down_is_measured_again_without_a_word(supernet, rests) -> None:
    device = Scripted({A: [(5.0, 5.0), (0.9, 0.9)]})
    device.yardsticks = [150.0, 100.0]
    view = seen(A=(0.9, 0.95))
    events, _ = measured(supernet, device, view, yardstick_ns=100.0)
    assert len(rests) == 1
    assert [type(e) for e in events] == [Measured, Measured]
    assert view.best(LIMIT).arch == A
