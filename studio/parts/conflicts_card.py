"""Which choices get in each other's way: measuring it in the background, and its heat maps."""

from __future__ import annotations

from functools import partial

import streamlit as st

from engine.events import Conflicts
from engine.methods import not_judged
from engine.spec import ConflictSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.charts import cosines
from studio.parts import front_view, runs

WORST = 3
ASKED = (
    "All networks of a search share weights. Where two choices of a layer want them different,"
    " both are judged worse than they are. This measures it on the trained weights, batch by"
    " batch; nothing is trained, and nothing of the search changes."
)


def draw(workspace: Workspace, run: Run) -> None:
    """The section on the page of search `run`."""
    done = measurings(workspace, run.id)
    alive = bool(done) and launch.state_of(workspace, done[0]) in launch.LIVE
    with st.expander("Which choices get in each other's way", expanded=alive or bool(done)):
        if done:
            runs.watch(_measuring, workspace, done[0])
        if not alive:
            _ask(workspace, run, again=bool(done))


def measurings(workspace: Workspace, run_id: int) -> list[Run]:
    """Runs that looked for conflicts in the weights of search `run_id`, newest first."""
    found = workspace.store.runs(ConflictSpec.kind)
    return [r for r in found if isinstance(r.spec, ConflictSpec) and r.spec.run == run_id]


def _ask(workspace: Workspace, run: Run, *, again: bool) -> None:
    if launch.state_of(workspace, run) in launch.LIVE:
        st.markdown(":material/info: This can be measured once the search has ended.")
        return
    why, instead = not_judged(runs.search_spec(run).strategy, every=True)
    if why:
        st.markdown(f":material/info: {why} {instead}")
        return
    if not again:
        st.markdown(ASKED)
    spec = ConflictSpec(run.id, seed=runs.search_spec(run).seed)
    if st.button(
        "Measure again" if again else "Measure",
        icon=":material/replay:" if again else ":material/compare_arrows:",
        key=f"front.conflicts.{run.id}",
    ):
        runs.perform(partial(launch.start, workspace, spec))


def _measuring(workspace: Workspace, run: Run, name: str) -> None:
    if name != "finished":
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Comparing the choices**")
            runs.badge(name)
            runs.controls(workspace, run, name)
    if name in launch.LIVE:
        runs.bar(run, name)
    runs.trouble(workspace, run, name)
    view = state.run_view(workspace, run.id)
    if view.conflicts:
        _maps(run, list(view.conflicts.values()))
    elif name == "finished":
        st.markdown("No layer of this space has a choice, so nothing can be in the way.")


def _maps(run: Run, found: list[Conflicts]) -> None:
    st.markdown(summary(found))
    worst = {pair.place: pair.cosine for pair in reversed(cosines.pairs(found))}
    told = {c.slot: c for c in sorted(found, key=lambda c: worst[c.slot])}
    place = st.selectbox(
        "Layer",
        list(told),
        format_func=lambda slot: f"{slot} · from {cosines.written(worst[slot])}",
        key=f"front.conflicts.layer.{run.id}",
        width=260,
    )
    shown = told[place]
    with st.container(width=140 + 64 * len(shown.ops)):
        st.vega_lite_chart(
            cosines.rows(shown),
            cosines.spec(shown, dark=front_view.dark()),
            key=f"front.conflicts.map.{run.id}.{place}",
            alt=cosines.alt(shown),
        )
    st.caption(
        "Each choice against each: the cosine between the gradients that they give on the weights"
        " outside this layer. −1, red: they pull the shared weights apart. 0: they have nothing to"
        " do with each other. 1, grey: they want the same."
    )


def summary(found: list[Conflicts]) -> str:
    """The pairs that conflict most, or that none does, in one sentence of Markdown."""
    told = cosines.pairs(found)
    apart = [pair for pair in told if pair.cosine < 0]
    if not apart:
        least = told[0]
        return (
            f"No two choices pull the shared weights apart; {_named(least)} have least in common."
        )
    named = "; ".join(map(_named, apart[:WORST]))
    pull = "pulls" if len(apart) == 1 else "pull"
    count = f"{text.count(len(apart))} of {text.plural(len(told), 'pair')} {pull} apart"
    return f"**Most in each other's way:** {named}. {count}."


def _named(pair: cosines.Pair) -> str:
    one, other = text.plain(pair.one), text.plain(pair.other)
    return f"{one} and {other} in {text.plain(pair.place)} ({cosines.written(pair.cosine)})"
