"""Exporting one architecture: one button, then the archive with its checks as a short list."""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

import streamlit as st

from engine.events import Exported
from engine.spec import ExportSpec
from engine.store import Run
from engine.workspace import Workspace
from studio import launch, state, text
from studio.parts import runs
from studio.routes import export_url

WEIGHTS = {
    "shared": "shared weights of the search, batch norm recalibrated",
    "alone": "its own weights, of a short training in the search",
    "finetuned": "its own weights, finetuned",
    "retrained": "its own weights, retrained from scratch",
}
YES, NO = ":green[:material/check_circle:]", ":red[:material/cancel:]"


def draw(workspace: Workspace, run: Run, arch: str) -> None:
    """The section on the page of `arch` of search `run`."""
    st.subheader("Export")
    made = runs.exports(workspace, run.id, arch)
    live = bool(made) and launch.state_of(workspace, made[0]) in launch.LIVE
    current = bool(made) and _current(workspace, made[0], run, arch)
    if made and made[0].state == "finished" and not current:
        st.caption(":material/info: Trained since: export again to take these weights.")
    if not live:
        st.caption(taken(workspace, run, arch))
        _ask(workspace, run, arch, again=bool(made), primary=not current)
    if made:
        runs.watch(_export, workspace, made[0])


def _current(workspace: Workspace, export: Run, run: Run, arch: str) -> bool:
    """Whether the archive is there and holds the weights that another export would take."""
    best = runs.exportable(workspace, run.id, arch)
    return export.state == "finished" and (best is None or best[0].id < export.id)


def taken(workspace: Workspace, run: Run, arch: str) -> str:
    """Which weights an export takes, in a sentence."""
    best = runs.exportable(workspace, run.id, arch)
    if best is not None:
        mode, accuracy = best[1].mode, text.percent(best[1].accuracy)
        return f"Takes the most accurate weights: those of the {mode} with accuracy {accuracy}."
    kind = runs.weights(run)
    which = f"the {kind}" if kind == "shared weights" else f"the weights of {kind}"
    alone = "on its own" if kind == "shared weights" else "since"
    if runs.trained(workspace, run.id, arch):
        return f"Takes {which}: they are more accurate than those of every training."
    return f"Takes {which} of the search: this network has not been trained {alone}."


def _ask(workspace: Workspace, run: Run, arch: str, *, again: bool, primary: bool) -> None:
    label = "Export ONNX again" if again else "Export ONNX"
    if st.button(
        label,
        type="primary" if primary else "secondary",
        icon=":material/archive:",
        key="model.export",
        shortcut="E",
        help="Writes model.onnx, checks it against the trained network and measures it here.",
    ):
        runs.perform(lambda: launch.start(workspace, ExportSpec(run.id, arch)))


def _export(workspace: Workspace, run: Run, name: str) -> None:
    if name in launch.LIVE:
        runs.bar(run, name)
    if name == "crashed":
        st.error("This export was interrupted: its process is gone. Export again.")
    else:
        runs.trouble(workspace, run, name)
    view = state.run_view(workspace, run.id)
    for warning in view.warnings:
        st.warning(text.told(warning), icon=":material/warning:")
    if view.exported:
        done = view.exported[-1]
        assert isinstance(run.spec, ExportSpec)
        search = workspace.store.run(run.spec.run)
        current = _current(workspace, run, search, run.spec.arch)
        _archive(workspace, run, done, primary=current)


def _archive(workspace: Workspace, run: Run, done: Exported, *, primary: bool) -> None:
    file, report = PurePath(done.archive).name, done.report
    with st.container(border=True):
        st.markdown("  \n".join(checks(report)))
        st.caption(provenance(report))
        st.link_button(
            f"Download {file}",
            export_url(workspace, run.id, file),
            type="primary" if primary else "secondary",
            icon=":material/download:",
        )


def checks(report: dict[str, Any]) -> list[str]:
    """What was proved about an archive, one Markdown line each; over the limit is said as such."""
    latency = report["latency"]
    inside = bool(report["within_limit"])
    verdict = "within" if inside else "**over**"
    slowest = text.ms(max(latency["sessions"]))
    weights = WEIGHTS.get(str(report["weights"]), str(report["weights"]))
    lines = [
        f"{YES} Same answers as the trained network: greatest difference"
        f" {report['parity_max_abs']:.1e} on {text.plural(int(report['parity_inputs']), 'input')}",
        f"{YES if inside else NO} Median measured {text.ms(latency['p50_ms'])}, slowest session"
        f" {slowest}: {verdict} the limit of {text.ms(report['limit_ms'])}"
        f" (p90 {text.ms(latency['p90_ms'])}, p99 {text.ms(latency['p99_ms'])})",
        f"{YES} {text.size_bytes(report['size_bytes'])}, {text.params(int(report['params']))}",
        f"{YES} Weights: {text.plain(weights)}",
    ]
    tested = report.get("test_accuracy")
    if tested is not None:
        lines.append(f"{YES} Test accuracy {text.percent(tested)}{_times(report)}")
    else:
        proxy = text.percent(report.get("proxy_accuracy"))
        lines.append(f"{YES} Proxy accuracy {proxy}; test images not touched: train it for that")
    return [*lines, f"{YES} Runs without the studio: `python benchmark.py` in the archive"]


def _times(report: dict[str, Any]) -> str:
    times = int(report.get("times_tested", 1))
    return f"; the test split was used {times} times for this network" if times > 1 else ""


def provenance(report: dict[str, Any]) -> str:
    """Where the latency in a report comes from, in one line."""
    latency, device = report["latency"], dict(report["device"])
    runs_made = text.plural(int(latency["runs"]), "run")
    sessions = text.plural(len(latency["sessions"]), "session")
    told = text.provenance(device | {"date": report["date"]})
    return f"{runs_made} in {sessions}. {text.plain(told)}"
