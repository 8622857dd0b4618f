"""Compose: the search space as forms, and what it amounts to; every valid edit is a revision.

An edit that cannot be built stays on the page with the reason beside it; the last revision that
can be built stays in the workspace.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from typing import Any

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from engine import presets
from engine.blocks import BLOCKS
from engine.errors import SpaceError
from engine.space import MAX_DEPTH, MAX_SIDE, MAX_WIDTH
from studio import draft, sentence, state, text, xray
from studio.charts.network import FAMILY_NAMES
from studio.charts.theme import family_color
from studio.draft import Document
from studio.editor import Editor, current, open_editor
from studio.editor import error as why_not

FIELD_NAMES = {"kernel": "Kernel", "expand": "Expansion"}
FIELD_VALUES: dict[str, Callable[[int], str]] = {
    "kernel": lambda kernel: f"{kernel}×{kernel}",
    "expand": lambda ratio: f"×{ratio}",
}
PRESET, UPLOAD, REFUSED = "compose.preset", "compose.upload", "compose.refused"


def page() -> None:
    """The sentence, what the space amounts to, the cards, and the smallest and largest network."""
    workspace = state.current()
    editor = open_editor(workspace)
    sentence.draw(workspace)
    _toolbar(editor)
    error = draft.told(why_not())
    where = draft.place(why_not())
    if error:
        revision = workspace.store.revision("space")
        st.warning(
            f"{text.plain(error)} Changes are not saved yet; figures are those of revision "
            f"{revision}, the last one that can be built.",
            icon=":material/edit_off:",
        )
    space = state.space(workspace)
    xray.figures(workspace, space)
    cards, picture = st.columns([3, 2], gap="large")
    with cards:
        _cards(editor, where, error)
    with picture:
        xray.picture(workspace, space)


# -- toolbar ---------------------------------------------------------------------------------------


def _toolbar(editor: Editor) -> None:
    with st.container(horizontal=True, vertical_alignment="center"):
        undo, redo = editor.steps()
        st.button(
            "Undo",
            icon=":material/undo:",
            shortcut="Ctrl+Z",
            on_click=editor.undo,
            disabled=not undo,
        )
        st.button(
            "Redo",
            icon=":material/redo:",
            shortcut="Ctrl+Shift+Z",
            on_click=editor.redo,
            disabled=not redo,
        )
        with st.popover("Load a preset", icon=":material/library_books:"):
            _preset(editor)
        with st.popover("Import", icon=":material/upload_file:"):
            st.file_uploader("A space saved as JSON", type="json", key=UPLOAD, max_upload_size=1)
            st.button("Use this space", on_click=_import, args=(editor,))
            refused = st.session_state.pop(REFUSED, "")
            if refused:
                st.error(text.plain(refused))
        st.download_button(
            "Save as JSON",
            lambda: json.dumps(state.space(editor.workspace).to_json(), indent=1),
            file_name=f"{editor.workspace.name}-space.json",
            mime="application/json",
            icon=":material/download:",
            on_click="ignore",
        )


def _preset(editor: Editor) -> None:
    name = st.radio(
        "Spaces that ship with the studio",
        presets.names(),
        captions=[presets.document(name)["about"] for name in presets.names()],
        key=PRESET,
    )
    st.button("Use this space", key="compose.use", on_click=_use_preset, args=(editor, name))


def _use_preset(editor: Editor, name: str) -> None:
    editor.replace(presets.load(name).to_json())


def _import(editor: Editor) -> None:
    uploaded = st.session_state.get(UPLOAD)
    if uploaded is None:
        st.session_state[REFUSED] = "Choose a file first."
        return
    try:
        space = presets.read_space(uploaded.getvalue(), uploaded.name)
    except SpaceError as error:
        st.session_state[REFUSED] = f"Nothing was changed. {error}"
        return
    editor.replace(space.to_json())
    st.toast("Imported. Undo brings back what was here.", icon=":material/check:")


# -- cards -----------------------------------------------------------------------------------------


def _cards(editor: Editor, where: str, error: str) -> None:
    with (
        _card("Images and stem", "conv", error if where in ("input", "stem") else ""),
        st.grid(columns=3, min_column_width=150),
    ):
        _number(editor, "Image side", ("input", "size"), (4, MAX_SIDE))
        _pick(editor, "Channels", ("input", "channels"), [1, 3])
        _classes(editor)
        _number(editor, "Stem width", ("stem", "width"), (1, MAX_WIDTH))
        _pick(editor, "Stem kernel", ("stem", "kernel"), [1, 3, 5, 7])
        _pick(editor, "Stem stride", ("stem", "stride"), [1, 2])
    for index, stage in enumerate(editor.document["stages"]):
        _stage(editor, index, stage, error if where == f"stage {index + 1}" else "")
    st.button(
        "Add a stage",
        icon=":material/add:",
        shortcut="Alt+A",
        on_click=lambda: editor.replace(draft.added(current(editor.workspace))),
    )
    with (
        _card("Head", "head", error if where == "head" else ""),
        st.grid(columns=2, min_column_width=150),
    ):
        _number(editor, "Head width (0: none)", ("head", "width"), (0, MAX_WIDTH))
        _number(editor, "Dropout", ("head", "dropout"), (0.0, 0.99), step=0.05)


def _card(
    title: str, family: str, error: str, buttons: Callable[[], None] | None = None
) -> DeltaGenerator:
    """A bordered container: the family's colour as a bar, title, buttons, the error if any."""
    container = st.container(border=True)
    bar = (
        f'<div style="border-left:4px solid {family_color(family)};padding-left:8px;'
        f'font-weight:600;white-space:nowrap">{escape(title)}</div>'
    )
    with (
        container,
        st.container(
            horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
        ),
    ):
        st.html(bar, width="content")
        if buttons:
            buttons()
    if error:
        container.error(text.plain(error))
    return container


