"""The front of a search, drawn: the chart, the table linked to it, and what is picked in them."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import streamlit as st

from engine.events import Candidate, Ghost, View
from engine.front.limits import kept
from engine.spec import TrainSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import state, text
from studio.charts import overlay, pareto
from studio.parts import runs

FAR = 0.15  # predictions are within a tenth where the device was as idle as for its table


@dataclass(frozen=True, slots=True)
class Front:
    """A search's front ready to be drawn; `picked` is a candidate unless there are none.

    `limit_ms`: what it is held against. `ghost`: picked, but only foreseen. `error`: how far
    accuracies that are foreseen may be off, on average. `others`: fronts of other searches.
    """

    run: Run
    view: View
    shown: pareto.Shown
    best: Candidate | None
    marks: pareto.Highlights
    picked: Candidate | None
    limit_ms: float
    ghost: Ghost | None = None
    error: float | None = None
    others: tuple[overlay.Other, ...] = ()


def read(workspace: Workspace, run: Run, *, also: str = "") -> Front:
    """The front of `run`; picked: what was clicked last, else the best; `also`: a second mark."""
    view = state.run_view(workspace, run.id)
    limit = runs.search_spec(run).latency_limit_ms
    shown = _shown(str(workspace.folder), run.id, version(view), view)
    shown = replace(shown, trained=_trained(workspace, run, view))
    over = runs.over_when_exported(workspace, run.id)
    best = best_of(view, limit, over)
    exported = runs.exported(workspace, run.id)
    marks = pareto.Highlights(
        best.arch if best else "", exported, frozenset({also} - {""}), over, runs.weights(run)
    )
    error = view.learned.error if view.learned else None
    front = Front(run, view, shown, best, marks, best or default(shown, limit), limit, error=error)
    return picking(front)


def picking(front: Front) -> Front:
    """`front` with what was clicked last, or stands in the address, picked and marked."""
    wanted = st.session_state.get(pick_key(front.run), st.query_params.get("arch", ""))
    picked = front.view.candidates.get(wanted) or front.picked
    ghost = next((g for g in front.shown.ghosts if g.arch == wanted), None)
    one = ghost or picked
    chosen = frozenset(front.marks.chosen) | ({one.arch} if one else set())
    marks = replace(front.marks, chosen=chosen)
    return replace(front, picked=picked, ghost=ghost, marks=marks)


def version(view: View) -> str:
    """Text that changes whenever a view has grown."""
    return f"{len(view.kept)} {view.kept[-1]}" if view.kept else ""


def _trained(workspace: Workspace, run: Run, view: View) -> tuple[pareto.TrainedPoint, ...]:
    """The best that each way of training gave each candidate."""
    best: dict[tuple[str, str], pareto.TrainedPoint] = {}
    for training in workspace.store.runs("train"):
        if not isinstance(training.spec, TrainSpec) or training.spec.run != run.id:
            continue
        for event in state.run_view(workspace, training.id).trained:
            known = view.candidates.get(event.arch)
            at = (event.arch, event.mode)
            if known and (at not in best or best[at].accuracy < event.accuracy):
                best[at] = pareto.TrainedPoint(known, event.mode, event.accuracy)
    return tuple(best.values())


@st.cache_resource(show_spinner=False, max_entries=32)
def _shown(folder: str, run_id: int, version: str, _view: View) -> pareto.Shown:
    del folder, run_id, version  # the key of this entry
    return pareto.shown(_view)


def best_of(view: View, limit_ms: float, over: Collection[str]) -> Candidate | None:
    """The best that was measured within the limit and not over it since, by any of the limits."""
    if not over:
        return view.best(limit_ms)
    left = {arch: c for arch, c in view.candidates.items() if arch not in over}
    return View(view.limits, candidates=left).best(limit_ms)


def default(shown: pareto.Shown, limit_ms: float) -> Candidate | None:
    """The member to start with while none is measured within: most accurate predicted within."""
    inside = tuple(c for c in shown.front if c.predicted_ms <= limit_ms)
    return next(reversed(inside or shown.front[:1]), None)


def pick_key(run: Run) -> str:
    """Where the session keeps what was picked in a run."""
    return f"front.pick.{run.id}"


def chart(front: Front, where: str, *, key: str) -> None:
    """The Pareto chart; a click picks, zoom survives new points."""
    others = front.others
    spec = pareto.spec(front.shown, front.limit_ms, where=where, dark=dark(), others=others)
    name = f"{key}.chart.{front.run.id}"
    st.vega_lite_chart(
        pareto.rows(front.shown, front.marks),
        spec,
        key=name,
        on_select=lambda: _from_chart(name, front.run),
        selection_mode=["pick", "zoom"],
        alt=pareto.alt(front.shown, front.limit_ms, front.best) + _alongside(others),
    )
    st.caption(f"{legend(front)} Ctrl + wheel zooms, drag moves, double-click resets.")


def _alongside(others: Sequence[overlay.Other]) -> str:
    named = " and ".join(other.name for other in others)
    return f" Beside it the front of {named}." if named else ""


def _stale(front: Front) -> bool:
    return any(c.stale for c in front.shown.dominated)


def _above(front: Front) -> bool:
    """Whether networks are shown that no front may have, for another limit than that of latency."""
    return any(not kept(c, front.view.limits) for c in front.shown.dominated)


def legend(front: Front) -> str:
    """What the marks mean, and how far a prediction may be off."""
    marks = "○ predicted · ● measured · ◎ ring: exported · □ picked · faint: dominated"
    marks += ", or above another limit than that of latency" if _above(front) else ""
    marks += ", or evaluated before the weights were trained on." if _stale(front) else "."
    marks += f"{_foreseen(front)}{_with_own_weights(front)}"
    if front.best:
        marks += " Best: the most accurate whose median was measured within the limit."
    drawn, total = len(front.shown.front) + len(front.shown.dominated), front.shown.total
    if drawn < total:
        marks += f" {text.count(drawn)} of {text.plural(total, 'network')} are drawn."
    if front.view.calibrated:
        marks += f" {error_words(front.view.calibrated.prediction)}{_own_error(front.view)}"
    return marks


def _own_error(view: View) -> str:
    """How far predictions were off for this search's own measured networks, once there are some."""
    known = [c for c in view.candidates.values() if c.measured]
    if not known:
        return ""
    off = [abs(c.predicted_ms / c.latency_ms - 1) for c in known]
    mean, worst = (text.percent(x) for x in (sum(off) / len(off), max(off)))
    told = f" For the {text.plural(len(off), 'network')} measured here: {mean}, at most {worst}."
    if max(off) > FAR:
        told += " So much means that something else kept the device busy: measure it again."
    return told


