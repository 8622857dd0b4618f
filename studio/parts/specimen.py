"""One network of a space as a picture and as a file: the smallest, median, largest or any other."""

from __future__ import annotations

import random

import streamlit as st

from engine.latency import LatencyModel
from engine.space import Arch, SearchSpace
from engine.workspace import Workspace
from engine.xray import XRay
from studio import state
from studio.charts.network import diagram, words

SMALLEST, MEDIAN, LARGEST, SAMPLED = "Smallest", "Median", "Largest", "Any"
DRAW = "compose.draw"
WEIGHT_SEED = 0


def draw(workspace: Workspace, space: SearchSpace, xray: XRay) -> None:
    """Which network, its diagram with shares of latency where known, and its ONNX file."""
    searched = state.with_classes(workspace, space)
    chosen = st.segmented_control(
        "Network",
        [SMALLEST, MEDIAN, LARGEST, SAMPLED],
        default=LARGEST,
        required=True,
        key="compose.specimen",
        help="Ordered by predicted latency, or by MACs before it is measured.",
    )
    if chosen == SAMPLED:
        st.button("Draw another", icon=":material/casino:", on_click=_another)
    arch = _arch(str(chosen), searched, xray)
    dark = st.context.theme.type == "dark"
    share = _share(state.model_of(workspace, searched), searched, arch)
    st.image(diagram(searched, arch, share, dark), alt=words(searched, arch))
    st.download_button(
        "ONNX file",
        lambda: onnx_file(searched, arch),
        file_name=f"{workspace.name}-{str(chosen).lower()}.onnx",
        mime="application/octet-stream",
        icon=":material/download:",
        on_click="ignore",
        help="The network's structure with random weights. Netron (netron.app) opens it.",
    )


def onnx_file(space: SearchSpace, arch: Arch) -> bytes:
    """The network with random weights as the bytes of an ONNX file."""
    from engine.graph import random_weights, to_onnx  # takes a while to import; few ask for it

    layers = space.layers(arch)
    weights = random_weights(layers, WEIGHT_SEED)
    return to_onnx(layers, weights, metadata={"arch": str(arch), "weights": "random"})


def _arch(chosen: str, space: SearchSpace, xray: XRay) -> Arch:
    known = {SMALLEST: xray.smallest, MEDIAN: xray.median, LARGEST: xray.largest}
    if chosen in known:
        return known[chosen]
    return space.sample(random.Random(st.session_state.get(DRAW, 0)))


def _another() -> None:
    st.session_state[DRAW] = st.session_state.get(DRAW, 0) + 1


def _share(model: LatencyModel | None, space: SearchSpace, arch: Arch) -> dict[str, float] | None:
    """Layer name to its share of the predicted latency, or None before the device is measured."""
    if model is None:
        return None
    layers = dict(model.layer_ms(space, arch))
    total = sum(layers.values())
    return {name: value / total for name, value in layers.items()} if total > 0 else None
