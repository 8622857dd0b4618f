"""Strategies side by side: the same cost for each, the same trainings after, one table; no torch.

For every seed each strategy searches with about the same seconds of training and judging (a pilot
run tells what its epochs cost). Its pick, the most accurate network measured within the limit, is
then finetuned from its own shared weights, and trained from scratch, with one recipe for all.
Random networks of the picks' latencies are trained from scratch in the same way: what a pick gains
over them is the relative improvement (Yang, Esperança, Carlucci 2020). What is to be done is asked
for step by step; every step is a run of the workspace, which others carry out (`compare_job`).
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.devices import open_device
from engine.events import Progress, View
from engine.front.evolution import move_to
from engine.latency import LatencyModel, load_model
from engine.methods import METHODS
from engine.pareto import hypervolume
from engine.space import SearchSpace
from engine.spec import CompareSpec, RunSpec, Spec, TrainSpec
from engine.store import Store
from engine.trust.figures import improvement
from engine.trust.plan import picked

PILOT_EPOCHS, PILOT_SEED = 4, 10_007
WINDOW = (0.85, 1.0)  # of the limit: where the random networks of the baseline lie
RANDOM = 8
GENERATIONS, PER_GENERATION = 10, 4  # as in the front phase: one for four epochs, ten at most
PICKED = ("finetune", "retrain")


@dataclass(frozen=True, slots=True)
class Step:
    """One run that a comparison needs: what it is, in words, and its place in `phases`."""

    spec: Spec
    words: str
    number: int


Done = tuple[int, int]
"""A run's id and the most bytes of memory that it took (0: not known)."""

Steps = Generator[Step, Done, dict[str, Any]]
Runner = Callable[[Spec, str], Done]


@dataclass(frozen=True, slots=True)
class Entry:
    """One search of the contest and what became of its pick; accuracies are those of tests."""

    strategy: str
    seed: int
    run: int
    epochs: int
    seconds: float
    peak_bytes: int
    hypervolume: float
    pick: str | None
    pick_ms: float | None
    finetuned: float | None
    retrained: float | None


def phases(contest: CompareSpec) -> list[str]:
    """What kind each step is: pilot, search, finetune, retrain or baseline; no pick, no training.

    Steps that turn out not to be needed are left out, and the others keep their place.
    """
    each = ["search", *PICKED] * (contest.seeds * len(contest.strategies))
    return ["pilot"] * len(contest.strategies) + each + ["baseline"] * RANDOM


def compare(contest: CompareSpec, store: Store, run: Runner) -> dict[str, Any]:
    """The whole comparison, as plain JSON; `run` does what is not there yet."""
    steps = contest_steps(contest, store)
    try:
        step = next(steps)
        while True:
            step = steps.send(run(step.spec, step.words))
    except StopIteration as end:
        return dict(end.value)


def contest_steps(contest: CompareSpec, store: Store) -> Steps:
    """Asks for one run after the other, is sent what became of each; returns the report."""
    epochs = {}
    for number, name in enumerate(contest.strategies):
        epochs[name] = yield from _affordable(contest, name, store, number)
    entries: list[Entry] = []
    for seed in range(contest.seeds):
        for name in contest.strategies:
            number = len(contest.strategies) + 3 * len(entries)
            spec = _search(contest, name, epochs[name], seed)
            entries.append((yield from _entry(contest, spec, store, number=number)))
    baseline = yield from _baseline(contest, entries, store)
    return _report(contest, entries, baseline, _latency(contest, store, entries[0].run))


def _search(contest: CompareSpec, name: str, epochs: int, seed: int) -> RunSpec:
    return RunSpec(
        space=contest.space,
        data=contest.data,
        device=contest.device,
        latency_limit_ms=contest.latency_limit_ms,
        strategy=name,
        epochs=epochs,
        seed=seed,
        version=contest.version,
    )


# -- what it came to -------------------------------------------------------------------------------


def _report(
    contest: CompareSpec, entries: Sequence[Entry], baseline: Sequence[float], latency: LatencyModel
) -> dict[str, Any]:
    return {
        "space": contest.space.name,
        "data": str(contest.data),
        "limit_ms": contest.latency_limit_ms,
        "budget_s": contest.budget_s,
        "seeds": contest.seeds,
        "epochs_after": contest.epochs,
        "reference": {"ms": latency.slowest_ms, "error": 1.0},
        "random": {
            "networks": len(baseline),
            "accuracy": statistics.fmean(baseline),
            "deviation": statistics.stdev(baseline) if len(baseline) > 1 else 0.0,
        },
        "strategies": [_row(name, entries, baseline) for name in contest.strategies],
        "runs": [_shown(entry) for entry in entries],
    }


def _row(name: str, entries: Sequence[Entry], baseline: Sequence[float]) -> dict[str, Any]:
    """One strategy in means over its seeds."""
    own = [entry for entry in entries if entry.strategy == name]
    tuned = [e.finetuned for e in own if e.finetuned is not None]
    alone = [e.retrained for e in own if e.retrained is not None]
    gain = improvement(alone, baseline) if len(alone) > 1 else None
    return {
        "strategy": name,
        "mode": next(iter(METHODS[name].modes)),
        "epochs": own[0].epochs,
        "seconds": statistics.fmean(e.seconds for e in own),
        "peak_bytes": max(e.peak_bytes for e in own),
        "hypervolume": _spread([e.hypervolume for e in own]),
        "picks": len(tuned),
        "finetuned": _spread(tuned),
        "retrained": _spread(alone),
        "ri": None if gain is None else {"value": gain.ri, "error": gain.se},
    }


