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
SPACE, DRAFT, WHY = "space", "space-draft", "space-why"
MOST_WHY = 200
TOLD = "compose.told"


@dataclass(frozen=True, slots=True)
class Composition:
    """What is on the canvas: the document, its revision there, and what it comes to.

    `space` is None while the document cannot be built, and `error` says why; `revision` is the
    newest one saved in the workspace, and those after `since` are this session's own. A document
    is `overtaken` when it was begun before `since`: then it is kept as a draft until its author
    decides.
    """

    workspace: str
    document: Document
    rev: int
    revision: int
    space: SearchSpace | None
    error: str = ""
    since: int = 0
    overtaken: bool = False


def key(workspace: Workspace) -> str:
    """The composer's key in the session's state."""
    return f"composer.{workspace.name}"


def compose(workspace: Workspace) -> Composition:
    """What this session composes, after taking in the last edit of the browser."""
    mine = st.session_state.get(state.COMPOSITION)
    if not isinstance(mine, Composition) or mine.workspace != workspace.name:
        mine = None
    revision = workspace.store.revision(SPACE)
    known = mine
    if known is None or known.revision != revision:  # a new session, or somebody else saved
        known = _opened(workspace, 1 if known is None else known.rev + 1)
    edit = composer.received(key(workspace))
    if edit is not None and edit.rev > (mine.rev if mine else known.rev):
        late = known.overtaken or _late(workspace, known, edit)
        take = _kept if late else _taken
        taken = take(workspace, edit.doc, max(edit.rev, known.rev))
        # What was said last is all that was done only where nothing went unsaved before it.
        if known.space is not None and not edit.before and taken.revision == known.revision + 1:
            _explain(workspace, taken.revision, edit.why)
        known = replace(taken, since=taken.revision if late else known.since)
    st.session_state[state.COMPOSITION] = known
    return known


def put(workspace: Workspace, document: Document, why: str = "") -> Composition:
    """Puts another document on the canvas (a preset, a file, an older revision) and saves it.

    `why` says in a few words where it comes from.
    """
    known = compose(workspace)
    taken = replace(_taken(workspace, document, known.rev + 1), since=known.since)
    if why and taken.revision == known.revision + 1:
        _explain(workspace, taken.revision, why)
    st.session_state[state.COMPOSITION] = taken
    return taken


def insist(workspace: Workspace) -> None:
    """Saves an overtaken draft over the newest revision."""
    put(workspace, compose(workspace).document)


def give_way(workspace: Workspace) -> None:
    """Drops an overtaken draft for the newest revision."""
    put(workspace, draft.whole(state.drafted_space(workspace).to_json()))


def reasons(workspace: Workspace, most: int) -> dict[int, str]:
    """Number of a revision to what was done for it in words, for those where it is known."""
    found = [kept.payload for kept in workspace.store.revisions(WHY, most)]
    return {kept["revision"]: kept["why"] for kept in found}


def _explain(workspace: Workspace, revision: int, why: str) -> None:
    workspace.store.save(WHY, {"revision": revision, "why": why[:MOST_WHY]}, author())


def tell(sentence: str) -> None:
    """Has the page say something; a callback must not draw."""
    st.session_state[TOLD] = sentence


def told() -> str:
    """What a callback wanted said, once."""
    return str(st.session_state.pop(TOLD, ""))


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
    except (RecursionError, ValueError):
        return None, "space: must be JSON of few levels and finite numbers, got another."


def _late(workspace: Workspace, known: Composition, edit: composer.Edit) -> bool:
    """Whether somebody else saved what this session began with, after the edit was begun."""
    if edit.base is None or edit.base >= known.since:
        return False
    newest = state.drafted_space(workspace)
    return all(judged(document)[0] != newest for document in edit.before)


def _opened(workspace: Workspace, rev: int) -> Composition:
    """The draft of the newest revision where there is one, else that revision."""
    revision = workspace.store.revision(SPACE)
    kept = workspace.store.document(DRAFT) or {}
    if kept.get("revision") == revision:
        space, error = judged(kept["document"])
        late = space is not None
        made = Composition(workspace.name, kept["document"], rev, revision, space, error)
        return replace(made, since=revision, overtaken=late)
    space = state.drafted_space(workspace)
    document = draft.whole(space.to_json())
    return Composition(workspace.name, document, rev, revision, space, since=revision)


def _taken(workspace: Workspace, document: dict[str, Any], rev: int) -> Composition:
    """The document saved if it builds, else kept as a draft."""
    space, _ = judged(document)
    if space is None:
        return _kept(workspace, document, rev)
    return Composition(workspace.name, document, rev, _saved(workspace, space), space)


def _kept(workspace: Workspace, document: dict[str, Any], rev: int) -> Composition:
    """The document as a draft beside the newest revision, which it may be equal to."""
    space, error = judged(document)
    if space is not None and space == state.drafted_space(workspace):
        return Composition(workspace.name, document, rev, _saved(workspace, space), space)
    revision = workspace.store.revision(SPACE)
    if len(json.dumps(document)) <= MOST_BYTES:
        workspace.store.save(DRAFT, {"revision": revision, "document": document}, author())
    late = space is not None
    return Composition(workspace.name, document, rev, revision, space, error, overtaken=late)


def _saved(workspace: Workspace, space: SearchSpace) -> int:
    """Number of the newest revision, which holds `space`."""
    store = workspace.store
    if space != state.drafted_space(workspace):
        return store.save(SPACE, space.to_json(), author())
    if (store.document(DRAFT) or {}).get("revision") == store.revision(SPACE):
        store.save(DRAFT, {}, author())  # the edit that could not be built was taken back
    return store.revision(SPACE)
