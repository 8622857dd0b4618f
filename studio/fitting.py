"""Warnings where the space reads fewer channels or pixels than the images have, and the way out.

Each button saves a revision of the space; the images have to be read again after it.
"""

from __future__ import annotations

import re
from dataclasses import replace

import streamlit as st

from engine.data import Dataset
from engine.data.colour import in_colour
from engine.errors import SpaceError
from engine.space import MAX_SIDE, Input
from engine.spec import DataChoice
from engine.workspace import Workspace
from studio import state, text

MUCH = 4  # times as wide as they are read: little is left of what they show
PROBLEM = "data.fitting"


def draw(workspace: Workspace, dataset: Dataset) -> None:
    """A warning with a button for each thing the space leaves out of the images."""
    shape = state.drafted_space(workspace).input
    problem = st.session_state.pop(PROBLEM, "")
    if problem:
        st.error(text.plain(problem))
    if shape.channels == 1 and _colour(state.data_choice(workspace), dataset.hash):
        st.warning(
            "Your images are in colour; this space reads 1 channel.", icon=":material/palette:"
        )
        _way_out(workspace, "Use 3 channels", replace(shape, channels=3))
    side = short_side(dataset.report.sizes)
    if side >= MUCH * shape.size and shape.size < MAX_SIDE:
        st.warning(
            f"Many of your images are at least {side} pixels wide and high; this space reads them "
            f"at {shape.size}×{shape.size}.",
            icon=":material/photo_size_select_small:",
        )
        larger = min(MUCH * shape.size, MAX_SIDE)
        _way_out(workspace, f"Read {larger}×{larger} pixels", replace(shape, size=larger))


def short_side(sizes: dict[str, int]) -> int:
    """The shorter side that half of the images of listed sizes reach; 0 where none is listed."""
    sides = sorted(
        (min(map(int, found.groups())), number)
        for size, number in sizes.items()
        if (found := re.fullmatch(r"(\d+)×(\d+)", size))
    )
    seen, half = 0, sum(number for _, number in sides) / 2
    for side, number in reversed(sides):
        seen += number
        if seen >= half:
            return side
    return 0


def _way_out(workspace: Workspace, label: str, shape: Input) -> None:
    st.button(
        label,
        key=f"data.fitting.{shape.size}.{shape.channels}",
        on_click=_take,
        args=(workspace, shape),
        help="A new revision of the space, of slower networks. The images are read again after it.",
    )


def _take(workspace: Workspace, shape: Input) -> None:
    try:
        space = replace(state.drafted_space(workspace), input=shape)
    except SpaceError as error:
        st.session_state[PROBLEM] = str(error)
        return
    workspace.store.save("space", space.to_json())
    revision = workspace.store.revision("space")
    st.toast(f"Revision {revision} reads {shape.size}×{shape.size}, {shape.channels} channels.")


@st.cache_data(show_spinner=False, max_entries=16)
def _colour(choice: DataChoice, digest: str) -> bool:
    del digest  # other images under the same name are another entry
    return in_colour(choice)
