"""The run that compares strategies: every step is a run of its own, in a process of its own.

Which steps there are is said by `compare`; here each is done, taken up where it was cut off, or
taken as it is. A step's process ends when this one does, whatever the reason.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Generator, Iterator
from typing import IO

from engine.clock import Clock
from engine.contest.budget import cost_of
from engine.contest.compare import Done, Step, contest_steps, phases
from engine.contest.time import STARTING_S, Timing
from engine.errors import RunError
from engine.events import Compared, Event, Finished, Part, Progress, Resumed
from engine.spec import CompareSpec, RunSpec, Spec
from engine.store import Store
from engine.worker import TIED

PEAKS = "peak-memory"  # a document: most bytes of every run that a comparison did
RESULT = "comparison"  # a document: the report of the newest comparison that ended
POLL_S = 0.4
PATIENCE_S = 20.0  # a process that was asked to end is ended by force after so long
ENOUGH = 3  # finished runs of a phase are read for the seconds they took


def contest(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Does the steps that are not done yet, then tells the report."""
    assert isinstance(spec, CompareSpec), spec
    begun = store.view(clock.run_id)
    yield Resumed(begun.step)
    known = store.view(clock.run_id)  # without what came after the last whole step
    clock.enter("compare")
    total = len(phases(spec))
    with contextlib.closing(Beside(store, clock.run_id)) as beside:
        parts = Parts(beside, clock, spec, announced=set(known.parts))
        steps = contest_steps(spec, beside)
        try:
            step = next(steps)
            while True:
                done = yield from parts.do(step)
                if step.number >= known.step:
                    yield Progress(step.number + 1, total, "compare")
                step = steps.send(done)
        except StopIteration as end:
            report = end.value
    yield Progress(total, total, "compare")
    yield Compared(report)
    if store.document(RESULT) != report:
        store.save(RESULT, report)
    yield Finished("compared", clock.seconds())


class Beside(Store):
    """The workspace as run `own` sees it, which starts others: it is not in their way itself."""

    def __init__(self, store: Store, own: int) -> None:
        super().__init__(store.path)
        self.own = own

    def alive(self, run_id: int) -> bool:
        """Whether another run than the own one goes on."""
        return run_id != self.own and super().alive(run_id)


