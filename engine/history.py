"""Undo and redo of saved documents; every step appends a copy, so a number never changes meaning.

Nothing is deleted: a row that restores another one names it, and an undo also names what it undid.
`Store` owns the connection and the transaction.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Step:
    """What to append: a copy of row `restores`, and row `undone` that a redo brings back."""

    restores: int
    undone: int | None


Finding = Callable[[sqlite3.Connection, str], Step | None]


def older(db: sqlite3.Connection, name: str) -> Step | None:
    """The step back from the newest revision; None if nothing lies before it."""
    head = _newest(db, name)
    if head is None:
        return None
    before = _newest(db, name, below=head.restores)
    return None if before is None else Step(before.restores, head.id)


def newer(db: sqlite3.Connection, name: str) -> Step | None:
    """The step that takes the last undo back; None if the newest revision is no undo."""
    head = _newest(db, name)
    if head is None or head.undone is None:
        return None
    undone = _newest(db, name, below=head.undone + 1)
    return None if undone is None else Step(undone.restores, undone.undone)


def append(db: sqlite3.Connection, step: Step) -> None:
    """Saves the step as the newest revision."""
    db.execute(
        "insert into documents (name, payload, at, restores, undone)"
        " select name, payload, ?, id, ? from documents where id = ?",
        (time.time(), step.undone, step.restores),
    )


@dataclass(frozen=True, slots=True)
class _Row:
    id: int
    restores: int  # its own id where it was saved, not restored
    undone: int | None


def _newest(db: sqlite3.Connection, name: str, *, below: int | None = None) -> _Row | None:
    row = db.execute(
        "select id, coalesce(restores, id), undone from documents"
        " where name = ? and (? is null or id < ?) order by id desc limit 1",
        (name, below, below),
    ).fetchone()
    return None if row is None else _Row(*row)
