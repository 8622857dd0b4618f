"""The frame of every page: page settings, navigation, and the example on a first start."""

from __future__ import annotations

import gc
from collections.abc import Callable
from pathlib import Path

import streamlit as st

from engine.workspace import create_workspace, list_workspaces
from studio import keys, state
from studio.pages import compare, compose, data, front, home, model, search
from studio.text import guarded

ASSETS = Path(__file__).parent.parent / "assets"
SCRIPT = Path(__file__).parent / "entry" / "script.py"
EXAMPLE = "Digits example"

PAGES: dict[str, tuple[Callable[[], None], str, str]] = {
    "home": (home.page, "Home", ":material/home:"),
    "compose": (compose.page, "Compose", ":material/account_tree:"),
    "data": (data.page, "Data", ":material/photo_library:"),
    "search": (search.page, "Search", ":material/route:"),
    "front": (front.page, "Front", ":material/scatter_plot:"),
    "compare": (compare.page, "Compare", ":material/leaderboard:"),
    "model": (model.page, "Model", ":material/deployed_code:"),
}


def draw(default: str = "home") -> None:
    """Draws the page in the address, `default` where it names none."""
    st.set_page_config(
        page_title="Onepath Studio", page_icon=str(ASSETS / "icon.png"), layout="wide"
    )
    settle(str(state.workspaces_root().resolve()))
    dark = st.context.theme.type == "dark"
    # What no option of the theme can reach; everything else is in .streamlit/config.toml.
    for sheet in ("studio.css", "studio-dark.css") if dark else ("studio.css",):
        st.html(ASSETS / sheet)
    st.logo(str(ASSETS / ("logo-dark.svg" if dark else "logo-light.svg")), size="large")
    pages = {
        name: st.Page(guarded(draw), title=title, icon=icon, url_path=name, default=name == default)
        for name, (draw, title, icon) in PAGES.items()
    }
    st.session_state[state.PAGES] = pages
    shown = st.navigation(list(pages.values()), position="top")
    keys.draw({name: title for name, (_, title, _) in PAGES.items()})
    shown.run()


@st.cache_resource(show_spinner=False)
def settle(root: str) -> None:
    """Once per server: the example if there is no workspace; imports out of the collector's way.

    A full collection looks at everything that was ever imported; frozen objects are left out of it.
    """
    if not list_workspaces(Path(root)):
        create_workspace(Path(root), EXAMPLE)
    gc.collect()
    gc.freeze()
