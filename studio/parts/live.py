"""A search while it goes on, and what it left: phase, curves, gates, warnings, what happened."""

from __future__ import annotations

import streamlit as st

from engine.events import View
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.charts import gates, progress
from studio.parts import front_view, network_card, runs
from studio.parts.journal import journal

DEAD = (
    "No threshold of any layer gets a gradient: the search cannot change a single decision."
    " Stop it and search again in the mode *stable*."
)


def phase(workspace: Workspace, run: Run, name: str) -> None:
    """State, progress and time left, and what went wrong if something did."""
    view = state.run_view(workspace, run.id)
    if name in launch.LIVE:
        runs.bar(run, name)
    elif view.finished is not None:
        st.caption(
            f"{text.plural(len(view.candidates), 'network')} evaluated in"
            f" {text.duration(view.finished.seconds)} of computing."
        )
    runs.trouble(workspace, run, name)
    if gates.decisions(runs.search_spec(run).space) and progress.all_dead(view.epochs):
        st.error(DEAD, icon=":material/error:")
    for warning in view.warnings:
        st.warning(text.told(warning), icon=":material/warning:")


def curves(run: Run, view: View) -> None:
    """Modelled latency against the limit, loss, gradients of the thresholds."""
    spec = runs.search_spec(run)
    epochs, dark = view.epochs, front_view.dark()
    if not epochs:
        st.caption("Curves appear with the first epoch.")
        return
    key = f"search.{run.id}"
    if any(e.modelled_ms for e in epochs):  # not every strategy has one
        gated = any(e.gates for e in epochs)
        st.vega_lite_chart(
            progress.latency_rows(epochs),
            progress.latency_spec(epochs, spec.latency_limit_ms, dark=dark),
            key=f"{key}.latency",
            alt=f"{progress.latency_title(epochs)} over"
            f" {len(epochs)} epochs, now {text.ms(epochs[-1].modelled_ms)},"
            f" limit {text.ms(spec.latency_limit_ms)}.",
        )
        st.caption(
            "Faint: each epoch. Bold: its moving average after the warm-up. Dashed: the limit."
            if gated
            else "Mean predicted latency of the networks that were trained, which need not fall to"
            " the limit. Faint: each epoch. Bold: its moving average. Dashed: the limit."
        )
    st.vega_lite_chart(
        progress.loss_rows(epochs),
        progress.loss_spec(dark=dark),
        key=f"{key}.loss",
        alt=f"Loss over {len(epochs)} epochs, now {epochs[-1].loss:.3g}.",
    )
    st.caption("Faint: each epoch. Bold: its moving average.")
    rows = progress.gradient_rows(epochs)
    if rows["epoch"]:
        st.vega_lite_chart(
            rows,
            progress.gradient_spec(dark=dark),
            key=f"{key}.gradients",
            alt="Norms of the gradients of what decides over the search phase, newest median"
            f" {rows['average'][-1]:.1e}.",
        )
        st.caption(
            "How strongly an epoch pulls at what decides (gradients of thresholds, or of"
            " weights of choices). Bold: the median layer. Faint: from weakest to strongest."
            " At 0 nothing can change."
        )


def heat_map(run: Run, view: View) -> None:
    """Every decision of every layer over time."""
    made = gates.decisions(runs.search_spec(run).space)
    if not (made and any(e.gates for e in view.epochs)):
        return
    st.markdown("**Gates**")
    st.caption("Filled: the part is kept. Blank: it is left out. Pale: undecided, or at random.")
    st.vega_lite_chart(
        gates.rows(view.epochs, made),
        gates.spec(made, dark=front_view.dark()),
        key=f"search.{run.id}.gates",
        alt=gates.alt(view.epochs, made),
    )


def happened(workspace: Workspace, run: Run, view: View) -> None:
    """Events in plain words, newest first."""
    spec = runs.search_spec(run)
    model = network_card.model_of(workspace, run)
    told = journal(view, spec.space, spec.latency_limit_ms, model)
    if told:
        st.markdown("**What happened**")
        with st.container(height=280, border=True):
            st.markdown("\n".join(f"- {line}" for line in told))
