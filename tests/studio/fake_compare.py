"""Comparisons with made-up figures for tests and pictures of the Compare page; no worker, no torch.

Nothing here is ever shown to a user of the studio.
"""

from __future__ import annotations

import random
from typing import Any

from engine.contest.compare import entrants, phases
from engine.contest.report import remarks, winner
from engine.events import Compared, Event, Failed, Finished, Part, Progress, Resumed
from engine.methods import METHODS
from engine.spec import CompareSpec, DataChoice, DeviceChoice
from engine.store import Status
from tests.studio import fake_run
from tests.studio.fake_run import LIMIT_MS, Fake

WORTH = {
    "single_path": 0.962,
    "one_shot": 0.974,
    "proxyless": 0.958,
    "fbnet": 0.951,
    "mnasnet": 0.944,
    "netadapt": 0.966,
    "random_search": 0.949,
    "zero_cost": 0.939,
}


def spec_of(fake: Fake, **changes: Any) -> CompareSpec:
    """What the form asks for when nothing is changed in it."""
    return CompareSpec(fake.space, DataChoice("digits"), DeviceChoice(), LIMIT_MS, **changes)


def report_of(spec: CompareSpec, runs: dict[tuple[str, int], int]) -> dict[str, Any]:
    """A report as the comparison makes it; `runs` are searches by strategy and seed."""
    rng = random.Random(5)
    several = spec.seeds > 1

    def spread(mean: float, error: float) -> dict[str, float]:
        shown = error if several else 0.0
        return {"mean": mean + rng.uniform(-error, error), "error": shown, "t": 2.1}

    def gain(alone: float) -> dict[str, Any]:
        value = alone / 0.941 - 1
        return {"value": value, "error": 0.006, "t": 2.1, "real": value > 2.1 * 0.006}

    rows, entries = [], []
    for place, name in enumerate(entrants(spec)):
        worth = WORTH[name]
        alone = worth - 0.012
        rows.append(
            {
                "strategy": name,
                "mode": next(iter(METHODS[name].modes)),
                "epochs": 12 + 9 * place,
                "seconds": spec.budget_s - rng.uniform(0.3, 3.0),
                "peak_bytes": 380_000_000 + 37_000_000 * place,
                "hypervolume": spread(0.52 + worth / 4, 0.006),
                "seeds": spec.seeds,
                "picks": spec.seeds,
                "shared": name != "zero_cost",
                "finetuned": spread(worth, 0.004),
                "retrained": spread(alone, 0.005),
                "ri": gain(alone) if several else None,
            }
        )
        entries += [
            {
                "strategy": name,
                "seed": seed,
                "run": runs.get((name, seed), 1),
                "epochs": 12 + 9 * place,
                "seconds": spec.budget_s - 1.0,
                "peak_bytes": 380_000_000,
                "hypervolume": 0.75,
                "pick": "k3e3-k5e6-skip",
                "pick_ms": 0.0761,
                "finetuned": worth + 0.002 * seed,
                "retrained": alone,
            }
            for seed in range(spec.seeds)
        ]
    return {
        "space": spec.space.name,
        "data": "digits",
        "limit_ms": spec.latency_limit_ms,
        "budget_s": spec.budget_s,
        "seeds": spec.seeds,
        "epochs_after": spec.epochs,
        "reference": {"ms": 0.193, "error": 1.0},
        "random": {"networks": 8, "accuracy": 0.941, "deviation": 0.008},
        "strategies": rows,
        "winner": winner(rows, spec.budget_s),
        "remarks": remarks(rows, spec.budget_s),
        "runs": entries,
    }


def compare(fake: Fake, state: str = "finished", **changes: Any) -> tuple[int, dict[str, Any]]:
    """Number of a comparison in that state and its report; it has two searches of its own."""
    spec = spec_of(fake, **changes)
    name = spec.strategies[0]
    parts = {(name, seed): fake_run.search(fake, seed=90 + seed) for seed in range(2)}
    report = report_of(spec, parts)
    total = len(phases(spec))
    told: list[Event] = [Resumed(0)]
    for step, ((strategy, seed), run) in enumerate(parts.items(), 1):
        told.append(Part(run, f"{METHODS[strategy].title}, seed {seed}: searching"))
        told.append(Progress(step, total, "compare"))
    if state == "finished":
        told += [Progress(total, total, "compare"), Compared(report), Finished("compared", 3100.0)]
    if state == "failed":
        told.append(Failed("run 4: must finish for the comparison, but: it was stopped."))
    store = fake.store
    run_id = store.create_run(spec)
    store.append(run_id, *told)
    words = f"{METHODS[name].title}, seed 1: searching, step 3 of {total}"
    store.report(run_id, Status("search", 0.31, 1740.0, words))
    if state in ("running", "paused"):
        fake.hold(run_id)
    if state == "paused":
        store.want(run_id, "paused")
    store.set_state(run_id, "running" if state == "crashed" else state)
    return run_id, report
