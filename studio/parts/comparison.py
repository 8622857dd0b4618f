"""A comparison of strategies: how far it is, its table and pictures, and its searches."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import streamlit as st

from engine.contest.compare import entrants
from engine.spec import CompareSpec, RunSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.charts import contest
from studio.charts.contest import ERRORS, Report, figure, spread, title_of
from studio.parts import front_view, runs

PHASES = {
    "compare": "Looking for what is done",
    "pilot": "Trying what an epoch costs",
    "long pilot": "Trying what half of the time buys",
    "search": "Searching",
    "finetune": "Finetuning a pick",
    "retrain": "Training a pick alone",
    "baseline": "Training random networks",
}
ALONE = "†"  # marks a hypervolume that is not of shared weights


def spec_of(run: Run) -> CompareSpec:
    """The spec of a run that is a comparison."""
    assert isinstance(run.spec, CompareSpec), run.spec
    return run.spec


def label(run: Run) -> str:
    """One comparison in a line of plain text that never changes."""
    spec = spec_of(run)
    return (
        f"Comparison {run.id} · {_size(spec)} · {spec.budget_s:g}{text.THIN}s each ·"
        f" limit {text.ms(spec.latency_limit_ms)}"
    )


def _size(spec: CompareSpec) -> str:
    strategies = text.plural(len(entrants(spec)), "strategy", "strategies")
    return f"{strategies} · {text.plural(spec.seeds, 'seed')}"


# -- while it goes on ------------------------------------------------------------------------------


def progress(workspace: Workspace, run: Run, name: str) -> None:
    """How far all of it is, the time left, what is done right now and where to watch it."""
    status, view = run.status, state.run_view(workspace, run.id)
    phase = PHASES.get(status.phase, "Starting")
    left = text.seconds_left(status.seconds_left) if name == "running" else ""
    st.progress(min(1.0, max(0.0, status.done)), " · ".join(filter(None, (phase, left))))
    with st.container(horizontal=True, vertical_alignment="center"):
        if status.detail:
            st.caption(text.told(status.detail), width="content")
        newest = max(view.parts, default=None)
        part = workspace.store.run(newest) if newest is not None else None
        if part is not None and isinstance(part.spec, RunSpec) and part.state == "running":
            st.page_link(
                state.page("search"), label="Watch this search", icon=":material/route:",
                query_params=state.link_query(workspace, run=part.id),
            )  # fmt: skip
    st.caption(
        "It goes on when you close this page. Pause and Stop end the step that is going on at its"
        " last checkpoint; Resume takes it up there, and nothing finished is done again."
    )


# -- what it came to -------------------------------------------------------------------------------


def result(workspace: Workspace, run: Run, report: Report) -> None:
    """The winner, the table, what was equal for all and what not, pictures, the searches."""
    for said in crowned(report):
        st.markdown(said)
    st.markdown(verdict(report))
    with st.container(key="compare.table"):
        st.table(table(report))
    for remark in report.get("remarks", ()):
        st.caption(f":material/info: {text.told(remark)}")
    st.caption(equal(spec_of(run), report))
    _pictures(run, report)
    _searches(workspace, report)


def crowned(report: Report) -> list[str]:
    """Who wins, and the rule that stood before; nothing for a report from before there was one."""
    known = report.get("winner")
    if not known:
        return []
    said = text.told(known["says"])
    if known["strategy"] is not None:
        name = text.plain(title_of(known["strategy"]))
        said = f"**{name}**{said.removeprefix(name)}"
    return [f"{said}  \n:small[The rule, said beforehand: {text.plain(known['rule'])}.]"]


def verdict(report: Report) -> str:
    """Who is most accurate after finetuning, who is not told apart, who beats random networks."""
    found = {r["strategy"]: r["finetuned"] for r in report["strategies"] if r["finetuned"]}
    if not found:
        return "No strategy found a network within the limit: a higher limit may help."
    best = max(found, key=lambda name: found[name]["mean"])
    top = found[best]["mean"], found[best]["error"]
    same = [
        n for n, other in found.items() if spread((other["mean"], other["error"])) == spread(top)
    ]
    verb = "is" if len(same) == 1 else "are"
    said = f"**{_names(same)}** {verb} the most accurate after finetuning: {spread(top)}."
    if report["seeds"] < 2:
        return f"{said} With one seed nobody knows how much of that is luck: compare with more."
    near = [n for n, other in found.items() if n not in same and not _apart(found[best], other)]
    if near:
        said += f" Not told apart from it with 95 % certainty: {_names(near)}."
    above = [r["strategy"] for r in report["strategies"] if r["ri"] and _real(r["ri"])]
    beat = _names(above) if above else "none"
    return f"{said} Better than random networks with 95 % certainty: {beat}."


def _apart(a: Mapping[str, float], b: Mapping[str, float]) -> bool:
    """Whether two means differ by more than chance does, by Student's t where it is known."""
    times = a.get("t") or ERRORS
    return abs(a["mean"] - b["mean"]) > times * math.hypot(a["error"], b["error"])


def _real(gain: Mapping[str, Any]) -> bool:
    return bool(gain.get("real", gain["value"] > ERRORS * gain["error"]))


def _names(names: list[str]) -> str:
    return ", ".join(title_of(name) for name in names)


def table(report: Report) -> dict[str, list[str]]:
    """Columns of cells in Markdown, a strategy per row; the best of a column is bold."""
    found = report["strategies"]
    shares = {
        "finetuned": ("finetuned", False),
        "trained alone": ("retrained", False),
        "RI": ("ri", True),
    }
    columns = {
        "strategy": [title_of(r["strategy"]) for r in found],
        "epochs": [text.count(r["epochs"]) for r in found],
        "seconds": [_seconds(r) for r in found],
        "peak memory": _bold(
            [_memory(r) for r in found], [-r["peak_bytes"] or None for r in found]
        ),
        "hypervolume": _areas(report),
        "picks": [f"{r['picks']} of {r.get('seeds', report['seeds'])}" for r in found],
    }
    for title, (field, signed) in shares.items():
        cells, values = _figures(report, field, partial(spread, signed=signed))
        columns[title] = _bold(cells, values)
    return columns


