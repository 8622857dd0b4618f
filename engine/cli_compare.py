"""`onepath compare`: strategies side by side at the same cost; each step is a run."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click

from engine import cli_output as output
from engine import cli_runs as runs
from engine.compare import RANDOM, Contest, compare
from engine.devices import open_device
from engine.errors import RunError
from engine.latency import load_model
from engine.methods import METHODS
from engine.presets import load_space
from engine.spec import DeviceChoice, ProfileSpec, RunSpec, Spec
from engine.store import Store
from engine.workspace import Workspace

Document = dict[str, Any]
PEAKS = "peak-memory"  # a document: most bytes of every run that a comparison did


@click.command("compare")
@click.option("--space", required=True, metavar="PRESET|FILE.json", help="What may vary.")
@click.option("--data", required=True, metavar="digits|cifar10[=PATH]|PATH", help="The images.")
@click.option(
    "--strategies", default="all", show_default=True, metavar="all|A,B", help="Which to compare."
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
    workspace = runs.opened(folder)
    device, searched = DeviceChoice("local", threads), load_space(space)[0]
    base = RunSpec(searched, parse_choice(data), device, limit or 1e9)
    contest = Contest(base, names, seeds, budget_s, epochs)
    base = RunSpec(searched, base.data, device, limit or _median(workspace, base))
    contest = Contest(base, names, seeds, budget_s, epochs)
    total = len(names) * (1 + 3 * seeds) + RANDOM
    with runs.interruptible("The same command goes on where it was."):
        found = compare(contest, workspace.store, Does(workspace.store, total))
    workspace.store.save("comparison", found)
    output.show(found, text, as_json)


def _median(workspace: Workspace, base: RunSpec) -> float:
    """Latency of a middle network of the space, measured now if that is not known yet."""
    key = open_device(base.device).key
    if load_model(workspace.store, key, base.space) is None:
        runs.start(workspace, ProfileSpec(base.space, base.device))
    model = load_model(workspace.store, key, base.space)
    assert model is not None, "just measured"
    return float(f"{model.median_ms:.3g}")


class Does:
    """Does runs in processes of their own, each once; tells how far everything is on stderr."""

    def __init__(self, store: Store, total: int) -> None:
        self.store, self.total = store, total
        self.number, self.begun, self.spent = 0, time.monotonic(), 0

    def __call__(self, spec: Spec, words: str) -> tuple[int, int]:
        """The run's id and its peak memory in bytes; a finished run of the same spec is taken."""
        self.number += 1
        peaks = self.store.document(PEAKS) or {}
        for run in self.store.runs(spec.kind):
            if run.spec == spec and run.state == "finished":
                return run.id, int(peaks.get(str(run.id), 0))
        click.echo(f"[{self.number}/{self.total}] {words}{self._left()}", err=True)
        run_id = self._unfinished(spec) or self.store.create_run(spec)
        peak = self._work(run_id)
        self.spent += 1
        self.store.save(PEAKS, {**peaks, str(run_id): peak})
        return run_id, peak

    def _left(self) -> str:
        if not self.spent:
            return ""
        each = (time.monotonic() - self.begun) / self.spent
        return f", about {each * (self.total - self.number + 1) / 60:.0f} min left"

    def _unfinished(self, spec: Spec) -> int | None:
        """A search of that spec that was cut off, ready to go on."""
        for run in self.store.runs(spec.kind):
            if run.spec == spec and run.state != "failed" and not self.store.alive(run.id):
                self.store.reopen(run.id)
                return run.id
        return None

    def _work(self, run_id: int) -> int:
        """Most bytes that the worker took; RunError if it did not finish."""
        log = self.store.run_folder(run_id) / "worker.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        command = [
            sys.executable,
            "-m",
            "engine.worker",
            str(self.store.path.resolve()),
            str(run_id),
        ]
        with log.open("ab") as handle:
            worker = subprocess.Popen(command, stdout=handle, stderr=subprocess.STDOUT)
            try:
                _, status, usage = os.wait4(worker.pid, 0)
            except BaseException:
                worker.terminate()
                worker.wait()
                raise
        worker.returncode = os.waitstatus_to_exitcode(status)
        if worker.returncode:
            failed = self.store.view(run_id).failed
            said = failed.message if failed else f"it ended with code {worker.returncode}"
            raise RunError(f"run {run_id}: must finish for the comparison, but: {said}")
        scale = 1 if sys.platform == "darwin" else 1024
        return usage.ru_maxrss * scale


def text(found: Document) -> str:
    """The table, then what the columns mean."""
    names = ("", "epochs", "s", "MB", "hypervolume", "finetuned", "alone", "RI %")
    rows = [
        (
            one["strategy"],
            str(one["epochs"]),
            f"{one['seconds']:.0f}",
            f"{one['peak_bytes'] / 1e6:.0f}",
            _pair(one["hypervolume"], 1),
            _pair(one["finetuned"], 100),
            _pair(one["retrained"], 100),
            _pair(one["ri"] and {"mean": one["ri"]["value"], "error": one["ri"]["error"]}, 100),
        )
        for one in found["strategies"]
    ]
    base = found["random"]
    return "\n".join(
        (
            f"{found['space']} on {found['data']}, limit {found['limit_ms']:g} ms, {found['seeds']}"
            f" seeds, {found['budget_s']:g} s each",
            "",
            output.columns([names, *rows]),
            "",
            f"random networks alone: {100 * base['accuracy']:.2f} ± {100 * base['deviation']:.2f} %"
            f" over {base['networks']} of the same latencies",
            "hypervolume: of proxies, up to the slowest network and error 1; finetuned, alone:"
            " test accuracy in %; ± standard errors",
        )
    )


def _pair(value: Document | None, scale: float) -> str:
    if value is None:
        return "–"
    return f"{scale * value['mean']:.3g} ± {scale * value['error']:.2g}"
