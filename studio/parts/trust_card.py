"""The trust meter of a search: asking for it, watching it work, and what it found."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from statistics import median

import streamlit as st

from engine.events import EpochEnd, StandAlone
from engine.methods import METHODS, not_judged
from engine.spec import MAX_EPOCHS, MAX_SEEDS, MAX_SUBNETS, TrainSpec, TrustSpec
from engine.store import Run
from engine.trust.plan import PICK_SEEDS, picked
from engine.trust.verdict import FEWEST
from engine.workspace import Workspace
from studio import launch, state, text
from studio.parts import checks_list, runs, trust_report

DEFAULT = TrustSpec(run=0)
ICON = ":material/balance:"


def draw(workspace: Workspace, run: Run) -> None:
    """The section of search `run`; nothing while there is no network to judge."""
    view = state.run_view(workspace, run.id)
    if not view.fresh():
        return
    st.subheader("How far to trust it")
    made = judgements(workspace, run.id)
    newest = made[0] if made else None
    if newest is not None and launch.state_of(workspace, newest) != "finished":
        runs.watch(_judging, workspace, newest)
    told = next((each for each in made if state.run_view(workspace, each.id).trusted), None)
    if told is not None:
        trust_report.draw(workspace, run, told)
    again = "Judge again" if told else "Judge with other settings"
    _offer(workspace, run, newest, again=again)
    checks_list.draw(workspace, run)


def judgements(workspace: Workspace, run_id: int) -> list[Run]:
    """Trust runs of search `run_id`, newest first."""
    made = workspace.store.runs(TrustSpec.kind)
    return [r for r in made if isinstance(r.spec, TrustSpec) and r.spec.run == run_id]


# -- while it works -----------------------------------------------------------------------------


def _judging(workspace: Workspace, run: Run, name: str) -> None:
    assert isinstance(run.spec, TrustSpec)
    with st.container(border=True, key="front.trust.run"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown("**Judging this search**", width="content")
            runs.badge(name)
            st.space("stretch")
            runs.controls(workspace, run, name)
        if name in launch.LIVE:
            runs.bar(run, name)
        runs.trouble(workspace, run, name)
        st.caption(_done(workspace, run, name))


def _done(workspace: Workspace, run: Run, name: str) -> str:
    assert isinstance(run.spec, TrustSpec)
    view, epochs = state.run_view(workspace, run.id), text.plural(run.spec.epochs, "epoch")
    if not view.steps:
        return f"No training is done yet; each has {epochs}."
    done = f"{text.count(view.step)} of {text.plural(view.steps, 'training')} done, {epochs} each."
    live = name in launch.LIVE
    return f"{done} {'They are kept when you stop.' if live else 'Resume goes on with the next.'}"


# -- asking for it ------------------------------------------------------------------------------


def _offer(workspace: Workspace, run: Run, newest: Run | None, *, again: str) -> None:
    """The way to a first or another judgement, unless one is going on or none is possible."""
    if newest is not None and launch.state_of(workspace, newest) in launch.LIVE:
        return
    size, whose, wider = _rankable(workspace, run)
    why, instead = not_judged(runs.search_spec(run).strategy)
    if why:
        st.caption(f":material/info: {why} {instead}")
    elif launch.state_of(workspace, run) in launch.LIVE:
        st.caption(":material/info: The search is still going on: judge it once it has ended.")
    elif size < FEWEST:
        st.caption(
            f":material/info: {whose} only {text.plural(size, 'network')}: a ranking can be judged"
            f" from {FEWEST} on. {wider}"
        )
    elif newest is not None:
        with st.expander(again, icon=ICON):
            _ask(workspace, run, size)
    else:
        _ask(workspace, run, size)


def _rankable(workspace: Workspace, run: Run) -> tuple[int, str, str]:
    """How many networks can be ranked, the words before that number, and what makes it more."""
    search = runs.search_spec(run)
    if METHODS[search.strategy].every:
        return search.space.size(), "This space has", "Widen it on Compose."
    trained = len(state.run_view(workspace, run.id).fresh())
    title = METHODS[search.strategy].title
    return trained, f"{title} has trained", "Search with more epochs, or a lower limit."


def _ask(workspace: Workspace, run: Run, size: int) -> None:
    """Sentence, fields and button; the fields say at once what they cost."""
    said = st.container()
    first = not judgements(workspace, run.id)
    if first:
        with st.expander("How thoroughly", icon=":material/tune:"):
            spec = _fields(run, size)
    else:
        spec = _fields(run, size)
    with said:
        st.markdown(promise(spec, picks=_pick(workspace, run) is not None))
        st.caption(cost(spec, trainings(spec, _pick(workspace, run)), pace(workspace, run)))
    if st.button("Judge this search", icon=ICON, key=f"front.trust.ask.{run.id}"):
        runs.perform(partial(launch.start, workspace, spec))


def _fields(run: Run, size: int) -> TrustSpec:
    key = f"front.trust.{run.id}"
    most = min(MAX_SUBNETS, size)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        subnets = st.number_input(
            "Networks", FEWEST, most, DEFAULT.subnets, key=f"{key}.subnets", width=140,
            help="From the fastest to the slowest. More make the interval of tau narrower.",
        )  # fmt: skip
        seeds = st.number_input(
            "Seeds per set", 1, MAX_SEEDS, DEFAULT.seeds, key=f"{key}.seeds", width=140,
            help="Every network is trained with two sets of seeds: how well the one ranks the"
            " other is the most that any ranking can reach.",
        )  # fmt: skip
        epochs = st.number_input(
            "Epochs", 1, MAX_EPOCHS, DEFAULT.epochs, key=f"{key}.epochs", width=140,
            help="Passes over the images of every training.",
        )  # fmt: skip
    return TrustSpec(run.id, int(subnets), int(seeds), int(epochs))


def _pick(workspace: Workspace, run: Run) -> str | None:
    limit = runs.search_spec(run).latency_limit_ms
    return picked(state.run_view(workspace, run.id), limit)


def promise(spec: TrustSpec, *, picks: bool) -> str:
    """What will be done, in one sentence; `picks`: there is a network within the limit."""
    pick = f", the pick and {spec.subnets} random networks of its latency as well" if picks else ""
    return (
        f"The trust meter trains {spec.subnets} networks alone and from scratch, with"
        f" {text.plural(2 * spec.seeds, 'seed')} each{pick}, and compares what they reach with"
        " what the shared weights said of them."
    )


def trainings(spec: TrustSpec, pick: str | None) -> int:
    """How many trainings that is, at most: a network may have two roles."""
    ranked = 2 * spec.seeds * spec.subnets
    compared = max(PICK_SEEDS, 2 * spec.seeds) + spec.subnets
    return ranked + (compared if pick is not None else 0)


def cost(spec: TrustSpec, count: int, known: tuple[float, str] | None) -> str:
    """How many trainings, and how long they may take as far as anything is known about that."""
    epochs = text.plural(spec.epochs, "epoch")
    told = f"Up to {text.plural(count, 'training')} of {epochs} in the background."
    if known is None:
        return f"{told} How long that takes is unknown: nothing of this search was timed yet."
    seconds, whose = known
    took = text.duration(seconds * count * spec.epochs)
    each = f"{text.significant(seconds, 2)}{text.THIN}s"
    return f"{told} Roughly {took}, if an epoch takes as long as {whose} ({each})."


def pace(workspace: Workspace, run: Run) -> tuple[float, str] | None:
    """Seconds of an epoch here and whose they are: a training alone if there is one, else the
    search, whose epochs train many networks at once; None if neither was timed.
    """
    for made in judgements(workspace, run.id):
        assert isinstance(made.spec, TrustSpec)
        between = typical(_times(workspace, made, StandAlone))
        if between is not None:
            return between / made.spec.epochs, "in the trainings of the last judgement"
    for training in workspace.store.runs(TrainSpec.kind):
        spec = training.spec
        done = state.run_view(workspace, training.id).trained
        if isinstance(spec, TrainSpec) and spec.run == run.id and done:
            return done[-1].seconds / spec.epochs, "in the last training of a network here"
    between = typical(_times(workspace, run, EpochEnd))
    return None if between is None else (between, "one of the search")


def _times(workspace: Workspace, run: Run, kind: type) -> list[float]:
    return [at for at, event in workspace.store.timed(run.id) if isinstance(event, kind)]


def typical(times: list[float]) -> float | None:
    """The median gap between moments, which a pause does not change; None if there is none."""
    gaps = [after - before for before, after in pairwise(times)]
    between = median(gaps) if gaps else 0.0
    return between if between > 0 else None
