"""Choosing a run, steering it, and finding the runs that hang on it."""

from __future__ import annotations

import re
import time
from collections.abc import Callable

import streamlit as st

from engine.errors import StudioError
from engine.events import Trained
from engine.front.limits import UNITS, told
from engine.methods import METHODS
from engine.spec import ExportSpec, RunSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text

REFRESH_S = 2.0
"""How often a page asks for news while a run is alive."""


def search_spec(run: Run) -> RunSpec:
    """The spec of a search run."""
    assert isinstance(run.spec, RunSpec), run.spec
    return run.spec


def layers(run: Run) -> list[str]:
    """Names of the layers of a search's space, from the input on."""
    return [slot.name for slot in search_spec(run).space.slots()]


def weights(run: Run) -> str:
    """Which weights the proxy accuracies of a search are of, in words."""
    return METHODS[search_spec(run).strategy].weights


def first(run: Run) -> str:
    """When the first networks of a search appear, in words."""
    shared = METHODS[search_spec(run).strategy].shared
    return "once the shared weights are trained" if shared else "each after a short training"


def chosen(workspace: Workspace, *, results: bool = True) -> Run | None:
    """The search in the address, else the newest (with networks if `results`), which it then names.

    Says so and stops if the address names a search that is not there; None before the first.
    """
    known = state.own_first(workspace, workspace.store.runs("search"))
    searches = {str(run.id): run for run in known}
    if not searches:
        return None
    wanted = st.query_params.get("run")
    if wanted is None:
        newest = next(iter(searches.values()))
        run = (state.shown_search(workspace) if results else None) or newest
        st.query_params["run"] = str(run.id)  # else the page jumps when another gets networks
        return run
    if wanted not in searches:
        _unknown(workspace, wanted, next(iter(searches)))
    return searches[wanted]


def _unknown(workspace: Workspace, wanted: str, newest: str) -> None:
    st.warning(f"This workspace has no search {text.plain(wanted[:20])}.")
    st.page_link(
        state.page("search"), label=f"Open search {newest}, the newest", icon=":material/route:",
        query_params=state.link_query(workspace, run=newest),
    )  # fmt: skip
    st.stop()


def picker(workspace: Workspace, run: Run, *, page: str) -> None:
    """With more than one search, a list to pick from that writes the number (`?run=3`).

    Parts of comparisons are left out of it, but for the one that is shown, which leads to its own.
    """
    parts = state.parts_of(workspace)
    if run.id in parts:
        st.page_link(
            state.page("compare"), label=f"Part of comparison {parts[run.id]}",
            icon=":material/leaderboard:",
            query_params=state.link_query(workspace, comparison=parts[run.id]),
        )  # fmt: skip
    known = workspace.store.runs("search")
    searches = {r.id: r for r in known if r.id not in parts or r.id == run.id}
    if len(searches) < 2:
        return
    key = f"{page}.run"
    if st.session_state.get(key) != run.id:
        st.session_state[key] = run.id
    st.selectbox(
        "Search",
        list(searches),
        format_func=lambda i: label(searches[i]) + part_words(parts, i),
        key=key,
        on_change=_remember,
        args=(key, run.id),
        label_visibility="collapsed",
    )


def part_words(parts: dict[int, int], number: int) -> str:
    """What a label says more of a search that is part of a comparison."""
    return f" · part of comparison {parts[number]}" if number in parts else ""


def _remember(key: str, shown: int) -> None:
    # The browser sends a label; one that has changed since comes here as it is, and begins alike.
    number = re.search(r"\d+", str(st.session_state[key]))
    if number and int(number[0]) != shown:
        st.query_params["run"] = number[0]
        st.query_params.pop("arch", None)


def label(run: Run) -> str:
    """One search in a line of plain text that never changes: number, what was asked, start."""
    began = time.strftime("%d %b %H:%M", time.localtime(run.created_at))
    return f"Search {run.id} · {asked(run)} · {began}"


def asked(run: Run) -> str:
    """What a search was asked for, as plain text: strategy, all limits, epochs, seed."""
    spec = search_spec(run)
    limits = [f"limit {text.ms(spec.latency_limit_ms)}"]
    for name, most in spec.limits.asked().items():
        limits.append(f"≤ {told(name, most).replace(' ', text.THIN)} {UNITS[name][0]}")
    return (
        f"{METHODS[spec.strategy].title} · {', '.join(limits)} ·"
        f" {text.plural(spec.epochs, 'epoch')} · seed {spec.seed}"
    )


