"""The run that says how far a search can be trusted: trains networks alone, judges them both ways.

The test split is never touched. Every training is a unit of work with a `Progress` of its own, so
that a run that was cut off goes on with the next one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace

import torch

from engine.batches import Split, load_splits
from engine.build import build
from engine.clock import Clock
from engine.cost import network_cost
from engine.devices import open_device
from engine.errors import RunError
from engine.events import (
    Event,
    Finished,
    Progress,
    Resumed,
    StandAlone,
    Trusted,
    View,
    Warned,
)
from engine.front.filter import Filter
from engine.inherit import trained_supernet
from engine.latency import LatencyModel, profile
from engine.memory import images_at_once
from engine.methods import METHODS
from engine.recipe import Recipe, recipe_for
from engine.run import flips
from engine.space import Arch, SearchSpace
from engine.spec import Spec, TrustSpec
from engine.store import Progressing, Store
from engine.supernet import SuperNet
from engine.train import Tick, accuracy, fit, recalibrate_bn, use_threads
from engine.train_job import same_data
from engine.trust.figures import Evidence, Judged, measured
from engine.trust.plan import Plan, Unit, plan
from engine.trust.verdict import FEWEST, verdict

Splits = dict[str, Split]
Known = dict[Unit, StandAlone]


def judge(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Trains what is not trained yet, then tells the figures and the verdict.

    RunError for a search that trained every network alone.
    """
    assert isinstance(spec, TrustSpec), spec
    begun = store.view(clock.run_id)
    yield Resumed(begun.step)
    clock.enter("data")
    search, supernet = trained_supernet(store, spec.run)
    space = supernet.space
    data = same_data(store, spec.run, search)
    recipe = search.recipe or recipe_for(len(data.splits["weights"]))
    most = images_at_once(space)
    splits = load_splits(data, flip=flips(search.data), most=most, recipe=recipe)
    clock.enter("device")
    latency = profile(store, space, open_device(search.device), clock.tick)
    kept = Filter(space, latency, search.latency_limit_ms, search.limits)
    chosen = plan(spec, search, store.view(spec.run), kept)
    if not METHODS[search.strategy].every:
        chosen = replace(chosen, subnets=_evaluated(store.view(spec.run), spec))
    known = _known(store.view(clock.run_id).stand_alone, spec, recipe)
    yield from _trainings(chosen, known, space, splits, spec=spec, recipe=recipe, clock=clock)
    clock.enter("compare")
    yield from _warnings(chosen)
    evidence = _evidence(chosen, known, supernet, splits, latency=latency, on_progress=clock.tick)
    report = measured(evidence)
    found = verdict(report)
    about = {"search": spec.run, "epochs": spec.epochs, "recipe": recipe.digest()}
    said = {"colour": found.colour, "title": found.title, "sentences": list(found.sentences)}
    yield Trusted({**about, **report, **said})
    yield Finished("judged", clock.seconds())


def _evaluated(view: View, spec: TrustSpec) -> tuple[str, ...]:
    """Networks that the search evaluated, from fastest to slowest: it trained no others.

    RunError for fewer than eight, which make no ranking.
    """
    found = sorted(view.fresh(), key=lambda c: (c.predicted_ms, c.arch))
    if len(found) < FEWEST:
        raise RunError(
            f"run {spec.run}: must have evaluated at least {FEWEST} networks to be ranked, "
            f"got {len(found)}.",
            "Search with more epochs, or a lower limit.",
        )
    count = min(spec.subnets, len(found))
    return tuple(found[round(i * (len(found) - 1) / (count - 1))].arch for i in range(count))


def _known(done: list[StandAlone], spec: TrustSpec, recipe: Recipe) -> Known:
    """What was trained before, as far as it was trained in the same way."""
    how = spec.epochs, recipe.digest()
    return {Unit(e.arch, e.seed): e for e in done if (e.epochs, e.recipe) == how}


