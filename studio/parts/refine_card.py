"""Refine this design: a search that starts from this network and shrinks it to a lower limit."""

from __future__ import annotations

import math
from dataclasses import replace

import streamlit as st

from engine.errors import StudioError
from engine.latency import LatencyModel
from engine.space import Arch
from engine.spec import MAX_EPOCHS, Start
from engine.start import is_trained, refining
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.parts import launch_form, network_card, runs, why_card

USUAL = 0.8  # of the network's latency: the limit that is offered first


def draw(workspace: Workspace, run: Run, arch: Arch) -> None:
    """The section on the page of `arch` of search `run`."""
    st.subheader("Refine this design")
    model = network_card.model_of(workspace, run)
    if model is None:
        why_card.unmeasured(workspace, "To refine it to a lower limit")
    elif not is_trained(workspace.store, run.id, arch):
        st.markdown(
            ":material/info: This network has no weights to start from. Retrain it above, or choose"
            " one that the search has evaluated."
        )
    else:
        _offer(workspace, run, arch, model)


def _offer(workspace: Workspace, run: Run, arch: Arch, model: LatencyModel) -> None:
    own = model.predict(arch)
    span = limits(model, own)
    if span is None:
        st.markdown(
            f":material/info: With {text.ms(own)}, predicted, it is about as fast as any network of"
            " this space: there is nothing left to take away."
        )
        return
    st.caption(
        f"Goes on from this network's weights and takes away, step by step, what costs the least"
        f" accuracy, from {text.ms(own)}, predicted, down to your limit. Every step is a point of"
        " a front of its own; nothing of this search changes."
    )
    usual = state.goal(workspace).epochs
    limit, epochs = _fields(f"model.refine.{run.id}.{arch}", span, own_ms=own, usual=usual)
    if st.button("Refine", icon=":material/compress:", key=f"model.refine.{run.id}"):
        _start(workspace, run, Start(run.id, str(arch)), limit_ms=limit, epochs=epochs)


def limits(model: LatencyModel, own_ms: float) -> tuple[float, float, float] | None:
    """Lowest and highest limit to ask for, and the step, all round; None if there is no room.

    All are reachable and below the latency of the network, which is `own_ms`.
    """
    low, _, step = launch_form.limits(model)
    digits = launch_form.decimals(step)
    high = round((math.ceil(own_ms / step) - 1) * step, digits)
    return (low, high, step) if low < high < own_ms else None


def _fields(
    key: str, span: tuple[float, float, float], *, own_ms: float, usual: int
) -> tuple[float, int]:
    """The limit in ms and the epochs that are asked for; `usual` epochs are offered first."""
    low, high, step = span
    digits = launch_form.decimals(step)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        limit = st.slider(
            "New latency limit in ms",
            low,
            high,
            min(high, max(low, round(USUAL * own_ms, digits))),
            step=step,
            format=f"%.{digits}f",
            key=f"{key}.limit",
        )
        epochs = st.number_input(
            "Epochs", 3, MAX_EPOCHS, usual, key=f"{key}.epochs", width=140,
            help="Half of them while it shrinks, half to train what is left.",
        )  # fmt: skip
    return float(limit), int(epochs)


def _start(workspace: Workspace, run: Run, start: Start, *, limit_ms: float, epochs: int) -> None:
    """Launches the search and leads to its front; a user's mistake is said on the spot."""
    try:
        spec = replace(refining(runs.search_spec(run), start, limit_ms), epochs=epochs)
        number = launch.start(workspace, spec)
    except StudioError as error:
        text.show_error(error)
        return
    query = state.link_query(workspace, run=number)
    st.switch_page(state.page("front"), query_params=query)
