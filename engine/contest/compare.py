"""Strategies side by side: the same cost for each, the same trainings after, one table; no torch.

For every seed each strategy searches with about the same seconds of training and judging; two
pilots, a short one and one of about half the budget, tell what its epochs cost (`budget`). Its
pick, the most accurate network measured within the limit, is then finetuned from its own shared
weights, and trained from scratch, with one recipe for all. Random networks of the picks' latencies
are trained from scratch in the same way: what a pick gains over them is the relative improvement
(Yang, Esperança, Carlucci 2020). Random search is always part of it, since a strategy that does not
beat it is worth nothing. Who wins is said by the rule in `report`. What is to be done is asked for
step by step; every step is a run of the workspace, which others carry out (`job`).
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.contest import budget
from engine.contest.report import Entry, remarks, rows, shown, winner
from engine.devices import open_device
from engine.events import View
from engine.front.evolution import move_to
from engine.latency import LatencyModel, load_model
from engine.methods import METHODS
from engine.pareto import hypervolume
from engine.space import SearchSpace
from engine.spec import CompareSpec, RunSpec, Spec, TrainSpec
from engine.store import Store
from engine.trust.plan import picked

PILOT_EPOCHS, PILOT_SEED = 4, 10_007
PILOTS = ("pilot", "long pilot")
WINDOW = (0.85, 1.0)  # of the limit: where the random networks of the baseline lie
RANDOM = 8
PICKED = ("finetune", "retrain")
BASELINE = "random_search"
ALWAYS = f"{METHODS[BASELINE].title} is part of every comparison, asked for or not."


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


def entrants(contest: CompareSpec) -> tuple[str, ...]:
    """The strategies that are compared: those asked for, and random search if it is not there."""
    return tuple(dict.fromkeys((*contest.strategies, BASELINE)))


def phases(contest: CompareSpec) -> list[str]:
    """What kind each step is, in order: pilots, then search, finetune, retrain, then baseline.

    Steps that turn out not to be needed are left out (no pick, no training), and the others keep
    their place.
    """
    count = len(entrants(contest))
    each = ["search", *PICKED] * (contest.seeds * count)
    return [*PILOTS * count, *each, *["baseline"] * RANDOM]


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
    names = entrants(contest)
    epochs = {}
    for i, name in enumerate(names):
        epochs[name] = yield from _affordable(contest, name, store, number=len(PILOTS) * i)
    entries: list[Entry] = []
    for seed in range(contest.seeds):
        for name in names:
            number = len(PILOTS) * len(names) + 3 * len(entries)
            spec = _search(contest, name, epochs[name], seed=seed)
            entries.append((yield from _entry(contest, spec, store, number=number)))
    baseline = yield from _baseline(contest, entries, store)
    return _report(contest, entries, baseline, _latency(contest, store, entries[0].run))


def _search(contest: CompareSpec, name: str, epochs: int, *, seed: int) -> RunSpec:
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


def _report(
    contest: CompareSpec, entries: Sequence[Entry], baseline: Sequence[float], latency: LatencyModel
) -> dict[str, Any]:
    found = rows(entries, baseline)
    added = [] if BASELINE in contest.strategies else [ALWAYS]
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
        "strategies": found,
        "winner": winner(found, contest.budget_s),
        "remarks": [*remarks(found, contest.budget_s), *added],
        "runs": [shown(entry) for entry in entries],
    }


# -- one search ------------------------------------------------------------------------------------


def _affordable(
    contest: CompareSpec, name: str, store: Store, *, number: int
) -> Generator[Step, Done, int]:
    """Epochs that fit into the budget, by what two pilots of different length took."""
    title, short = METHODS[name].title, PILOT_EPOCHS
    spec = _search(contest, name, short, seed=PILOT_SEED)
    run, _ = yield Step(spec, f"{title}: a pilot for its cost", number)
    cost = budget.cost_of(store.timed(run))
    if cost.seconds > contest.budget_s:
        return budget.FEWEST  # the one choice that is left, whatever a longer pilot would say
    half = budget.price_of(short, cost).epochs(contest.budget_s / 2)
    long = max(2 * short, half)
    spec = replace(spec, epochs=long)
    run, _ = yield Step(spec, f"{title}: a longer pilot for its cost", number + 1)
    known = (short, cost), (long, budget.cost_of(store.timed(run)))
    return budget.price_by(*known).epochs(contest.budget_s)


def _entry(
    contest: CompareSpec, spec: RunSpec, store: Store, *, number: int
) -> Generator[Step, Done, Entry]:
    about = f"{METHODS[spec.strategy].title}, seed {spec.seed}"
    run, peak = yield Step(spec, f"{about}: searching", number)
    view = store.view(run)
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
        seconds=budget.cost_of(store.timed(run)).seconds,
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
