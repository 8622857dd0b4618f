"""Data: where the images come from, reading them, and what they look like once they are read.

Reading is a run of its own: a worker does it, this page watches.
"""

from __future__ import annotations

import streamlit as st

from engine.data import DATASETS, Dataset, parse_choice, thumbnails
from engine.errors import StudioError
from engine.spec import DataChoice, DataSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import fitting, launch, sentence, state, text
from studio.charts.balance import MAX_CLASSES, class_bars, split_bar
from studio.uploads import save_archive, shown_name

UPLOAD, PATH, SOURCE, PROBLEM = "data.upload", "data.path", "data.source", "data.problem"
SOURCES = {
    "digits": "Digits, built in",
    "folder": "My images",
    "cifar10": "CIFAR-10",
}
LAYOUT = (
    "One folder per class, with png or jpg images in it: **cat/1.jpg**, **dog/2.png**. "
    "Above the classes there may be **train**, **val** and **test**. Nothing leaves this computer."
)
PER_CLASS, MAX_PREVIEW = 6, 30


def page() -> None:
    """The source, a way to read it, and what was read."""
    workspace = state.current()
    sentence.draw(workspace)
    busy = launch.active(workspace)
    reading = busy is not None and busy.spec.kind == "data"
    choice = _source(workspace, locked=reading)
    if choice is None:
        return
    dataset = state.dataset(workspace)
    if busy is not None and reading:
        st.fragment(_progress, run_every=2)(workspace, busy.id)
    elif dataset is not None:
        _report(workspace, dataset)
    else:
        _to_read(workspace, choice, busy)


# -- source ----------------------------------------------------------------------------------------


def _source(workspace: Workspace, *, locked: bool) -> DataChoice | None:
    """Draws the choice of a source; what is chosen, or None while its path is missing."""
    saved = state.data_choice(workspace)
    source = st.segmented_control(
        "Images",
        list(SOURCES),
        default=saved.source,
        format_func=SOURCES.__getitem__,
        required=True,
        key=f"{SOURCE}.{workspace.name}",
        disabled=locked,
        on_change=_pick_source,
        args=(workspace,),
    )
    source = source or saved.source
    st.caption(text.told(DATASETS[source].about))
    chosen = saved.source == source and bool(saved.path)
    if source == "folder":
        label = "Choose other images" if chosen else "Choose images"
        with st.expander(label, expanded=not chosen, icon=":material/folder_open:"):
            _own_images(workspace, locked=locked)
    elif source == "cifar10":
        with st.expander("I have a copy", expanded=chosen, icon=":material/folder_open:"):
            label = "Path of the archive, or of a folder or zip of images"
            _path(workspace, source, label, locked=locked)
    _problem()
    saved = state.data_choice(workspace)
    missing = saved.source != source or (source == "folder" and not saved.path)
    return None if missing else saved


def _pick_source(workspace: Workspace) -> None:
    """Saves a source that needs no path as soon as it is picked; own images wait for theirs."""
    source = st.session_state[f"{SOURCE}.{workspace.name}"]
    if source and source != "folder":
        _save(workspace, DataChoice(source))


def _save(workspace: Workspace, choice: DataChoice, name: str = "") -> None:
    """Saves the choice; `name` is what people call an uploaded archive."""
    document = {"source": choice.source, "path": choice.path} | ({"name": name} if name else {})
    if document != workspace.store.document("data"):
        workspace.store.save("data", document)


def _own_images(workspace: Workspace, *, locked: bool) -> None:
    st.caption(LAYOUT)
    st.file_uploader(
        "A zip from your computer",
        type="zip",
        key=UPLOAD,
        on_change=_upload,
        args=(workspace,),
        disabled=locked,
    )
    label = "Or the path of a folder or zip where the studio runs"
    _path(workspace, "folder", label, locked=locked)


def _upload(workspace: Workspace) -> None:
    uploaded = st.session_state.get(UPLOAD)
    if uploaded is None:
        return
    try:
        path = save_archive(workspace, uploaded.name, uploaded)
    except OSError as error:
        st.session_state[PROBLEM] = (
            f"{uploaded.name}: could not be saved, {error.strerror or error}. Free some space."
        )
        return
    _save(workspace, DataChoice("folder", str(path.absolute())), shown_name(uploaded.name))


def _path(workspace: Workspace, source: str, label: str, *, locked: bool) -> None:
    saved = state.data_choice(workspace)
    key = f"{PATH}.{workspace.name}.{source}"

    def take() -> None:
        entered = str(st.session_state[key]).strip()
        try:
            if entered or source != "folder":
                written = entered if source == "folder" else f"{source}={entered}"
                _save(workspace, parse_choice(written if entered else source))
        except StudioError as error:
            st.session_state[PROBLEM] = str(error)

    st.text_input(
        label,
        saved.path if saved.source == source else "",
        key=key,
        on_change=take,
        placeholder="/home/me/pictures",
        disabled=locked,
    )


