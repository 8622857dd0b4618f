"""The workspace database: runs, events, documents, locks, and several writers at once."""

from __future__ import annotations

import fcntl
import json
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from sqlite_utils import Database

from engine.errors import RunError
from engine.events import Evaluated, Progress, Resumed, Warned
from engine.schema import migrations
from engine.spec import ProfileSpec
from engine.store import Status, Store
from tests.builders import search_spec

WRITER = """
import sys
from pathlib import Path
from engine.events import Warned
from engine.store import Store
store = Store(Path(sys.argv[1]))
for i in range(100):
    store.append(int(sys.argv[2]), Warned(f"{sys.argv[3]} {i}"))
"""

HOLDER = """
import sys
from pathlib import Path
from engine.store import Store
handle = Store(Path(sys.argv[1])).hold(int(sys.argv[2]))
print("held", flush=True)
sys.stdin.read()
"""


def python(code: str, *arguments: object) -> subprocess.Popen[str]:
    """A process of its own that runs `code`."""
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(command, stdin=-1, stdout=-1, stderr=-1, text=True)


def test_a_run_comes_back_as_it_was_created(store: Store):
    spec = search_spec(seed=7)
    run = store.run(store.create_run(spec))
    assert (run.spec, run.state, run.wanted, run.ended_at) == (spec, "waiting", "running", None)


def test_a_run_leaves_its_spec_as_a_file(store: Store):
    run_id = store.create_run(search_spec(seed=7))
    assert json.loads((store.run_folder(run_id) / "spec.json").read_text())["seed"] == 7


def test_an_unknown_run_lists_the_known_ones(store: Store):
    store.create_run(search_spec())
    with pytest.raises(RunError, match=r"must be one of this workspace's \(1\), got 9"):
        store.run(9)


def test_runs_are_listed_newest_first_and_by_kind(store: Store):
    store.set_state(store.create_run(search_spec()), "finished")
    profile = ProfileSpec(search_spec().space, search_spec().device)
    store.set_state(store.create_run(profile), "finished")
    assert [run.id for run in store.runs()] == [2, 1]
    assert [run.id for run in store.runs("search")] == [1]


def test_ending_sets_the_time_and_going_on_clears_it(store: Store):
    run_id = store.create_run(search_spec())
    store.set_state(run_id, "failed")
    assert store.run(run_id).ended_at is not None
    store.set_state(run_id, "running")
    assert store.run(run_id).ended_at is None


def test_events_come_back_in_order_from_a_cursor_on(store: Store):
    run_id = store.create_run(search_spec())
    store.append(run_id, Resumed(0), Warned("a"))
    first, cursor = store.events_after(run_id)
    store.append(run_id, Progress(1, 2, "search"))
    second, _ = store.events_after(run_id, cursor)
    assert first == [Resumed(0), Warned("a")]
    assert second == [Progress(1, 2, "search")]


def test_nothing_new_keeps_the_cursor(store: Store):
    run_id = store.create_run(search_spec())
    store.append(run_id, Warned("a"))
    _, cursor = store.events_after(run_id)
    assert store.events_after(run_id, cursor) == ([], cursor)


def test_events_of_other_runs_are_not_seen(store: Store):
    first = store.create_run(search_spec())
    store.set_state(first, "finished")
    second = store.create_run(search_spec())
    store.append(second, Warned("other"))
    assert store.events_after(first)[0] == []


def test_an_event_that_is_no_json_leaves_no_trace(store: Store):
    run_id = store.create_run(search_spec())
    with pytest.raises(ValueError, match="JSON"):
        store.append(run_id, Warned("good"), Evaluated("k3e3", float("nan"), 1.0, 1, 1))
    assert store.events_after(run_id)[0] == []


def test_a_write_that_fails_does_not_block_the_next_one(store: Store):
    with pytest.raises(sqlite3.IntegrityError):
        store.append(99, Warned("no such run"))
    run_id = store.create_run(search_spec())
    store.append(run_id, Warned("good"))
    assert store.view(run_id).warnings == ["good"]


