"""The visual composer as a component of the page: mounts it, and reads what people made with it.

The files in `frontend/` are what the browser loads, as they stand: no build step. Not here: what a
document means (the engine's), and what is shown beside the canvas (the page's).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import streamlit as st
from streamlit.components.v2.get_bidi_component_manager import get_bidi_component_manager
from streamlit.components.v2.manifest_scanner import ComponentConfig, ComponentManifest

FRONTEND = Path(__file__).parent / "frontend"
PROJECT = "onepath-studio"
STATE = "doc"
MOST_BEFORE = 20


@dataclass(frozen=True, slots=True)
class Edit:
    """What the browser sent: the whole document, its revision, and in words what was done.

    `base` is the number of the saved state that the page had last told it, if any; `before` are
    documents sent earlier that the page has not confirmed.
    """

    rev: int
    doc: dict[str, Any]
    why: str
    base: int | None = None
    before: tuple[Any, ...] = ()


def mount(
    data: Mapping[str, Any],
    *,
    key: str,
    height: int | Literal["content", "stretch"] = "content",
    on_edit: Callable[[], None] = lambda: None,
) -> None:
    """Draws the composer with `data`: doc, rev, base, catalogue, fixed, insight, readonly.

    `key` names the place on the page: undo steps outlive a visit to another page under it, so it
    should tell workspaces apart. With a height in pixels the canvas scrolls inside.
    """
    manager = get_bidi_component_manager()
    if manager.get_component_asset_root(component_name()) is None:
        manager.register_from_manifest(_manifest(), FRONTEND.parent)
    composer = _component()
    extra = {"place": key, "inside": height != "content"}
    composer(key=key, data={**data, **extra}, height=height, on_doc_change=on_edit)


def received(key: str) -> Edit | None:
    """The last edit of the composer mounted under `key`; None where there is none, or nonsense."""
    state = st.session_state.get(key)
    sent = state.get(STATE) if isinstance(state, Mapping) else None
    if not isinstance(sent, Mapping):
        return None
    rev, doc, why = (sent.get(name) for name in ("rev", "doc", "why"))
    if type(rev) is not int or not isinstance(doc, dict) or not isinstance(why, str):
        return None
    base = sent.get("base")
    before = sent.get("before")
    earlier = tuple(before[-MOST_BEFORE:]) if isinstance(before, list) else ()
    return Edit(rev, doc, why, base if type(base) is int else None, earlier)


@cache
def component_name() -> str:
    """The name in the addresses of the files; other files, another name, so no cache is stale."""
    digest = hashlib.sha256()
    for path in sorted(FRONTEND.iterdir()):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return f"{PROJECT}.composer-{digest.hexdigest()[:12]}"


def _manifest() -> ComponentManifest:
    # Streamlit finds such a manifest by itself only in a package named like its distribution.
    short = component_name().removeprefix(f"{PROJECT}.")
    config = ComponentConfig(name=short, asset_dir=FRONTEND.name)
    return ComponentManifest(name=PROJECT, version="", components=[config])


@cache
def _component() -> Callable[..., Any]:
    """The component; made when it is first needed, because that takes a running server."""
    return st.components.v2.component(component_name(), css="index.css", js="index.js")