def _problem() -> None:
    words = st.session_state.pop(PROBLEM, "")
    if words:
        st.error(text.plain(words))


# -- reading ---------------------------------------------------------------------------------------


def _wanted(workspace: Workspace, choice: DataChoice) -> DataSpec:
    shape = state.drafted_space(workspace).input
    return DataSpec(choice, shape.size, shape.channels)


def _to_read(workspace: Workspace, choice: DataChoice, busy: Run | None) -> None:
    """The button that reads the images, and why the last reading of them gave none."""
    spec = _wanted(workspace, choice)
    last = next((run for run in workspace.store.runs("data") if run.spec == spec), None)
    if last is not None:
        _failure(workspace, last)
    if busy is not None:
        st.info(
            f"Run {busy.id} of this workspace is still going on; the images can be read after it."
        )
    pressed = st.button(
        "Read the images",
        type="primary",
        icon=":material/photo_library:",
        shortcut="Ctrl+Enter",
        disabled=busy is not None,
    )
    st.caption(
        f"They are read at {spec.size}×{spec.size} pixels, as the networks want them. Here will be "
        "samples of every class, how many images each has, and how they are split."
    )
    if pressed:
        launch.start(workspace, spec)
        st.rerun()


def _failure(workspace: Workspace, run: Run) -> None:
    failed = state.run_view(workspace, run.id).failed
    name = launch.state_of(workspace, run)
    if failed is not None:
        st.error(text.plain(failed.message) + f"\n\n{text.plain(failed.hint)}")
    elif name == "crashed":
        st.warning("Reading the images was interrupted. Read them again.")
    elif name == "stopped":
        st.info("Reading the images was stopped.")


@text.guarded
def _progress(workspace: Workspace, run_id: int) -> None:
    run = workspace.store.run(run_id)
    name = launch.state_of(workspace, run)
    if name not in launch.LIVE:
        st.rerun()
    status = run.status
    words = text.plain(status.detail or "Starting")
    left = text.seconds_left(status.seconds_left)
    st.progress(min(1.0, max(0.0, status.done)), " · ".join(filter(None, (words, left))))
    st.button("Stop", icon=":material/stop:", on_click=launch.stop, args=(workspace, run_id))


# -- what was read ---------------------------------------------------------------------------------


def _report(workspace: Workspace, dataset: Dataset) -> None:
    dark = st.context.theme.type == "dark"
    side, total = dataset.images.shape[-1], len(dataset.labels)
    classes = text.plural(len(dataset.classes), "class", "classes")
    st.subheader(f"{text.plural(total, 'image')} of {classes}", anchor=False)
    fitting.draw(workspace, dataset)
    for warning in dataset.report.warnings:
        st.warning(text.told(warning), icon=":material/warning:")
    st.html(split_bar({name: len(index) for name, index in dataset.splits.items()}, dark))
    samples, facts = st.columns([3, 2], gap="large")
    with samples:
        st.markdown("**Samples**, as the networks see them")
        _samples(workspace, dataset)
    with facts:
        st.markdown("**Images per class**")
        st.vega_lite_chart(
            class_bars(dataset.report.counts, dark=dark),
            key="data.balance",
            alt=f"Bar chart of images per class for {len(dataset.classes)} classes",
        )
        if len(dataset.classes) > MAX_CLASSES:
            st.caption(f"The first {MAX_CLASSES} of {len(dataset.classes)} classes.")
        sizes = list(dataset.report.sizes.items())[:6]
        told = " · ".join(f"{size} ({text.plural(n, 'image')})" for size, n in sizes)
        st.markdown(f"**Original sizes** {told}, all read at {side}×{side} pixels")
        copies = dataset.report.duplicates
        st.markdown(f"**Exact copies** {text.plural(copies, 'image') if copies else 'none'}")
        st.markdown(f"**Hash of images, labels and splits** `{dataset.hash[:16]}`")


def _samples(workspace: Workspace, dataset: Dataset) -> None:
    pictures = _thumbnails(str(workspace.folder), dataset.hash, dataset)
    with st.grid(columns=2, min_column_width=250, gap="small"):
        for name, files in list(pictures.items())[:MAX_PREVIEW]:
            with st.container(gap="xxsmall"):
                st.caption(text.plain(name))
                with st.container(horizontal=True, gap="xxsmall"):
                    for number, file in enumerate(files, 1):
                        st.image(file, width=52, alt=f"{name}, sample {number}")
    if len(pictures) > MAX_PREVIEW:
        st.caption(f"The first {MAX_PREVIEW} of {len(pictures)} classes.")


@st.cache_resource(show_spinner=False, max_entries=8)
def _thumbnails(folder: str, digest: str, _dataset: Dataset) -> dict[str, list[bytes]]:
    del folder, digest  # the key of this entry
    return thumbnails(_dataset, PER_CLASS)
