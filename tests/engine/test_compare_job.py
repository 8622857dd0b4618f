"""A comparison as a run: parts of its own, once each; what a stop, a pause or a death leaves."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from engine import clock, worker
from engine.contest import job as compare_job
from engine.contest.compare import compare, phases
from engine.contest.job import Parts, Step
from engine.contest.time import MEASURING_S, STARTING_S, Timing
from engine.errors import RunError
from engine.events import Failed, Part, Resumed
from engine.presets import load
from engine.spec import DeviceChoice, ProfileSpec
from engine.store import Store
from tests.fake_contest import PEAK, Fake, contest

Before = Callable[[int], None]


class Played(Fake):
    """Fake runs in the place of processes; `before` is called with every run that begins."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(store, monkeypatch)
        self.begun: list[int] = []
        self.before: Before = lambda _: None
        monkeypatch.setattr(clock, "INTERVAL_S", 0.0)
        monkeypatch.setattr(Parts, "_attempt", lambda parts, run, *_: self._attempt(parts, run))

    def _attempt(self, parts: Parts, run_id: int) -> int:
        assert parts.store.run(run_id).state == "waiting"
        self.begun.append(run_id)
        parts.remember(run_id, PEAK)
        self.before(run_id)
        if parts.store.run(run_id).state == "waiting":
            self.play(run_id)
        return 0


