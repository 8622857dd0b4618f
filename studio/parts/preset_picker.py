"""Choosing one of the spaces and networks that ship with the studio; nothing is saved here."""

from __future__ import annotations

from typing import Any

import streamlit as st

from engine import presets
from studio import text

SMALL = 64  # pixels: images that a search in minutes is possible with
SMALL_SPACES, LARGE_SPACES, NETWORKS = "Small images", "224×224 images", "Published networks"


def pick(key: str) -> None:
    """Two widgets, the kind and the preset; `chosen` tells what they hold."""
    kinds = shelves()
    kind = st.segmented_control(
        "Kind", list(kinds), default=SMALL_SPACES, required=True, key=f"{key}.kind"
    )
    names = kinds[kind or SMALL_SPACES]
    st.radio("Preset", names, captions=[caption(name) for name in names], key=f"{key}.{kind}")


def chosen(key: str) -> str:
    """Name of the preset that the widgets of `pick` hold; also inside a callback."""
    kind = st.session_state.get(f"{key}.kind") or SMALL_SPACES
    return str(st.session_state.get(f"{key}.{kind}") or shelves()[kind][0])


@st.cache_data(show_spinner=False)
def shelves() -> dict[str, list[str]]:
    """Names of all presets by kind; the example's space first, then by name."""
    found: dict[str, list[str]] = {SMALL_SPACES: [], LARGE_SPACES: [], NETWORKS: []}
    for name in sorted(presets.names(), key=lambda name: (name != "digits", name)):
        told = _summary(name)
        if told["kind"] == "network":
            found[NETWORKS].append(name)
        else:
            small = presets.load(name).input.size <= SMALL
            found[SMALL_SPACES if small else LARGE_SPACES].append(name)
    return found


def caption(name: str) -> str:
    """One sentence about a preset, its size, and what in it is from memory."""
    told = _summary(name)
    memory = " Partly from memory." if told["from_memory"] else ""
    size = "" if told["kind"] == "network" else f" {text.networks(told['size'])}."
    return f"{told['about']}{size}{memory}"


@st.cache_data(show_spinner=False)
def _summary(name: str) -> dict[str, Any]:
    return presets.summary(name)
