"""The X-ray beside the canvas: how many networks, how large and fast, what a limit leaves of them.

Figures come from `engine.xray`; here they are drawn. Pictures of networks: `parts.specimen`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Literal

import streamlit as st

from engine.latency import LatencyModel
from engine.space import SearchSpace
from engine.workspace import Workspace
from engine.xray import Spread, Within, XRay, examine
from engine.xray.figures import ALWAYS, NEVER
from studio import draft, state, text
from studio.charts.spread import spread_svg

Color = Literal["green", "red"]
VERDICTS: dict[str, tuple[str, str, Color]] = {
    ALWAYS: ("Every network is within", ":material/check_circle:", "green"),
    NEVER: ("No network is within", ":material/block:", "red"),
}
REACHABLE: tuple[str, str, Color] = ("Some networks are within", ":material/check_circle:", "green")


def of(workspace: Workspace, space: SearchSpace) -> XRay:
    """The X-ray of what is on the canvas, with latency where the device was measured for it."""
    searched, limit_ms = state.with_classes(workspace, space), state.goal(workspace).limit_ms
    model = state.model_of(workspace, searched)
    if model is None:
        return _examined(searched, None, None, "")
    return _examined(searched, model, limit_ms, f"{model.device_key} {model.device.get('date')}")


@st.cache_resource(show_spinner=False, max_entries=64, hash_funcs={SearchSpace: SearchSpace.digest})
def _examined(
    space: SearchSpace, _model: LatencyModel | None, limit_ms: float | None, measured: str
) -> XRay:
    del measured  # tells one measuring of the device from another
    return examine(space, latency=_model, limit_ms=limit_ms)


def draw(workspace: Workspace, xray: XRay) -> None:
    """The panel, top down: the number, what a limit leaves, the spreads, warnings, sanity."""
    st.markdown("##### X-ray")
    _number(xray.size)
    if xray.within is not None:
        _verdict(xray.within)
    limit = xray.within.limit_ms if xray.within else None
    if xray.latency_ms is not None:
        _spread("Predicted latency", text.ms, xray.latency_ms, limit=limit)
        model = state.device_model(workspace)
        if model is not None:
            st.caption(f"{text.prediction(asdict(model.prediction))} on {_device(workspace)}")
    else:
        _unmeasured(workspace)
    _spread("Parameters", text.compact, xray.params)
    _spread("MACs", text.compact, xray.macs)
    _spread("Peak activation memory", text.size_bytes, xray.peak_bytes)
    for sentence in xray.warnings:
        st.warning(text.plain(draft.grouped(sentence)), icon=":material/warning:")
    _sanity(xray)


def _number(size: int) -> None:
    """The exact number of networks, and as a power of ten where that helps."""
    with st.container(key="xray-number", gap="xxsmall"):
        st.caption("Networks to choose from")
        st.markdown(f"### {text.networks(size).rpartition(' ')[0]}")
        if size >= 10**6:
            st.caption(f"exactly {text.count(size)}" if size < 10**24 else text.power(size))


def _verdict(within: Within) -> None:
    """Whether the limit can be met, how much of the space meets it, and the tightest that can."""
    words, icon, color = VERDICTS.get(within.verdict, REACHABLE)
    with st.container(border=True, gap="xxsmall", key="xray-verdict"):
        st.badge(f"{words} {text.ms(within.limit_ms)}", icon=icon, color=color)
        st.caption(
            f"{_share(within.share)} of the space; the tightest limit that can be met is "
            f"{text.ms(within.tightest_ms)}."
        )


def _share(share: float) -> str:
    return "Less than 1\u202f%" if 0 < share < 0.01 else text.percent(share, 0)


def _spread(
    title: str, write: Callable[[float], str], spread: Spread, *, limit: float | None = None
) -> None:
    """One figure: the middle network's, both ends, and how networks lie between them."""
    with st.container(gap="xxsmall"):
        if spread.smallest == spread.largest:
            st.markdown(f"{title} **{write(spread.largest)}** :small[every network]")
            return
        st.markdown(f"{title} **{write(spread.median)}** :small[median]")
        dark = st.context.theme.type == "dark"
        ends = {"low": spread.smallest, "high": spread.largest}
        svg = spread_svg(spread.values, **ends, limit=limit, dark=dark, words=title)
        st.image(svg, width="stretch", alt=title)
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.caption(write(spread.smallest), width="content")
            st.caption(write(spread.largest), width="content")


def _unmeasured(workspace: Workspace) -> None:
    with st.container(border=True, gap="xxsmall"):
        st.caption("Latency")
        if st.button("Measure this computer", type="tertiary", key="compose.measure"):
            st.switch_page(state.page("search"), query_params=state.link_query(workspace))
        st.caption("not measured for this space yet")


def _sanity(xray: XRay) -> None:
    """Two free numbers of the median network, after DeepMAD."""
    sane = xray.median_sanity
    deep = " · too deep?" if xray.notes else ""
    with st.expander(f"Depth for width (DeepMAD){deep}"):
        if sane.rho is None or sane.entropy is None:
            st.write(text.plain(sane.note))
            return
        st.write(
            f"The median network has effectiveness ρ = {sane.rho:.2f} and entropy "
            f"{text.count(round(sane.entropy))} over {sane.convs} convolutions in a row. A larger "
            "entropy tells a richer network, ρ above 0.5 one that is too deep for its width; "
            "neither predicts an accuracy."
        )
        for sentence in xray.notes:
            st.write(text.plain(draft.grouped(sentence)))
        if sane.note:
            st.caption(text.plain(sane.note))


def _device(workspace: Workspace) -> str:
    choice = state.device_choice(workspace)
    return text.device(choice.name, choice.threads)
