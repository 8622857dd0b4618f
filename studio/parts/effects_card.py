"""What each choice of a space does, drawn from all networks that a search evaluated."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from engine.explain.why import CAVEAT, Why
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.charts import effects
from studio.parts import front_view, lessons, runs

SHOWN = 10
"""Choices that are drawn before somebody asks for all."""
ENOUGH = 40
"""Epochs from which on a longer search does not evaluate more networks."""


def draw(workspace: Workspace, run: Run, known: Why | None) -> None:
    """The section on the page of search `run`; `known` is None before its second network."""
    st.subheader("What each choice does")
    if known is None or not lessons.telling(known):
        _too_few(workspace, run, known)
        return
    names = runs.layers(run)
    found = [replace(e, words=text.by_name(e.words, names)) for e in known.effects()]
    told = effects.ordered(found)
    shown = told
    if len(told) > SHOWN:
        everything = st.toggle(
            f"Show all {text.count(len(told))} choices", key=f"front.effects.all.{run.id}"
        )
        shown = told if everything else told[:SHOWN]
    dark = front_view.dark()
    st.vega_lite_chart(
        effects.rows(shown),
        effects.spec(shown, dark=dark),
        key=f"front.effects.{run.id}.{len(shown)}",
        alt=effects.alt(shown),
    )
    st.caption(
        f"Most influential first. {effects.legend(shown)}"
        f" From {text.plural(known.n, 'network')}; {_explained(known)}. {CAVEAT}"
    )


def _explained(known: Why) -> str:
    share = text.percent(max(0.0, known.accuracy.explained), 0)
    noise = text.significant(100 * known.accuracy.noise, 2)
    return f"choices one by one explain {share} of their accuracy, the rest is ±{noise} points"


def _too_few(workspace: Workspace, run: Run, known: Why | None) -> None:
    count = known.n if known else len(state.run_view(workspace, run.id).fresh())
    many = f" for {text.plural(len(known.effects()), 'effect')}" if known else ""
    told = (
        f"{text.plural(count, 'evaluated network')}{many} {'is' if count == 1 else 'are'} too few"
    )
    page, link, advice = _way_out(workspace, run)
    st.markdown(f":material/info: {told} to tell what a choice does. {advice}")
    if link:
        st.page_link(
            state.page(page), label=link, icon=":material/arrow_forward:",
            query_params=state.link_query(workspace),
        )  # fmt: skip


def _way_out(workspace: Workspace, run: Run) -> tuple[str, str, str]:
    """A page, the words of the link to it ("" for no link), and what to do in a sentence."""
    if launch.state_of(workspace, run) in launch.LIVE:
        return "", "", "Let the search go on until its front is searched."
    if runs.search_spec(run).epochs < ENOUGH:
        longer = f"up to {ENOUGH} epochs, a longer search evaluates more networks."
        return "search", "Search for longer", longer.capitalize()
    return "compose", "Change the space", "A space with fewer choices needs fewer."
