"""Runs as the command line drives them: in this process and stoppable; prints no results."""

from __future__ import annotations

import contextlib
import shlex
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import click

from engine.cli import progress
from engine.devices import open_device
from engine.errors import ExportError, RunError, StudioError
from engine.events import Exported, View
from engine.front.filter import Filter
from engine.latency import load_model, require_feasible
from engine.space import Arch
from engine.spec import CompareSpec, DeviceChoice, ProfileSpec, RunSpec, Spec
from engine.start import require_shrinking
from engine.store import Run, Status, Store
from engine.workspace import Workspace

existing_option = click.option(
    "--workspace",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the workspace.",
)
"""For commands that go on with what is there: `existing` opens it."""

STOPPING = (signal.SIGINT, signal.SIGTERM)


class Fault(Exception):
    """A fault of ours, already written to a log: one sentence that says where."""


class Interrupted(BaseException):
    """A signal ended the command. Not an Exception: nothing on the way may take it for an error."""

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}.")
        self.number = number
        self.advice = ""

    def __str__(self) -> str:
        return f"{self.args[0]} {self.advice}".strip()


@dataclass(frozen=True, slots=True)
class Done:
    """A run and what its events amount to."""

    run: Run
    view: View
    workspace: Workspace

    @property
    def search(self) -> RunSpec:
        """The spec of a run that is a search."""
        assert isinstance(self.run.spec, RunSpec), self.run.spec.kind
        return self.run.spec


def made(folder: Path) -> Path:
    """The folder's full path; made if missing, RunError if that cannot be done."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunError(f"folder: {folder} cannot be made ({error.strerror}).") from error
    return folder.resolve()


def opened(folder: Path) -> Workspace:
    """The workspace at exactly `folder`, made if missing."""
    workspace = Workspace(made(folder))
    try:
        workspace.store.runs()
    except (sqlite3.Error, OSError) as error:
        raise RunError(
            f"workspace: {folder} cannot be opened ({error}).", "Choose another folder."
        ) from error
    return workspace


def existing(folder: Path) -> Workspace:
    """The workspace at `folder`; RunError if there is none, since only a search makes one."""
    if not (folder / "studio.db").is_file():
        raise RunError(f"workspace: {folder} is none yet.", "onepath search makes one.")
    return opened(folder)


def searched(workspace: Workspace, run_id: int) -> Done:
    """The search of that number as it stands; RunError if the run is none."""
    run = workspace.store.run(run_id)
    if not isinstance(run.spec, RunSpec):
        raise RunError(f"run: must be a search, but run {run_id} is of kind {run.spec.kind}.")
    return Done(run, workspace.store.view(run_id), workspace)


def chosen_arch(found: Done, text: str) -> str:
    """The architecture that `text` names; `best`: the most accurate one within the limit."""
    if text != "best":
        return str(found.search.space.require(Arch.parse(text)))
    limit = found.search.latency_limit_ms
    best = found.view.best(limit)
    if best is None:
        raise RunError(
            f"best: run {found.run.id} measured no architecture within {limit:g} ms.",
            _way_on(found),
        )
    return best.arch


def _way_on(found: Done) -> str:
    """What to do about a search that has no best network yet, or never will."""
    if found.view.failed:
        return f"It ended: {found.view.failed.message}"
    if found.view.finished:
        return "Search again with a higher limit."
    return f"onepath resume {found.run.id} goes on with it, onepath front shows what there is."


def start(workspace: Workspace, spec: Spec) -> Done:
    """A new run, carried out in this process until it ends."""
    if isinstance(spec, RunSpec):
        _refuse_the_impossible(workspace, spec)
    run_id = workspace.store.create_run(spec)
    _keep_drafts(workspace, spec)
    return carry_out(workspace, run_id)


def _refuse_the_impossible(workspace: Workspace, spec: RunSpec) -> None:
    """Refuses, before there is a run, limits of which the known table says they are no use."""
    device = open_device(spec.device)
    model = load_model(workspace.store, device.key, spec.space)
    if model is not None:
        require_feasible(model, spec.latency_limit_ms, device.name)
        if spec.start is not None:
            kept = Filter(spec.space, model, spec.latency_limit_ms, spec.limits)
            require_shrinking(kept, spec.start)


def resume(workspace: Workspace, run_id: int) -> Done:
    """A search carried on from its last checkpoint; one that is finished is only looked at."""
    found = searched(workspace, run_id)
    if found.run.state == "finished":
        return found
    workspace.store.reopen(run_id)
    return carry_out(workspace, run_id)


def carry_out(workspace: Workspace, run_id: int) -> Done:
    from engine.worker import execute

    store = workspace.store
    again = "Start the same command again."
    if isinstance(store.run(run_id).spec, RunSpec):
        folder = shlex.quote(str(workspace.folder))
        again = f"Go on with: onepath resume {run_id} --workspace {folder}"
    with interruptible(again), progress.shown() as on_status, _logged(_log(store, run_id)):
        code = execute(store, run_id, on_status)
    done = Done(store.run(run_id), store.view(run_id), workspace)
    for warning in done.view.warnings:
        click.echo(f"Note: {warning}", err=True)
    if code:
        raise _error(done, code)
    return done


def _error(done: Done, code: int) -> StudioError | Fault:
    failed, log = done.view.failed, _log(done.workspace.store, done.run.id)
    if failed and code == 2 and not failed.trace:
        return StudioError(failed.message, failed.hint)
    if code == 2:
        return StudioError("disk: must have space for the run, but it is full.", "Free some space.")
    what = failed.message if failed else f"it ended with code {code}"
    return Fault(f"run {done.run.id} broke ({what}); the log is {log}")


def _log(store: Store, run_id: int) -> Path:
    return store.run_folder(run_id) / "worker.log"


@contextlib.contextmanager
def _logged(log: Path) -> Iterator[None]:
    """Inside, whatever the run or a library prints goes to the log: stdout is for the result."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        handle = stack.enter_context(log.open("a"))
        stack.enter_context(contextlib.redirect_stdout(handle))
        stack.enter_context(contextlib.redirect_stderr(handle))
        yield


