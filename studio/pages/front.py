"""Front: every network of a search as a point, the one picked unfolded beside it, two compared."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from engine.events import Candidate, Ghost
from engine.space import SKIP, Arch
from engine.store import Run
from engine.workspace import Workspace
from studio import sentence, state, text
from studio.parts import (
    alongside,
    front_view,
    limit_slider,
    network_card,
    runs,
    trust_card,
    why_front,
)
from studio.parts.front_view import Front


def page() -> None:
    """Draws the page; its fragment asks for news while the search is alive."""
    workspace = state.current()
    sentence.draw(workspace)
    run = runs.chosen(workspace)
    if run is None:
        st.subheader("No front yet")
        st.write("A search leaves a front here: its best networks, accuracy against latency.")
        st.page_link(
            state.page("search"), label="Start a search", icon=":material/route:",
            query_params=state.link_query(workspace),
        )  # fmt: skip
        return
    runs.picker(workspace, run, page="front")
    runs.watch(_front, workspace, run)
    _why(workspace, run)
    _trust(workspace, run)


def _why(workspace: Workspace, run: Run) -> None:
    why_front.draw(workspace, run)


def _trust(workspace: Workspace, run: Run) -> None:
    trust_card.draw(workspace, run)


def _front(workspace: Workspace, run: Run, name: str) -> None:
    other = st.session_state.get(_compare_key(run)) or ""
    front = front_view.read(workspace, run, also=other)
    if front.picked is None:
        runs.without_networks(workspace, run, name)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Front of search {run.id}", width="content")
        runs.badge(name)
    st.caption(runs.asked(run))
    runs.trouble(workspace, run, name)
    if front.best is None:
        _none_within(front)
    chart, card = st.columns([2, 1], gap="medium")
    with chart:
        front = alongside.read(workspace, limit_slider.draw(workspace, front))
        assert front.picked is not None
        front_view.chart(front, front_view.where(run), key="front")
        front_view.table(front, key="front")
        compared = _compare(front)
        alongside.choose(workspace, front)
    with card:
        if front.ghost is not None:
            _ghost_card(workspace, front, front.ghost)
        else:
            _card(workspace, front, front.picked, button=True)
    if compared is not None:
        _side_by_side(workspace, front, compared)


def _none_within(front: Front) -> None:
    limit = text.ms(front.limit_ms)
    st.caption(f":material/info: No network has been measured within the limit of {limit} yet.")


def _card(workspace: Workspace, front: Front, shown: Candidate, *, button: bool) -> None:
    spec = runs.search_spec(front.run)
    with st.container(border=True, key=f"front.card.{'picked' if button else 'other'}"):
        is_best = front.best is not None and shown.arch == front.best.arch
        st.markdown("**Best within the limit**" if is_best else "**Picked**")
        st.code(shown.arch, language=None, wrap_lines=True)
        network_card.facts(shown, front)
        if button:
            network_card.open_button(workspace, front, primary=True)
        model = network_card.model_of(workspace, front.run)
        network_card.diagram(spec.space, Arch.parse(shown.arch), model)


def _ghost_card(workspace: Workspace, front: Front, ghost: Ghost) -> None:
    """A network that nobody has evaluated: what is foreseen of it, and the way to train it."""
    with st.container(border=True, key="front.card.ghost"):
        st.markdown("**Foreseen, not evaluated**")
        st.code(ghost.arch, language=None, wrap_lines=True)
        with st.container(horizontal=True):
            st.metric("Accuracy, foreseen", text.percent(ghost.proxy_accuracy), width="content")
            st.metric("Latency, predicted", text.ms(ghost.predicted_ms), width="content")
        known = "" if front.error is None else f", {front_view.points(front.error)} on average"
        st.caption(f"Its accuracy is what a predictor thinks{known}. Train it to know.")
        if st.button(
            "Open this model",
            key=f"open.ghost.{front.run.id}",
            type="primary",
            icon=":material/deployed_code:",
            shortcut="M",
        ):
            query = state.link_query(workspace, run=front.run.id, arch=ghost.arch)
            st.switch_page(state.page("model"), query_params=query)
        space = runs.search_spec(front.run).space
        model = network_card.model_of(workspace, front.run)
        network_card.diagram(space, Arch.parse(ghost.arch), model)


def _compare_key(run: Run) -> str:
    return f"front.compare.{run.id}"


def _compare(front: Front) -> Candidate | None:
    others = [c for c in front.shown.front if front.picked and c.arch != front.picked.arch]
    named = {c.arch: front_view.line(c) for c in others}
    if not named:
        return None
    arch = st.selectbox(
        "Compare with",
        list(named),
        index=None,
        format_func=named.__getitem__,
        key=_compare_key(front.run),
        placeholder="another member of the front",
    )
    return front.view.candidates.get(arch) if arch else None


def _side_by_side(workspace: Workspace, front: Front, other: Candidate) -> None:
    picked = front.picked
    assert picked is not None
    st.subheader("Side by side")
    st.table(_differences(picked, other))
    slots = _by_slot(workspace, front.run, picked, other)
    if slots:
        st.dataframe(slots, hide_index=True, height="content", placeholder="–")
    space = runs.search_spec(front.run).space
    model = network_card.model_of(workspace, front.run)
    for column, shown in zip(st.columns(2, gap="medium"), (picked, other), strict=True):
        with column:
            st.code(shown.arch, language=None, wrap_lines=True)
            network_card.diagram(space, Arch.parse(shown.arch), model)


def _differences(a: Candidate, b: Candidate) -> dict[str, list[str]]:
    """Rows of figures for two candidates and how the second differs; latencies of one kind only."""
    rows: list[tuple[str, float, float, Callable[[float], str]]] = [
        ("predicted latency", a.predicted_ms, b.predicted_ms, text.ms),
        ("parameters", a.params, b.params, _whole),
        ("MACs", a.macs, b.macs, text.compact),
    ]
    if a.measured and b.measured:
        rows.insert(1, ("measured latency", a.measured.p50_ms, b.measured.p50_ms, text.ms))
    one, two = a.proxy_accuracy, b.proxy_accuracy
    points = f"{100 * abs(two - one):.1f}{text.THIN}percentage points"
    return {
        "": ["proxy accuracy", *(name for name, *_ in rows)],
        "picked": [text.percent(one), *(show(x) for _, x, _, show in rows)],
        "compared": [text.percent(two), *(show(y) for _, _, y, show in rows)],
        "difference": [
            _signed(two - one, points),
            *(_signed(y - x, show(abs(y - x))) for _, x, y, show in rows),
        ],
    }


def _signed(difference: float, shown: str) -> str:
    return ("+" if difference > 0 else "−" if difference < 0 else "") + shown


def _by_slot(
    workspace: Workspace, run: Run, a: Candidate, b: Candidate
) -> dict[str, list[str]] | None:
    """Ops and predicted ms of two networks, layer beside layer; a skipped layer is a row as well.

    None if the device's table is gone.
    """
    model = network_card.model_of(workspace, run)
    if model is None:
        return None
    columns = {"layer": runs.layers(run)}
    for name, candidate in (("picked", a), ("compared", b)):
        ops = Arch.parse(candidate.arch).ops
        times = [model.slot_ms[i][op] for i, op in enumerate(ops)]
        columns[name] = ["skipped" if op == SKIP else op for op in ops]
        columns[f"{name} ms, predicted"] = [
            text.UNKNOWN if op == SKIP else text.ms(ms) for op, ms in zip(ops, times, strict=True)
        ]
    return columns


def _whole(value: float) -> str:
    return text.count(round(value))
