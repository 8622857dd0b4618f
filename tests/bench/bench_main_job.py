"""The main job on digits, default budget: seconds of the search and of an export.

`python -m tests.bench.bench_main_job [--epochs N]`. The export is timed as its process does it,
from starting Python to the archive, and what its measurement took is told apart. The last line is
one JSON document.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from engine import presets, worker
from engine.devices import open_device
from engine.latency import profile
from engine.spec import DataChoice, DeviceChoice, ExportSpec, RunSpec
from engine.store import Store

TIMED = """
import json, sys, time
from pathlib import Path
from engine import worker
from engine.devices import local
from engine.store import Store
spent, measure = [], local.LocalDevice.measure
def timed(*parts):
    begun = time.monotonic()
    try:
        return measure(*parts)
    finally:
        spent.append(time.monotonic() - begun)
local.LocalDevice.measure = timed
code = worker.execute(Store(Path(sys.argv[1])), int(sys.argv[2]))
print(json.dumps({"code": code, "measuring": sum(spent)}))
"""


def main() -> None:
    """Runs both, prints what they took and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "studio.db")
        figures = search(store, options.epochs) | export(store)
        store.close()
    for name, value in figures.items():
        print(f"{name:24} {value}")
    print(json.dumps(figures))


def search(store: Store, epochs: int) -> dict[str, object]:
    """A search from an empty workspace, in the middle of the feasible range."""
    space, choice = presets.load("digits"), DeviceChoice()
    begun = time.monotonic()
    model = profile(store, space, open_device(choice), lambda *_: None)
    limit = 0.5 * (model.fastest_ms + model.slowest_ms)
    run_id = store.create_run(RunSpec(space, DataChoice("digits"), choice, limit, epochs=epochs))
    assert worker.execute(store, run_id) == worker.OK, store.view(run_id).failed
    view = store.view(run_id)
    best = view.best(limit)
    assert best is not None, "nothing within the limit"
    return {
        "search_seconds": round(time.monotonic() - begun, 1),
        "table_seconds": model.prediction.table_seconds,
        "limit_ms": limit,
        "best_share_of_limit": round(best.latency_ms / limit, 3),
        "best_proxy_accuracy": best.proxy_accuracy,
        "candidates": len(view.candidates),
        "front": len(view.front()),
    }


def export(store: Store) -> dict[str, object]:
    """An export of the best network in a process of its own."""
    run = store.runs("search")[0]
    assert isinstance(run.spec, RunSpec), run
    best = store.view(run.id).best(run.spec.latency_limit_ms)
    assert best is not None, "nothing within the limit"
    child = store.create_run(ExportSpec(run.id, best.arch))
    begun = time.monotonic()
    command = [sys.executable, "-c", TIMED, str(store.path), str(child)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    total, told = time.monotonic() - begun, json.loads(said.splitlines()[-1])
    assert told["code"] == worker.OK, store.view(child).failed
    return {
        "export_seconds": round(total - told["measuring"], 2),
        "export_measuring_seconds": round(told["measuring"], 2),
    }


if __name__ == "__main__":
    main()