def _classes(editor: Editor) -> None:
    """As many as the images have, once they are read; until then, what is typed."""
    images = state.dataset(editor.workspace)
    if images is None:
        _number(editor, "Classes", ("classes",), (2, 10_000))
        return
    number = len(images.classes)
    help_ = f"As many as {sentence.data_name(editor.workspace)} has."
    key = f"compose.classes.{number}"
    st.number_input("Classes", value=number, disabled=True, help=text.plain(help_), key=key)


def _stage(editor: Editor, index: int, stage: Document, error: str) -> None:
    family = str(stage["block"])
    title = f"Stage {index + 1} · {FAMILY_NAMES.get(family, family)}"
    fields = list(BLOCKS[family].choices.items())
    with _card(title, family, error, lambda: _stage_buttons(editor, index)):
        with st.grid(columns=3, min_column_width=150):
            _number(editor, "Width", ("stages", index, "width"), (1, MAX_WIDTH))
            _pick(editor, "Stride", ("stages", index, "stride"), [1, 2])
            _choices(editor, index, *fields[0])
        with st.grid(columns=2, min_column_width=230, gap="medium"):
            with st.container(gap="xsmall"):
                _depth(editor, index, stage)
                _skip(editor, index, stage)
            for field in fields[1:]:
                _choices(editor, index, *field)


def _skip(editor: Editor, index: int, stage: Document) -> None:
    path = ("stages", index, "skip")
    least, most = stage["depth"]

    def toggle() -> None:
        document = current(editor.workspace)
        first = draft.fewest_layers(document, index)
        least = min(first, most - 1) if st.session_state[editor.key(*path)] else most
        editor.replace(draft.changed(document, ("stages", index, "depth"), [max(0, least), most]))

    st.toggle(
        "Layers may be skipped",
        least < most,
        key=editor.key(*path),
        on_change=toggle,
        disabled=most == 1 and draft.fewest_layers(editor.document, index) == 1,
    )


def _depth(editor: Editor, index: int, stage: Document) -> None:
    path = ("stages", index, "depth")

    def take() -> None:
        depth = list(st.session_state[editor.key(*path)])
        editor.replace(draft.changed(current(editor.workspace), path, depth))

    st.slider(
        "Layers, fewest to most",
        0,
        MAX_DEPTH,
        tuple(stage["depth"]),
        key=editor.key(*path),
        on_change=take,
    )


def _choices(editor: Editor, index: int, field: str, legal: tuple[int, ...]) -> None:
    path = ("stages", index, field)
    st.pills(
        FIELD_NAMES.get(field, field),
        legal,
        selection_mode="multi",
        default=editor.document["stages"][index].get(field, []),
        format_func=FIELD_VALUES.get(field, str),
        key=editor.key(*path),
        on_change=lambda: editor.set(*path, read=sorted),
    )


def _stage_buttons(editor: Editor, index: int) -> None:
    last = len(editor.document["stages"]) - 1

    def act(change: Callable[..., Document], *more: int) -> Callable[[], None]:
        return lambda: editor.replace(change(current(editor.workspace), index, *more))

    def remove() -> None:
        act(draft.removed)()
        st.toast(f"Stage {index + 1} is removed. Undo brings it back.", icon=":material/delete:")

    buttons = [
        ("Up", ":material/arrow_upward:", act(draft.moved, -1), index == 0),
        ("Down", ":material/arrow_downward:", act(draft.moved, 1), index == last),
        ("Duplicate", ":material/content_copy:", act(draft.duplicated), False),
        ("Remove", ":material/delete:", remove, last == 0),
    ]
    with st.container(horizontal=True, gap="medium", width="content"):
        for label, icon, action, disabled in buttons:
            st.button(
                label,
                key=editor.key("stages", index, label),
                icon=icon,
                type="tertiary",
                on_click=action,
                disabled=disabled,
            )


def _value(editor: Editor, path: tuple[str | int, ...]) -> Any:
    value: Any = editor.document
    for key in path:
        value = value[key]
    return value


def _number(
    editor: Editor,
    label: str,
    path: tuple[str | int, ...],
    bounds: tuple[float, float],
    *,
    step: float = 1,
) -> None:
    least, most = bounds
    value = _value(editor, path)
    st.number_input(
        label,
        least,
        most,
        type(least)(min(max(value, least), most)),
        type(least)(step),
        key=editor.key(*path),
        on_change=lambda: editor.set(*path),
    )


def _pick(editor: Editor, label: str, path: tuple[str | int, ...], options: list[int]) -> None:
    value = _value(editor, path)
    st.segmented_control(
        label,
        options,
        default=value if value in options else None,
        required=value in options,
        key=editor.key(*path),
        on_change=lambda: editor.set(*path),
    )