def test_a_full_disk_fails_one_write_and_not_the_ones_after_it(store: Store):
    run_id = store.create_run(search_spec())
    pages = store._rows("pragma page_count")[0][0]
    store._rows(f"pragma max_page_count = {pages}")
    with pytest.raises(sqlite3.OperationalError, match="full"):
        store.append(run_id, Warned("x" * 100_000))
    store._rows(f"pragma max_page_count = {pages + 1000}")
    store.append(run_id, Warned("good"))
    assert store.view(run_id).warnings == ["good"]


def test_text_that_utf8_cannot_hold_is_stored_all_the_same(store: Store):
    store.save("about", {"title": "\ud800"})
    assert store.document("about") == {"title": "\ud800"}


def test_status_is_overwritten_and_comes_back(store: Store):
    run_id = store.create_run(search_spec())
    store.report(run_id, Status("search", 0.2))
    store.report(run_id, Status("search", 0.4, 12.5, "epoch 2 of 5"))
    assert store.run(run_id).status == Status("search", 0.4, 12.5, "epoch 2 of 5")


def test_latency_rows_are_replaced_by_key_and_kept_apart_by_device(store: Store):
    store.put_latency("a", "conv", (1.0, 0.9, 1.1, 10))
    store.put_latency("a", "conv", (2.0, 1.9, 2.1, 10))
    store.put_latency("b", "conv", (3.0, 2.9, 3.1, 10))
    assert store.latencies("a") == {"conv": 2.0}


def test_a_calibration_belongs_to_a_device_and_a_space(store: Store):
    store.put_calibration("a", "digest", {"mape": 0.01})
    assert store.calibration("a", "digest") == {"mape": 0.01}
    assert store.calibration("a", "other") is None
    assert store.calibration("b", "digest") is None
    assert (store.calibrated("a"), store.calibrated("b")) == ({"digest"}, set())


def test_every_save_is_a_revision_with_its_author(store: Store):
    assert store.save("space", {"n": 1}, "ann") == 1
    store.save("about", {"n": 9}, "bob")  # another document's revisions are its own
    assert store.save("space", {"n": 2}) == 2
    newest, first = store.revisions("space")
    assert (newest.number, newest.author, newest.payload) == (2, "", {"n": 2})
    assert (first.number, first.author, first.payload) == (1, "ann", {"n": 1})
    assert newest.at >= first.at > 0
    assert store.document("space") == {"n": 2}
    assert [store.document("space", number) for number in (1, 2, 3)] == [{"n": 1}, {"n": 2}, None]


def test_a_long_history_is_listed_from_its_end(store: Store):
    for n in range(5):
        store.save("space", {"n": n})
    assert [r.number for r in store.revisions("space", most=2)] == [5, 4]


def test_a_workspace_from_before_authors_keeps_its_revisions(tmp_path: Path):
    db = sqlite3.connect(tmp_path / "studio.db")
    migrations.apply(Database(db), stop_before="m002_author")
    for n in (1, 2):
        db.execute(
            "insert into documents (name, payload, at) values ('a', ?, 0)", (f'{{"n":{n}}}',)
        )
    db.commit()
    db.close()
    store = Store(tmp_path / "studio.db")
    assert [(r.payload, r.author) for r in store.revisions("a")] == [({"n": 2}, ""), ({"n": 1}, "")]
    store.close()


def test_another_connection_notices_a_write(store: Store):
    other = Store(store.path)
    before = other.changed()
    store.save("about", {"title": "x"})
    assert other.changed() != before
    other.close()


# -- who has a run ------------------------------------------------------------------------------


def test_a_held_run_cannot_be_held_twice(store: Store):
    run_id = store.create_run(search_spec())
    with store.hold(run_id):
        assert store.held(run_id)
        with pytest.raises(RunError, match="already going on"):
            store.hold(run_id)
    assert not store.held(run_id)


