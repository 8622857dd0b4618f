"""Strategies side by side: the same cost for each, the same trainings after, one table; no torch.

For every seed each strategy searches with about the same seconds of training and judging (a pilot
run tells what its epochs cost). Its pick, the most accurate network measured within the limit, is
then finetuned from its own shared weights, and trained from scratch, with one recipe for all.
Random networks of the picks' latencies are trained from scratch in the same way: what a pick gains
over them is the relative improvement (Yang, Esperança, Carlucci 2020). Every step is a run of the
workspace, so a comparison that was cut off goes on where it was.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.devices import open_device
from engine.errors import RunError
from engine.events import Progress, View
from engine.evolution import move_to
from engine.latency import LatencyModel, load_model
from engine.methods import METHODS
from engine.pareto import hypervolume
from engine.space import SearchSpace
from engine.spec import RunSpec, Spec, TrainSpec
from engine.store import Store
from engine.trust import improvement
from engine.trust_plan import picked

PILOT_EPOCHS, PILOT_SEED = 4, 10_007
WINDOW = (0.85, 1.0)  # of the limit: where the random networks of the baseline lie
RANDOM = 8
GENERATIONS, PER_GENERATION = 10, 4  # as in the front phase: one for four epochs, ten at most

Runner = Callable[[Spec, str], tuple[int, int]]
"""Does a run, said in words; its id and the most bytes of memory that it took (0: not known)."""


@dataclass(frozen=True, slots=True)
class Contest:
    """What is compared: `base` has space, data, device and limit; `budget_s` is for each search."""

    base: RunSpec
    strategies: tuple[str, ...]
    seeds: int
    budget_s: float
    epochs: int

    def __post_init__(self) -> None:
        for name in self.strategies:
            if name not in METHODS:
                known = ", ".join(METHODS)
                raise RunError(f"strategies: must be all or among {known}, got {name!r}.")
        if not 1 <= self.seeds <= 100:
            raise RunError(f"seeds: must be from 1 to 100, got {self.seeds}.")
        if not self.budget_s > 0:
            raise RunError(f"seconds per search: must be above 0, got {self.budget_s:g}.")


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


def compare(contest: Contest, store: Store, run: Runner) -> dict[str, Any]:
    """The whole comparison, as plain JSON; `run` does what is not there yet."""
    epochs = {name: _affordable(contest, name, store, run) for name in contest.strategies}
    entries = [
        _entry(contest, name, seed, epochs=epochs[name], store=store, run=run)
        for seed in range(contest.seeds)
        for name in contest.strategies
    ]
    baseline = _baseline(contest, entries, store, run)
    latency = _latency(contest, store, entries[0].run)
    return {
        "space": contest.base.space.name,
        "data": str(contest.base.data),
        "limit_ms": contest.base.latency_limit_ms,
        "budget_s": contest.budget_s,
        "seeds": contest.seeds,
        "epochs_after": contest.epochs,
        "reference": {"ms": latency.slowest_ms, "error": 1.0},
        "random": {
            "networks": len(baseline),
            "accuracy": statistics.fmean(baseline),
            "deviation": statistics.stdev(baseline),
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


def _affordable(contest: Contest, name: str, store: Store, run: Runner) -> int:
    """Epochs that fit into the budget, by what a short pilot run took."""
    spec = replace(
        contest.base,
        strategy=name,
        mode="",
        epochs=PILOT_EPOCHS,
        seed=PILOT_SEED,
        front="evolution",
    )
    number, _ = run(spec, f"{name}: a pilot for its cost")
    training, front, generations = _costs(store, number)
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
    contest: Contest, name: str, seed: int, *, epochs: int, store: Store, run: Runner
) -> Entry:
    spec = replace(contest.base, strategy=name, mode="", epochs=epochs, seed=seed)
    number, peak = run(spec, f"{name}, seed {seed}: searching")
    view = store.view(number)
    training, front, _ = _costs(store, number)
    pick = picked(view, spec.latency_limit_ms)
    tuned = alone = None
    if pick is not None:
        after = TrainSpec(number, pick, "finetune", contest.epochs, seed)
        tuned = _tested(store, run(after, f"{name}, seed {seed}: finetuning its pick")[0])
        fresh = replace(after, mode="retrain")
        alone = _tested(store, run(fresh, f"{name}, seed {seed}: training its pick alone")[0])
    return Entry(
        strategy=name,
        seed=seed,
        run=number,
        epochs=epochs,
        seconds=training + front,
        peak_bytes=peak,
        hypervolume=_area(view, _latency(contest, store, number)),
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


def _space(contest: Contest, store: Store, number: int) -> SearchSpace:
    """The space as it was searched, with the classes of its images."""
    data = store.view(number).data
    assert data is not None, number
    return contest.base.space.with_data(len(data.classes))


def _latency(contest: Contest, store: Store, number: int) -> LatencyModel:
    key = open_device(contest.base.device).key
    model = load_model(store, key, _space(contest, store, number))
    assert model is not None, "the searches measured it"
    return model


# -- the baseline ----------------------------------------------------------------------------------


def _baseline(contest: Contest, entries: Sequence[Entry], store: Store, run: Runner) -> list[float]:
    """Accuracy of random networks of the picks' latencies, each trained from scratch once."""
    host = entries[0].run  # any search: a training from scratch takes space and recipe from it
    space, latency = _space(contest, store, host), _latency(contest, store, host)
    names = random_networks(space, latency, contest)
    found = []
    for i, arch in enumerate(names):
        spec = TrainSpec(host, arch, "retrain", contest.epochs, i)
        number, _ = run(spec, f"baseline: random network {i + 1} of {len(names)}")
        found.append(_tested(store, number))
    return found


def random_networks(space: SearchSpace, latency: LatencyModel, contest: Contest) -> list[str]:
    """Different random networks moved into the window below the limit, the same every time."""
    rng = random.Random(contest.seeds)
    limit = min(contest.base.latency_limit_ms, latency.slowest_ms)
    found: dict[str, None] = {}
    for _ in range(50 * RANDOM):
        target = max(latency.fastest_ms, rng.uniform(*WINDOW) * limit)
        found[str(move_to(space, latency, space.sample(rng), target, rng))] = None
        if len(found) == RANDOM:
            break
    return list(found)
