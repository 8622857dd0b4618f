"""`onepath trust`: how far a search can be trusted, as one JSON document or in words."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from engine.cli import output, runs
from engine.errors import RunError
from engine.spec import TrustSpec
from engine.trust.checks import checks
from engine.workspace import Workspace

Document = dict[str, Any]


@click.command()
@click.argument("run", type=click.IntRange(min=1))
@runs.existing_option
@click.option("--subnets", type=int, help="Networks that are trained alone; 8 or more.")
@click.option("--seeds", type=int, help="Seeds in each of two sets, for every network.")
@click.option("--epochs", type=int, help="Passes over the images of every training.")
@click.option("--seed", type=int, help="Seed of the choice, and the first one of training.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def trust(run: int, folder: Path, as_json: bool, **chosen: int | None) -> None:
    """Train networks of a search alone; tells how far its ranking can be trusted.

    A run that was stopped half-way is gone on with by the same command.
    """
    workspace = runs.existing(folder)
    runs.searched(workspace, run)
    wanted: dict[str, Any] = {name: n for name, n in chosen.items() if n is not None}
    spec = replace(TrustSpec(run), **wanted)
    output.show(document(_done(workspace, spec)), text, as_json)


def _done(workspace: Workspace, spec: TrustSpec) -> runs.Done:
    """The trust run of that spec: one that was cut off is carried on, else a new one begins."""
    store = workspace.store
    halves = (r.id for r in store.runs(TrustSpec.kind) if r.spec == spec and r.state != "finished")
    half = next(halves, None)
    if half is None:
        return runs.start(workspace, spec)
    store.reopen(half)
    return runs.carry_out(workspace, half)


def document(done: runs.Done) -> Document:
    """The report of a trust run, and the twelve checks of its search."""
    if done.view.trusted is None or done.view.finished is None:
        raise RunError(
            f"run {done.run.id} was stopped before its verdict.", "Start the same command again."
        )
    report = done.view.trusted.report
    found = checks(done.workspace.store, report["search"])
    rows = [asdict(check) for check in found]
    seconds = done.view.finished.seconds
    return {"run": done.run.id, "seconds": seconds, **report, "checks": rows}


def text(found: Document) -> str:
    """The verdict, its sentences, the networks it rests on, and the checks."""
    head = f"{found['colour']}: {found['title']}\n" + "\n".join(found["sentences"])
    names = ("ms", "proxy acc.", "alone", "params", "MACs", "architecture")
    networks = output.columns([names, *map(_network_row, found["networks"])])
    rows = [(str(c["number"]), c["state"], c["title"], c["says"]) for c in found["checks"]]
    return f"{head}\n\n{networks}\n\n{output.columns(rows)}"


def _network_row(network: Document) -> tuple[str, ...]:
    accuracies = f"{network['proxy']:.4f}", f"{network['mean']:.4f}"
    counts = f"{network['params']:,}", f"{network['macs']:,}"
    return f"{network['predicted_ms']:.3g}", *accuracies, *counts, network["arch"]
