"""The twelve checks of Yang, Esperança, Carlucci (2020) on a search, from what its workspace knows.

Nothing is trained or measured here, and torch is not needed. What a check needs but nobody has
done yet is `open`, never passed over.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from engine.errors import RunError
from engine.events import Candidate, View
from engine.methods import METHODS
from engine.spec import ExportSpec, RunSpec, TrainSpec, TrustSpec
from engine.store import Run, Store
from engine.trust.figures import kendall
from engine.trust.plan import PICK_SEEDS
from engine.trust.verdict import FEWEST, TIMES, USEFUL

MET, FAILED, OPEN = "met", "failed", "open"
ARTEFACT = ("device", "runtime_version", "threads", "date", "load_average")


@dataclass(frozen=True, slots=True)
class Check:
    """One check: its number and title, `met`, `failed` or `open`, and a sentence of why."""

    number: int
    title: str
    state: str
    says: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What the checks look at: a search, its newest trust report, and the runs around it."""

    run: Run
    search: RunSpec
    view: View
    report: dict[str, Any] | None
    runs: tuple[Run, ...]
    store: Store
    exporting: str


def checks(store: Store, run_id: int, *, exporting: str = "") -> list[Check]:
    """The twelve checks on search `run_id`, in their order; RunError if the run is no search.

    `exporting`: hash of an ONNX file that is about to be recorded, as if it were already.
    """
    run = store.run(run_id)
    if not isinstance(run.spec, RunSpec):
        raise RunError(f"run: must be a search, but run {run_id} is of kind {run.spec.kind}.")
    report = newest_report(store, run_id)
    view, runs = store.view(run_id), tuple(store.runs())
    facts = Facts(run, run.spec, view, report, runs, store, exporting)
    return [
        Check(number, title, *ask(facts)) for number, (title, ask) in enumerate(CHECKS.items(), 1)
    ]


def newest_report(store: Store, run_id: int) -> dict[str, Any] | None:
    """The last trust report on search `run_id`, None without one."""
    for run in store.runs(TrustSpec.kind):
        if isinstance(run.spec, TrustSpec) and run.spec.run == run_id:
            trusted = store.view(run.id).trusted
            if trusted is not None:
                return trusted.report
    return None


Answer = tuple[str, str]


def _unasked(facts: Facts, missing: str) -> Answer:
    """Open: nobody asked the trust meter, or it cannot judge such a search."""
    if METHODS[facts.search.strategy].shared:
        return OPEN, f"{missing}: ask the trust meter."
    return OPEN, f"{missing}: the trust meter judges shared weights, and this search has none."


def _random_baseline(facts: Facts) -> Answer:
    found = _improvement(facts)
    if found is None:
        return _unasked(facts, "Not compared with random networks yet")
    ri = f"{100 * found['ri']:+.1f} % ± {100 * found['se']:.1f} of that"
    spread = f"{100 * found['random_mean']:.1f} % ± {100 * found['random_sd']:.1f} (s.d.)"
    says = (
        f"{found['n_random']} random networks of its latency reach {spread}; the pick gains {ri}."
    )
    return (MET if found["n_random"] >= FEWEST else FAILED), says


def _seeds(facts: Facts) -> Answer:
    found = _improvement(facts)
    if found is None:
        return _unasked(facts, "Nothing was trained with several seeds yet")
    seeds = {seed for network in found["random"] for seed, _ in network["alone"]}
    real = "real" if found["real"] else "not shown to be real"
    says = (
        f"Pick with {found['n_pick']} seeds (s.d. {100 * found['pick_sd']:.2f} points), random "
        f"networks with {len(seeds)}; the difference is {real} at two standard errors."
    )
    return (MET if min(found["n_pick"], len(seeds)) >= PICK_SEEDS else FAILED), says


def _recipe(facts: Facts) -> Answer:
    fresh = facts.view.fresh()
    if not fresh:
        return OPEN, "Nothing was evaluated yet."
    recipes = {c.recipe for c in fresh}
    if facts.report:
        recipes.add(facts.report["recipe"])
    if "" in recipes:
        return FAILED, "Some points do not say which recipe they were trained with."
    if len(recipes) > 1:
        return FAILED, f"Points come from {len(recipes)} recipes, which do not compare."
    return MET, f"All {len(fresh)} points were trained with recipe {min(recipes)}."


