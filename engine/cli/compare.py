"""`onepath compare`: strategies side by side at the same cost; prints what the run came to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from engine.cli import output, runs
from engine.devices import open_device
from engine.errors import RunError
from engine.latency import load_model
from engine.methods import METHODS
from engine.presets import load_space
from engine.spec import CompareSpec, DeviceChoice, ProfileSpec
from engine.workspace import Workspace

Document = dict[str, Any]


@click.command("compare")
@click.option("--space", required=True, metavar="PRESET|FILE.json", help="What may vary.")
@click.option("--data", required=True, metavar="digits|cifar10[=PATH]|PATH", help="The images.")
@click.option(
    "--strategies",
    default="all",
    show_default=True,
    metavar="all|A,B",
    help="Which to compare; random_search is part of every comparison.",
)
@click.option("--seeds", default=3, show_default=True, type=int, help="Searches of each.")
@click.option("--latency-ms", "limit", type=float, help="Limit in ms; the median if not given.")
@click.option(
    "--budget-s", default=60.0, show_default=True, type=float, help="Seconds of each search."
)
@click.option("--epochs", default=20, show_default=True, type=int, help="Of each training after.")
@click.option("--threads", default=1, show_default=True, type=int, help="Threads of the device.")
@click.option(
    "--workspace",
    "folder",
    default=Path("workspaces/compare"),
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the workspace; made if missing.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(  # noqa: PLR0913 - one parameter per option
    space: str,
    data: str,
    strategies: str,
    seeds: int,
    limit: float | None,
    budget_s: float,
    epochs: int,
    threads: int,
    folder: Path,
    as_json: bool,
) -> None:
    """Compare strategies at the same cost; stopped, the same command goes on where it was."""
    from engine.data import parse_choice

    names = tuple(METHODS) if strategies == "all" else tuple(strategies.split(","))
    base = CompareSpec(
        load_space(space)[0],
        parse_choice(data),
        DeviceChoice("local", threads),
        1e9 if limit is None else limit,
        names,
        seeds,
        budget_s,
        epochs,
    )
    workspace = runs.opened(folder)  # not before all that was asked for is known to be possible
    spec = base if limit is not None else replace(base, latency_limit_ms=_median(workspace, base))
    output.show(document(_done(workspace, spec)), text, as_json)


def _done(workspace: Workspace, spec: CompareSpec) -> runs.Done:
    """The comparison of that spec: one that is there already is gone on with, else a new one."""
    store = workspace.store
    known = next((run.id for run in store.runs(CompareSpec.kind) if run.spec == spec), None)
    if known is None:
        return runs.start(workspace, spec)
    store.reopen(known)  # if it is finished, its table is made anew from its runs
    return runs.carry_out(workspace, known)


def document(done: runs.Done) -> Document:
    """The report of a comparison; RunError if it was stopped before."""
    if done.view.compared is None or done.view.finished is None:
        raise RunError(
            f"run {done.run.id} was stopped before its table.", "Start the same command again."
        )
    return done.view.compared.report


def _median(workspace: Workspace, base: CompareSpec) -> float:
    """Latency of a middle network of the space, measured now if that is not known yet."""
    key = open_device(base.device).key
    if load_model(workspace.store, key, base.space) is None:
        runs.start(workspace, ProfileSpec(base.space, base.device))
    model = load_model(workspace.store, key, base.space)
    assert model is not None, "just measured"
    return float(f"{model.median_ms:.3g}")


def text(found: Document) -> str:
    """The table, who wins by which rule, what was not equal, then what the columns mean."""
    names = ("", "epochs", "s", "MB", "hypervolume", "picks", "finetuned", "alone", "RI %")
    rows = [
        (
            one["strategy"],
            str(one["epochs"]),
            f"{one['seconds']:.0f}",
            f"{one['peak_bytes'] / 1e6:.0f}",
            _pair(one["hypervolume"], 1) + ("" if one["shared"] else " *"),
            f"{one['picks']}/{one['seeds']}",
            _pair(one["finetuned"], 100),
            _pair(one["retrained"], 100),
            _pair(one["ri"] and {**one["ri"], "mean": one["ri"]["value"]}, 100),
        )
        for one in found["strategies"]
    ]
    base = found["random"]
    sure = [one["strategy"] for one in found["strategies"] if one["ri"] and one["ri"]["real"]]
    marked = any(not one["shared"] for one in found["strategies"])
    return "\n".join(
        (
            f"{found['space']} on {found['data']}, limit {found['limit_ms']:g} ms, {found['seeds']}"
            f" seed{'s' if found['seeds'] > 1 else ''}, {found['budget_s']:g} s each",
            "",
            output.columns([names, *rows]),
            *(["* of short trainings alone"] if marked else []),
            "",
            found["winner"]["says"],
            f"rule: {found['winner']['rule']}",
            *found["remarks"],
            "",
            f"random networks alone: {100 * base['accuracy']:.2f} ± {100 * base['deviation']:.2f} %"
            f" over {base['networks']} of the same latencies; better than these (95 %):"
            f" {', '.join(sure) or 'none'}",
            "s: training and judging; hypervolume: of proxies, up to the slowest network and error"
            " 1; picks: seeds with a network within the limit; finetuned, alone: their test"
            " accuracy in %; ± standard errors, by the deviation between seeds of all strategies",
        )
    )


def _pair(value: Document | None, scale: float) -> str:
    if value is None:
        return "–"
    error = f" ± {scale * value['error']:.2g}" if value["t"] else ""  # of one seed none is known
    return f"{scale * value['mean']:.3g}{error}"