def without_networks(workspace: Workspace, run: Run, name: str) -> None:
    """Says why a search has no networks to show, and offers what leads to some."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Search {run.id} has no networks", width="content")
        badge(name)
    if name in launch.LIVE:
        st.write(f"No network has been evaluated yet: they come {first(run)}.")
    else:
        ended = text.STATE_LABELS[name]
        st.write(f"No network was evaluated: search {run.id} is {ended} before its first.")
        trouble(workspace, run, name)
        if name != "finished":
            controls(workspace, run, name)
    st.page_link(
        state.page("search"), label="Watch the search", icon=":material/route:",
        query_params=state.link_query(workspace, run=run.id),
    )  # fmt: skip
    link_to_results(workspace, run)


def link_to_results(workspace: Workspace, run: Run) -> None:
    """A way to the newest search with networks, if that is another than `run`."""
    other = state.shown_search(workspace)
    if other is not None and other.id != run.id:
        st.page_link(
            state.page("front"), label=f"Open search {other.id}, the last with networks",
            icon=":material/scatter_plot:",
            query_params=state.link_query(workspace, run=other.id),
        )  # fmt: skip


def badge(name: str) -> None:
    """The state of a run, as a word with an icon and a colour."""
    st.badge(text.STATE_LABELS[name], icon=text.STATE_ICONS[name], color=text.STATE_COLORS[name])


def controls(workspace: Workspace, run: Run, name: str) -> None:
    """Pause or Resume, and Stop, always both; what makes no sense now is greyed out."""
    wanted = workspace.store.wanted(run.id)
    stopping = wanted == "stopped" and name in launch.LIVE
    go_on = wanted == "paused" or name in ("stopped", "failed", "crashed")
    act = _resume if go_on else launch.pause
    with st.container(horizontal=True, width="content"):
        button(
            "Resume" if go_on else "Pause",
            lambda: act(workspace, run.id),
            key=f"run.toggle.{run.id}",
            icon=":material/play_arrow:" if go_on else ":material/pause:",
            disabled=name == "finished" or stopping,
            shortcut="P",
        )
        button(
            "Stop",
            lambda: launch.stop(workspace, run.id),
            key=f"run.stop.{run.id}",
            icon=":material/stop:",
            disabled=name not in (*launch.LIVE, "crashed") or stopping,
            shortcut="S",
        )


def _resume(workspace: Workspace, run_id: int) -> None:
    if workspace.store.alive(run_id):
        launch.unpause(workspace, run_id)
    else:
        launch.resume(workspace, run_id)


def button(
    label: str, act: Callable[[], object], *, key: str, icon: str, disabled: bool, shortcut: str
) -> None:
    """A button that does `act` and draws the page anew; a user's mistake is said on the spot."""
    if st.button(label, key=key, icon=icon, disabled=disabled, shortcut=shortcut):
        perform(act)


def perform(act: Callable[[], object]) -> None:
    """`act`, then the whole page anew; a user's mistake is said on the spot instead."""
    try:
        act()
    except StudioError as error:
        text.show_error(error)
    else:
        st.rerun()


def trouble(workspace: Workspace, run: Run, name: str) -> None:
    """Says that a run ended in an error or was interrupted, and what can be done."""
    if name == "crashed":
        step = state.run_view(workspace, run.id).step
        rest = f"the checkpoint after step {step}" if step else "the beginning"
        st.error(
            f"This run was interrupted: its process is gone. Resume goes on from {rest}.",
            icon=text.STATE_ICONS[name],
        )
    failed = state.run_view(workspace, run.id).failed
    if name == "failed" and failed is not None:
        hint = f"\n\n{text.plain(failed.hint)}" if failed.hint else ""
        st.error(text.plain(failed.message) + hint, icon=text.STATE_ICONS[name])


def bar(run: Run, name: str) -> None:
    """Progress of a run with what it does and the time left."""
    status = run.status
    phase = text.PHASES.get(status.phase, status.phase.capitalize())
    known = [phase, text.seconds_left(status.seconds_left) if name == "running" else ""]
    st.progress(min(1.0, max(0.0, status.done)), " · ".join(w for w in known if w) or "Starting")
    if status.detail:
        st.caption(text.told(status.detail))


def trainings(workspace: Workspace, run_id: int, arch: str) -> list[Run]:
    """Trainings of `arch` of search `run_id`, newest first."""
    return workspace.store.trainings(run_id, arch)


def trained(workspace: Workspace, run_id: int, arch: str) -> list[tuple[Run, Trained]]:
    """What every finished training of `arch` gave, newest first."""
    done = trainings(workspace, run_id, arch)
    return [(run, event) for run in done for event in state.run_view(workspace, run.id).trained]


def exportable(workspace: Workspace, run_id: int, arch: str) -> tuple[Run, Trained] | None:
    """The training whose weights an export takes; None: the shared ones, none being better."""
    known = trained(workspace, run_id, arch)
    best = max(known, key=lambda pair: pair[1].accuracy, default=None)
    if best is None or best[1].accuracy < (best[1].proxy_accuracy or 0.0):
        return None
    return best


def exports(workspace: Workspace, run_id: int, arch: str | None = None) -> list[Run]:
    """Exports of search `run_id` (of `arch` only, unless None), newest first."""
    return [
        r
        for r in workspace.store.runs("export")
        if isinstance(r.spec, ExportSpec) and r.spec.run == run_id and arch in (None, r.spec.arch)
    ]


def exported(workspace: Workspace, run_id: int) -> frozenset[str]:
    """Architectures of search `run_id` that have an archive."""
    done = (r.spec for r in exports(workspace, run_id) if r.state == "finished")
    return frozenset(spec.arch for spec in done if isinstance(spec, ExportSpec))


def over_when_exported(workspace: Workspace, run_id: int) -> frozenset[str]:
    """Architectures of search `run_id` whose newest archive was measured over the limit."""
    verdicts: dict[str, bool] = {}
    for run in exports(workspace, run_id):
        for done in reversed(state.run_view(workspace, run.id).exported):
            verdicts.setdefault(done.arch, bool(done.report["within_limit"]))
    return frozenset(arch for arch, within in verdicts.items() if not within)


def watch(draw: Callable[[Workspace, Run, str], None], workspace: Workspace, run: Run) -> None:
    """`draw(workspace, run, state)` in a fragment that repeats while the run is alive.

    When the run ends the whole page is drawn once more, and nothing asks for news any longer; also
    when it has read the images, which the sentence above says.
    """
    alive = launch.state_of(workspace, run) in launch.LIVE
    unread = alive and state.dataset(workspace) is None

    @text.guarded
    def watched() -> None:
        fresh = workspace.store.run(run.id)
        name = launch.state_of(workspace, fresh)
        draw(workspace, fresh, name)
        ended = alive and name not in launch.LIVE
        if ended or (unread and state.dataset(workspace) is not None):
            st.rerun()

    st.fragment(watched, run_every=REFRESH_S if alive else None)()
