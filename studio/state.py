"""What a page knows: the workspace it shows, its documents and its runs; nothing is drawn here.

All keys of the session's state stand at the top of this file; widgets use keys that start with
the name of their page.
"""

from __future__ import annotations

import os
import threading
from copy import copy
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import streamlit as st

from engine import presets
from engine.data import Dataset, open_prepared
from engine.devices import open_device
from engine.errors import StudioError
from engine.events import View, fold
from engine.latency import LatencyModel, load_model, restricted
from engine.space import Input, SearchSpace
from engine.spec import DataChoice, DeviceChoice
from engine.store import Run, Store
from engine.workspace import Workspace, open_workspace

PAGES = "shell.pages"  # name of a page to its st.Page, set by main at every run
WORKSPACE = "shell.workspace"  # name of the workspace that was last in the address
COMPOSITION = "compose.composition"  # what is on the canvas, and what it comes to

EARLIER = 20  # revisions that are looked through for one that was measured
ROOT_VARIABLE = "ONEPATH_WORKSPACES"


@dataclass(frozen=True)
class Goal:
    """What a search is asked for; no limit has been chosen while `limit_ms` is None."""

    limit_ms: float | None = None
    epochs: int = 40
    seed: int = 0


def workspaces_root() -> Path:
    """The folder that holds all workspaces, made if it is not there."""
    root = Path(os.environ.get(ROOT_VARIABLE) or "workspaces")
    root.mkdir(parents=True, exist_ok=True)
    return root


def page(name: str) -> Any:
    """The `st.Page` of a page by its name in the address (`compose`), to link to."""
    return st.session_state[PAGES][name]


def link_query(workspace: Workspace, **more: str | int) -> dict[str, str]:
    """Query parameters that keep `workspace` (and, say, `run=3`) when a link is followed."""
    return {"ws": workspace.name} | {key: str(value) for key, value in more.items()}


def current() -> Workspace:
    """The workspace of this page; if there is none, says so with a way to Home and stops."""
    name = st.query_params.get("ws") or st.session_state.get(WORKSPACE, "")
    if name:
        try:
            workspace = opened(workspaces_root(), name)
        except StudioError as error:
            st.warning(f"{error.message} {error.hint}")
        else:
            st.session_state[WORKSPACE] = name
            if st.query_params.get("ws") != name:
                st.query_params["ws"] = name
            return workspace
    st.session_state.pop(WORKSPACE, None)
    st.subheader("No workspace is open", anchor=False)
    st.write("A workspace holds a search space, its images, its device and any number of searches.")
    st.page_link(page("home"), label="Pick one on Home", icon=":material/arrow_back:")
    st.stop()


def opened(root: Path, name: str) -> Workspace:
    """The workspace `name`, opened once for the whole server; RunError if there is none."""
    fresh = open_workspace(root, name)  # checks the name and that the folder is still there
    return _opened(str(fresh.folder.resolve()), fresh.folder.stat().st_ino)


@st.cache_resource(show_spinner=False, max_entries=64)
def _opened(folder: str, inode: int) -> Workspace:
    del inode  # tells a folder from a later one of the same name
    return Workspace(Path(folder))


# -- the documents of a workspace -------------------------------------------------------------


def drafted_space(workspace: Workspace) -> SearchSpace:
    """The newest revision of the search space, as it was composed.

    A workspace that a command line has made and left empty begins with the digits example's.
    """
    document = workspace.store.document("space")
    return SearchSpace.from_json(document) if document else presets.load("digits")


def space(workspace: Workspace) -> SearchSpace:
    """The space that is searched: the composed one with as many classes as the images have."""
    return with_classes(workspace, drafted_space(workspace))


def with_classes(workspace: Workspace, drafted: SearchSpace) -> SearchSpace:
    """A space with as many classes as the workspace's images have, once they are read."""
    images = dataset(workspace)
    return drafted.with_data(len(images.classes)) if images else drafted


def data_choice(workspace: Workspace) -> DataChoice:
    """Where the images come from."""
    document = workspace.store.document("data") or {}
    return DataChoice(str(document.get("source", "digits")), str(document.get("path", "")))


def device_choice(workspace: Workspace) -> DeviceChoice:
    """What the networks shall run on."""
    document = workspace.store.document("device") or {}
    return DeviceChoice(str(document.get("name", "local")), int(document.get("threads", 1)))


def goal(workspace: Workspace) -> Goal:
    """What the search is asked for."""
    document = workspace.store.document("goal") or {}
    limit = document.get("limit_ms")
    epochs, seed = document.get("epochs", Goal.epochs), document.get("seed", Goal.seed)
    return Goal(None if limit is None else float(limit), int(epochs), int(seed))


