"""The search space that a session composes: takes in what the browser sends, saves what builds.

A document that cannot be built yet is kept beside the space as a draft, so that no reload and no
restart loses it. Nothing is drawn here.
"""

from __future__ import annotations

import getpass
import json
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from engine.errors import SpaceError
from engine.space import SearchSpace
from engine.workspace import Workspace
from studio import composer, draft, state
from studio.draft import Document

MOST_BYTES = 500_000
SPACE, DRAFT = "space", "space-draft"


@dataclass(frozen=True, slots=True)
class Composition:
    """What is on the canvas: the document, its revision there, and what it comes to.

    `space` is None while the document cannot be built, and `error` says why; `revision` is the
    newest one saved in the workspace.
    """

    workspace: str
    document: Document
    rev: int
    revision: int
    space: SearchSpace | None
    error: str = ""


def key(workspace: Workspace) -> str:
    """The composer's key in the session's state."""
    return f"composer.{workspace.name}"


def compose(workspace: Workspace) -> Composition:
    """What this session composes, after taking in the last edit of the browser."""
    known = st.session_state.get(state.COMPOSITION)
    revision = workspace.store.revision(SPACE)
    if not isinstance(known, Composition) or known.workspace != workspace.name:
        known = _opened(workspace, 1)
    elif known.revision != revision:  # saved by somebody else, or on another page
        known = _opened(workspace, known.rev + 1)
    edit = composer.received(key(workspace))
    if edit is not None and edit.rev > known.rev:
        known = _taken(workspace, edit.doc, edit.rev)
    st.session_state[state.COMPOSITION] = known
    return known


def put(workspace: Workspace, document: Document) -> Composition:
    """Puts another document on the canvas (a preset, a file, an older revision)."""
    known = compose(workspace)
    taken = _taken(workspace, document, known.rev + 1)
    st.session_state[state.COMPOSITION] = taken
    return taken


def author() -> str:
    """Who composes: the account where people sign in, else whoever runs the studio."""
    if getattr(st.user, "is_logged_in", False):
        return str(getattr(st.user, "email", "") or getattr(st.user, "name", ""))
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a process without an account, as in some containers
        return ""


def judged(document: object) -> tuple[SearchSpace | None, str]:
    """The space that a document describes, or the sentence that says why it is none."""
    try:
        if len(json.dumps(document)) > MOST_BYTES:
            raise SpaceError(f"space: must be at most {MOST_BYTES:,} characters of JSON, got more.")
        return SearchSpace.from_json(document), ""
    except SpaceError as error:
        return None, str(error)


def _opened(workspace: Workspace, rev: int) -> Composition:
    """The draft of the newest revision where there is one, else that revision."""
    revision = workspace.store.revision(SPACE)
    kept = workspace.store.document(DRAFT) or {}
    if kept.get("revision") == revision:
        document = kept["document"]
        return Composition(workspace.name, document, rev, revision, None, judged(document)[1])
    space = state.drafted_space(workspace)
    document = draft.whole(space.to_json())
    return Composition(workspace.name, document, rev, revision, space)


def _taken(workspace: Workspace, document: dict[str, Any], rev: int) -> Composition:
    space, error = judged(document)
    made = Composition(workspace.name, document, rev, 0, space, error)
    if space is None:
        revision = workspace.store.revision(SPACE)
        if len(json.dumps(document)) <= MOST_BYTES:
            workspace.store.save(DRAFT, {"revision": revision, "document": document}, author())
    else:
        revision = _saved(workspace, space)
    return replace(made, revision=revision)


def _saved(workspace: Workspace, space: SearchSpace) -> int:
    """Number of the newest revision, which holds `space`."""
    store = workspace.store
    if space != state.drafted_space(workspace):
        return store.save(SPACE, space.to_json(), author())
    if (store.document(DRAFT) or {}).get("revision") == store.revision(SPACE):
        store.save(DRAFT, {}, author())  # the edit that could not be built was taken back
    return store.revision(SPACE)
