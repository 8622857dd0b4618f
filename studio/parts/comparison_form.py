"""What a comparison is asked for, and how long it will take before it begins."""

from __future__ import annotations

from functools import partial

import streamlit as st

from engine.contest.compare import ALWAYS, BASELINE, PILOTS, RANDOM, phases
from engine.contest.time import TRAININGS, Timing
from engine.latency import LatencyModel
from engine.methods import METHODS
from engine.spec import MAX_BUDGET_S, MAX_CONTEST_SEEDS, MAX_EPOCHS, CompareSpec, TrainSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.parts import launch_form, runs

QUERY = "comparison"  # its number in the address
SEEDS, BUDGET_S, EPOCHS = 3, 60, 20  # what the command line takes as well
PACES = 5  # finished trainings that tell what an epoch takes


def draw(workspace: Workspace) -> None:
    """The form, or the one step before it."""
    model = state.device_model(workspace)
    if model is None:
        launch_form.measure(workspace)
        return
    limit = state.goal(workspace).limit_ms
    if limit is None or limit < model.fastest_ms:
        _no_limit(workspace, model, limit)
        return
    _form(workspace, limit)


def _no_limit(workspace: Workspace, model: LatencyModel, limit: float | None) -> None:
    if limit is None:
        st.write("Strategies are compared under one limit, and none has been chosen yet.")
    else:
        st.write(
            f"The limit of {text.ms(limit)} is below the fastest network of this space, which"
            f" needs {text.ms(model.fastest_ms)}."
        )
    st.page_link(
        state.page("search"), label="Choose a limit on Search", icon=":material/route:",
        query_params=state.link_query(workspace),
    )  # fmt: skip


def _form(workspace: Workspace, limit: float) -> None:
    key = f"compare.{workspace.name}"
    names = st.pills(
        "Strategies",
        list(METHODS),
        selection_mode="multi",
        wrap=True,
        default=list(METHODS),
        format_func=lambda name: METHODS[name].title,
        key=f"{key}.strategies",
    )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seeds = st.number_input(
            "Seeds", 1, MAX_CONTEST_SEEDS, SEEDS, key=f"{key}.seeds", width=140,
            help="Searches of each strategy. From two on there are standard errors.",
        )  # fmt: skip
        budget = st.number_input(
            "Seconds per search", 1, int(MAX_BUDGET_S), BUDGET_S,
            key=f"{key}.budget", width=170,
            help="Training and judging; each strategy gets as many epochs as fit in.",
        )  # fmt: skip
        epochs = st.number_input(
            "Epochs after", 1, MAX_EPOCHS, EPOCHS, key=f"{key}.epochs", width=140,
            help="Of finetuning each pick, and of training it and random networks alone.",
        )  # fmt: skip
        pressed = st.button(
            "Compare",
            type="primary",
            icon=":material/play_arrow:",
            key="compare.launch",
            shortcut="Ctrl+Enter",
            disabled=not names,
        )
    if not names:
        st.caption(":material/info: Choose one strategy or more.")
        return
    spec = CompareSpec(
        space=state.space(workspace),
        data=state.data_choice(workspace),
        device=state.device_choice(workspace),
        latency_limit_ms=limit,
        strategies=tuple(name for name in METHODS if name in names),
        seeds=int(seeds),
        budget_s=float(budget),
        epochs=int(epochs),
    )
    if BASELINE not in names:
        st.caption(f":material/info: {ALWAYS}")
    st.caption(f":material/schedule: {cost(spec, pace(workspace, spec))}")
    known = same(workspace, spec)
    if known is not None:
        st.caption(f":material/info: Comparison {known.id} has asked for just this.")
    if pressed:
        runs.perform(partial(start, workspace, spec))


def cost(spec: CompareSpec, epoch_s: float | None) -> str:
    """What a comparison does, and how long that takes; at least so long if no epoch was timed."""
    kinds = phases(spec)
    searches = text.plural(kinds.count("search"), "search", "searches")
    trainings = sum(kinds.count(name) for name in TRAININGS)
    pilots = sum(kinds.count(name) for name in PILOTS)
    takes = text.duration(Timing(spec, epoch_s or 0.0).total())
    said = (
        f"**{'About' if epoch_s else 'At least'} {takes}** under {text.ms(spec.latency_limit_ms)}:"
        f" {searches} of {text.duration(spec.budget_s)},"
        f" {text.plural(pilots, 'pilot')} that tell what an epoch costs, and"
        f" {text.plural(trainings, 'training')} of {text.plural(spec.epochs, 'epoch')}, {RANDOM} of"
        " them of random networks."
    )
    if epoch_s is None:
        said += " How long these take shows once the first pilot has run."
    return said


def pace(workspace: Workspace, spec: CompareSpec) -> float | None:
    """Seconds of an epoch in trainings of networks of this space; None before the first."""
    paces: list[float] = []
    for run in workspace.store.runs(TrainSpec.kind):
        if len(paces) == PACES:
            break
        if not isinstance(run.spec, TrainSpec) or run.state != "finished":
            continue
        if getattr(workspace.store.run(run.spec.run).spec, "space", None) != spec.space:
            continue
        told = state.run_view(workspace, run.id).trained
        paces += [event.seconds / run.spec.epochs for event in told[-1:]]
    return sum(paces) / len(paces) if paces else None


def same(workspace: Workspace, spec: CompareSpec) -> Run | None:
    """The comparison that asked for the same, if there is one."""
    known = workspace.store.runs(CompareSpec.kind)
    return next((run for run in known if run.spec == spec), None)


def start(workspace: Workspace, spec: CompareSpec) -> None:
    """Launches a comparison, or goes on with the one that asked for the same, and shows it."""
    known = same(workspace, spec)
    if known is None:
        number = launch.start(workspace, spec)
    else:
        number = known.id
        if launch.state_of(workspace, known) in ("stopped", "failed", "crashed"):
            launch.resume(workspace, number)
    st.query_params[QUERY] = str(number)
