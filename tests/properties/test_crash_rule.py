"""The crash rule on real searches: wherever a crash cuts, what is resumed ends as if uncut."""

from __future__ import annotations

import os
import random
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from engine import checkpoint, devices, run, worker
from engine.events import Event, Finished, Progress, Resumed, View
from engine.front import phase as front_phase
from engine.space import SearchSpace
from engine.spec import DataChoice, DeviceChoice, RunSpec
from engine.store import Store
from tests.builders import small_space, stage
from tests.problems import CountingDevice, toy_splits

LIMIT = 0.16
SPREAD = 6  # crashes of each seeded chain, besides the fixed ones


class Crash(BaseException):
    """The process dies; no handler of the product may run on it."""


Point = tuple[int, str, str]
"""A write of a run: steps complete before it, what is written, and of which architecture."""

Cut = tuple[Point, str]
"""A crash `before` or `after` a write."""


@dataclass
class Saboteur:
    """Sees every write of a run to the database or the disk, and cuts at those that are planned.

    Only the first of `plan` is armed; it is struck off once it has cut. With every cut the log
    loses its last `loses` events, as a database may when the power fails.
    """

    plan: list[Cut] = field(default_factory=list)
    loses: int = 0
    story: list[Point] = field(default_factory=list)
    step: int = 0

    def append(self, new: Event, write: Callable[[], None]) -> None:
        """An event, on its way to the log."""
        self._write((self.step, type(new).__name__, getattr(new, "arch", "")), write)
        if isinstance(new, Resumed | Progress):
            self.step = new.step

    def file(self, what: str, write: Callable[[], None]) -> None:
        """Something done to a file."""
        self._write((self.step, what, ""), write)

    def _write(self, point: Point, write: Callable[[], None]) -> None:
        self.story.append(point)
        self._cut(point, "before")
        write()
        self._cut(point, "after")

    def _cut(self, point: Point, when: str) -> None:
        if self.plan and self.plan[0] == (point, when):
            del self.plan[0]
            raise Crash(point, when)


def space() -> SearchSpace:
    """A small space with dropout, so that torch's own random stream matters too."""
    stages = (stage(width=4, depth=[0, 1]), stage(width=8, depth=[1, 2], stride=2), stage())
    return small_space(*stages, classes=10, head={"width": 8, "dropout": 0.2})


def spec() -> RunSpec:
    return RunSpec(space(), DataChoice("digits"), DeviceChoice(), LIMIT, epochs=3, seed=5)


@pytest.fixture(scope="module")
def patched() -> Iterator[pytest.MonkeyPatch]:
    """A counting device, few images and a short front; all else is the product's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(devices.DEVICES, "local", lambda _: CountingDevice())
        patch.setattr(front_phase, "GENERATIONS", 2)
        patch.setattr(front_phase, "CHILDREN", 3)
        patch.setattr(run, "load_splits", lambda *_, **__: toy_splits(8))
        yield patch


@dataclass
class Lab:
    """One workspace in which searches are run under a saboteur."""

    path: Path
    patch: pytest.MonkeyPatch

    def run(self, saboteur: Saboteur) -> tuple[int, View]:
        """Searches to the end, resumed after every crash; the run's number and its view."""
        with self.patch.context() as patch:
            _install(patch, saboteur)
            with closing(Store(self.path)) as store:
                run_id = store.create_run(spec())
            while not self._done(run_id):
                self._lose(run_id, saboteur.loses)
        with closing(Store(self.path)) as store:
            return run_id, store.view(run_id)

    def starts(self, run_id: int) -> list[int]:
        """Step that each life of the run's worker began from."""
        with closing(Store(self.path)) as store:
            return [e.step for e in store.events_after(run_id)[0] if isinstance(e, Resumed)]

    def _done(self, run_id: int) -> bool:
        """One life of a worker; whether it came to the end."""
        with closing(Store(self.path)) as store:  # a new process has a connection of its own
            try:
                assert worker.execute(store, run_id) == worker.OK, store.view(run_id).failed
            except Crash:
                store.reopen(run_id)
                return False
        return True

    def _lose(self, run_id: int, count: int) -> None:
        last = "select id from events where run_id = ? order by id desc limit ?"
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(f"delete from events where id in ({last})", (run_id, count))


def _install(patch: pytest.MonkeyPatch, saboteur: Saboteur) -> None:
    append, save, rename = Store.append, run.save_checkpoint, os.replace

    def watched_append(store: Store, run_id: int, *new: Event) -> None:
        (event,) = new
        saboteur.append(event, lambda: append(store, run_id, event))

    def watched_save(folder: Path, state: dict[str, Any]) -> None:
        saboteur.file("checkpoint", lambda: save(folder, state))

    def watched_rename(source: Path, target: Path) -> None:
        known = Path(target).name in (checkpoint.NAME, checkpoint.PREVIOUS)
        if known:
            saboteur.file(f"rename to {Path(target).name}", lambda: rename(source, target))
        else:
            rename(source, target)

    patch.setattr(Store, "append", watched_append)
    patch.setattr(run, "save_checkpoint", watched_save)
    patch.setattr(checkpoint.os, "replace", watched_rename)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, patched: pytest.MonkeyPatch) -> Lab:
    return Lab(tmp_path_factory.mktemp("lab") / "studio.db", patched)


@pytest.fixture(scope="module")
def calm(lab: Lab) -> tuple[list[Point], View]:
    """The writes of an undisturbed search, and its view."""
    saboteur = Saboteur()
    return saboteur.story, lab.run(saboteur)[1]


