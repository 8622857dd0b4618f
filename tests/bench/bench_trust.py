"""The trust meter on healthy and on sabotaged shared weights: colours, tau, ceiling, seconds.

    python -m tests.bench.bench_trust [--seeds 5] [--epochs 12] [--alone 8]

Whole searches on the digits at 8x8 pixels with a made-up device. Sabotaged ones learn shuffled
labels and must all be red; healthy ones never.
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

from engine import devices, run, worker
from engine.batches import Split
from engine.front import phase as front_phase
from engine.space import SearchSpace
from engine.spec import DataChoice, DeviceChoice, RunSpec, TrustSpec
from engine.store import Store
from engine.trust import job as trust_job
from engine.trust.plan import Unit
from tests.builders import small_space, stage
from tests.problems import CountingDevice

SUBNETS = 8


def space() -> SearchSpace:
    """8x8 images; its smallest and largest network differ by far more than seeds do."""
    return small_space(
        stage(width=4, depth=[0, 2]),
        stage(width=8, depth=[1, 3], stride=2),
        stage(width=12, depth=[1, 2], stride=2),
        classes=10,
    )


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


def judged(seed: int, epochs: int, alone: int, sabotage: bool) -> dict[str, Any]:
    """The report of one search's trust run, and the seconds that both took."""
    usual, begun = run.load_splits, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "studio.db")
        if sabotage:
            run.load_splits = mislabelled(usual, seed)  # type: ignore[assignment]  # a stand-in
        try:
            spec = RunSpec(
                space(),
                DataChoice("digits"),
                DeviceChoice(),
                1000.0,
                strategy="single_path",
                epochs=epochs,
                seed=seed,
            )
            search = store.create_run(spec)
            assert worker.execute(store, search) == worker.OK, store.view(search).failed
        finally:
            run.load_splits = usual
        searched_s = time.monotonic() - begun
        number = store.create_run(TrustSpec(search, SUBNETS, 2, alone, seed=0))
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
    parser.add_argument("--epochs", type=int, default=12, help="of a search")
    parser.add_argument("--alone", type=int, default=8, help="of a stand-alone training")
    options = parser.parse_args()
    devices.DEVICES["local"] = lambda _: CountingDevice()
    front_phase.GENERATIONS, front_phase.CHILDREN = 4, 12
    trust_job.alone = remembered(trust_job.alone)
    rows = []
    for seed in range(options.seeds):
        for sabotage in (False, True):
            rows.append(row(seed, judged(seed, options.epochs, options.alone, sabotage), sabotage))
            if len(rows) == 1:
                print("  ".join(rows[0]))
            print("  ".join(map(str, rows[-1].values())), flush=True)
    colours = {
        name: dict(Counter(r["colour"] for r in rows if r["sabotaged"] is is_so))
        for name, is_so in (("healthy", False), ("sabotaged", True))
    }
    head = {"bench": "trust", "subnets": SUBNETS, **vars(options)}
    print(json.dumps(head | {"colours": colours, "rows": rows}))


if __name__ == "__main__":
    main()
