"""Ways to search a front on the same shared weights: which one finds the most with so many looks?

    python -m tests.bench.bench_fronts [--epochs 48] [--seeds 4] [--rounds 4 10]

One uniform one-shot search of `digits` trains the weights; then evolution, the predictor (LINAS)
and random draws evenly over latency each judge networks on them, 24 a round, by every seed.
Accuracies are looked up where a network was judged before, so all see the same figures. The last
line is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from engine import presets, worker
from engine.devices import open_device
from engine.events import Evaluated
from engine.front import phase
from engine.latency import profile
from engine.methods import FRONTS
from engine.pareto import hypervolume
from engine.problem import Problem
from engine.space import Arch
from engine.spec import DataChoice, DeviceChoice, RunSpec
from engine.store import Store
from engine.strategies.draw import drawn_evenly
from tests.bench.bench_limits import trained_problem

RANDOM = "random"


def trained(store: Store, epochs: int) -> Problem:
    """Shared weights of one search under the median latency, and all around them."""
    space, device = presets.load("digits"), DeviceChoice()
    latency = profile(store, space, open_device(device), lambda *_: None)
    spec = RunSpec(
        space,
        DataChoice("digits"),
        device,
        latency.median_ms,
        strategy="one_shot",
        mode="uniform",
        epochs=epochs,
    )
    number = store.create_run(spec)
    assert worker.execute(store, number) == worker.OK, store.view(number).failed
    return trained_problem(store, number)


def remembered() -> None:
    """No network is judged twice."""
    known: dict[Arch, Evaluated] = {}
    real = phase.evaluate

    def evaluate(problem: Problem, arch: Arch) -> Evaluated:
        if arch not in known:
            known[arch] = real(problem, arch)
        return known[arch]

    phase.evaluate = evaluate  # type: ignore[assignment]  # a stand-in


def judged(problem: Problem, way: str, rounds: int, seed: int) -> Iterator[Evaluated]:
    """All that one search of the front looks at."""
    problem.rng = random.Random(1000 + seed)
    if way == RANDOM:
        ends = list(dict.fromkeys(phase.ends(problem)))
        count = rounds * phase.CHILDREN - len(ends)
        for arch in (*ends, *drawn_evenly(problem, count, set(ends))):
            yield phase.evaluate(problem, arch)
        return
    problem.spec = replace(problem.spec, front=way)
    searched = phase.FrontPhase(problem)
    searched.steps = rounds
    searched.searcher = searched._searcher()
    for number in range(rounds):
        for event in searched.step([] if number == 0 else None):
            if isinstance(event, Evaluated):
                yield event


def figures(problem: Problem, found: list[Evaluated]) -> tuple[float, float]:
    """Share of the area up to the slowest network, and the best accuracy within the limit."""
    slowest = problem.latency.slowest_ms
    points = [(e.predicted_ms, 1 - e.proxy_accuracy) for e in found]
    inside = [e.proxy_accuracy for e in found if e.predicted_ms <= problem.limit_ms]
    return hypervolume(points, (slowest, 1.0)) / slowest, max(inside)


def main() -> None:
    """Prints a row per way and number of rounds, then the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=48)
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--rounds", type=int, nargs="+", default=[4, 10])
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "studio.db")
        problem = trained(store, options.epochs)
        remembered()
        for rounds in options.rounds:
            for way in (*FRONTS, RANDOM):
                found = [
                    figures(problem, list(judged(problem, way, rounds, seed)))
                    for seed in range(options.seeds)
                ]
                areas, best = zip(*found, strict=True)
                error = statistics.stdev(areas) / len(areas) ** 0.5 if len(areas) > 1 else 0.0
                row = {"rounds": rounds, "way": way, "hypervolume": statistics.fmean(areas)}
                rows.append(row | {"error": error, "best": statistics.fmean(best)})
                words = f"{rounds:3d} rounds  {way:10s} hypervolume {row['hypervolume']:.4f}"
                print(f"{words} ± {error:.4f}  best {rows[-1]['best']:.4f}", flush=True)
        store.close()
    print(json.dumps({"bench": "fronts", **vars(options), "rows": rows}))


if __name__ == "__main__":
    main()