def _space(facts: Facts) -> Answer:
    if facts.report is None:
        return _unasked(facts, "The spread of the space is not known yet")
    spread = facts.report["spread"]
    gap, seed = 100 * spread["range"], 100 * spread["seed_sd"]
    says = f"Accuracy ranges over {gap:.1f} points; a seed changes {seed:.2f} (s.d.)"
    if spread["range"] > 0 and (spread["times"] is None or spread["times"] >= TIMES):
        return MET, f"{says}."
    return FAILED, f"{says}: this space cannot be searched meaningfully."


def _splits(facts: Facts) -> Answer:
    data = facts.view.data
    if data is None:
        return OPEN, "The images were not read yet."
    tested = _tests_of_exported(facts)
    sizes = ", ".join(f"{name} {count:,}" for name, count in data.splits.items())
    if max(tested.values(), default=0) > 1:
        most = max(tested.values())
        return FAILED, f"An exported network saw the test split {most} times; once is right."
    return MET, f"Splits {sizes}, hash {data.hash[:12]}; the test split is for exports alone."


def _tests_of_exported(facts: Facts) -> dict[str, int]:
    """Per exported architecture: finished trainings, each of which saw the test split once."""
    exported = [
        run.spec.arch for run in facts.runs if isinstance(run.spec, ExportSpec) and _of(facts, run)
    ]
    counts = dict.fromkeys(exported, 0)
    for run in facts.runs:
        if isinstance(run.spec, TrainSpec) and _of(facts, run) and run.spec.arch in counts:
            counts[run.spec.arch] += len(facts.store.view(run.id).trained)
    return counts


def _same_size(facts: Facts) -> Answer:
    shape = facts.search.space.input
    size = f"{shape.size}x{shape.size} pixels"
    if facts.report is None:
        return MET, f"Searched and exported networks have the same layers, widths and {size}."
    longest = max(
        (r.spec.epochs for r in facts.runs if isinstance(r.spec, TrainSpec) and _of(facts, r)),
        default=0,
    )
    says = f"The same layers, widths and {size} in search and final network"
    if longest > facts.report["epochs"]:
        says += f"; stand-alone trainings had {facts.report['epochs']} of {longest} epochs"
    tau = facts.report["tau"]["value"]
    return MET, f"{says}; shared weights rank {facts.report['n']} networks with tau {tau:.2f}."


def _of(facts: Facts, run: Run) -> bool:
    return getattr(run.spec, "run", None) == facts.run.id


def _rank(facts: Facts) -> Answer:
    if facts.report is None:
        return _unasked(facts, "Rank correlation not measured yet")
    tau, ceiling = facts.report["tau"], facts.report["ceiling"]["value"]
    span = f"{tau['low']:.2f} to {tau['high']:.2f}"
    says = f"tau {tau['value']:.2f} ({span}) over {facts.report['n']} networks, "
    says += f"noise ceiling {ceiling:.2f}."
    return (MET if tau["value"] >= USEFUL else FAILED), says


def _ablation(facts: Facts) -> Answer:
    if facts.search.strategy == "random_search":
        return MET, "This search is the random baseline itself."
    same = [
        run
        for run in facts.runs
        if isinstance(run.spec, RunSpec)
        and run.spec.strategy == "random_search"
        and run.state == "finished"
        and _budget(run.spec) == _budget(facts.search)
    ]
    if not same:
        return OPEN, "Random search with the same budget was not run yet."
    limit = facts.search.latency_limit_ms
    ours, theirs = facts.view.best(limit), facts.store.view(same[0].id).best(limit)
    if ours is None or theirs is None:
        return MET, f"Run {same[0].id} is random search with the same budget."
    figures = f"{theirs.proxy_accuracy:.3f} against {ours.proxy_accuracy:.3f} here"
    return MET, f"Random search with the same budget (run {same[0].id}) has proxy {figures}."


