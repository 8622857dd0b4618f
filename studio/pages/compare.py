"""Compare: every strategy with the same cost and the same trainings after, in one table."""

from __future__ import annotations

import re

import streamlit as st

from engine.spec import CompareSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, sentence, state, text
from studio.parts import comparison, comparison_form, runs
from studio.parts.comparison_form import QUERY

PICKER = "compare.run"


def page() -> None:
    """Draws the page; a comparison is drawn in a fragment that asks for news while it is alive."""
    workspace = state.current()
    sentence.draw(workspace)
    known = {run.id: run for run in workspace.store.runs(CompareSpec.kind)}
    if not known:
        _first(workspace)
        return
    run = _chosen(known)
    with st.expander("New comparison", icon=":material/add:"):
        comparison_form.draw(workspace)
    _picker(known, run)
    runs.watch(_comparison, workspace, run)


def _first(workspace: Workspace) -> None:
    left, right = st.columns([3, 2], gap="large")
    with left:
        st.subheader("Compare strategies at the same cost")
        comparison_form.draw(workspace)
    with right, st.container(border=True):
        st.markdown("**What will be here**")
        st.markdown(
            "One table: every strategy with the same seconds, the front it found, how accurate its"
            " best network within your limit is after the same training, and what that gains over"
            " random networks, each with its standard error."
        )
        st.caption("Every search of it is kept, and has a front of its own to look at.")


def _chosen(known: dict[int, Run]) -> Run:
    """The comparison in the address, else the newest."""
    newest = max(known)
    wanted = st.query_params.get(QUERY, str(newest))
    if wanted not in map(str, known):
        st.warning(f"This workspace has no comparison {text.plain(wanted[:20])}; this is another.")
        return known[newest]
    return known[int(wanted)]


def _picker(known: dict[int, Run], run: Run) -> None:
    """With more than one comparison, a list to pick from that writes the number."""
    if len(known) < 2:
        return
    if st.session_state.get(PICKER) != run.id:
        st.session_state[PICKER] = run.id
    st.selectbox(
        "Comparison",
        list(known),
        format_func=lambda number: comparison.label(known[number]),
        key=PICKER,
        on_change=_remember,
        label_visibility="collapsed",
    )


def _remember() -> None:
    # The browser sends a label; one that has changed since comes here as it is, and begins alike.
    number = re.search(r"\d+", str(st.session_state[PICKER]))
    if number:
        st.query_params[QUERY] = number[0]


def _comparison(workspace: Workspace, run: Run, name: str) -> None:
    comparison.controls(workspace, run, name)
    view = state.run_view(workspace, run.id)
    st.caption(comparison.label(run).partition(" · ")[2])
    if name in launch.LIVE:
        comparison.progress(workspace, run, name)
    runs.trouble(workspace, run, name)
    if view.compared is not None:
        comparison.result(workspace, run, view.compared.report)
    else:
        comparison.unfinished(workspace, run, name)
