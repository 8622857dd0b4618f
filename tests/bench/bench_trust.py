"""The trust meter on healthy and on sabotaged shared weights: colours, tau, ceiling, seconds.

    python -m tests.bench.bench_trust [--seeds 5] [--epochs 40] [--alone 20] [--subnets 8]

Whole searches of the `digits` space on this computer, at the median of its latency. Sabotaged ones
learn shuffled labels and must all be red; healthy ones never.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from engine import presets, run, worker
from engine.batches import Split
from engine.devices import open_device
from engine.latency import profile
from engine.methods import DEFAULT
from engine.spec import DataChoice, DeviceChoice, RunSpec, TrustSpec
from engine.store import Store
from engine.trust import job as trust_job
from engine.trust.plan import Unit


def mislabelled(load: Any, seed: int) -> Any:
    """Splits whose weights split has its labels shuffled."""

    def shuffled(*args: Any, **options: Any) -> dict[str, Split]:
        splits = load(*args, **options)
        split = splits["weights"]
        order = torch.randperm(len(split), generator=torch.Generator().manual_seed(seed))
        return {**splits, "weights": replace(split, labels=split.labels[order])}

    return shuffled


def remembered(alone: Any) -> Any:
    """Stand-alone trainings do not depend on the shared weights, so none is done twice."""
    known: dict[Unit, float] = {}

    def train(where: Any, splits: Any, unit: Unit, **how: Any) -> float:
        if unit not in known:
            known[unit] = alone(where, splits, unit, **how)
        return known[unit]

    return train


def judged(seed: int, options: argparse.Namespace, *, sabotage: bool) -> dict[str, Any]:
    """The report of one search's trust run, and the seconds that both took."""
    usual, begun = run.load_splits, time.monotonic()
    space = presets.load("digits")
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "studio.db")
        latency = profile(store, space, open_device(DeviceChoice()), lambda *_: None)
        if sabotage:
            run.load_splits = mislabelled(usual, seed)  # type: ignore[assignment]  # a stand-in
        try:
            spec = RunSpec(
                space,
                DataChoice("digits"),
                DeviceChoice(),
                latency.median_ms,
                strategy=options.strategy,
                epochs=options.epochs,
                seed=seed,
            )
            search = store.create_run(spec)
            assert worker.execute(store, search) == worker.OK, store.view(search).failed
        finally:
            run.load_splits = usual
        searched_s = time.monotonic() - begun
        number = store.create_run(TrustSpec(search, options.subnets, 2, options.alone, seed=0))
        assert worker.execute(store, number) == worker.OK, store.view(number).failed
        trusted = store.view(number).trusted
        store.close()
    assert trusted is not None
    times = {"searched_s": searched_s, "judged_s": time.monotonic() - begun - searched_s}
    return trusted.report | times


def row(seed: int, report: dict[str, Any], sabotage: bool) -> dict[str, Any]:
    """What is printed of one report."""
    skill, found = report["skill"], report["improvement"]
    return {
        "seed": seed,
        "sabotaged": sabotage,
        "colour": report["colour"],
        "tau": round(report["tau"]["value"], 3),
        "ceiling": round(report["ceiling"]["value"], 3),
        "params_tau": round(report["baselines"]["params"]["tau"]["value"], 3),
        "skill": None if skill["share"] is None else round(skill["share"], 3),
        "spread_times": report["spread"]["times"] and round(report["spread"]["times"], 1),
        "ri_percent": round(100 * found["ri"], 2) if found else None,
        "ri_se_percent": round(100 * found["se"], 2) if found else None,
        "searched_s": round(report["searched_s"], 1),
        "judged_s": round(report["judged_s"], 1),
    }


def main() -> None:
    """Prints the table and the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--strategy", default=DEFAULT)
    parser.add_argument("--epochs", type=int, default=40, help="of a search")
    parser.add_argument("--alone", type=int, default=20, help="of a stand-alone training")
    parser.add_argument("--subnets", type=int, default=8)
    options = parser.parse_args()
    trust_job.alone = remembered(trust_job.alone)
    rows = []
    for seed in range(options.seeds):
        for sabotage in (False, True):
            rows.append(row(seed, judged(seed, options, sabotage=sabotage), sabotage))
            if len(rows) == 1:
                print("  ".join(rows[0]))
            print("  ".join(map(str, rows[-1].values())), flush=True)
    colours = {
        name: dict(Counter(r["colour"] for r in rows if r["sabotaged"] is is_so))
        for name, is_so in (("healthy", False), ("sabotaged", True))
    }
    head = {"bench": "trust", **vars(options)}
    print(json.dumps(head | {"colours": colours, "rows": rows}))


if __name__ == "__main__":
    main()
