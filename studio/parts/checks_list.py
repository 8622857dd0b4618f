"""The twelve checks on a search as a compact list, each met, failed or open."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import streamlit as st

from engine.store import Run
from engine.trust.checks import FAILED, MET, OPEN, Check, checks
from engine.workspace import Workspace
from studio import text

MARKS = {
    MET: ":green[:material/check_circle:]",
    FAILED: ":red[:material/cancel:]",
    OPEN: ":gray[:material/radio_button_unchecked:]",
}
"""A shape of its own for each state; the word stands beside it."""


def draw(workspace: Workspace, run: Run) -> None:
    """The list for search `run`, as far as its workspace knows, in two columns where they fit."""
    found = checks(workspace.store, run.id)
    st.markdown(f"**Twelve checks** · {summary(found)}")
    st.caption(
        "What a search has to show before its result means much (Yang, Esperança and Carlucci,"
        " 2020). Open: nobody has looked yet."
    )
    half = (len(found) + 1) // 2
    parts = found[:half], found[half:]
    with st.container(border=True, key="front.trust.checks"):
        for column, part in zip(st.columns(2, gap="medium"), parts, strict=True):
            column.markdown("\n\n".join(line(check) for check in part))


def summary(found: Sequence[Check]) -> str:
    """How many are met, failed and open, in words: `7 met · 1 failed · 4 open`."""
    counts = Counter(check.state for check in found)
    return " · ".join(f"{counts[state]} {state}" for state in MARKS if counts[state])


def line(check: Check) -> str:
    """One check as Markdown: mark, number and title, the state as a word, and why."""
    head = f"{MARKS[check.state]} **{check.number} {text.plain(check.title)}**, {check.state}"
    return f"{head}  \n:small[{text.told(check.says)}]"