def _spread(values: Sequence[float]) -> dict[str, float] | None:
    """Mean and standard error; None for none."""
    if not values:
        return None
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "error": deviation / len(values) ** 0.5}


def _shown(entry: Entry) -> dict[str, Any]:
    return {name: getattr(entry, name) for name in Entry.__slots__}


# -- one search ------------------------------------------------------------------------------------


def _affordable(
    contest: CompareSpec, name: str, store: Store, number: int
) -> Generator[Step, Done, int]:
    """Epochs that fit into the budget, by what a short pilot run took."""
    spec = replace(_search(contest, name, PILOT_EPOCHS, PILOT_SEED), front="evolution")
    run, _ = yield Step(spec, f"{METHODS[name].title}: a pilot for its cost", number)
    training, front, generations = _costs(store, run)
    per_epoch = training / PILOT_EPOCHS
    per_generation = front / max(1, generations)
    epochs = 3
    while epochs < 10_000:
        after = min(GENERATIONS, max(2, (epochs + 1) // PER_GENERATION))
        wanted = (epochs + 1) * per_epoch + (after * per_generation if generations else 0.0)
        if wanted > contest.budget_s:
            break
        epochs += 1
    return epochs


def _costs(store: Store, number: int) -> tuple[float, float, int]:
    """Seconds of a run before its front phase, seconds in it, and how many steps that had."""
    before = front = 0.0
    steps, last = 0, None
    for at, event in store.timed(number):
        if last is not None and isinstance(event, Progress) and event.phase != "measure":
            if event.phase == "front":
                front, steps = front + at - last, steps + 1
            else:
                before += at - last
        if isinstance(event, Progress) or last is None or _opening(event):
            last = at
    return before, front, steps


def _opening(event: object) -> bool:
    """Whether an event belongs to what comes before the first step."""
    return type(event).__name__ in ("Resumed", "DataReady", "Calibrated")


def _entry(
    contest: CompareSpec, spec: RunSpec, store: Store, *, number: int
) -> Generator[Step, Done, Entry]:
    about = f"{METHODS[spec.strategy].title}, seed {spec.seed}"
    run, peak = yield Step(spec, f"{about}: searching", number)
    view = store.view(run)
    training, front, _ = _costs(store, run)
    pick = picked(view, spec.latency_limit_ms)
    tuned = alone = None
    if pick is not None:
        after = TrainSpec(run, pick, "finetune", contest.epochs, spec.seed, version=contest.version)
        done, _ = yield Step(after, f"{about}: finetuning its pick", number + 1)
        tuned = _tested(store, done)
        fresh = replace(after, mode="retrain")
        done, _ = yield Step(fresh, f"{about}: training its pick alone", number + 2)
        alone = _tested(store, done)
    return Entry(
        strategy=spec.strategy,
        seed=spec.seed,
        run=run,
        epochs=spec.epochs,
        seconds=training + front,
        peak_bytes=peak,
        hypervolume=_area(view, _latency(contest, store, run)),
        pick=pick,
        pick_ms=view.candidates[pick].latency_ms if pick else None,
        finetuned=tuned,
        retrained=alone,
    )


def _tested(store: Store, number: int) -> float:
    return store.view(number).trained[-1].test_accuracy


def _area(view: View, latency: LatencyModel) -> float:
    """Share of (0..slowest ms) x (0..1 error) that the front's proxies dominate."""
    points = [(c.predicted_ms, 1 - c.proxy_accuracy) for c in view.front()]
    return hypervolume(points, (latency.slowest_ms, 1.0)) / latency.slowest_ms


def _space(contest: CompareSpec, store: Store, number: int) -> SearchSpace:
    """The space as it was searched, with the classes of its images."""
    data = store.view(number).data
    assert data is not None, number
    return contest.space.with_data(len(data.classes))


def _latency(contest: CompareSpec, store: Store, number: int) -> LatencyModel:
    key = open_device(contest.device).key
    model = load_model(store, key, _space(contest, store, number))
    assert model is not None, "the searches measured it"
    return model


# -- the baseline ----------------------------------------------------------------------------------


def _baseline(
    contest: CompareSpec, entries: Sequence[Entry], store: Store
) -> Generator[Step, Done, list[float]]:
    """Accuracy of random networks of the picks' latencies, each trained from scratch once."""
    host = entries[0].run  # any search: a training from scratch takes space and recipe from it
    space, latency = _space(contest, store, host), _latency(contest, store, host)
    names = random_networks(space, latency, contest)
    first = len(phases(contest)) - RANDOM
    found = []
    for i, arch in enumerate(names):
        spec = TrainSpec(host, arch, "retrain", contest.epochs, i, version=contest.version)
        words = f"random network {i + 1} of {len(names)}: training it alone"
        run, _ = yield Step(spec, words, first + i)
        found.append(_tested(store, run))
    return found


def random_networks(space: SearchSpace, latency: LatencyModel, contest: CompareSpec) -> list[str]:
    """Different random networks moved into the window below the limit, the same every time."""
    rng = random.Random(contest.seeds)
    limit = min(contest.latency_limit_ms, latency.slowest_ms)
    found: dict[str, None] = {}
    for _ in range(50 * RANDOM):
        target = max(latency.fastest_ms, rng.uniform(*WINDOW) * limit)
        found[str(move_to(space, latency, space.sample(rng), target, rng))] = None
        if len(found) == RANDOM:
            break
    return list(found)