@pytest.fixture
def played(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Played:
    return Played(Store(tmp_path / "studio.db"), monkeypatch)


def begin(played: Played) -> int:
    return played.store.create_run(contest())


def test_a_comparison_says_its_parts_and_what_they_came_to(played, tmp_path) -> None:
    run_id = begin(played)
    assert worker.execute(played.store, run_id) == 0
    view = played.store.view(run_id)
    assert list(view.parts) == played.begun
    assert len(played.begun) == len(phases(contest())) == view.step == view.steps
    assert view.parts[3].words == "One-shot: a longer pilot for its cost"
    assert view.parts[2].words == "One-shot: a pilot for its cost"
    other = Fake(Store(tmp_path / "other.db"), pytest.MonkeyPatch())
    told = compare(contest(), other.store, other)
    for entry in told["runs"]:
        entry["run"] += 1  # the comparison itself is the first run
    assert view.compared.report == told
    assert played.store.document("comparison") == told


def test_a_finished_comparison_that_is_asked_again_does_nothing_twice(played) -> None:
    run_id = begin(played)
    worker.execute(played.store, run_id)
    report, begun = played.store.view(run_id).compared, list(played.begun)
    played.store.reopen(run_id)
    assert worker.execute(played.store, run_id) == 0
    assert played.begun == begun
    assert played.store.view(run_id).compared == report
    assert list(played.store.view(run_id).parts) == begun
    assert played.store.revision("comparison") == 1


def test_a_larger_comparison_takes_what_a_smaller_one_did(played) -> None:
    worker.execute(played.store, begin(played))
    done = len(played.begun)
    larger = played.store.create_run(contest(seeds=3))
    worker.execute(played.store, larger)
    again = phases(contest(seeds=3))
    new_searches = 2 * 3  # each a search and two trainings; some of the random networks are others
    assert done + new_searches <= len(played.begun) <= done + new_searches + 8 < done + len(again)
    assert set(played.begun[:12]) <= played.store.view(larger).parts.keys()


def test_a_stop_ends_the_part_and_the_comparison_goes_on_with_it(played) -> None:
    run_id = begin(played)

    def stop(part: int) -> None:
        if len(played.begun) == 4:
            played.store.want(run_id, "stopped")
            played.store.set_state(part, "stopped")

    played.before = stop
    assert worker.execute(played.store, run_id) == 0
    assert played.store.run(run_id).state == "stopped"
    cut = played.begun[-1]
    played.store.reopen(run_id)
    assert worker.execute(played.store, run_id) == 0
    assert played.store.run(run_id).state == "finished"
    assert played.begun[4] == cut
    assert len(played.begun) == len(phases(contest())) + 1
    log, _ = played.store.events_after(run_id)
    assert [e.step for e in log if isinstance(e, Resumed)] == [0, 3]
    assert sum(isinstance(e, Part) and e.run == cut for e in log) == 2  # once forgotten


def test_a_pause_waits_and_then_goes_on_with_the_same_part(played, monkeypatch) -> None:
    run_id = begin(played)

    def pause(part: int) -> None:
        if len(played.begun) == 2:
            played.store.want(run_id, "paused")
            played.store.set_state(part, "stopped")

    def goes_on(_: float) -> None:
        assert played.store.run(run_id).state == "paused"
        played.store.want(run_id, "running")

    played.before = pause
    monkeypatch.setattr("engine.store.time.sleep", goes_on)
    assert worker.execute(played.store, run_id) == 0
    assert played.begun[1] == played.begun[2]
    assert played.store.view(run_id).compared is not None


def test_a_part_that_fails_is_said_and_done_anew_after_resuming(played) -> None:
    run_id = begin(played)

    def fail(part: int) -> None:
        if len(played.begun) == 3:
            played.store.append(part, Failed("data: must be whole, got half."))
            played.store.set_state(part, "failed")

    played.before = fail
    assert worker.execute(played.store, run_id) == 2
    said = played.store.view(run_id).failed.message
    assert (
        said == f"run {played.begun[2]}: must finish for the comparison, but: data: must be"
        " whole, got half."
    )
    played.store.reopen(run_id)
    assert worker.execute(played.store, run_id) == 0
    assert played.begun[3] != played.begun[2]


def test_while_a_comparison_goes_on_no_other_run_begins(played) -> None:
    run_id = begin(played)

    def another(_: int) -> None:
        with pytest.raises(RunError, match="still going on"):
            played.store.create_run(contest(seeds=9))

    played.before = another
    assert worker.execute(played.store, run_id) == 0


def test_the_peak_of_an_attempt_before_a_stop_is_kept(played) -> None:
    run_id = begin(played)

    def stop(part: int) -> None:
        if len(played.begun) == 1:
            played.store.want(run_id, "stopped")
            played.store.set_state(part, "stopped")

    played.before = stop
    worker.execute(played.store, run_id)
    assert played.store.run(run_id).state == "stopped"
    [part] = played.begun
    peaks = played.store.document(compare_job.PEAKS)
    assert peaks == {str(part): PEAK}
    played.store.save(compare_job.PEAKS, {str(part): 2 * PEAK})
    played.store.reopen(run_id)
    worker.execute(played.store, run_id)
    assert played.store.document(compare_job.PEAKS)[str(part)] == 2 * PEAK


def test_what_a_phase_took_tells_what_is_left() -> None:
    timing = Timing(contest())
    pilots, searches, trainings = 2, 4, 8 + 8
    around = STARTING_S + MEASURING_S
    search = 60 + around
    guessed = pilots * (20 + STARTING_S) + pilots * (30 + around) + searches * search
    assert timing.total() == pytest.approx(guessed + trainings * STARTING_S)
    timing.took(0, STARTING_S + 8.0, epoch_s=2.0)
    timing.took(1, 31.0, epoch_s=1.5)
    timing.took(2, STARTING_S + 16.0, epoch_s=3.0)
    timing.took(3, 35.0)
    training = 6 * 1.5 + STARTING_S  # six epochs, each as the cheapest of a search
    left = searches * search + trainings * training
    assert timing.total() == pytest.approx(left + 24 + 2 * STARTING_S + 66)
    half = timing.status(Step(contest(), "One-shot, seed 0: searching", 4), 32.0)
    assert half.seconds_left == pytest.approx(left - 32.0)
    assert half.detail == "One-shot, seed 0: searching, step 5 of 24"


@pytest.mark.slow
def test_a_tied_process_stops_its_run_when_standard_input_ends(tmp_path) -> None:
    store = Store(tmp_path / "studio.db")
    run_id = store.create_run(ProfileSpec(load("digits"), DeviceChoice()))
    command = [sys.executable, "-m", "engine.worker", str(store.path), str(run_id), worker.TIED]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, check=False, timeout=120)
    assert done.returncode == 0
    assert store.run(run_id).state == "stopped"
    store.close()


@pytest.mark.slow
def test_a_process_that_is_ended_leaves_its_run_stopped_and_its_exit_known(tmp_path) -> None:
    store = Store(tmp_path / "studio.db")
    own = store.create_run(contest())
    store.set_state(own, "running")
    with contextlib.closing(compare_job.Beside(store, own)) as beside:
        part = beside.create_run(ProfileSpec(load("digits"), DeviceChoice()))
        parts = Parts(beside, clock.Clock(store, own), contest(), announced=set())
        step = Step(contest(), "measuring", 0)

        def stop(_: object) -> None:
            if store.run(part).state == "running":
                store.want(own, "stopped")

        parts.clock.on_status = stop
        with pytest.raises(clock.Stopped):
            parts._attempt(part, step, 0.0)
    assert store.run(part).state == "stopped"
    assert not store.held(part)
    assert store.document(compare_job.PEAKS)[str(part)] > 10_000_000
    store.close()