def _budget(spec: RunSpec) -> tuple[object, ...]:
    limits = spec.latency_limit_ms, spec.limits
    return spec.space.digest(), spec.data, spec.device, limits, spec.epochs, spec.recipe


def _cost(facts: Facts) -> Answer:
    around = [r for r in facts.runs if r.id == facts.run.id or _of(facts, r) or _sibling(facts, r)]
    hours = sum(_seconds(run) for run in around) / 3600
    lost = sum(run.state != "finished" for run in around)
    searches = sum(isinstance(run.spec, RunSpec) for run in around)
    return MET, (
        f"{hours:.2f} device hours over {len(around)} runs: {searches} of them searches of this "
        f"space, {lost} not finished; pauses included."
    )


def _sibling(facts: Facts, run: Run) -> bool:
    """Whether a run is another search of the same space, so part of what the result cost."""
    spec = run.spec
    return isinstance(spec, RunSpec) and spec.space.digest() == facts.search.space.digest()


def _seconds(run: Run) -> float:
    return (run.ended_at or run.heartbeat_at) - run.created_at


def _latency(facts: Facts) -> Answer:
    limit = facts.search.latency_limit_ms
    front = [c for c in facts.view.front() if c.predicted_ms <= limit]
    if not front:
        return OPEN, "There is no front yet."
    known = [c for c in facts.view.candidates.values() if c.measured]
    missing = sum(c.measured is None for c in front)
    says = f"{len(front) - missing} of {len(front)} points of the front are measured"
    if len(known) >= 2:
        says += f"; {_model_error(known)}"
    return (FAILED if missing else MET), f"{says}."


def _model_error(known: list[Candidate]) -> str:
    predicted = np.array([c.predicted_ms for c in known])
    measured = np.array([c.latency_ms for c in known])
    rmse = float(np.sqrt(np.mean((predicted - measured) ** 2)))
    tau = float(kendall(predicted, measured))
    return f"predicted against measured: RMSE {rmse:.2g} ms, tau {tau:.2f}"


def _artefact(facts: Facts) -> Answer:
    calibrated, data = facts.view.calibrated, facts.view.data
    if calibrated is None or data is None:
        return OPEN, "Device and images are not recorded yet."
    missing = [key for key in ARTEFACT if key not in calibrated.device]
    if missing:
        return FAILED, f"The device does not tell {', '.join(missing)}."
    known = f"Settings, seed {facts.search.seed}, version {facts.search.version} and image hash"
    hashes = [e.report["onnx_sha256"][:12] for e in _exports(facts)]
    hashes += [facts.exporting[:12]] if facts.exporting else []
    if not hashes:
        return OPEN, f"{known} are recorded; no file was exported yet."
    return MET, f"{known} are recorded, and the hash of every ONNX file ({', '.join(hashes)})."


def _exports(facts: Facts) -> list[Any]:
    runs = [r for r in facts.runs if isinstance(r.spec, ExportSpec) and _of(facts, r)]
    return [event for run in runs for event in facts.store.view(run.id).exported]


def _no_silent_winners(facts: Facts) -> Answer:
    found = len(facts.view.candidates)
    if not found:
        return OPEN, "Nothing was evaluated yet."
    says = f"All {found} evaluated networks are in the log"
    if facts.view.filtered:
        refused = sum(facts.view.filtered.refused.values())
        says += f"; of {facts.view.filtered.asked:,} drawn, {refused:,} broke a limit as drawn"
    return MET, f"{says}."


def _improvement(facts: Facts) -> dict[str, Any] | None:
    found: dict[str, Any] | None = facts.report["improvement"] if facts.report else None
    return found


CHECKS = {
    "Random baseline": _random_baseline,
    "Seeds": _seeds,
    "One recipe": _recipe,
    "Spread of the space": _space,
    "Three splits": _splits,
    "Same size in search and final network": _same_size,
    "Rank correlation": _rank,
    "The search against chance": _ablation,
    "Full cost": _cost,
    "Latency measured": _latency,
    "Exact artefact": _artefact,
    "No silent winners": _no_silent_winners,
}