def told(view: View) -> dict[str, Any]:
    """All of a view that must not depend on crashes: everything but seconds."""
    assert view.finished is not None
    assert view.data is not None
    return {
        "candidates": view.candidates,
        "front": [(c.arch, c.proxy_accuracy, c.predicted_ms) for c in view.front()],
        "best": view.best(LIMIT),
        "epochs": view.epochs,
        "steps": (view.step, view.steps, view.phase),
        "progress": [e.step for e in view.kept if isinstance(e, Progress)],
        "data": view.data,
        "calibrated": view.calibrated,
        "warnings": view.warnings,
        "failed": view.failed,
        "finished": replace(view.finished, seconds=0.0),
    }


def ends_as_if_uncut(lab: Lab, calm: tuple[list[Point], View], plan: list[Cut]) -> list[int]:
    """Runs under `plan`, checks the result, and returns the steps that it was resumed from."""
    saboteur = Saboteur(list(plan))
    run_id, view = lab.run(saboteur)
    assert saboteur.plan == [], "a crash that was planned did not happen"
    assert told(view) == told(calm[1])
    return lab.starts(run_id)


def writes(story: list[Point], what: str) -> list[Point]:
    """Writes of a kind, in order."""
    return [point for point in story if point[1] == what]


def test_the_undisturbed_search_has_what_a_crash_could_spoil(calm) -> None:
    story, view = calm
    assert len(writes(story, "checkpoint")) == 5
    assert told(view)["progress"] == [1, 2, 3, 4, 5, 6]
    assert len(view.epochs) == 3
    assert len(view.candidates) >= 6
    assert len({c.proxy_accuracy for c in view.candidates.values()}) >= 4
    assert view.best(LIMIT) is not None
    assert sum(isinstance(e, Finished) for e in view.kept) == 1


def test_a_step_is_in_the_log_before_its_checkpoint_is_on_the_disk(calm) -> None:
    story = [point[1] for point in calm[0]]
    for i, what in enumerate(story):
        if what == "checkpoint":
            assert story[i - 1] == "Progress"
    assert [step for step, *_ in writes(calm[0], "checkpoint")] == [1, 2, 3, 4, 5]


def test_crashes_between_every_step_and_its_checkpoint_change_nothing(lab, calm) -> None:
    plan = [(point, "before") for point in writes(calm[0], "checkpoint")]
    starts = ends_as_if_uncut(lab, calm, plan)
    # Each time the log knew the step and the disk did not: it went on from the step before.
    assert starts == [0, 0, 1, 2, 3, 4]


def test_crashes_right_before_a_step_is_told_change_nothing(lab, calm) -> None:
    plan = [(point, "before") for point in writes(calm[0], "Progress")[::2]]
    starts = ends_as_if_uncut(lab, calm, plan)
    assert starts == [0, 0, 2, 4]


def test_crashes_after_every_checkpoint_change_nothing(lab, calm) -> None:
    plan = [(point, "after") for point in writes(calm[0], "checkpoint")]
    starts = ends_as_if_uncut(lab, calm, plan)
    assert starts == [0, 1, 2, 3, 4, 5]


def test_crashes_between_the_two_renames_of_every_checkpoint_change_nothing(lab, calm) -> None:
    plan = [(point, "before") for point in writes(calm[0], f"rename to {checkpoint.NAME}")]
    assert len(plan) == 5
    starts = ends_as_if_uncut(lab, calm, plan)
    assert starts == [0, 0, 1, 2, 3, 4]


def test_crashes_while_resuming_change_nothing(lab, calm) -> None:
    third = writes(calm[0], "checkpoint")[2]
    again = (third[0], "Resumed", "")
    plan = [(third, "after"), (again, "before"), (again, "after"), (again, "after")]
    ends_as_if_uncut(lab, calm, plan)


def test_crashes_while_measuring_change_nothing(lab, calm) -> None:
    first, *_, last = writes(calm[0], "Measured")
    finished = writes(calm[0], "Finished")[0]
    plan = [(first, "after"), (last, "after"), (finished, "before")]
    starts = ends_as_if_uncut(lab, calm, plan)
    assert starts == [0, 5, 5, 5]


@pytest.mark.parametrize("seed", [0, 1])
def test_crashes_anywhere_change_nothing(lab, calm, seed) -> None:
    rng = random.Random(seed)
    story = list(dict.fromkeys(calm[0]))
    chosen = sorted(rng.sample(range(len(story) - 1), SPREAD))
    plan = [(story[i], rng.choice(["before", "after"])) for i in chosen]
    ends_as_if_uncut(lab, calm, plan)


@pytest.mark.parametrize(("kept", "start"), [(2, 2), (1, 0)])
def test_a_log_that_lost_its_end_costs_steps_and_that_is_said(lab, calm, kept, start) -> None:
    """The disk holds steps 2 and 3, the log only those up to `kept`."""
    story, view = calm
    third = writes(story, "checkpoint")[2]
    progress = [i for i, event in enumerate(view.kept) if isinstance(event, Progress)]
    saboteur = Saboteur([(third, "after")], loses=progress[2] - progress[kept - 1])
    run_id, cut = lab.run(saboteur)
    assert lab.starts(run_id) == [0, start]
    assert any("checkpoint" in warning for warning in cut.warnings)
    assert {**told(cut), "warnings": view.warnings} == told(view)