def dataset(workspace: Workspace) -> Dataset | None:
    """The prepared images at the size the space wants, or None if they have not been read."""
    folder = workspace.data_folder
    # what is half read lies beside, hidden, and keeps its time when it is renamed
    version = max((p.stat().st_mtime_ns for p in folder.glob("[!.]*")), default=0)
    if not version:
        return None
    return _dataset(str(folder), data_choice(workspace), drafted_space(workspace).input, version)


@st.cache_resource(show_spinner=False, max_entries=16, ttl=15)  # the source itself may change
def _dataset(folder: str, choice: DataChoice, shape: Input, version: int) -> Dataset | None:
    del version  # a later reading of the same images is another entry
    return open_prepared(choice, Path(folder), shape)


def device_model(workspace: Workspace) -> LatencyModel | None:
    """Predicted latencies of the current space on the current device, or None if never measured."""
    return model_of(workspace, space(workspace))


def model_of(workspace: Workspace, searched: SearchSpace) -> LatencyModel | None:
    """Predicted latencies of a space on the current device, or None if it was never measured.

    A space that only leaves out choices of one that was measured has that one's model.
    """
    key, store = open_device(device_choice(workspace)).key, workspace.store
    if store.calibration(key, searched.digest()) is not None:
        return _device_model(store, key, searched, store.changed())
    measured = store.calibrated(key)
    newest = store.revision("space")
    for number in range(newest, max(0, newest - EARLIER), -1) if measured else ():
        earlier = _revision(store, number)
        if earlier is None or len(earlier.slots()) != len(searched.slots()):
            continue
        known = with_classes(workspace, earlier)
        if known.digest() not in measured:
            continue
        model = _device_model(store, key, known, store.changed())
        narrower = None if model is None else restricted(model, known, searched)
        if narrower is not None:
            return narrower
    return None


@st.cache_resource(show_spinner=False, max_entries=512, hash_funcs={Store: lambda s: str(s.path)})
def _revision(store: Store, number: int) -> SearchSpace | None:
    """A saved state of the space, None if it was saved by another version of the studio."""
    try:
        return SearchSpace.from_json(store.document("space", number))
    except StudioError:
        return None


@st.cache_resource(
    show_spinner=False,
    max_entries=16,
    hash_funcs={Store: lambda store: str(store.path.resolve()), SearchSpace: SearchSpace.digest},
)
def _device_model(
    store: Store, key: str, searched: SearchSpace, version: int
) -> LatencyModel | None:
    del version  # a table that was measured again is another entry
    return load_model(store, key, searched)


# -- runs --------------------------------------------------------------------------------------


def shown_search(workspace: Workspace) -> Run | None:
    """The newest search with evaluated networks, else the newest search, None before the first.

    Those that are parts of a comparison come last.
    """
    searches = own_first(workspace, workspace.store.runs("search"))
    told = (run for run in searches if run_view(workspace, run.id).fresh())
    return next(told, next(iter(searches), None))


def own_first(workspace: Workspace, searches: list[Run]) -> list[Run]:
    """The searches that were asked for one by one, then the parts of comparisons."""
    parts = parts_of(workspace)
    return sorted(searches, key=lambda run: run.id in parts)


def parts_of(workspace: Workspace) -> dict[int, int]:
    """Runs that are parts of a comparison, each with the number of (the newest of) it."""
    comparisons = reversed(workspace.store.runs("compare"))
    return {part: run.id for run in comparisons for part in run_view(workspace, run.id).parts}


@dataclass(slots=True)
class _Reading:
    """How far one run's events have been read, and what they amounted to."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    cursor: int = 0
    grown: View = field(default_factory=View)
    shown: View = field(default_factory=View)


def run_view(workspace: Workspace, run_id: int) -> View:
    """The run's events folded so far; only new ones are read. Shared: not to be changed."""
    reading = _reading(str(workspace.folder.resolve()), run_id, id(workspace.store))
    with reading.lock:
        begun = reading.cursor > 0
        new, reading.cursor = workspace.store.events_after(run_id, reading.cursor)
        if new and not begun:
            reading.grown = workspace.store.empty_view(run_id)
        if new:
            reading.grown = fold(new, reading.grown)
            reading.shown = _copy(reading.grown)
        return reading.shown


@st.cache_resource(show_spinner=False, max_entries=64)
def _reading(folder: str, run_id: int, store: int) -> _Reading:
    del folder, run_id, store  # the key of this entry
    return _Reading()


def _copy(view: View) -> View:
    """A view that stays as it is while `view` grows: other viewers read it without the lock."""
    still = replace(view)
    for each in fields(view):
        known = getattr(view, each.name)
        if isinstance(known, list | dict):
            setattr(still, each.name, copy(known))
    return still
