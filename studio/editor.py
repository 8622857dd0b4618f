"""The search space that a session is editing: valid edits become revisions, others stay here.

Edits that cannot be built are undone and redone one by one as well, as long as the session lasts.
Nothing is drawn here; the Compose page binds its widgets to an `Editor`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import streamlit as st

from engine.errors import SpaceError
from engine.space import SearchSpace
from engine.workspace import Workspace
from studio import draft, state
from studio.draft import Document

Documents = list[Document]


@dataclass(frozen=True, slots=True)
class Editor:
    """The document being edited, and the keys of this round's widgets."""

    workspace: Workspace
    document: Document
    round: int

    def key(self, *path: str | int) -> str:
        return ".".join(("compose", str(self.round), *map(str, path)))

    def set(self, *path: str | int, read: Callable[[Any], object] = lambda value: value) -> None:
        """Takes over what the widget of `path` holds now."""
        value = read(st.session_state[self.key(*path)])
        if value is not None:
            _commit(self.workspace, draft.changed(current(self.workspace), path, value))

    def replace(self, document: Document) -> None:
        """Takes over a document as a whole; widgets start again from it."""
        _commit(self.workspace, document)
        st.session_state[state.COMPOSE_ROUND] = self.round + 1

    def undo(self) -> None:
        """One edit back: one that is only on this page, else one that was saved."""
        past, future = _steps()
        if past:
            self._show(past[-1], past[:-1], [*future, current(self.workspace)])
        elif self.workspace.store.undo("space"):
            self.replace(state.drafted_space(self.workspace).to_json())

    def redo(self) -> None:
        """One undone edit forth again, if nothing was edited meanwhile."""
        past, future = _steps()
        if future:
            self._show(future[-1], [*past, current(self.workspace)], future[:-1])
        elif not past and self.workspace.store.redo("space"):
            self.replace(state.drafted_space(self.workspace).to_json())

    def steps(self) -> tuple[bool, bool]:
        """Whether `undo` and whether `redo` would do something."""
        past, future = _steps()
        undo, redo = self.workspace.store.steps("space")
        return bool(past) or undo, bool(future) or (redo and not past)

    def _show(self, document: Document, past: Documents, future: Documents) -> None:
        _remember(self.workspace, document, _problem(document), (past, future))
        st.session_state[state.COMPOSE_ROUND] = self.round + 1


def open_editor(workspace: Workspace) -> Editor:
    """An editor of what this session is editing in `workspace`."""
    document = current(workspace)  # first: it may start another round
    return Editor(workspace, document, st.session_state.get(state.COMPOSE_ROUND, 0))


def error() -> str:
    """Why the draft cannot be built; empty if it can, and is therefore saved."""
    return str(st.session_state.get(state.COMPOSE_ERROR, ""))


def current(workspace: Workspace) -> Document:
    """What is being edited: this session's draft, or the newest revision if others saved one."""
    base = workspace.store.document("space")
    known = st.session_state.get(state.COMPOSE_DRAFT)
    if known and (known["workspace"], known["base"]) == (workspace.name, base):
        document: Document = known["document"]
        return document
    fresh = state.drafted_space(workspace).to_json()
    if known:
        st.session_state[state.COMPOSE_ROUND] = st.session_state.get(state.COMPOSE_ROUND, 0) + 1
    _remember(workspace, fresh, "")
    return fresh


def _steps() -> tuple[Documents, Documents]:
    """Unsaved documents before the current one, oldest first, and undone ones, newest last."""
    past, future = (st.session_state.get(state.COMPOSE_DRAFT) or {}).get("steps", ([], []))
    return past, future


def _remember(
    workspace: Workspace,
    document: Document,
    error: str,
    steps: tuple[Documents, Documents] = ([], []),
) -> None:
    st.session_state[state.COMPOSE_DRAFT] = {
        "workspace": workspace.name,
        "base": workspace.store.document("space"),
        "document": document,
        "steps": steps,
    }
    st.session_state[state.COMPOSE_ERROR] = error


def _problem(document: Document) -> str:
    try:
        SearchSpace.from_json(document)
    except SpaceError as problem:
        return str(problem)
    return ""


def _commit(workspace: Workspace, document: Document) -> None:
    """Saves `document` as a revision if it can be built; keeps it as a draft in any case."""
    error = _problem(document)
    if error:
        before = current(workspace)
        _remember(workspace, document, error, ([*_steps()[0], before], []))
        return
    space = SearchSpace.from_json(document)
    if space != state.drafted_space(workspace):
        workspace.store.save("space", space.to_json())
    _remember(workspace, document, "")
