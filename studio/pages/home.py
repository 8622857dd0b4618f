"""Home: a card for every workspace, a new one, the example first; runs are started elsewhere."""

from __future__ import annotations

import streamlit as st

from engine.errors import StudioError
from engine.spec import DataChoice
from engine.store import Run
from engine.workspace import Workspace, create_workspace, list_workspaces
from studio import launch, sentence, state, text, trash
from studio.charts.thumbnail import thumbnail
from studio.parts import preset_picker

EXAMPLE = "digits-example"
TITLE, PRESET, SOURCE, PATH = "home.title", "home.preset", "home.source", "home.path"
RENAMED, PROBLEM, OPEN = "home.renamed", "home.problem", "home.open"
SOURCES = {
    "digits": "Handwritten digits, built in",
    "folder": "My own images",
    "cifar10": "CIFAR-10",
}


def page() -> None:
    """All workspaces, and a way to a new one."""
    _follow()
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.title("Workspaces", anchor=False, width="content")
        if st.button("New workspace", icon=":material/add:", shortcut="N"):
            _new()
    st.caption(
        "Each holds its networks, its images, its device and all that was searched and found."
    )
    names = [w.name for w in list_workspaces(state.workspaces_root())]
    if not names:
        st.write("Here will be your workspaces, each with its networks, images and results.")
        if st.button("Make the first workspace", icon=":material/add:"):
            _new()
    names.sort(key=lambda name: (name != EXAMPLE, name))
    workspaces = [state.opened(state.workspaces_root(), name) for name in names]
    busy = any(launch.active(w) for w in workspaces)
    st.fragment(_cards, run_every=2 if busy else None)(workspaces, busy)
    _trash()


def _follow() -> None:
    """Goes to the workspace that a dialog has just made."""
    name = st.session_state.pop(OPEN, "")
    if name:
        st.switch_page(state.page("compose"), query_params={"ws": name})


@text.guarded
def _cards(workspaces: list[Workspace], busy: bool) -> None:
    with st.grid(columns=3, min_column_width=290, gap="medium") as grid:
        for workspace in workspaces:
            with grid.cell(), st.container(border=True, height="stretch", gap="xsmall"):
                _card(workspace)
    if busy and not any(launch.active(w) for w in workspaces):
        st.rerun()


def _card(workspace: Workspace) -> None:
    searches = workspace.store.runs("search")
    run = next(iter(state.own_first(workspace, searches)), None)
    st.image(
        _thumbnail(workspace, state.shown_search(workspace)),
        width="stretch",
        alt=f"Front of {workspace.title}",
    )
    with st.container(
        horizontal=True, horizontal_alignment="distribute", vertical_alignment="center"
    ):
        st.markdown(f"**{text.plain(workspace.title)}**", width="content")
        _menu(workspace)
    _pill(workspace, run)
    if workspace.name == EXAMPLE and run is None:
        st.write(
            "Open the example, measure this computer, press Search: first model in three minutes."
        )
    else:
        st.caption(_facts(workspace))
    first = workspace.name == EXAMPLE and run is None
    if st.button(
        "Open the example" if workspace.name == EXAMPLE else "Open",
        key=f"home.open.{workspace.name}",
        type="primary" if first else "secondary",
        width="stretch",
    ):
        st.switch_page(state.page(_entry(workspace, run)), query_params=state.link_query(workspace))


def _thumbnail(workspace: Workspace, run: Run | None) -> str:
    """The front of the search that the other pages show, so that a new one does not hide it."""
    dark = st.context.theme.type == "dark"
    if run is None:
        return thumbnail([], [], None, dark)
    view = state.run_view(workspace, run.id)
    points = [(c.predicted_ms, c.proxy_accuracy) for c in view.candidates.values()]
    front = [(c.predicted_ms, c.proxy_accuracy) for c in view.front()]
    return thumbnail(points, front, getattr(run.spec, "latency_limit_ms", None), dark)


def _pill(workspace: Workspace, run: Run | None) -> None:
    current = launch.active(workspace) or run
    if current is None:
        st.badge("no search yet", icon=":material/radio_button_unchecked:", color="gray")
        return
    name = launch.state_of(workspace, current)
    label = text.state(name, current.status.done, current.status.seconds_left)
    st.badge(label, icon=text.STATE_ICONS[name], color=text.STATE_COLORS[name])


