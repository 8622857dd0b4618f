"""A device that is slow as a whole is measured again, but not for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.devices import STANDARD, Samples, calm
from tests.problems import CountingDevice


class Moody(CountingDevice):
    """Takes the given yardsticks one after the other."""

    def __init__(self, yardsticks: Sequence[float]) -> None:
        super().__init__()
        self.yardsticks = list(yardsticks)

    def measure(self, *parts: object) -> list[Samples]:
        speed = self.yardsticks[len(self.asked)]
        return [replace(s, yardstick_ns=speed) for s in super().measure(*parts)]


@pytest.fixture(autouse=True)
def no_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calm, "REST_S", 0.0)


def tries(yardsticks: Sequence[float], reference: float) -> int:
    device = Moody(yardsticks)
    calm.measure_calmly(
        device, [b"model"], STANDARD, yardstick_ns=reference, on_progress=lambda *_: None
    )
    return len(device.asked)


def test_a_calm_device_is_measured_once() -> None:
    assert tries([100.0], 100.0) == 1


def test_a_slow_device_is_measured_until_it_is_calm() -> None:
    assert tries([140.0, 130.0, 101.0], 100.0) == 3


def test_a_device_that_stays_slow_is_not_waited_for_without_end() -> None:
    assert tries([140.0] * 10, 100.0) == calm.TRIES


def test_of_tries_that_all_were_slow_the_quietest_counts(monkeypatch) -> None:
    monkeypatch.setattr(calm, "TRIES", 3)
    device = Moody([140.0, 120.0, 130.0])
    samples = calm.measure_calmly(
        device, [b"model"], STANDARD, yardstick_ns=100.0, on_progress=lambda *_: None
    )
    assert samples[0].yardstick_ns == 120.0


def test_without_a_yardstick_nothing_is_compared() -> None:
    assert tries([140.0], 0.0) == 1
