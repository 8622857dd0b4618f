"""Compose: the canvas on which a search space is built, and its X-ray beside it.

An edit that cannot be built stays on the canvas with the reason on its card and is kept as a
draft; the last revision that can be built stays the workspace's space.
"""

from __future__ import annotations

import codecs
import json
from pathlib import Path

import streamlit as st

from engine import presets
from engine.errors import SpaceError
from engine.workspace import Workspace
from studio import composing, draft, sentence, state, text, xray
from studio.composing import Composition
from studio.parts import canvas, preset_picker, revisions, specimen

PRESET, UPLOAD, REFUSED = "compose.preset", "compose.upload", "compose.refused"
UNNAMED = "untitled"
MARKS = {codecs.BOM_UTF16_LE: "UTF-16", codecs.BOM_UTF16_BE: "UTF-16"}


def page() -> None:
    """The sentence, the tools, then canvas and X-ray; an edit draws them again and nothing else."""
    _workbench(state.current())


@st.fragment
@text.guarded
def _workbench(workspace: Workspace) -> None:
    made = composing.compose(workspace)
    if said := composing.told():
        st.toast(said, icon=":material/check:")
    found = None if made.space is None else xray.of(workspace, made.space)
    sentence.draw(workspace)
    _tools(workspace)
    if made.overtaken:
        _overtaken(workspace, made)
    left, right = st.columns([7, 3], gap="medium")
    with left:
        canvas.mount(workspace, made, found)
    with right, st.container(key="xray"):
        if found is None or made.space is None:
            _not_built(made)
            return
        xray.draw(workspace, found)
        specimen.draw(workspace, made.space, found)


def _overtaken(workspace: Workspace, made: Composition) -> None:
    """Two people edited one space: whose it shall be."""
    with st.container(border=True, horizontal=True, vertical_alignment="center"):
        st.warning(
            f"Revision {made.revision} was saved elsewhere meanwhile. What is on the canvas is "
            "kept as a draft until you choose.",
            icon=":material/group:",
            width="stretch",
        )
        st.button("Use the canvas", on_click=composing.insist, args=(workspace,))
        st.button(f"Take revision {made.revision}", on_click=composing.give_way, args=(workspace,))


def _not_built(made: Composition) -> None:
    st.warning(
        f"{text.plain(draft.told(made.error))} The draft is kept; searches go on with revision "
        f"{made.revision}, the last one that can be built.",
        icon=":material/edit_off:",
    )


# -- tools -----------------------------------------------------------------------------------------


def _tools(workspace: Workspace) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.popover("Presets", icon=":material/library_books:"):
            with st.container(height=360, border=False):
                preset_picker.pick(PRESET)
            with st.container(horizontal=True):
                st.button(
                    "Use this space",
                    key="compose.use",
                    type="primary",
                    on_click=_use_preset,
                    args=(workspace,),
                )
                st.button("Empty canvas", key="compose.empty", on_click=_empty, args=(workspace,))
        with st.popover("Revisions", icon=":material/history:"):
            revisions.draw(workspace)
        with st.popover("Import", icon=":material/upload_file:"):
            st.file_uploader("A space saved as JSON", type="json", key=UPLOAD, max_upload_size=1)
            st.button("Use this space", key="compose.import", on_click=_import, args=(workspace,))
            refused = st.session_state.pop(REFUSED, "")
            if refused:
                st.error(text.plain(refused))
        st.download_button(
            "Save as JSON",
            lambda: json.dumps(state.drafted_space(workspace).to_json(), indent=1),
            file_name=f"{workspace.name}-space.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )


def _use_preset(workspace: Workspace) -> None:
    name = preset_picker.chosen(PRESET)
    document = draft.whole(presets.load(name).to_json())
    composing.put(workspace, document, f"preset {name}")
    composing.tell(f"{name} is on the canvas. Undo brings back what was.")


def _empty(workspace: Workspace) -> None:
    """Input, stem and head stay; what stands between them goes."""
    document = composing.compose(workspace).document
    named = {"name": workspace.title, "citation": "", "stages": []}
    composing.put(workspace, document | named)
    composing.tell("The canvas is empty. Undo brings back what was.")


def _import(workspace: Workspace) -> None:
    uploaded = st.session_state.get(UPLOAD)
    if uploaded is None:
        st.session_state[REFUSED] = "Choose a file first."
        return
    try:
        content = _utf8(uploaded.getvalue(), uploaded.name)
        space = presets.read_space(content, uploaded.name)
    except SpaceError as error:
        st.session_state[REFUSED] = f"Nothing was changed. {error}"
        return
    document = draft.whole(space.to_json())
    if space.name == UNNAMED:
        document["name"] = Path(uploaded.name).stem
    composing.put(workspace, document, f"imported {uploaded.name}")
    composing.tell("Imported. Undo brings back what was here.")


def _utf8(content: bytes, name: str) -> bytes:
    """`content` as it is; SpaceError where it is no text in UTF-8."""
    try:
        content.decode("utf-8-sig")
        got = "UTF-16" if b"\0" in content else ""
    except UnicodeDecodeError:
        got = MARKS.get(content[:2], "another encoding")
    if got:
        raise SpaceError(
            f"{name}: must be text in UTF-8, got {got}.", "Save it as UTF-8 and import it again."
        )
    return content