def _facts(workspace: Workspace) -> str:
    choice = state.device_choice(workspace)
    parts = state.parts_of(workspace)
    searches = sum(run.id not in parts for run in workspace.store.runs("search"))
    told = (
        text.plain(sentence.data_name(workspace)),
        text.device(choice.name, choice.threads),
        text.plural(searches, "search", "searches") if searches else "",
        f"changed {text.ago(_changed(workspace))}",
    )
    return " · ".join(filter(None, told))


def _changed(workspace: Workspace) -> float:
    """When the database was last written; an empty write-ahead log only says that it was opened."""
    files = [workspace.folder / "studio.db", workspace.folder / "studio.db-wal"]
    return max(path.stat().st_mtime for path in files if path.exists() and path.stat().st_size)


def _entry(workspace: Workspace, run: Run | None) -> str:
    """The page where the work goes on: composing, searching, or looking at the front."""
    if run is None:
        return "search" if workspace.name == EXAMPLE else "compose"
    return "front" if launch.state_of(workspace, run) == "finished" else "search"


def _menu(workspace: Workspace) -> None:
    chosen = st.menu_button(
        "More",
        ["Rename", "Delete"],
        key=f"home.menu.{workspace.name}",
        type="tertiary",
    )
    if chosen == "Rename":
        _rename(workspace)
    elif chosen == "Delete":
        _delete(workspace)


# -- dialogs -------------------------------------------------------------------------------------


@st.dialog("New workspace", icon=":material/add:")
def _new() -> None:
    _follow()
    st.text_input("Name", key=TITLE, max_chars=80, placeholder="Doorbell camera")
    st.markdown("Networks to choose from")
    with st.container(height=300):
        preset_picker.pick(PRESET)
    st.radio("Images", list(SOURCES), format_func=SOURCES.__getitem__, key=SOURCE)
    st.caption("Everything can be changed later. Your own images are chosen on the Data page.")
    _problem()
    st.button("Make workspace", type="primary", on_click=_make, shortcut="Ctrl+Enter")


def _make() -> None:
    title = str(st.session_state.get(TITLE, "")).strip()
    if not title:
        st.session_state[PROBLEM] = "Name: must not be empty. Type what you will search for."
        return
    data = DataChoice(st.session_state[SOURCE])
    try:
        made = create_workspace(
            state.workspaces_root(), title, preset=preset_picker.chosen(PRESET), data=data
        )
    except (StudioError, OSError) as error:
        st.session_state[PROBLEM] = str(error)
        return
    st.session_state[OPEN] = made.name


@st.dialog("Rename workspace", icon=":material/edit:")
def _rename(workspace: Workspace) -> None:
    st.text_input("Name", workspace.title, key=RENAMED, max_chars=80)
    if st.button("Rename", type="primary", on_click=_set_title, args=(workspace,)):
        st.rerun()


def _set_title(workspace: Workspace) -> None:
    title = str(st.session_state[RENAMED]).strip()
    if title and title != workspace.title:
        workspace.store.save("about", (workspace.store.document("about") or {}) | {"title": title})


@st.dialog("Delete workspace", icon=":material/delete:")
def _delete(workspace: Workspace) -> None:
    st.write(
        f"**{text.plain(workspace.title)}** with its runs, data and exports goes to the trash. "
        "It can be restored from there."
    )
    _problem()
    if st.button("Delete", type="primary", on_click=_move_to_trash, args=(workspace,)) and (
        not workspace.folder.exists()
    ):
        st.rerun()


def _move_to_trash(workspace: Workspace) -> None:
    try:
        trash.delete(state.workspaces_root(), workspace)
    except (StudioError, OSError) as error:
        st.session_state[PROBLEM] = str(error)


def _problem() -> None:
    """The sentence about what the last press of a button could not do."""
    sentence_ = st.session_state.pop(PROBLEM, "")
    if sentence_:
        st.error(text.plain(sentence_))


def _trash() -> None:
    gone = trash.deleted(state.workspaces_root())
    if not gone:
        return
    with st.expander(f"Trash ({len(gone)})", icon=":material/delete:"):
        for workspace in gone:
            with st.container(horizontal=True, vertical_alignment="center"):
                title = state.opened(workspace.folder.parent, workspace.name).title
                st.write(text.plain(title))
                st.button(
                    "Restore",
                    key=f"home.restore.{workspace.name}",
                    on_click=_restore,
                    args=(workspace,),
                )


def _restore(workspace: Workspace) -> None:
    trash.restore(state.workspaces_root(), workspace.name)
