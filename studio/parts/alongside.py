"""Fronts of other searches of the same space, to be drawn beside the one that is shown."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from engine.events import Candidate
from engine.methods import METHODS
from engine.store import Run
from engine.workspace import Workspace
from studio import state, text
from studio.charts import overlay
from studio.parts import runs
from studio.parts.front_view import Front

APART = (
    "Other searches have shared weights of their own: their fronts stand beside this one and are"
    " never joined with it. Their latencies are predictions."
)
RECIPE = " {} trained by another recipe: accuracies compare even less."


def comparable(workspace: Workspace, run: Run) -> dict[int, Run]:
    """Other searches of the space of `run` that left networks, newest first, by number.

    Those of a comparison stand beside each other, and a user's own beside their own.
    """
    space = runs.search_spec(run).space.digest()
    parts = state.parts_of(workspace)
    return {
        other.id: other
        for other in workspace.store.runs("search")
        if other.id != run.id
        and (other.id in parts) == (run.id in parts)
        and runs.search_spec(other).space.digest() == space
        and state.run_view(workspace, other.id).fresh()
    }


def read(workspace: Workspace, front: Front) -> Front:
    """`front` with the fronts that were chosen beside it."""
    known = comparable(workspace, front.run)
    chosen = [i for i in st.session_state.get(_key(front.run)) or [] if i in known]
    others = tuple(_other(workspace, known[i]) for i in chosen[: overlay.MOST])
    return replace(front, others=others)


def _other(workspace: Workspace, run: Run) -> overlay.Other:
    members = state.run_view(workspace, run.id).front()
    points = tuple((c.predicted_ms, c.proxy_accuracy) for c in members)
    archs = tuple(c.arch for c in members)
    named = f"search {run.id}, {METHODS[runs.search_spec(run).strategy].title}"
    return overlay.Other(named, points, archs, runs.weights(run))


def choose(workspace: Workspace, front: Front) -> None:
    """The list to choose from, and what may be said about those that are drawn."""
    known = comparable(workspace, front.run)
    if not known:
        return
    st.multiselect(
        "Fronts of other searches",
        list(known),
        format_func=lambda i: runs.label(known[i]),
        key=_key(front.run),
        max_selections=overlay.MOST,
        placeholder="none beside it",
    )
    chosen = [i for i in st.session_state.get(_key(front.run)) or [] if i in known]
    if chosen:
        st.caption(APART + _recipes(workspace, front, chosen))


def _recipes(workspace: Workspace, front: Front, chosen: list[int]) -> str:
    """Which of the searches were trained by another recipe."""
    own = _recipe(front.view.fresh())
    differ = [i for i in chosen if _recipe(state.run_view(workspace, i).fresh()) != own]
    if not differ:
        return ""
    named = " and ".join(f"Search {i}" if i == differ[0] else f"search {i}" for i in differ)
    return RECIPE.format(f"{text.plain(named)} {'was' if len(differ) == 1 else 'were'}")


def _recipe(candidates: list[Candidate]) -> frozenset[str]:
    return frozenset(c.recipe for c in candidates)


def _key(run: Run) -> str:
    return f"front.others.{run.id}"
