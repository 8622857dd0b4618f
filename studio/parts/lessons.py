"""What a search teaches, computed once per version of it; nothing is drawn here."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from engine.events import Candidate
from engine.explain.shrink import Shrunk, shrink
from engine.explain.why import FEWEST, Why
from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace
from engine.store import Run
from engine.workspace import Workspace
from studio import state
from studio.parts import front_view, runs

At = tuple[object, ...]


def why(workspace: Workspace, run: Run) -> Why | None:
    """What the evaluated networks of a search tell; None where fewer than two were evaluated."""
    candidates = state.run_view(workspace, run.id).fresh()
    if len(candidates) < FEWEST:
        return None
    return _why(_at(workspace, run), runs.search_spec(run).space, candidates)


def _at(workspace: Workspace, run: Run) -> At:
    """A key that changes whenever the search has gone on."""
    version = front_view.version(state.run_view(workspace, run.id))
    return str(workspace.folder.resolve()), run.id, version


@st.cache_resource(show_spinner=False, max_entries=16)
def _why(at: At, _space: SearchSpace, _candidates: Sequence[Candidate]) -> Why:
    del at  # the key of this entry
    return Why(_space, _candidates)


def telling(known: Why) -> bool:
    """Whether the networks suffice for intervals; without, every effect is a guess."""
    return any(effect.accuracy.low is not None for effect in known.effects())


def shrunk(workspace: Workspace, run: Run, *, latency: LatencyModel, keep: list[str]) -> Shrunk:
    """The smaller space that a search with networks proposes; those in `keep` stay in it."""
    known = why(workspace, run)
    assert known is not None
    table = f"{latency.device_key} {latency.constant_ms} {latency.slowest_ms}"
    return _shrunk((*_at(workspace, run), table, *keep), known, latency, tuple(keep))


@st.cache_resource(show_spinner=False, max_entries=16)
def _shrunk(at: At, _known: Why, _latency: LatencyModel, _keep: tuple[str, ...]) -> Shrunk:
    del at  # the key of this entry
    return shrink(_known, _latency, keep=[Arch.parse(arch) for arch in _keep])