def test_a_look_at_the_lock_does_not_keep_a_worker_from_taking_it(store: Store):
    run_id = store.create_run(search_spec())
    store.hold(run_id).close()
    looking = (store.run_folder(run_id) / "lock").open("a")
    fcntl.flock(looking, fcntl.LOCK_SH)  # as `held` does, for a moment
    threading.Timer(0.05, looking.close).start()
    store.hold(run_id).close()


def test_a_killed_process_lets_go_of_its_run(store: Store):
    run_id = store.create_run(search_spec())
    with python(HOLDER, store.path, run_id) as worker:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "held\n"
        assert store.held(run_id)
        worker.kill()
        worker.communicate()
    assert not store.held(run_id)


def test_a_second_launch_while_one_runs_is_refused(store: Store):
    run_id = store.create_run(search_spec())
    store.set_state(run_id, "running")
    with store.hold(run_id), pytest.raises(RunError, match=r"run 1 .* still going on"):
        store.create_run(search_spec())


def test_a_run_that_crashed_does_not_stand_in_the_way(store: Store):
    store.set_state(store.create_run(search_spec()), "running")
    assert store.create_run(search_spec()) == 2


def test_a_new_run_counts_as_alive_while_its_worker_starts(store: Store):
    run_id = store.create_run(search_spec())
    assert store.alive(run_id)
    store.set_state(run_id, "running")
    assert not store.alive(run_id)


def test_a_stop_is_seen_at_once(store: Store):
    run_id = store.create_run(search_spec())
    store.want(run_id, "stopped")
    assert store.wait_while_paused(run_id) == "stopped"


def test_a_paused_run_says_so_until_it_may_go_on(store: Store):
    run_id = store.create_run(search_spec())
    store.want(run_id, "paused")
    answers: list[str] = []
    worker = threading.Thread(target=lambda: answers.append(store.wait_while_paused(run_id, 0.001)))
    worker.start()
    while store.run(run_id).state != "paused":
        assert worker.is_alive()
    store.want(run_id, "running")
    worker.join()
    assert (answers, store.run(run_id).state) == (["running"], "running")


# -- several at once ----------------------------------------------------------------------------


def test_threads_share_a_store_without_losing_an_event(store: Store):
    run_id = store.create_run(search_spec())

    def write(name: int) -> None:
        for i in range(50):
            store.append(run_id, Warned(f"{name} {i}"))
            store.events_after(run_id, 0)

    threads = [threading.Thread(target=write, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.view(run_id).warnings) == 200


def test_processes_append_at_once_without_a_lock_error(store: Store):
    run_id = store.create_run(search_spec())
    writers = [python(WRITER, store.path, run_id, name) for name in range(3)]
    outcomes = [(writer.communicate()[1], writer.returncode) for writer in writers]
    assert outcomes == [("", 0)] * 3
    said = store.view(run_id).warnings
    assert [w for w in said if w.startswith("1 ")] == [f"1 {i}" for i in range(100)]
    assert len(said) == 300


def test_several_may_ask_for_a_run_at_once_and_none_meets_a_lock(store: Store):
    start = threading.Barrier(4)
    refused: list[RunError] = []

    def ask() -> None:
        own = Store(store.path)
        start.wait()
        for _ in range(25):
            try:
                own.set_state(own.create_run(search_spec()), "finished")
            except RunError as error:
                refused.append(error)
        own.close()

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(store.runs()) + len(refused) == 100


def test_a_new_workspace_may_be_opened_by_several_at_once(tmp_path: Path):
    path = tmp_path / "studio.db"
    opened: list[Store] = []
    start = threading.Barrier(8)

    def open_it() -> None:
        start.wait()
        opened.append(Store(path))

    threads = [threading.Thread(target=open_it) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [store.runs() for store in opened] == [[]] * 8
    for store in opened:
        store.close()