def _foreseen(front: Front) -> str:
    if not front.shown.ghosts:
        return ""
    known = "" if front.error is None else f" (mean error {points(front.error)})"
    return f" ◇ dashed: foreseen, not evaluated{known}."


def _with_own_weights(front: Front) -> str:
    hows = {point.how for point in front.shown.trained}
    named = [("finetune", "△ finetuned"), ("retrain", "▽ retrained")]
    told = " · ".join(words for how, words in named if how in hows)
    return f" Circles are proxy accuracies, of {front.marks.weights}; {told}." if told else ""


def points(error: float) -> str:
    """How far an accuracy may be off: `±1.2 percentage points`."""
    return f"±{text.significant(100 * error, 2)} percentage points"


def error_words(prediction: Mapping[str, Any]) -> str:
    """The error of a prediction in words: mean and share within 10 %, on how many networks."""
    held = int(prediction.get("n_heldout") or 0)
    if not held:
        return "How far predictions are off was not tested: the space holds too few networks."
    return (
        f"Predictions are off by {text.percent(prediction.get('mape'))} on average;"
        f" {text.percent(prediction.get('within_10pct'), 0)} of {text.plural(held, 'network')}"
        f" held out were within ±10{text.THIN}%."
    )


def _from_chart(name: str, run: Run) -> None:
    picked = st.session_state[name]["selection"].get("pick")
    if picked:
        _set_pick(run, str(picked[0]["arch"]))


def _set_pick(run: Run, arch: str) -> None:
    st.session_state[pick_key(run)] = arch


def table(front: Front, *, key: str) -> None:
    """The members of the front as a table; a row picks, as a click on the chart does."""
    archs = [c.arch for c in front.shown.front]
    if not archs:
        return
    shown_ms = f"%.{text.decimals(c.predicted_ms for c in front.shown.front)}f"
    picked = _row_picked(front)
    at = [archs.index(picked)] if picked in archs else []
    # A new key whenever rows or pick change: the table then starts from the pick it is given.
    name = f"{key}.table.{front.run.id}.{hash((tuple(archs), picked))}"
    st.dataframe(
        pareto.table(front.shown, front.limit_ms, front.marks),
        key=name,
        hide_index=True,
        placeholder="–",
        height=min(38 * (len(archs) + 1) + 2, 360),
        on_select=lambda: _from_table(name, archs, front),
        selection_mode="single-row",
        selection_default={"selection": {"rows": at}},
        column_config={
            "": st.column_config.TextColumn(width=100),
            "proxy accuracy": st.column_config.NumberColumn(format="%.1f %%"),
            "predicted ms": st.column_config.NumberColumn(format=shown_ms),
            "measured ms": st.column_config.NumberColumn(format=shown_ms),
            "parameters": st.column_config.TextColumn(alignment="right"),
            "MACs": st.column_config.TextColumn(alignment="right"),
        },
    )


def _row_picked(front: Front) -> str:
    return "" if front.ghost or front.picked is None else front.picked.arch


def _from_table(name: str, archs: Sequence[str], front: Front) -> None:
    rows = st.session_state[name]["selection"]["rows"]
    # A browser sends back the row that it was given: that is no pick of anybody.
    if rows and rows[0] < len(archs) and archs[rows[0]] != _row_picked(front):
        _set_pick(front.run, archs[rows[0]])


def dark() -> bool:
    """Whether this visitor sees the dark theme."""
    return st.context.theme.type == "dark"


def where(run: Run) -> str:
    """The device of a search as the chart's axis names it."""
    device = runs.search_spec(run).device
    return f"{text.device(device.name, device.threads)} · batch 1"


def line(candidate: Candidate) -> str:
    """A candidate in a few plain words: accuracy and latency with its kind."""
    return (
        f"{text.percent(candidate.proxy_accuracy)} · {text.ms(candidate.latency_ms)}"
        f" {candidate.latency_source}"
    )


def words(front: Front) -> None:
    """The picked architecture in one line of Markdown."""
    picked = front.picked
    assert picked is not None
    best = "Best within the limit" if picked == front.best else "Picked"
    st.markdown(f"**{best}** `{picked.arch}` {line(picked)}")
