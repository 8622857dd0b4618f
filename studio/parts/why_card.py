"""Why this model: what becomes of it where one choice is another one, and the way to look there."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import streamlit as st

from engine.explain.why import CAVEAT, POINTS, Change, signed
from engine.space import Arch
from engine.workspace import Workspace
from studio import state, text
from studio.parts import lessons, network_card, runs
from studio.parts.front_view import Front

SHOWN = 10
"""Changes that are listed before somebody asks for all."""
PLACE = re.compile(r"(.+) (?:in|as) ((?:layer|stage) \d+)|((?:layer|stage) \d+) (.+)")
BETTER, GAIN, SPARE, TRADE, OVER, VAIN, WORSE, UNKNOWN = range(8)
SAYS = {
    BETTER: "faster and more accurate",
    GAIN: "more accurate, no faster",
    SPARE: "faster, uncertain",
    TRADE: "faster, less accurate",
    OVER: "more accurate, over the limit",
    VAIN: "no faster, uncertain",
    WORSE: "less accurate, no faster",
    UNKNOWN: "accuracy cannot be told",
}


def draw(workspace: Workspace, front: Front, arch: Arch) -> None:
    """The section on the page of `arch` of a search."""
    st.subheader("Why this model?")
    model, known = network_card.model_of(workspace, front.run), lessons.why(workspace, front.run)
    if known is None:
        st.markdown(
            ":material/info: What if one choice were different? The search has evaluated too few"
            " networks to say. It tells here once it has searched its front."
        )
    elif model is None:
        unmeasured(workspace, "To see what other choices would cost")
    else:
        room = front.limit_ms - model.predict(arch)
        _changes(front, arch, known.changes(arch, model), room_ms=room)


def unmeasured(workspace: Workspace, purpose: str) -> None:
    """Says that the device has no latency table, and the way to one."""
    st.markdown(
        f":material/info: {purpose}, this computer must have been measured for this space: its"
        " latency table is not there."
    )
    st.page_link(
        state.page("search"), label="Measure this computer", icon=":material/speed:",
        query_params=state.link_query(workspace),
    )  # fmt: skip


# -- what the changes come to ---------------------------------------------------------------------


def useful(changes: Sequence[Change], room_ms: float) -> list[Change]:
    """Changes with those first that somebody could want; within a kind the largest gain first.

    `room_ms` is how much slower the network may become within the limit.
    """

    def use(change: Change) -> tuple[int, float]:
        value, kind = change.accuracy.value or 0.0, kind_of(change, room_ms)
        if kind == SPARE:
            return kind, change.ms
        if kind == TRADE:
            return kind, value / change.ms  # accuracy lost per ms that is saved
        return kind, -value

    return sorted(changes, key=use)


def kind_of(change: Change, room_ms: float) -> int:
    """Which of SAYS a change is; guesses are uncertain."""
    if change.accuracy.value is None:
        return UNKNOWN
    sign = change.accuracy.sign
    if change.ms < 0:
        return {1: BETTER, 0: SPARE, -1: TRADE}[sign]
    gain = OVER if change.ms > max(0.0, room_ms) else GAIN
    return {1: gain, 0: VAIN, -1: WORSE}[sign]


def placed(words: str) -> tuple[str, str]:
    """`kernel 5→3 in layer 4` as `Layer 4` and `kernel 5 → 3`."""
    match = PLACE.fullmatch(words)
    if match is None:
        return "", words
    place, what = match[2] or match[3], match[1] or match[4]
    return place.capitalize(), what.replace("→", " → ")


def interval(change: Change) -> str:
    """The interval of the accuracy in points, or why there is none."""
    found = change.accuracy
    if change.evaluated:
        return "both evaluated"
    if found.value is None or found.low is None or found.high is None:
        return "a guess" if found.value is not None else "not known"
    return f"{signed(POINTS * found.low, 1)} to {signed(POINTS * found.high, 1)}"


def sentence(change: Change, digits: int) -> str:
    """`Layer 4: kernel 5 → 3 · −0.04 ms · −0.3 points (−0.6 to 0.0)`, with what is missing said."""
    place, what = placed(change.words)
    head = f"{place}: {what}" if place else what
    ms = f"{signed(change.ms, digits)}{text.THIN}ms"
    found = change.accuracy
    if found.value is None:
        return f"{head} · {ms} · accuracy cannot be told: {found.why}"
    why = f": {found.why}" if found.low is None else ""
    return f"{head} · {ms} · {signed(POINTS * found.value, 1)} points ({interval(change)}{why})"


def table(
    changes: Sequence[Change], names: Sequence[str], *, room_ms: float
) -> dict[str, list[Any]]:
    """Columns of the list; `names` are those of the layers, as diagrams call them."""
    places = [placed(change.words) for change in changes]
    values = [change.accuracy.value for change in changes]
    return {
        "where": [text.by_name(place, names) for place, _ in places],
        "instead": [what for _, what in places],
        "latency, ms": [change.ms for change in changes],
        "accuracy, points": [None if v is None else POINTS * v for v in values],
        "interval": [interval(change) for change in changes],
        "which is": [SAYS[kind_of(change, room_ms)] for change in changes],
    }


# -- what is drawn --------------------------------------------------------------------------------


def _changes(front: Front, arch: Arch, changes: list[Change], *, room_ms: float) -> None:
    told = useful(changes, room_ms)
    if not told:
        st.markdown("This space leaves no choice: there is nothing else to take.")
        return
    run = front.run
    st.markdown("What if one choice were different, and all else as it is?")
    shown = told
    if len(told) > SHOWN and not st.toggle(
        f"Show all {text.count(len(told))} changes", key=f"model.why.all.{run.id}"
    ):
        shown = told[:SHOWN]
    names = runs.layers(run)
    digits = min(6, text.decimals([max(abs(change.ms) for change in told)]))
    key = f"model.why.{run.id}.{arch}.{len(shown)}"
    picked = st.dataframe(
        table(shown, names, room_ms=room_ms),
        key=key,
        hide_index=True,
        height=min(35 * (len(shown) + 1) + 2, 420),
        placeholder="–",
        on_select="rerun",
        selection_mode="single-row",
        column_config={
            "where": st.column_config.TextColumn(width=75),
            "instead": st.column_config.TextColumn(width=205),
            "latency, ms": st.column_config.NumberColumn(format=f"%+.{digits}f"),
            "accuracy, points": st.column_config.NumberColumn(format="%+.1f"),
            "interval": st.column_config.TextColumn(help="holds the difference in 95 % of cases"),
        },
    )
    rows = [row for row in picked["selection"]["rows"] if row < len(shown)]
    if rows:
        _leading(front, shown[rows[0]], digits=digits)
    else:
        st.caption(":material/touch_app: Pick a row to open the network that it leads to.")
    st.caption(f"Most useful first. Latency: predicted. Accuracy: proxy accuracy. {CAVEAT}")


def _leading(front: Front, change: Change, *, digits: int) -> None:
    """The network that a change leads to, and its page."""
    names = runs.layers(front.run)
    st.markdown(text.plain(text.by_name(sentence(change, digits), names)))
    st.code(change.arch, language=None, wrap_lines=True)
    known = front.view.candidates.get(change.arch)
    if known is None:
        st.caption("The search did not evaluate this network: its accuracy is estimated.")
    st.button(
        "Open this network",
        icon=":material/deployed_code:",
        key=f"model.why.open.{front.run.id}",
        type="primary",
        on_click=_open,
        args=(change.arch,),
    )


def _open(arch: str) -> None:
    st.query_params["arch"] = arch