def _trainings(
    chosen: Plan,
    known: Known,
    space: SearchSpace,
    splits: Splits,
    *,
    spec: TrustSpec,
    recipe: Recipe,
    clock: Clock,
) -> Iterator[Event]:
    """The missing trainings; adds them to `known` and counts all that are there as steps."""
    units = chosen.units()
    todo = [unit for unit in units if unit not in known]
    step = clock.store.view(clock.run_id).step
    clock.enter("train alone")
    for i, unit in enumerate(todo):
        words = f"training {len(units) - len(todo) + i + 1} of {len(units)}"

        def tick(share: float, done: int = i, words: str = words) -> None:
            clock.tick((done + share) / len(todo), words)

        found = alone(space, splits, unit, epochs=spec.epochs, recipe=recipe, tick=tick)
        known[unit] = StandAlone(unit.arch, unit.seed, found, spec.epochs, recipe.digest())
        yield known[unit]
        step += 1
        yield Progress(step, step + len(todo) - i - 1, "train alone")


def alone(
    space: SearchSpace,
    splits: Splits,
    unit: Unit,
    *,
    epochs: int,
    recipe: Recipe,
    tick: Tick,
) -> float:
    """Accuracy on the architecture split of one network trained from scratch with one seed.

    Without a teacher, whatever the recipe says: answers of the shared weights would make it agree
    with them.
    """
    arch = Arch.parse(unit.arch)
    use_threads(network_cost(space, arch).macs)
    torch.manual_seed(unit.seed)
    generator = torch.Generator().manual_seed(unit.seed)
    network = build(space.layers(arch), generator)
    for _ in fit(network, splits, recipe=recipe, epochs=epochs, generator=generator, tick=tick):
        pass  # the epochs of dozens of networks are not this run's story
    return accuracy(network, splits["architecture"])


def _warnings(chosen: Plan) -> Iterator[Warned]:
    if chosen.pick is None:
        yield Warned("The search has found no network within its limit yet: none is compared.")
    elif len(chosen.others) < FEWEST:
        low, high = chosen.window_ms
        yield Warned(
            f"Only {len(chosen.others)} other networks lie between {low:.3g} and {high:.3g} ms: "
            f"the pick cannot be compared with {FEWEST}."
        )


def _evidence(
    chosen: Plan,
    known: Known,
    supernet: SuperNet,
    splits: Splits,
    *,
    latency: LatencyModel,
    on_progress: Progressing,
) -> Evidence:
    """Everything judged with the shared weights as they are now, beside what was trained alone."""
    use_threads(network_cost(supernet.space, supernet.space.largest()).macs)
    wanted: dict[str, list[int]] = {}
    for unit in chosen.units():
        wanted.setdefault(unit.arch, []).append(unit.seed)
    nets = {}
    for i, (arch, seeds) in enumerate(wanted.items()):
        on_progress(i / len(wanted), f"network {i + 1} of {len(wanted)}")
        pairs = tuple((seed, known[Unit(arch, seed)].accuracy) for seed in seeds)
        nets[arch] = judged(supernet, splits, Arch.parse(arch), alone=pairs, latency=latency)
    labels = splits["architecture"].labels
    return Evidence(
        subnets=tuple(_limited(nets[arch], chosen.seeds) for arch in chosen.subnets),
        pick=_limited(nets[chosen.pick], chosen.pick_seeds) if chosen.pick else None,
        others=tuple(nets[arch] for arch in chosen.others),
        window_ms=chosen.window_ms,
        guess=int(labels.bincount().max()) / len(labels),
        images=len(labels),
        prediction=asdict(latency.prediction),
    )


def _limited(network: Judged, seeds: tuple[int, ...]) -> Judged:
    """The network with its trainings of these seeds: in another role it may have had more."""
    return replace(network, alone=tuple(pair for pair in network.alone if pair[0] in seeds))


def judged(
    supernet: SuperNet,
    splits: Splits,
    arch: Arch,
    *,
    alone: tuple[tuple[int, float], ...],
    latency: LatencyModel,
) -> Judged:
    """The network with its proxy accuracy, before and after batch norm is recalibrated."""
    network = supernet.subnet(arch)
    raw = accuracy(network, splits["architecture"])
    recalibrate_bn(network, splits["weights"])
    proxy = accuracy(network, splits["architecture"])
    cost = network_cost(supernet.space, arch)
    ms = latency.predict(arch)
    return Judged(str(arch), ms, cost.params, cost.macs, proxy, raw, alone)