def _keep_drafts(workspace: Workspace, spec: Spec) -> None:
    """Gives the studio's pages something to open in a workspace that only the command line knew."""
    store = workspace.store
    if not isinstance(spec, RunSpec | ProfileSpec | CompareSpec):
        return
    drafts: dict[str, dict[str, Any]] = {
        "about": {"title": workspace.name},
        "space": spec.space.to_json(),
        "device": asdict(spec.device),
    }
    if not isinstance(spec, ProfileSpec):
        goal = RunSpec(spec.space, spec.data, spec.device, spec.latency_limit_ms)
        if isinstance(spec, RunSpec):
            goal = spec
        drafts["data"] = asdict(spec.data)
        drafts["goal"] = {
            "limit_ms": goal.latency_limit_ms,
            "epochs": goal.epochs,
            "seed": goal.seed,
        }
    for name, document in drafts.items():
        if store.document(name) is None:
            store.save(name, document)


@contextlib.contextmanager
def interruptible(advice: str) -> Iterator[None]:
    """Inside, SIGINT and SIGTERM raise Interrupted, which then tells `advice`."""

    def stop(number: int, _frame: FrameType | None) -> None:
        raise Interrupted(number)

    before = {number: signal.signal(number, stop) for number in STOPPING}
    try:
        yield
    except Interrupted as stopped:
        stopped.advice = advice
        raise
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def last_export(done: Done) -> Exported:
    """What an export run wrote; RunError if it was stopped before."""
    if not done.view.exported:
        raise RunError(f"run {done.run.id} was stopped before its archive was written.")
    return done.view.exported[-1]


def copy_archive(archive: Path, out: Path) -> None:
    """Copies a finished archive to `out`, whole or not at all."""
    part = out.with_name(f".{out.name}.part")
    try:
        shutil.copyfile(archive, part)
        part.replace(out)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise ExportError(
            f"out: {out} cannot be written ({error.strerror}).", f"The archive is {archive}."
        ) from error


def bench(file: Path, choice: DeviceChoice) -> dict[str, Any]:
    """Latency of the ONNX file at `file` on a device, as the document of `bench-onnx`."""
    from engine.devices import STANDARD, open_device

    try:
        content = file.read_bytes()
    except OSError as error:
        raise StudioError(f"file: {file} cannot be read ({error.strerror}).") from error
    device = open_device(choice)
    with progress.shown() as on_status:

        def report(done: float, words: str) -> None:
            on_status(Status("measure", done, None, words))

        samples = device.measure([content], STANDARD, report)[0]
    provenance = device.provenance()
    runtime = f"{provenance['runtime']} {provenance['runtime_version']}"
    return {
        "p50_ms": samples.p50_ms,
        "p90_ms": samples.p90_ms,
        "p99_ms": samples.p99_ms,
        "runs": samples.runs,
        "threads": choice.threads,
        "runtime": runtime,
    }
