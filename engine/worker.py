"""The process that does a run, `python -m engine.worker DB RUN_ID`; the engine's error boundary.

It takes the run's lock, appends every event of the run's job, and writes the state that the run
ends in. A user's mistake becomes `Failed` with its sentence, a fault `Failed` with its trace.
"""

from __future__ import annotations

import contextlib
import gc
import os
import re
import sqlite3
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

from engine.clock import Clock, OnStatus, Stopped
from engine.errors import StudioError
from engine.events import Event, Failed
from engine.spec import (
    CompareSpec,
    ConflictSpec,
    DataSpec,
    ExportSpec,
    ProfileSpec,
    RunSpec,
    Spec,
    TrainSpec,
    TrustSpec,
)
from engine.store import Store

OK, FAULT, MISTAKE = 0, 1, 2
TIED = "--tied"  # to the process that started it: another run, which cannot outlive it otherwise
FULL = re.compile("no space left|disk is full|disk quota", re.IGNORECASE)


def execute(store: Store, run_id: int, on_status: OnStatus | None = None) -> int:
    """Does or resumes a run in this process: 0 done or stopped, 2 user's mistake, 1 fault."""
    spec = store.run(run_id).spec
    with store.hold(run_id):
        store.set_state(run_id, "running")
        state, code, ending = "finished", OK, None
        try:
            for event in _job(spec)(spec, store, Clock(store, run_id, on_status)):
                store.append(run_id, event)
        except Stopped:
            state = "stopped"
        except StudioError as error:
            state, code, ending = "failed", MISTAKE, Failed(error.message, error.hint)
        except Exception as error:  # the boundary: whatever went wrong is told
            state, code, ending = "failed", *_told(error)
        _end(store, run_id, state, ending)
    return code


def _told(error: Exception) -> tuple[int, Failed]:
    """Exit code and event for what nobody expected; a full disk is no fault of ours."""
    trace = traceback.format_exc()
    if isinstance(error, OSError | sqlite3.Error) and FULL.search(str(error)):
        words = f"disk: must have space for the run, but {str(error)[:200]}."
        return MISTAKE, Failed(words, "Free some space, then resume: nothing finished is lost.")
    with contextlib.suppress(OSError):
        print(trace, file=sys.stderr, flush=True)
    words = f"{type(error).__name__}: {error}"[:500]
    return FAULT, Failed(words, "This is our fault; the run's worker.log has the details.", trace)


def _end(store: Store, run_id: int, state: str, ending: Failed | None) -> None:
    """Writes how the run ended, as much of it as the disk takes."""
    with contextlib.suppress(OSError, sqlite3.Error):
        store.set_state(run_id, state)  # first, since it needs no further page of the database
    with contextlib.suppress(OSError, sqlite3.Error):
        if ending:
            store.append(run_id, ending)


Job = Callable[[Spec, Store, Clock], Iterator[Event]]


def _job(spec: Spec) -> Job:
    """The function that does a run of this kind; imported late, since only some need torch."""
    match spec:
        case RunSpec():
            from engine.run import search

            return search
        case TrainSpec():
            from engine.train_job import train

            return train
        case ExportSpec():
            from engine.export import export

            return export
        case ConflictSpec():
            from engine.explain.conflict_job import conflicts

            return conflicts
        case TrustSpec():
            from engine.trust.job import judge

            return judge
        case CompareSpec():
            from engine.contest.job import contest

            return contest
        case ProfileSpec() | DataSpec():
            from engine.jobs import JOBS

            return JOBS[spec.kind]


def main() -> None:
    """Runs the run that the two arguments name, and exits with its code.

    With TIED as the third one the run is stopped once standard input ends.
    """
    store, run_id = Store(Path(sys.argv[1])), int(sys.argv[2])
    os.environ.setdefault("OMP_NUM_THREADS", str(os.cpu_count() or 1))
    if TIED in sys.argv[3:]:
        threading.Thread(target=_stop_at_end, args=(store, run_id), daemon=True).start()
    gc.freeze()
    sys.exit(execute(store, run_id))


def _stop_at_end(store: Store, run_id: int) -> None:
    """Wants the run stopped when whoever holds the other end of standard input is gone."""
    # Not through sys.stdin: its lock, held here, would break the end of the process.
    while os.read(0, 1):
        pass
    with contextlib.suppress(sqlite3.Error):
        store.want(run_id, "stopped")


if __name__ == "__main__":
    main()
