"""What a search space amounts to: how many networks, how large, how fast, two as pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

import streamlit as st

from engine.cost import Cost, network_cost
from engine.space import Arch, SearchSpace
from engine.workspace import Workspace
from studio import state, text
from studio.charts.network import diagram, words


def figures(workspace: Workspace, space: SearchSpace) -> None:
    """Number of networks; parameters, MACs, memory and latency of the smallest and the largest."""
    small, large = costs(space)
    size = space.size()
    with st.grid(columns=5, min_column_width=160, gap="small", key="figures"):
        _figure("Networks", *_number(size))
        _range("Parameters", text.compact, small.params, large.params)
        _range("MACs", text.compact, small.macs, large.macs)
        _range("Peak activation memory", text.size_bytes, small.peak_bytes, large.peak_bytes)
        _latency(workspace)


def _number(size: int) -> tuple[str, str]:
    """A number of networks, large and small below it; powers of ten only where they help."""
    if size < 10**6:
        return text.count(size), "to choose from"
    exact, power = text.count(size), text.power(size)
    return (exact, power) if size < 10**9 else (power, exact)


def _figure(label: str, value: str, below: str) -> None:
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.caption(label)
        st.markdown(f"**{value}**")
        st.caption(below)


def _range(label: str, write: Callable[[float], str], small: float, large: float) -> None:
    if small == large:
        _figure(label, write(large), "every network")
    else:
        _figure(label, f"{write(small)} – {write(large)}", "smallest – largest")


def _latency(workspace: Workspace) -> None:
    model = state.device_model(workspace)
    if model:
        value = f"{text.significant(model.fastest_ms)} – {text.ms(model.slowest_ms)}"
        error = text.prediction(asdict(model.prediction))
        _figure("Latency", value, f"{error} on {_device(workspace)}")
        return
    with st.container(border=True, height="stretch", gap="xxsmall"):
        st.caption("Latency")
        if st.button("Measure this computer", type="tertiary", key="compose.measure", wrap=True):
            st.switch_page(state.page("search"), query_params=state.link_query(workspace))
        st.caption("not measured for this space yet")


def _device(workspace: Workspace) -> str:
    choice = state.device_choice(workspace)
    return text.device(choice.name, choice.threads)


@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs={SearchSpace: SearchSpace.digest})
def costs(space: SearchSpace) -> tuple[Cost, Cost]:
    """Cost of the smallest and of the largest network."""
    return network_cost(space, space.smallest()), network_cost(space, space.largest())


def picture(workspace: Workspace, space: SearchSpace) -> None:
    """The smallest or the largest network as a diagram, with shares of latency if known."""
    ends = {"Largest": space.largest(), "Smallest": space.smallest()}
    chosen = st.segmented_control(
        "Network", list(ends), default="Largest", required=True, key="compose.end"
    )
    arch = ends[chosen or "Largest"]
    dark = st.context.theme.type == "dark"
    st.image(diagram(space, arch, _share(workspace, space, arch), dark), alt=words(space, arch))


def _share(workspace: Workspace, space: SearchSpace, arch: Arch) -> dict[str, float] | None:
    """Layer name to its share of the predicted latency, or None before the device is measured."""
    model = state.device_model(workspace)
    if model is None:
        return None
    layers = dict(model.layer_ms(space, arch))
    total = sum(layers.values())
    return {name: value / total for name, value in layers.items()} if total > 0 else None
