"""Search: what is asked for, and the search while it goes on; its front is the hero."""

from __future__ import annotations

import streamlit as st

from engine.spec import ProfileSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, sentence, state
from studio.parts import front_view, launch_form, live, network_card, runs, usage


def page() -> None:
    """Draws the page; a search is drawn in a fragment that asks for news while it is alive."""
    workspace = state.current()
    sentence.draw(workspace)
    run = runs.chosen(workspace, results=False)
    if run is None:
        _first(workspace)
        return
    alive = launch.state_of(workspace, run) in launch.LIVE
    if not alive:
        newest = workspace.store.runs()[0]  # just measured: on to the form
        measured = state.device_model(workspace) is not None
        _another(workspace, expanded=isinstance(newest.spec, ProfileSpec) or not measured)
    runs.picker(workspace, run, page="search")
    runs.watch(_search, workspace, run)
    if alive:  # its progress and Stop come first
        _another(workspace, expanded=False)


def _another(workspace: Workspace, *, expanded: bool) -> None:
    with st.expander("New search", icon=":material/add:", expanded=expanded):
        launch_form.draw(workspace)


def _first(workspace: Workspace) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Search under a limit")
        launch_form.draw(workspace)
    with right, st.container(border=True):
        st.markdown("**What will be here**")
        st.markdown(
            "The front of the search, growing while it goes on: accuracy against latency, with your"
            " limit as a line. Beside it the loss and the modelled latency, and, where a strategy"
            " has gates, every decision of every layer over time."
        )
        st.caption("A search goes on when you close this page; come back whenever you like.")


def _search(workspace: Workspace, run: Run, name: str) -> None:
    view = state.run_view(workspace, run.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Search {run.id}", width="content")
        runs.badge(name)
        st.space("stretch")
        runs.controls(workspace, run, name)
    st.caption(runs.asked(run))
    live.phase(workspace, run, name)
    usage.limits(view)
    hero, beside = st.columns([2, 1], gap="medium")
    with hero:
        _front(workspace, run, name)
        usage.growth(run, view, alive=name in launch.LIVE)
        usage.table(run, view)
        live.heat_map(run, view)
    with beside:
        live.curves(run, view)
        usage.screened(view)
        live.happened(workspace, run, view)


def _front(workspace: Workspace, run: Run, name: str) -> None:
    front = front_view.read(workspace, run)
    if front.picked is None and name not in launch.LIVE:
        st.markdown("**No network was evaluated before this search ended**")
        runs.link_to_results(workspace, run)
        return
    if front.picked is None:
        with st.container(border=True, height=300, vertical_alignment="center"):
            st.markdown("**The front will be here**")
            st.caption(
                f"Networks appear one by one, {runs.first(run)}: each is one point, accuracy"
                " against latency."
            )
        return
    front_view.chart(front, front_view.where(run), key="search")
    query = state.link_query(workspace, run=run.id, arch=front.picked.arch)
    front_view.words(front)
    with st.container(horizontal=True, vertical_alignment="center"):
        network_card.open_button(workspace, front, primary=front.view.finished is not None)
        st.page_link(
            state.page("front"), label="Open front", icon=":material/scatter_plot:",
            query_params=query,
        )  # fmt: skip
