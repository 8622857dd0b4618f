"""Twenty limits over the feasible range of digits: is the picked network within each, and how near?

`python -m tests.bench.bench_limits [--epochs N]`: one search trains the shared weights; then every
limit gets a front search of its own on them, its finalists are measured, and the pick is measured
once more, as an export would. The last line is one JSON document.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from pathlib import Path

from engine import presets, worker
from engine.clock import Clock
from engine.devices import STANDARD, open_device
from engine.devices.calm import measure_calmly
from engine.events import Evaluated, View, fold
from engine.front.evolution import Evolution
from engine.front.filter import Filter
from engine.front.finalists import measure_finalists, onnx_of
from engine.front.phase import CHILDREN, GENERATIONS
from engine.inherit import trained_supernet
from engine.latency import load_model
from engine.problem import Problem, evaluate
from engine.run import open_data, open_problem
from engine.space import Arch
from engine.spec import DataChoice, DeviceChoice, RunSpec
from engine.store import Store

LIMITS = 20


def main() -> None:
    """Searches, then prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first limit, from 0")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder) / "studio.db")
        print(json.dumps(run(store, options.epochs, options.seed, options.first)))
        store.close()


def run(store: Store, epochs: int, seed: int, first: int) -> dict[str, object]:
    """The figures of one search and of its twenty limits."""
    space = presets.load("digits")
    device = open_device(DeviceChoice())
    spec = RunSpec(space, DataChoice("digits"), DeviceChoice(), 1e3, epochs=epochs, seed=seed)
    run_id = store.create_run(spec)
    assert worker.execute(store, run_id) == worker.OK, store.view(run_id).failed
    problem = trained_problem(store, run_id)
    latency = problem.latency
    known: dict[Arch, Evaluated] = {}
    rows = []
    for i in range(first, LIMITS):
        # From 5 % above the fastest, below which no network is left to choose from, to the slowest.
        low = 1.05 * latency.fastest_ms
        limit = low + (i + 0.5) / LIMITS * (latency.slowest_ms - low)
        view = front(problem, limit, known, seed)
        measured = list(
            measure_finalists(
                problem.supernet,
                device,
                view,
                limit_ms=limit,
                yardstick_ns=latency.yardstick_ns,
                on_progress=lambda *_: None,
            )
        )
        best = fold(measured, view).best(limit)
        assert best is not None, limit
        model = onnx_of(problem.supernet, Arch.parse(best.arch))
        again = measure_calmly(
            device,
            [model],
            STANDARD,
            yardstick_ns=latency.yardstick_ns,
            on_progress=lambda *_: None,
        )[0]
        rows.append((limit, again.p50_ms / limit, best.proxy_accuracy))
        print(
            f"limit {limit:.4f} ms  again {rows[-1][1]:6.1%} of it  {best.proxy_accuracy:.4f}",
            flush=True,
        )
    shares = [share for _, share, _ in rows]
    return {
        "seconds": store.view(run_id).finished.seconds,
        "limits": LIMITS - first,
        "within": sum(share <= 1 for share in shares),
        "at_least_0.90": sum(share >= 0.90 for share in shares),
        "shares": [round(share, 4) for share in shares],
        "proxy_accuracies": [round(accuracy, 4) for _, _, accuracy in rows],
    }


def trained_problem(store: Store, run_id: int) -> Problem:
    """The problem of a finished search, its weights trained."""
    spec, supernet = trained_supernet(store, run_id)
    data, space = open_data(spec, store, Clock(store, run_id))
    latency = load_model(store, open_device(spec.device).key, space)
    assert latency is not None, space.name
    problem = open_problem(spec, space, data, latency)
    problem.supernet = supernet
    return problem


def front(problem: Problem, limit: float, known: dict[Arch, Evaluated], seed: int) -> View:
    """The front phase for one limit, as the strategy does it; proxies already known are reused."""
    rng = random.Random(seed)
    evolution = Evolution(Filter(problem.space, problem.latency, limit))
    batch = [
        problem.latency.fastest(problem.space),
        problem.space.smallest(),
        problem.space.largest(),
    ]
    told = []
    for _ in range(GENERATIONS):
        for arch in [*dict.fromkeys(batch), *evolution.ask(CHILDREN - len(batch), rng)]:
            if arch not in known:
                known[arch] = evaluate(problem, arch)
            evolution.tell(arch, known[arch].proxy_accuracy)
            told.append(known[arch])
        batch = []
    return fold(told)


if __name__ == "__main__":
    main()
