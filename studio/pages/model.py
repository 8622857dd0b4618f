"""Model: one network of a search: what it is made of, training it, and its ONNX archive."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from engine.cost import network_cost
from engine.errors import StudioError
from engine.space import Arch
from engine.workspace import Workspace
from studio import sentence, state, text
from studio.parts import (
    export_card,
    front_view,
    network_card,
    refine_card,
    runs,
    train_card,
    why_card,
)
from studio.parts.front_view import Front


def page() -> None:
    """Draws the page; training and export ask for news while they are alive."""
    workspace = state.current()
    sentence.draw(workspace)
    run = runs.chosen(workspace)
    if run is None:
        st.subheader("No model yet")
        st.write("A search leaves networks here to look into, to train on and to export as ONNX.")
        st.page_link(
            state.page("search"), label="Go to the search", icon=":material/route:",
            query_params=state.link_query(workspace),
        )  # fmt: skip
        return
    runs.picker(workspace, run, page="model")
    front = front_view.read(workspace, run)
    if front.picked is None:
        runs.watch(runs.without_networks, workspace, run)
        return
    arch = _choose(front)
    if arch is not None:
        _model(workspace, front, arch)


def _choose(front: Front) -> Arch | None:
    """The architecture of this page: in the address, picked, or typed; None if it is no member."""
    run = front.run
    assert front.picked is not None
    named = {c.arch: front_view.line(c) for c in front.shown.front}
    if front.best:
        named |= {front.best.arch: front_view.line(front.best) + " · best within the limit"}
    wanted = st.query_params.get("arch") or front.picked.arch
    known = front.view.candidates.get(wanted)
    named.setdefault(wanted, front_view.line(known) if known else wanted)
    key = f"model.arch.{run.id}"
    if st.session_state.get(key) != wanted:
        st.session_state[key] = wanted
    text_of = st.selectbox(
        "Architecture",
        list(named),
        format_func=lambda a: f"{named[a]} · {a}" if named.get(a, a) != a else a,
        key=key,
        accept_new_options=True,
        on_change=_remember,
        args=(key,),
        help="Members of the front, or type any architecture of the space.",
    )
    try:
        return runs.search_spec(run).space.require(Arch.parse(str(text_of)))
    except StudioError as error:
        text.show_error(error)
        return None


def _remember(key: str) -> None:
    st.query_params["arch"] = str(st.session_state[key])


def _model(workspace: Workspace, front: Front, arch: Arch) -> None:
    run = front.run
    space = runs.search_spec(run).space
    left, right = st.columns([2, 1], gap="medium")
    with left:
        _facts(workspace, front, arch)
        # One worker at a time per workspace, so that at most one of these two asks for news.
        export_card.draw(workspace, run, str(arch))
        train_card.draw(workspace, run, str(arch))
        refine_card.draw(workspace, run, arch)
        st.subheader("Layers")
        network_card.layers(space, arch, network_card.model_of(workspace, run))
        why_card.draw(workspace, front, arch)
    with right, st.container(border=True):
        network_card.diagram(space, arch, network_card.model_of(workspace, run))


def _facts(workspace: Workspace, front: Front, arch: Arch) -> None:
    candidate = front.view.candidates.get(str(arch))
    if candidate is not None:
        network_card.facts(candidate, front)
        return
    st.markdown(
        ":material/info: The search did not evaluate this network: its accuracy is unknown."
    )
    model = network_card.model_of(workspace, front.run)
    if model is not None:
        st.markdown(f"Latency, predicted: {text.ms(model.predict(arch))}")
        error = front_view.error_words(asdict(model.prediction))
        st.caption(f"{error} {text.plain(text.provenance(model.device))}")
    cost = network_cost(runs.search_spec(front.run).space, arch)
    st.markdown(f"{text.params(cost.params)} · {text.macs(cost.macs)}")
