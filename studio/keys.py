"""Keys for what a mouse can do: a digit per page, and the dialog that lists all shortcuts.

Streamlit takes letters, digits and named keys only, so the list opens with H, not with "?".
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from studio import state

SHORTCUTS = {
    "Everywhere": {"H": "this list"},
    "Home": {
        "N": "new workspace; Tab twice to its name",
        "Ctrl Enter": "make the workspace, in its dialog",
    },
    "Compose": {
        "Ctrl Z": "undo the last edit, on the canvas",
        "Ctrl Shift Z": "redo it",
        "↑ ↓ Enter": "from card to card, and into one",
        "Alt ↑ ↓": "move a card",
        "J": "the document as JSON",
        "keyboard button": "all keys of the canvas",
    },
    "Data": {"Ctrl Enter": "read the images"},
    "Search": {
        "Ctrl Enter": "measure this computer, or search",
        "P": "pause or resume",
        "S": "stop",
        "M": "open the picked model",
    },
    "Front": {"M": "open the picked model", "↑ ↓ Enter": "pick a row, in the table"},
    "Compare": {"Ctrl Enter": "compare", "P": "pause or resume", "S": "stop"},
    "Model": {"E": "export ONNX", "P": "pause or resume a training", "S": "stop it"},
}


def draw(titles: Mapping[str, str]) -> None:
    """The button in the header, and the keys that lead to pages (name to title)."""
    with st.container(key="keys"):
        for number, (name, title) in enumerate(titles.items(), 1):
            # Pressed by key only: the navigation above is there for the mouse and for Tab.
            if st.button(f"Go to {title}", key=f"keys.{name}", shortcut=str(number)):
                workspace = st.query_params.get("ws") or st.session_state.get(state.WORKSPACE)
                query = {"ws": workspace} if workspace else None
                st.switch_page(state.page(name), query_params=query)
    with st.container(key="help"):
        if st.button(
            "Shortcuts",
            key="keys.list",
            icon=":material/keyboard:",
            type="tertiary",
            shortcut="H",
        ):
            _list(list(titles.values()))


@st.dialog("Shortcuts", icon=":material/keyboard:", width="medium")
def _list(titles: list[str]) -> None:
    pages = {str(number): title for number, title in enumerate(titles, 1)}
    places = SHORTCUTS | {"Everywhere": pages | SHORTCUTS["Everywhere"]}
    with st.grid(columns=2, min_column_width=240, gap="medium"):
        for place, keys in places.items():
            listed = "  \n".join(f"`{key}` {does}" for key, does in keys.items())
            st.markdown(f"**{place}**  \n{listed}")
    st.caption("Tab moves through everything that can be pressed; Enter or Space presses it.")
