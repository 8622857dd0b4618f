"""Starting and steering workers: the studio creates runs and writes wishes; a worker does the work.

A worker is a process of its own session, so it outlives the page, the browser and the server.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading

from engine.errors import RunError
from engine.spec import CompareSpec, Spec
from engine.store import ENDED, Run
from engine.workspace import Workspace

LIVE = ("waiting", "running", "paused")
STATES = (*LIVE, *ENDED, "crashed")


def start(workspace: Workspace, spec: Spec) -> int:
    """Id of a new run with a worker on its way; RunError while another run is alive."""
    _refuse_second(workspace)
    run_id = workspace.store.create_run(spec)
    _spawn(workspace, run_id)
    return run_id


def _refuse_second(workspace: Workspace, own: int | None = None) -> None:
    """The store refuses as well; here a run is called what its page calls it."""
    going_on = active(workspace)
    names = {"search": "Search", "compare": "Comparison"}
    if going_on is not None and going_on.id != own and going_on.spec.kind in names:
        raise RunError(
            f"{names[going_on.spec.kind]} {going_on.id} of this workspace is still going on.",
            "Wait for it, or stop it first.",
        )


def resume(workspace: Workspace, run_id: int) -> None:
    """Sends a worker to a run that crashed, stopped or failed; RunError while any is alive."""
    _refuse_second(workspace, run_id)
    workspace.store.reopen(run_id)
    _spawn(workspace, run_id)


def pause(workspace: Workspace, run_id: int) -> None:
    """Asks the worker to wait after the step it is in."""
    workspace.store.want(run_id, "paused")


def unpause(workspace: Workspace, run_id: int) -> None:
    """Asks a waiting worker to go on."""
    workspace.store.want(run_id, "running")


def stop(workspace: Workspace, run_id: int) -> None:
    """Asks the worker to end after its step; a crashed run is marked as stopped at once."""
    workspace.store.want(run_id, "stopped")
    if not workspace.store.alive(run_id) and workspace.store.run(run_id).state not in ENDED:
        workspace.store.set_state(run_id, "stopped")


def state_of(workspace: Workspace, run: Run) -> str:
    """One of STATES: what the row says, unless it says that a run goes on which nobody holds."""
    if run.state in ENDED or workspace.store.alive(run.id):
        return run.state
    fresh = workspace.store.run(run.id).state  # it may have ended between the two looks
    return fresh if fresh in ENDED else "crashed"


def active(workspace: Workspace, kind: str | None = None) -> Run | None:
    """The run of this workspace that is going on right now, if any (of `kind`).

    Of a comparison and the run that it is at, the comparison.
    """
    open_ = (run for run in workspace.store.runs(kind) if run.state not in ENDED)
    live = [run for run in open_ if state_of(workspace, run) in LIVE]
    return min(live, key=lambda run: not isinstance(run.spec, CompareSpec), default=None)


def _spawn(workspace: Workspace, run_id: int) -> None:
    store = workspace.store
    folder = store.run_folder(run_id)
    folder.mkdir(parents=True, exist_ok=True)
    cores = str(len(os.sched_getaffinity(0)))
    environment = {"OMP_NUM_THREADS": cores} | os.environ
    with (folder / "worker.log").open("ab") as log:
        worker = subprocess.Popen(
            [sys.executable, "-m", "engine.worker", str(store.path.resolve()), str(run_id)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=environment,
        )
    # An ended child stays in the process table until somebody asks for its exit code.
    threading.Thread(target=worker.wait, name=f"worker-{run_id}", daemon=True).start()
