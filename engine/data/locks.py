"""One process at a time: a lock that dies with its holder; a killed run never blocks the next."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from engine.store import Progressing


@contextmanager
def alone(path: Path, on_progress: Progressing, waiting: str) -> Iterator[None]:
    """Holds the lock file at `path`; says `waiting` once if another holds it, and waits."""
    with path.open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            on_progress(0.0, waiting)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
