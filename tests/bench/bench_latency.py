"""How well and how fast latency is predicted: `python -m tests.bench.bench_latency [SPACE …]`.

Measures this computer from nothing, in a temporary folder: the table, the calibration, and networks
that no fit has seen. Prints a table; the last line is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

from engine import presets
from engine.devices import open_device
from engine.latency import LatencyModel, profile
from engine.spec import DeviceChoice
from engine.store import Store

TARGET = {"within_10pct": 1.0, "within_5pct": 0.9, "table_seconds": 20.0, "n_heldout": 30}


def measure(name: str, threads: int) -> LatencyModel:
    """The model of preset `name`, everything measured anew."""
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "studio.db")
        try:
            device = open_device(DeviceChoice(threads=threads))
            return profile(store, presets.load(name), device, lambda *_: None)
        finally:
            store.close()


def figures(model: LatencyModel) -> dict[str, Any]:
    """What the model promises and how it was measured, as plain JSON."""
    prediction = model.prediction
    worst = max((abs(p / ms - 1) for p, ms in prediction.pairs), default=0.0)
    return {
        "mape": prediction.mape,
        "within_5pct": prediction.within_5pct,
        "within_10pct": prediction.within_10pct,
        "worst": worst,
        "n_heldout": prediction.n_heldout,
        "n_calibration": prediction.n_calibration,
        "table_seconds": prediction.table_seconds,
        "fastest_ms": model.fastest_ms,
        "median_ms": model.median_ms,
        "slowest_ms": model.slowest_ms,
        "device": model.device,
    }


def meets(found: dict[str, Any]) -> bool:
    """Whether one measurement meets the target."""
    return (
        found["within_10pct"] >= TARGET["within_10pct"]
        and found["within_5pct"] >= TARGET["within_5pct"]
        and found["table_seconds"] <= TARGET["table_seconds"]
        and found["n_heldout"] >= TARGET["n_heldout"]
    )


def row(name: str, found: dict[str, Any]) -> str:
    """One line of the table."""
    return (
        f"{name:20}{found['mape']:8.1%}{found['within_5pct']:8.0%}{found['within_10pct']:8.0%}"
        f"{found['worst']:8.1%}{found['n_heldout']:6}{found['table_seconds']:8.1f}"
        f"{found['fastest_ms']:9.4f}{found['median_ms']:9.4f}{found['slowest_ms']:9.4f}"
        f"{found['device']['load_average']:7.2f}"
    )


def main() -> None:
    """Prints the table and the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("spaces", nargs="*", default=["digits"])
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--repeat", type=int, default=1)
    options = parser.parse_args()
    heads = ["mape", "in 5%", "in 10%", "worst", "nets", "s", "fastest", "median", "slowest"]
    widths = [8, 8, 8, 8, 6, 8, 9, 9, 9]
    titles = "".join(f"{h:>{w}}" for h, w in zip(heads, widths, strict=True))
    print(f"{'space':20}{titles}{'load':>7}")
    results: dict[str, list[dict[str, Any]]] = {}
    for name in options.spaces:
        for _ in range(options.repeat):
            found = figures(measure(name, options.threads))
            results.setdefault(name, []).append(found)
            print(row(name, found), flush=True)
    met = all(meets(found) for found in results.get("digits", []))
    print(json.dumps({"bench": "latency", "target": TARGET, "target_met": met, **results}))


if __name__ == "__main__":
    main()
