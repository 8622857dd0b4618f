"""The database of one workspace: runs, their events, latency tables, saved documents.

The worker alone writes a run's `state` and events; the studio alone writes `wanted`. Every write
is one `BEGIN IMMEDIATE` transaction, so readers and writers never meet a stale lock.
"""

from __future__ import annotations

import fcntl
import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sqlite_utils import Database

from engine import events
from engine.errors import RunError
from engine.events import Event
from engine.front.limits import Limits
from engine.schema import migrations
from engine.spec import Spec, TrainSpec, from_json, to_json

BUSY_MS = 10_000
GRACE_S = 20.0  # a run that was just created has this long for its worker to take the lock
ENDED = ("finished", "stopped", "failed")
HOLD_TRIES, HOLD_PAUSE_S = 10, 0.02


@dataclass(frozen=True, slots=True)
class Status:
    """What a run is doing right now; for showing only, overwritten several times a second."""

    phase: str = ""
    done: float = 0.0
    seconds_left: float | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `runs`; times are seconds since 1970."""

    id: int
    spec: Spec
    state: str
    wanted: str
    created_at: float
    heartbeat_at: float
    ended_at: float | None
    status: Status


@dataclass(frozen=True, slots=True)
class Revision:
    """One saved state of a document: its number (1 is the first), when and by whom, the content."""

    number: int
    at: float
    author: str
    payload: dict[str, Any]


class Store:
    """One connection to one workspace's database; safe to share between threads of a process."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self._lock = threading.RLock()
        self._connection = sqlite3.connect(
            path, timeout=BUSY_MS / 1000, isolation_level=None, check_same_thread=False
        )
        self._prepare()

    def _prepare(self) -> None:
        # Two processes may open a new workspace at once: neither the switch to WAL nor
        # sqlite-utils waits for the other.
        with (self.folder / "migrate.lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
                self._connection.execute(f"pragma {pragma}")
            migrations.apply(Database(self._connection))

    def close(self) -> None:
        """Closes the connection."""
        with self._lock:
            self._connection.close()

    @contextmanager
    def _write(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            self._connection.execute("begin immediate")
            try:
                yield self._connection
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:  # a full disk may have rolled back by itself
                    self._connection.execute("rollback")
                raise

    def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        with self._lock:
            return self._connection.execute(sql, values).fetchall()

    # -- runs ---------------------------------------------------------------------------------

    def create_run(self, spec: Spec) -> int:
        """Id of a new waiting run; RunError while another run of this workspace is alive."""
        now = time.time()
        with self._write() as db:
            self._refuse_a_second(db)
            run_id = db.execute(
                "insert into runs (kind, spec, state, wanted, created_at, heartbeat_at)"
                " values (?, ?, 'waiting', 'running', ?, ?)",
                (spec.kind, _dumps(to_json(spec)), now, now),
            ).lastrowid
        assert run_id is not None
        folder = self.run_folder(run_id)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "spec.json").write_text(json.dumps(to_json(spec), indent=1))
        return run_id

    def _refuse_a_second(self, db: sqlite3.Connection, own: int | None = None) -> None:
        for row in db.execute(
            "select id from runs where state not in ('finished','stopped','failed')"
        ).fetchall():
            # Its own run may say waiting because its worker died before it began.
            if self.held(row[0]) if row[0] == own else self.alive(row[0]):
                raise RunError(
                    f"run {row[0]} of this workspace is still going on.",
                    "Wait for it, or stop it first.",
                )

    def reopen(self, run_id: int) -> None:
        """Makes an ended or crashed run waiting again; RunError while any run is alive."""
        now = time.time()
        with self._write() as db:
            self._refuse_a_second(db, run_id)
            db.execute(
                "update runs set state = 'waiting', wanted = 'running', heartbeat_at = ?,"
                " ended_at = null where id = ?",
                (now, run_id),
            )

    def run(self, run_id: int) -> Run:
        """The run; RunError that lists the known ones if there is none of that id."""
        rows = self._runs("where id = ?", run_id)
        if not rows:
            known = ", ".join(str(row[0]) for row in self._rows("select id from runs order by id"))
            raise RunError(
                f"run: must be one of this workspace's ({known or 'none yet'}), got {run_id}."
            )
        return rows[0]

    def runs(self, kind: str | None = None) -> list[Run]:
        """All runs, newest first, or those of one kind."""
        if kind is None:
            return self._runs("order by id desc")
        return self._runs("where kind = ? order by id desc", kind)

    def trainings(self, run_id: int, arch: str) -> list[Run]:
        """Trainings of network `arch` of search `run_id`, newest first, finished or not."""
        every = [(run, run.spec) for run in self.runs(TrainSpec.kind)]
        return [
            run
            for run, spec in every
            if isinstance(spec, TrainSpec) and (spec.run, spec.arch) == (run_id, arch)
        ]

    def _runs(self, clause: str, *values: object) -> list[Run]:
        columns = "id, kind, spec, status, state, wanted, created_at, heartbeat_at, ended_at"
        return [
            Run(
                id=run_id,
                spec=from_json(kind, json.loads(spec)),
                state=state,
                wanted=wanted,
                created_at=created,
                heartbeat_at=beat,
                ended_at=ended,
                status=Status(**json.loads(status)),
            )
            for run_id, kind, spec, status, state, wanted, created, beat, ended in self._rows(
                f"select {columns} from runs {clause}", *values
            )
        ]

    def run_folder(self, run_id: int) -> Path:
        """Folder of a run's spec, checkpoint, weights and log."""
        return self.folder / "runs" / str(run_id)

    def set_state(self, run_id: int, state: str) -> None:
        """Worker only: waiting, running, paused, finished, stopped or failed."""
        now = time.time()
        with self._write() as db:
            ended = now if state in ENDED else None
            db.execute(
                "update runs set state = ?, heartbeat_at = ?, ended_at = ? where id = ?",
                (state, now, ended, run_id),
            )

    def want(self, run_id: int, wanted: str) -> None:
        """Studio only: ask the worker to be running, paused or stopped."""
        assert wanted in ("running", "paused", "stopped"), wanted
        with self._write() as db:
            db.execute("update runs set wanted = ? where id = ?", (wanted, run_id))

    def wanted(self, run_id: int) -> str:
        """What the studio last asked for."""
        return str(self._rows("select wanted from runs where id = ?", run_id)[0][0])

    def wait_while_paused(self, run_id: int, poll_s: float = 0.2) -> str:
        """`running` or `stopped`, once one of them is wanted; the state is `paused` meanwhile."""
        wanted = self.wanted(run_id)
        if wanted != "paused":
            return wanted
        self.set_state(run_id, "paused")
        while (wanted := self.wanted(run_id)) == "paused":
            time.sleep(poll_s)
        self.set_state(run_id, "running")
        return wanted

    def report(self, run_id: int, status: Status) -> None:
        """Overwrites what the run is doing right now."""
        payload = _dumps({name: getattr(status, name) for name in Status.__slots__})
        with self._write() as db:
            db.execute(
                "update runs set status = ?, heartbeat_at = ? where id = ?",
                (payload, time.time(), run_id),
            )

    # -- liveness: a lock, not a process id, which may be reused --------------------------------

    def hold(self, run_id: int) -> IO[str]:
        """Takes the run's lock until the file closes or the process dies; RunError if held."""
        path = self.run_folder(run_id) / "lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("w")
        for _ in range(HOLD_TRIES):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                time.sleep(HOLD_PAUSE_S)  # `held` of another process has it for a moment
            else:
                return handle
        handle.close()
        raise RunError(f"run {run_id} is already going on.", "Wait for it, or stop it first.")

    def held(self, run_id: int) -> bool:
        """Whether a living process holds the run's lock."""
        path = self.run_folder(run_id) / "lock"
        if not path.exists():
            return False
        with path.open("a") as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return True
        return False

    def alive(self, run_id: int) -> bool:
        """Whether a worker has the run, or was asked for so recently that it may be starting."""
        if self.held(run_id):
            return True
        state, beat = self._rows("select state, heartbeat_at from runs where id = ?", run_id)[0]
        return bool(state == "waiting" and time.time() - beat < GRACE_S)

    # -- events -------------------------------------------------------------------------------

    def append(self, run_id: int, *new: Event) -> None:
        """Adds events and beats the heart, in one transaction."""
        now = time.time()
        rows = [(run_id, now, type(e).__name__, _dumps(events.to_payload(e))) for e in new]
        with self._write() as db:
            db.executemany(
                "insert into events (run_id, at, kind, payload) values (?, ?, ?, ?)", rows
            )
            db.execute("update runs set heartbeat_at = ? where id = ?", (now, run_id))

    def events_after(self, run_id: int, cursor: int = 0) -> tuple[list[Event], int]:
        """Events with an id above `cursor`, and the new cursor."""
        rows = self._rows(
            "select id, kind, payload from events where run_id = ? and id > ? order by id",
            run_id,
            cursor,
        )
        new = [events.from_payload(kind, json.loads(payload)) for _, kind, payload in rows]
        return new, rows[-1][0] if rows else cursor

    def timed(self, run_id: int) -> list[tuple[float, Event]]:
        """A run's events with the second that each was written."""
        sql = "select at, kind, payload from events where run_id = ? order by id"
        rows = self._rows(sql, run_id)
        return [(at, events.from_payload(kind, json.loads(text))) for at, kind, text in rows]

    def view(self, run_id: int) -> events.View:
        """All of a run's events, folded."""
        return events.fold(self.events_after(run_id)[0], self.empty_view(run_id))

    def empty_view(self, run_id: int) -> events.View:
        """A view to fold the run's events into; of a search it knows the limits."""
        return events.View(getattr(self.run(run_id).spec, "limits", Limits()))

    # -- latency ------------------------------------------------------------------------------

    def put_latency(self, device: str, key: str, stats: tuple[float, float, float, int]) -> None:
        """Stores one table row: (median, p10, p90 in ms, repeats)."""
        with self._write() as db:
            db.execute(
                "insert or replace into latencies values (?, ?, ?, ?, ?, ?, ?)",
                (device, key, *stats, time.time()),
            )

    def latencies(self, device: str) -> dict[str, float]:
        """The device's table: layer key to median ms."""
        return dict(self._rows("select key, ms_median from latencies where device = ?", device))

    def forget_latencies(self, device: str, keys: list[str]) -> None:
        """Drops these rows of the device's table, so that they are measured again."""
        with self._write() as db:
            db.executemany(
                "delete from latencies where device = ? and key = ?", [(device, k) for k in keys]
            )

    def put_calibration(self, device: str, space: str, payload: dict[str, Any]) -> None:
        """Stores the calibration of a space (its digest) on a device."""
        with self._write() as db:
            db.execute(
                "insert or replace into calibrations values (?, ?, ?, ?)",
                (device, space, _dumps(payload), time.time()),
            )

    def calibrated(self, device: str) -> set[str]:
        """Digests of the spaces that a device has a calibration for."""
        rows = self._rows("select space from calibrations where device = ?", device)
        return {row[0] for row in rows}

    def calibration(self, device: str, space: str) -> dict[str, Any] | None:
        """The stored calibration, or None."""
        sql = "select payload from calibrations where device = ? and space = ?"
        rows = self._rows(sql, device, space)
        return json.loads(rows[0][0]) if rows else None

    # -- documents: what the pages edit; every save is a revision ---------------------------------

    def save(self, name: str, payload: dict[str, Any], author: str = "") -> int:
        """Stores a new revision of document `name` and returns its number."""
        with self._write() as db:
            db.execute(
                "insert into documents (name, payload, at, author) values (?, ?, ?, ?)",
                (name, _dumps(payload), time.time(), author),
            )
            count = db.execute("select count(*) from documents where name = ?", (name,)).fetchone()
        return int(count[0])

    def revisions(self, name: str, most: int = 200) -> list[Revision]:
        """The newest `most` revisions of document `name`, newest first."""
        sql = """select row_number() over (order by id), at, author, payload from documents
            where name = ? order by id desc limit ?"""
        return [
            Revision(n, at, who, json.loads(p)) for n, at, who, p in self._rows(sql, name, most)
        ]

    def document(self, name: str, number: int = 0) -> dict[str, Any] | None:
        """The newest revision of document `name`, or revision `number` (from 1); None without."""
        order = "order by id limit 1 offset ?" if number else "order by id desc limit 1 offset ?"
        sql = f"select payload from documents where name = ? {order}"
        rows = self._rows(sql, name, max(0, number - 1))
        return json.loads(rows[0][0]) if rows else None

    def revision(self, name: str) -> int:
        """Number of revisions of document `name`."""
        return int(self._rows("select count(*) from documents where name = ?", name)[0][0])

    def changed(self) -> int:
        """A number that differs once another connection has written; cheap to ask."""
        return int(self._rows("pragma data_version")[0][0])


Progressing = Callable[[float, str], None]
"""Callback of anything long: (share done 0..1, a few words of what is being done)."""


def _dumps(value: object) -> str:
    return json.dumps(value, allow_nan=False)  # ASCII: SQLite refuses lone surrogates
