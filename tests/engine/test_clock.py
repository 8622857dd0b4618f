"""Time left and progress: one number that only makes sense, whatever phase has been timed."""

from __future__ import annotations

import pytest

from engine.clock import Clock, Plan, Stopped
from engine.spec import DataChoice, DataSpec
from engine.store import Status, Store

PHASES = ["warm-up"] * 6 + ["front"] * 4
WEIGHTS = [1.0] * 6 + [3.0] * 4


def test_progress_never_jumps_back_when_the_weights_were_right() -> None:
    plan, shown = Plan(PHASES, WEIGHTS), []
    for step, weight in enumerate(WEIGHTS):
        for share in (0.2, 0.6, 1.0):
            shown.append(plan.status(step, share, 2.0 * weight * share))
        plan.done(step, 2.0 * weight)
    done = [s.done for s in shown]
    assert done == sorted(done)
    assert done[-1] == pytest.approx(1.0)
    assert shown[0].seconds_left == pytest.approx(2.0 * (18 - 0.2))
    assert shown[-1].seconds_left == pytest.approx(0.0)


def test_nothing_is_promised_before_anything_was_timed() -> None:
    assert Plan(PHASES, WEIGHTS).status(0, 0.05, 1.0).seconds_left is None


def test_a_timed_phase_counts_as_it_was_timed_not_as_planned() -> None:
    plan = Plan(PHASES, WEIGHTS)
    plan.done(0, 5.0)
    plan.done(6, 60.0)
    assert plan.expected(1) == 5.0
    assert plan.expected(7) == 60.0


@pytest.fixture
def running(store: Store) -> tuple[Store, int]:
    """A store with one run."""
    return store, store.create_run(DataSpec(DataChoice("digits"), 8, 1))


def test_a_run_that_is_wanted_stopped_stops_in_the_middle_of_a_step(running) -> None:
    store, run_id = running
    store.want(run_id, "stopped")
    with pytest.raises(Stopped):
        Clock(store, run_id).enter("data")


def test_statuses_are_stored_and_told(running) -> None:
    store, run_id = running
    told: list[Status] = []
    clock = Clock(store, run_id, told.append)
    clock.enter("data")
    clock.tick(1.0, "done")
    assert [s.detail for s in told] == ["", "done"]
    assert store.run(run_id).status == told[-1]
