"""Ten times `kill -9` at random moments of a search, each followed by resuming: nothing shows."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine import presets
from engine.events import Resumed, View
from engine.spec import DataChoice, DeviceChoice, ProfileSpec, RunSpec
from engine.store import Store

KILLS = 10
PATIENCE_S = 120.0

pytestmark = pytest.mark.slow


def worker(store: Store, run_id: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "engine.worker", str(store.path), str(run_id)]
    with (store.folder / "worker.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def completed(store: Store, run_id: int) -> None:
    assert worker(store, run_id).wait(PATIENCE_S) == 0, (store.folder / "worker.log").read_text()


def result(view: View) -> tuple[object, ...]:
    """What must not depend on crashes: epochs, every candidate's proxy accuracy, the front."""
    candidates = {arch: (c.proxy_accuracy, c.stale) for arch, c in view.candidates.items()}
    return view.epochs, candidates, [c.arch for c in view.front()]


SPACE = presets.load("digits")


def spec(store: Store) -> RunSpec:
    """A search whose limit bites: the middle of what the profile says."""
    known = next(store.view(run.id).calibrated for run in store.runs("profile"))
    assert known is not None
    limit = 0.5 * (known.fastest_ms + known.slowest_ms)
    return RunSpec(SPACE, DataChoice("digits"), DeviceChoice(), limit, epochs=6, seed=3)


def profiled(folder: Path) -> Store:
    """A workspace whose device is measured: latency tables must be the same for both searches."""
    folder.mkdir()
    store = Store(folder / "studio.db")
    completed(store, store.create_run(ProfileSpec(SPACE, DeviceChoice())))
    return store


def kill_at(store: Store, run_id: int, events: int, delay_s: float) -> bool:
    """Runs the worker until it has said so many events in all, then kills it; False if it ended."""
    process = worker(store, run_id)
    deadline = time.monotonic() + PATIENCE_S
    while store.events_after(run_id)[1] < events and process.poll() is None:
        assert time.monotonic() < deadline, "the worker says nothing"
        time.sleep(0.02)
    time.sleep(delay_s)
    process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def test_ten_kills_leave_the_front_of_the_undisturbed_search(tmp_path) -> None:
    first = profiled(tmp_path / "first")
    first.close()
    shutil.copytree(tmp_path / "first", tmp_path / "second")
    stores = [Store(tmp_path / name / "studio.db") for name in ("first", "second")]
    calm, harried = stores
    calm_run = calm.create_run(spec(calm))
    completed(calm, calm_run)

    rng = random.Random(11)
    run_id = harried.create_run(spec(harried))
    killed = 0
    while killed < KILLS:
        seen = harried.events_after(run_id)[1]
        assert kill_at(harried, run_id, seen + rng.randint(1, 8), rng.uniform(0.0, 0.3))
        killed += 1
        assert not harried.held(run_id)
        harried.reopen(run_id)
    completed(harried, run_id)

    events, _ = harried.events_after(run_id)
    assert sum(isinstance(e, Resumed) for e in events) == KILLS + 1
    assert result(harried.view(run_id)) == result(calm.view(calm_run))
    for store in stores:
        store.close()
