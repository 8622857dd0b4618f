"""Progress on stderr while a command computes: a bar in a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from engine.store import Status

EVERY_S = 2.0


@contextmanager
def shown() -> Iterator[Callable[[Status], None]]:
    """The callback to report to, as long as the block lasts."""
    if sys.stderr.isatty():
        with _bar() as report:
            yield report
    else:
        stream = sys.stderr  # bound here: what a run prints is redirected to its log later
        yield Lines(lambda line: print(line, file=stream, flush=True))


class Lines:
    """Plain lines: one for every new phase, and within a phase at most one per EVERY_S seconds."""

    def __init__(
        self, write: Callable[[str], None], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.write, self.clock = write, clock
        self.phase, self.due = "", float("-inf")

    def __call__(self, status: Status) -> None:
        now = self.clock()
        if status.phase == self.phase and now < self.due:
            return
        self.phase, self.due = status.phase, now + EVERY_S
        self.write(sentence(status))


def sentence(status: Status) -> str:
    """The status in words: `search 43 %, 1:05 left, epoch 17 of 40`."""
    parts = [f"{status.phase} {status.done * 100:.0f} %", remaining(status), status.detail]
    return ", ".join(part for part in parts if part)


def remaining(status: Status) -> str:
    """Time left as minutes and seconds, empty where it is not known."""
    if status.seconds_left is None:
        return ""
    minutes, seconds = divmod(round(status.seconds_left), 60)
    return f"{minutes}:{seconds:02d} left"


@contextmanager
def _bar() -> Iterator[Callable[[Status], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

    columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn()
    fields = TextColumn("{task.fields[left]}"), TextColumn("{task.fields[detail]}")
    progress = Progress(
        *columns,
        *fields,
        console=Console(file=sys.stderr),
        transient=True,
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with progress:
        task = progress.add_task("starting", total=1.0, left="", detail="")

        def report(status: Status) -> None:
            progress.update(
                task,
                description=status.phase,
                completed=status.done,
                left=remaining(status),
                detail=status.detail,
            )

        yield report