def _areas(report: Report) -> list[str]:
    """Hypervolumes; one that is not of shared weights is marked, and never the best."""
    cells, values = _figures(report, "hypervolume", _area)
    shared = [row.get("shared", True) for row in report["strategies"]]
    kept = [value if own else None for value, own in zip(values, shared, strict=True)]
    bold = _bold(cells, kept)
    return [
        c if own else f"{plain} {ALONE}" for c, plain, own in zip(bold, cells, shared, strict=True)
    ]


def _seconds(row: Mapping[str, Any]) -> str:
    return f"{row['seconds']:.0f}{text.THIN}s"


def _memory(row: Mapping[str, Any]) -> str:
    return text.size_bytes(row["peak_bytes"]) if row["peak_bytes"] else text.UNKNOWN


def _area(value: tuple[float, float]) -> str:
    return f"{value[0]:.3f} ± {value[1]:.3f}" if value[1] else f"{value[0]:.3f}"


def _figures(
    report: Report, field: str, show: Callable[[tuple[float, float]], str]
) -> tuple[list[str], list[float | None]]:
    found = [figure(row, field) for row in report["strategies"]]
    cells = [text.UNKNOWN if value is None else show(value) for value in found]
    return cells, [None if value is None else value[0] for value in found]


def _bold(cells: list[str], values: list[float | None]) -> list[str]:
    """The cells with the highest value, or values if they read alike, in bold."""
    known = [value for value in values if value is not None]
    if len(known) < 2:
        return cells
    best = cells[values.index(max(known))]
    return [f"**{cell}**" if cell == best else cell for cell in cells]


def equal(spec: CompareSpec, report: Report) -> str:
    """One paragraph: what was the same for all, and what the columns mean."""
    reference, luck = report["reference"], report["random"]
    return (
        f"The same for all: {spec.budget_s:g}{text.THIN}s of training and judging per search, as"
        f" many epochs as fit in by two pilots; {text.plural(spec.seeds, 'seed')}; the limit of"
        f" {text.ms(spec.latency_limit_ms)}; {text.plural(spec.epochs, 'epoch')} of the same recipe"
        " for every training after. Hypervolume, by proxy accuracy and predicted latency:"
        " share of the area that a front beats up to the"
        f" reference point of {text.ms(reference['ms'])}, the slowest network, and an error of"
        f" {text.percent(reference['error'], 0)}; {ALONE}: of short trainings alone. Picks: seeds"
        " that found a network within the limit. Finetuned: test accuracy of the best network"
        " within the limit, trained on from the shared weights. Trained alone: the same from random"
        f" weights. RI: what it then gains over {text.plural(luck['networks'], 'random network')}"
        f" of the same latency ({text.percent(luck['accuracy'])}). ±: standard error, by the"
        " deviation between seeds of all strategies. Bold: the best of a column."
    )


def _pictures(run: Run, report: Report) -> None:
    wanted = {
        "finetuned": ("Accuracy after finetuning", ""),
        "ri": ("Gain over random networks (RI)", "0: as good as random networks"),
    }
    for column, (field, (title, zero)) in zip(
        st.columns(2, gap="medium"), wanted.items(), strict=True
    ):
        known = contest.rows(report, field)
        if not known["name"]:
            column.caption(f"{title}: needs two seeds or more that found a network.")
            continue
        with column:
            st.vega_lite_chart(
                known,
                contest.spec(known, title, zero=zero, dark=front_view.dark()),
                key=f"compare.{run.id}.{field}",
                alt=contest.alt(known, title),
            )
            full = "above 0 with 95 % certainty" if zero else "the highest"
            errors = "Line: 95 % interval."
            st.caption(f"Full dot: {full}. {errors if report['seeds'] > 1 else ''}")


def _searches(workspace: Workspace, report: Report) -> None:
    """Every search of the comparison by its strategy, each a way to its front."""
    st.markdown("**Searches**")
    for row in report["strategies"]:
        own = [entry for entry in report["runs"] if entry["strategy"] == row["strategy"]]
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(title_of(row["strategy"]), width=130)
            for entry in own:
                pick = "no pick" if entry["finetuned"] is None else text.percent(entry["finetuned"])
                st.page_link(
                    state.page("front"), label=f"seed {entry['seed']}: {pick}",
                    icon=":material/scatter_plot:",
                    query_params=state.link_query(workspace, run=entry["run"]),
                )  # fmt: skip
    st.caption(
        "Each leads to the front of one search; the figure is that of its pick after finetuning."
    )


def unfinished(workspace: Workspace, run: Run, name: str) -> None:
    """What there is of a comparison without a table."""
    view = state.run_view(workspace, run.id)
    if name in launch.LIVE:
        with st.container(border=True, height=180, vertical_alignment="center"):
            st.markdown("**The table will be here**")
            st.caption("It needs every search and every training, since all are judged together.")
    elif view.steps:
        done = f"{text.count(view.step)} of {text.plural(view.steps, 'step')} are done"
        st.caption(f"No table yet: {done}. Resume goes on with the next; nothing is done twice.")


def controls(workspace: Workspace, run: Run, name: str) -> None:
    """Number, state, and Pause or Resume and Stop in their usual place."""
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(f"Comparison {run.id}", width="content")
        runs.badge(name)
        st.space("stretch")
        runs.controls(workspace, run, name)
