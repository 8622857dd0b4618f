"""Whole runs in this process, with real data and a fake device: what they say, how they end."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine import checkpoint, devices, train_job, worker
from engine.errors import RunError
from engine.events import (
    Calibrated,
    DataReady,
    Evaluated,
    Exported,
    Finished,
    Measured,
    Progress,
    Resumed,
    Trained,
)
from engine.front import phase as front_phase
from engine.space import Arch, SearchSpace
from engine.spec import (
    DataChoice,
    DataSpec,
    DeviceChoice,
    ExportSpec,
    ProfileSpec,
    RunSpec,
    TrainSpec,
)
from engine.store import Status, Store
from engine.strategies import single_path
from engine.train import Recipe
from tests.builders import small_space
from tests.problems import CountingDevice, toy_space


@pytest.fixture(autouse=True)
def a_fake_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(devices.DEVICES, "local", lambda _: CountingDevice())
    monkeypatch.setattr(front_phase, "GENERATIONS", 2)
    monkeypatch.setattr(front_phase, "CHILDREN", 6)


def spec(limit_ms: float = 0.16, space: SearchSpace | None = None, seed: int = 0) -> RunSpec:
    space = space or toy_space().with_data(10)
    return RunSpec(space, DataChoice("digits"), DeviceChoice(), limit_ms, epochs=4, seed=seed)


def searched(store: Store, **changes: object) -> int:
    run_id = store.create_run(spec(**changes))
    assert worker.execute(store, run_id) == worker.OK
    return run_id


def kinds(store: Store, run_id: int) -> list[type]:
    return [type(e) for e in store.events_after(run_id)[0]]


def test_a_search_tells_its_whole_story_in_order(store) -> None:
    statuses: list[Status] = []
    run_id = store.create_run(spec())
    assert worker.execute(store, run_id, statuses.append) == worker.OK
    told = list(dict.fromkeys(kinds(store, run_id)))
    assert told[:3] == [Resumed, DataReady, Calibrated]
    assert told.index(Evaluated) < told.index(Measured) < told.index(Finished)
    assert store.run(run_id).state == "finished"
    shown = list(dict.fromkeys(s.phase for s in statuses))
    assert shown == ["data", "device", "warm-up", "search", "settle", "front", "measure"]


def test_the_best_is_measured_within_the_limit_and_no_measured_one_within_is_better(store) -> None:
    view = store.view(searched(store))
    best = view.best(0.16)
    assert best is not None
    assert best.latency_source == "measured"
    assert best.latency_ms <= 0.16
    within = [c for c in view.candidates.values() if c.within(0.16)]
    assert best.proxy_accuracy == max(c.proxy_accuracy for c in within)


def test_a_limit_below_the_fastest_is_refused_with_the_tightest_reachable(store) -> None:
    run_id = store.create_run(spec(limit_ms=0.001))
    assert worker.execute(store, run_id) == worker.MISTAKE
    failed = store.view(run_id).failed
    assert "latency limit 0.001 ms: the fastest architecture needs" in failed.message
    assert "Ask for" in failed.hint
    assert failed.trace == ""
    assert Progress not in kinds(store, run_id)


def test_a_fault_is_kept_with_its_trace_and_the_process_says_one(
    store, monkeypatch, capsys
) -> None:
    def broken(*_: object) -> Iterator[object]:
        raise ZeroDivisionError("by the test")
        yield

    monkeypatch.setattr(single_path.SinglePath, "step", broken)
    run_id = store.create_run(spec())
    assert worker.execute(store, run_id) == worker.FAULT
    failed = store.view(run_id).failed
    assert failed.message == "ZeroDivisionError: by the test"
    assert "Traceback" in failed.trace
    assert "Traceback" in capsys.readouterr().err
    assert store.run(run_id).state == "failed"


def test_stopped_half_way_and_resumed_it_ends_as_if_never_stopped(store) -> None:
    def stop_at_front(status: Status) -> None:
        if status.phase == "front":
            store.want(run_id, "stopped")

    whole = store.view(searched(store))
    run_id = store.create_run(spec())
    assert worker.execute(store, run_id, stop_at_front) == worker.OK
    assert store.run(run_id).state == "stopped"
    assert store.view(run_id).finished is None
    store.reopen(run_id)
    assert worker.execute(store, run_id) == worker.OK
    assert kinds(store, run_id).count(Resumed) == 2
    view = store.view(run_id)
    assert view.candidates.keys() == whole.candidates.keys()
    assert [(c.arch, c.proxy_accuracy) for c in view.front()] == [
        (c.arch, c.proxy_accuracy) for c in whole.front()
    ]


def test_a_damaged_checkpoint_costs_one_step_and_is_said(store) -> None:
    run_id = searched(store)
    before = store.view(run_id)
    path = store.run_folder(run_id) / checkpoint.NAME
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    path.write_bytes(content)
    store.reopen(run_id)
    assert worker.execute(store, run_id) == worker.OK
    view = store.view(run_id)
    assert any("cannot be used" in w for w in view.warnings)
    assert view.candidates.keys() == before.candidates.keys()


def test_a_full_disk_fails_the_run_in_words_and_resume_goes_on(store, monkeypatch) -> None:
    real, calls = os.fsync, []

    def full_at_the_third(descriptor: int) -> None:
        calls.append(descriptor)
        if len(calls) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    run_id = store.create_run(spec())
    with monkeypatch.context() as patched:
        patched.setattr(checkpoint.os, "fsync", full_at_the_third)
        assert worker.execute(store, run_id) == worker.MISTAKE
    failed = store.view(run_id).failed
    assert "could not be written" in failed.message
    assert "No space left on device" in failed.message
    assert "Free some space" in failed.hint
    assert not (store.run_folder(run_id) / checkpoint.PARTIAL).exists()
    store.reopen(run_id)
    assert worker.execute(store, run_id) == worker.OK
    assert store.view(run_id).failed is None


def test_a_second_launch_while_one_runs_is_refused_and_nothing_is_lost(store) -> None:
    run_id = store.create_run(spec())
    with store.hold(run_id), pytest.raises(RunError, match=f"run {run_id} .* still going on"):
        store.create_run(spec())
    assert [r.id for r in store.runs()] == [run_id]


def test_a_worker_that_finds_its_run_taken_leaves_it_alone(store) -> None:
    run_id = store.create_run(spec())
    with store.hold(run_id), pytest.raises(RunError, match="already going on"):
        worker.execute(store, run_id)
    assert store.events_after(run_id)[0] == []


def test_classes_follow_the_data_and_that_is_said(store) -> None:
    run_id = searched(store, space=toy_space())
    assert any("3 classes, the data has 10" in w for w in store.view(run_id).warnings)


def test_profile_and_data_runs_tell_their_result(store) -> None:
    for one in (
        ProfileSpec(toy_space(), DeviceChoice()),
        DataSpec(DataChoice("digits"), 8, 1),
    ):
        run_id = store.create_run(one)
        assert worker.execute(store, run_id) == worker.OK
    assert store.view(1).calibrated.fastest_ms < store.view(1).calibrated.slowest_ms
    assert store.view(2).data.splits["test"] > 0


@pytest.fixture
def trained(store: Store) -> tuple[Store, int, str]:
    """A search, and the name of a network in it."""
    run_id = searched(store)
    return store, run_id, store.view(run_id).best(0.16).arch


@pytest.mark.parametrize("mode", ["finetune", "retrain"])
def test_training_one_network_judges_it_on_the_test_split_once(trained, mode) -> None:
    store, run_id, arch = trained
    child = store.create_run(TrainSpec(run_id, arch, mode, epochs=2))
    assert worker.execute(store, child) == worker.OK
    view = store.view(child)
    assert kinds(store, child).count(Trained) == 1
    assert view.trained[0].mode == mode
    assert 0 <= view.trained[0].test_accuracy <= 1
    assert len(view.epochs) == 2


def test_networks_of_dense_convolutions_are_trained_kept_and_exported(store) -> None:
    """Their weights lie channels_last in memory, which a file of arrays does not know."""
    fused = {"block": "fused", "kernel": [3], "expand": [2], "width": 8, "depth": [1, 1]}
    stem = {"width": 8, "kernel": 3, "stride": 2}
    space = small_space(fused | {"stride": 1}, stem=stem, classes=10)
    run_id = searched(store, space=space, limit_ms=9.0)
    arch = str(space.largest())
    for child in (TrainSpec(run_id, arch, "finetune", epochs=1), ExportSpec(run_id, arch)):
        assert worker.execute(store, store.create_run(child)) == worker.OK
    assert len(store.view(2).trained) == len(store.view(3).exported) == 1


def test_an_export_is_proved_measured_and_packed(trained) -> None:
    store, run_id, arch = trained
    train = store.create_run(TrainSpec(run_id, arch, "retrain", epochs=8))
    worker.execute(store, train)
    child = store.create_run(ExportSpec(run_id, arch))
    assert worker.execute(store, child) == worker.OK
    exported = next(e for e in store.events_after(child)[0] if isinstance(e, Exported))
    report = exported.report
    assert (store.folder / exported.archive).is_file()
    assert report["parity_max_abs"] < 1e-3
    assert report["parity_inputs"] >= 64
    assert report["weights"] == "retrained"
    assert report["times_tested"] == 1
    assert report["test_accuracy"] == store.view(train).trained[0].test_accuracy
    assert report["within_limit"] is (max(report["latency"]["sessions"]) <= report["limit_ms"])
    assert [row["number"] for row in report["checks"]] == list(range(1, 13))


def test_an_export_with_shared_weights_leaves_the_test_split_alone(trained) -> None:
    store, run_id, arch = trained
    child = store.create_run(ExportSpec(run_id, arch))
    worker.execute(store, child)
    report = store.view(child).exported[0].report
    assert report["weights"] == "shared"
    assert report["test_accuracy"] is None


def test_a_training_that_made_it_worse_is_not_what_gets_exported(trained, monkeypatch) -> None:
    store, run_id, arch = trained
    monkeypatch.setattr(train_job, "recipe_for", lambda _: Recipe(lr=1e-9))
    spoiled = store.create_run(TrainSpec(run_id, arch, "retrain", epochs=1))
    worker.execute(store, spoiled)
    child = store.create_run(ExportSpec(run_id, arch))
    worker.execute(store, child)
    report = store.view(child).exported[0].report
    assert report["weights"] == "shared"
    assert report["proxy_accuracy"] > store.view(spoiled).trained[0].accuracy
    assert any("more accurate" in w for w in store.view(child).warnings)


def test_a_full_database_is_told_as_such_and_the_run_can_go_on(store, monkeypatch) -> None:
    real = Store.append

    def full(self: Store, run_id: int, *new: object) -> None:
        if any(isinstance(e, Evaluated) for e in new):
            raise sqlite3.OperationalError("database or disk is full")
        real(self, run_id, *new)

    run_id = store.create_run(spec())
    with monkeypatch.context() as patched:
        patched.setattr(Store, "append", full)
        assert worker.execute(store, run_id) == worker.MISTAKE
    assert store.run(run_id).state == "failed"
    assert "disk is full" in store.view(run_id).failed.message
    store.reopen(run_id)
    assert worker.execute(store, run_id) == worker.OK


def test_an_unknown_strategy_is_a_mistake_that_names_the_known() -> None:
    with pytest.raises(RunError, match=r"must be one of single_path, .*, got 'nope'"):
        replace(spec(), strategy="nope")


def test_exporting_a_network_of_another_space_is_refused(trained) -> None:
    store, run_id, _ = trained
    child = store.create_run(ExportSpec(run_id, str(Arch(("k3e3",)))))
    assert worker.execute(store, child) == worker.MISTAKE
    assert "needs 5 ops, got 1" in store.view(child).failed.message


def test_a_run_without_weights_cannot_be_trained_on(store) -> None:
    run_id = store.create_run(spec(limit_ms=0.001))
    worker.execute(store, run_id)
    child = store.create_run(TrainSpec(run_id, str(toy_space().largest())))
    assert worker.execute(store, child) == worker.MISTAKE
    assert "has no weights yet" in store.view(child).failed.message


def test_the_process_entry_runs_a_run(tmp_path: Path) -> None:
    opened = Store(tmp_path / "studio.db")
    run_id = opened.create_run(DataSpec(DataChoice("digits"), 8, 1))
    command = [sys.executable, "-m", "engine.worker", str(opened.path), str(run_id)]
    assert subprocess.run(command, check=False).returncode == 0
    assert opened.run(run_id).state == "finished"
    opened.close()