class Parts:
    """The runs of a comparison; does each once."""

    def __init__(
        self, store: Beside, clock: Clock, spec: CompareSpec, *, announced: set[int]
    ) -> None:
        self.store, self.clock = store, clock
        self.announced = announced
        self.timing = Timing(spec)
        self.known = [(run.id, run.spec) for run in store.runs()]  # newest first, read only once

    def do(self, step: Step) -> Generator[Event, None, Done]:
        """Says that a run is a part; its id and peak memory. A finished one is taken as it is."""
        same = [number for number, spec in self.known if spec == step.spec]
        done = next((n for n in same if self.store.run(n).state == "finished"), None)
        if done is not None:
            yield from self._announced(done, step)
            self._learn(done, step)
            return done, self._peak(done)
        run_id = self._opened(step, same)
        yield from self._announced(run_id, step)
        began = self.clock.seconds()
        self._work(run_id, step)
        seconds = self.clock.seconds() - began
        self.timing.took(step.number, seconds, epoch_s=self._epoch_s(run_id))
        return run_id, self._peak(run_id)

    def _learn(self, run_id: int, step: Step) -> None:
        """Keeps in mind what a finished run took, for the time that others will take."""
        if len(self.timing.measured.get(self.timing.phases[step.number], ())) < ENOUGH:
            finished = self.store.view(run_id).finished
            if finished is not None:
                seconds, epoch_s = finished.seconds + STARTING_S, self._epoch_s(run_id)
                self.timing.took(step.number, seconds, epoch_s=epoch_s)

    def _epoch_s(self, run_id: int) -> float:
        """Seconds of an epoch of a search, without judging; 0 for other runs."""
        spec = self.store.run(run_id).spec
        if not isinstance(spec, RunSpec):
            return 0.0
        return cost_of(self.store.timed(run_id)).rest / spec.epochs

    def _announced(self, run_id: int, step: Step) -> Iterator[Part]:
        if run_id not in self.announced:
            self.announced.add(run_id)
            yield Part(run_id, step.words)

    def _peak(self, run_id: int) -> int:
        return int((self.store.document(PEAKS) or {}).get(str(run_id), 0))

    def remember(self, run_id: int, peak: int) -> None:
        """Keeps the most bytes that any process of a run took, whatever becomes of this one."""
        if peak > self._peak(run_id):
            peaks = self.store.document(PEAKS) or {}
            self.store.save(PEAKS, {**peaks, str(run_id): peak})

    def _opened(self, step: Step, same: list[int]) -> int:
        """A waiting run: one that was cut off, ready to go on, or a new one."""
        for number in same:
            if self.store.run(number).state != "failed":
                self.store.reopen(number)
                return number
        run_id = self.store.create_run(step.spec)
        self.known.insert(0, (run_id, step.spec))
        return run_id

    def _work(self, run_id: int, step: Step) -> None:
        """Starts the run's process until the run is finished; RunError if it ends before.

        A pause ends the process as a stop does, so that no seconds of the run are those of waiting.
        """
        began = self.clock.seconds()
        while True:
            code = self._attempt(run_id, step, began)
            if self.store.run(run_id).state == "finished":
                return
            if self.store.wanted(self.clock.run_id) == "running":
                raise _unfinished(self.store, run_id, code)
            self._tell(step, began)  # waits as long as the comparison is paused, or ends it
            self.store.reopen(run_id)

    def _tell(self, step: Step, began: float) -> None:
        status = self.timing.status(step, self.clock.seconds() - began)
        self.clock.tell(status, force=True)

    def _attempt(self, run_id: int, step: Step, began: float) -> int:
        """Exit code of one process; it is ended once anything else is wanted."""
        with _log(self.store, run_id) as log:
            command = [sys.executable, "-m", "engine.worker", str(self.store.path.resolve())]
            worker = subprocess.Popen(
                [*command, str(run_id), TIED],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for this process, which passes it on
            )
        ended = None
        try:
            while ended is None and self.store.wanted(self.clock.run_id) == "running":
                self._tell(step, began)
                ended = _reaped(worker, POLL_S)
        finally:
            ended = ended or _ended(worker)
            self.remember(run_id, ended[1])  # also where this process is about to stop
        return ended[0]


def _log(store: Store, run_id: int) -> IO[bytes]:
    path = store.run_folder(run_id) / "worker.log"
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.open("ab")


def _ended(worker: subprocess.Popen[bytes]) -> Done:
    """Asks a process to end, as a stop does, and sees to it that it does."""
    assert worker.stdin is not None
    worker.stdin.close()
    ended = _reaped(worker, PATIENCE_S)
    if ended is None:
        worker.kill()  # which it survives: a run goes on from its last checkpoint
        ended = _reaped(worker, PATIENCE_S)
    return ended or (-1, 0)


def _reaped(worker: subprocess.Popen[bytes], patience_s: float) -> Done | None:
    """Exit code and most bytes of a process that ended within so many seconds; None: it goes on."""
    until = time.monotonic() + patience_s
    while True:
        found, status, usage = os.wait4(worker.pid, os.WNOHANG)
        if found:
            worker.returncode = os.waitstatus_to_exitcode(status)
            assert worker.stdin is not None
            worker.stdin.close()
            scale = 1 if sys.platform == "darwin" else 1024
            return worker.returncode, usage.ru_maxrss * scale
        if time.monotonic() >= until:
            return None
        time.sleep(min(0.05, patience_s))


def _unfinished(store: Store, run_id: int, code: int) -> RunError:
    failed = store.view(run_id).failed
    state = store.run(run_id).state
    said = failed.message if failed and state == "failed" else f"it ended with code {code}"
    if state == "stopped":
        said = "it was stopped."
    return RunError(
        f"run {run_id}: must finish for the comparison, but: {said}",
        "Resume the comparison: it goes on with this run.",
    )
