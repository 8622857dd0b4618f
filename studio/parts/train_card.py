"""Training one architecture: the two ways, the curve, and what came out."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import streamlit as st

from engine.events import Trained
from engine.methods import METHODS
from engine.spec import MAX_EPOCHS, TrainSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.charts import progress
from studio.parts import front_view, runs

WAYS = {
    "finetune": ("Finetune", ":material/trending_up:", "Goes on from the shared weights: quick."),
    "retrain": ("Retrain", ":material/replay:", "Starts from random weights: slower, unbiased."),
}


def draw(workspace: Workspace, run: Run, arch: str) -> None:
    """The section on the page of `arch` of search `run`."""
    st.subheader("Train")
    done = runs.trainings(workspace, run.id, arch)
    if done:
        runs.watch(_training, workspace, done[0])
        _outcomes(runs.trained(workspace, run.id, arch), runs.weights(run))
    if not (done and launch.state_of(workspace, done[0]) in launch.LIVE):
        _ask(workspace, run, arch)


def _ask(workspace: Workspace, run: Run, arch: str) -> None:
    shared = METHODS[runs.search_spec(run).strategy].shared
    st.caption(
        "Proxy accuracy is measured with weights shared by all networks. Weights of its own show"
        " what this network can do; an export takes them."
        if shared
        else "Proxy accuracy is that of a few epochs alone. More of them show what this network can"
        " do; an export takes them. Finetuning needs a network that the search has trained."
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        epochs = st.number_input(
            "Epochs", 1, MAX_EPOCHS, 20, key=f"model.epochs.{run.id}", width=140
        )
        for mode, (label, icon, help_text) in WAYS.items():
            if st.button(label, icon=icon, help=help_text, key=f"model.{mode}"):
                spec = TrainSpec(run.id, arch, mode, int(epochs), runs.search_spec(run).seed)
                runs.perform(partial(launch.start, workspace, spec))


def _training(workspace: Workspace, run: Run, name: str) -> None:
    assert isinstance(run.spec, TrainSpec)
    view = state.run_view(workspace, run.id)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown(f"**{WAYS[run.spec.mode][0]}**, {text.plural(run.spec.epochs, 'epoch')}")
        runs.badge(name)
        if name != "finished":
            runs.controls(workspace, run, name)
    if name in launch.LIVE:
        runs.bar(run, name)
    runs.trouble(workspace, run, name)
    rows = progress.accuracy_rows(view.epochs)
    if len(rows["epoch"]) == 1:  # no line yet
        st.caption(
            f"Accuracy after epoch {rows['epoch'][0]}: {rows['label'][0]}, on the images that"
            " networks are chosen with."
        )
    elif rows["epoch"]:
        st.vega_lite_chart(
            rows,
            progress.accuracy_spec(dark=front_view.dark()),
            key=f"model.accuracy.{run.id}",
            alt=f"Accuracy over {len(rows['epoch'])} epochs, now {rows['label'][-1]}.",
        )
        st.caption(
            "The line: accuracy after each epoch on the images that networks are chosen with."
        )


def _outcomes(known: Sequence[tuple[Run, Trained]], weights: str) -> None:
    """The newest training's figures, and all trainings of this network as a table.

    `weights`: which ones its proxy accuracy is of.
    """
    if not known:
        return
    newest = known[0][1]
    with st.container(horizontal=True):
        st.metric("Proxy accuracy", text.percent(newest.proxy_accuracy), width="content")
        st.metric("Accuracy", text.percent(newest.accuracy), width="content")
        st.metric("Test accuracy", text.percent(newest.test_accuracy), width="content")
    used = (
        "they were touched once, for this number"
        if len(known) == 1
        else f"the test split was used {len(known)} times for this network, once per training"
    )
    st.caption(
        f"Proxy accuracy: {weights}. Accuracy: its own weights, on the images that networks"
        f" are chosen with. Test accuracy: on images that nothing was chosen with; {used}."
        f" Computed in {text.duration(newest.seconds)}."
    )
    if len(known) > 1:
        st.dataframe(table(known), hide_index=True, height="content")


def table(known: Sequence[tuple[Run, Trained]]) -> dict[str, list[str]]:
    """Columns of the list of trainings, newest first."""
    specs = [run.spec for run, _ in known]
    epochs = [text.count(s.epochs) if isinstance(s, TrainSpec) else "" for s in specs]
    return {
        "training": [WAYS[event.mode][0] for _, event in known],
        "epochs": epochs,
        "accuracy": [text.percent(event.accuracy) for _, event in known],
        "test accuracy": [text.percent(event.test_accuracy) for _, event in known],
        "when": [text.ago(run.created_at) for run, _ in known],
    }
