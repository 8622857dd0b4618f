"""The run loop of a search: opens the problem, steps the strategy, stores events and checkpoints.

Crash rule: `Progress` is written before the checkpoint. A start appends `Resumed(step of the
checkpoint)`, and folding forgets what came after that step; so whatever a crash cut off is done
again and counted once.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import torch

from engine.batches import load_splits
from engine.checkpoint import load_checkpoint, save_checkpoint
from engine.clock import Clock, Plan
from engine.cost import network_cost
from engine.data import Dataset, prepare
from engine.devices import open_device
from engine.errors import DataError
from engine.events import Event, Finished, Progress, Resumed, Warned
from engine.front.filter import Filter
from engine.front.finalists import measure_finalists
from engine.inherit import begin, open_supernet, steps_written
from engine.jobs import calibrated, data_ready
from engine.latency import LatencyModel, load_model, profile, require_feasible
from engine.memory import images_at_once, require_memory
from engine.problem import Problem
from engine.recipe import recipe_for
from engine.space import SearchSpace
from engine.spec import DataChoice, RunSpec, Spec
from engine.start import require_same, require_shrinking
from engine.store import Store
from engine.strategies import SEPARATE, STRATEGIES, Strategy
from engine.train import use_threads

RARE = 0.01  # a share of the space within the limits that is worth a word


def search(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Runs or resumes a search; every event must be stored before the next is asked for."""
    assert isinstance(spec, RunSpec), spec
    run_id = clock.run_id
    folder = store.run_folder(run_id)
    state, warning = load_checkpoint(folder, steps_written(store, run_id))
    start = int(state["step"]) if state else 0
    yield Resumed(start)
    if warning:
        yield Warned(warning)
    data, space = open_data(spec, store, clock)
    if start == 0 and spec.start is not None:
        require_same(store, spec.start, space, data.hash)
    latency = open_latency(spec, space, store, clock)
    if start == 0:
        yield from _opening(spec, space, data, latency)
    elif (known := store.view(run_id).data) and known.hash != data.hash:
        raise DataError(f"data: the images of run {run_id} changed since it began.", "Search anew.")
    problem = open_problem(spec, space, data, latency)
    if start == 0:
        yield from _share(problem, device_name(spec))
    if start == 0 and spec.start is not None:
        require_shrinking(problem.filter, spec.start)
        begin(problem.supernet, store, spec.start)
    strategy = STRATEGIES[spec.strategy](problem)
    if state:
        restore(state, problem, strategy)
    before_s = float(state["seconds"]) if state else 0.0
    steps = strategy.steps + 1
    plan = _plan(strategy)
    for step in range(start, strategy.steps):
        begun = clock.seconds()
        problem.tick = _ticker(clock, plan, step)
        problem.tick(0.0)
        yield from strategy.step(step)
        plan.done(step, clock.seconds() - begun)
        yield Progress(step + 1, steps, strategy.phase(step))
        seconds = before_s + clock.seconds()
        save_checkpoint(folder, freeze(problem, strategy, step=step + 1, seconds=seconds))
    clock.enter("measure")
    device = open_device(spec.device)
    yield from measure_finalists(
        problem.supernet,
        device,
        store.view(run_id),
        limit_ms=spec.latency_limit_ms,
        yardstick_ns=latency.yardstick_ns,
        on_progress=clock.tick,
    )
    yield Progress(steps, steps, "measure")
    yield Finished("budget used", before_s + clock.seconds())


def open_data(spec: RunSpec, store: Store, clock: Clock) -> tuple[Dataset, SearchSpace]:
    """The prepared images, and the space with a classifier for their classes."""
    clock.enter("data")
    folder = store.folder / "data"
    data = prepare(spec.data, folder, spec.space.input, clock.tick)
    return data, spec.space.with_data(len(data.classes))


def open_latency(spec: RunSpec, space: SearchSpace, store: Store, clock: Clock) -> LatencyModel:
    """The calibrated latency of `space` on the device, measured now if the workspace has none.

    Raises InfeasibleLimit for a limit below the fastest architecture.
    """
    device = open_device(spec.device)
    model = load_model(store, device.key, space)
    if model is None:
        clock.enter("device")
        model = profile(store, space, device, clock.tick)
    require_feasible(model, spec.latency_limit_ms, device.name)
    return model


def _opening(
    spec: RunSpec, space: SearchSpace, data: Dataset, latency: LatencyModel
) -> Iterator[Event]:
    yield data_ready(data)
    yield calibrated(latency)
    if space.classes != spec.space.classes:
        yield Warned(
            f"The space says {spec.space.classes} classes, the data has {space.classes}: "
            f"the classifier was made for {space.classes}."
        )
    if spec.latency_limit_ms >= latency.slowest_ms:
        yield Warned(
            f"The limit excludes nothing: the slowest network needs {latency.slowest_ms:.3g} ms."
        )


def _share(problem: Problem, device: str) -> Iterator[Event]:
    """Says what share of the space keeps the limits; InfeasibleLimit if next to none does."""
    share = problem.filter.require_possible(device, problem.spec.seed)
    if share < RARE:
        yield Warned(
            f"Only about {100 * share:.2g} % of the networks drawn keep all limits: "
            "the search looks there, and takes longer."
        )


def device_name(spec: RunSpec) -> str:
    """What the device of a search is called."""
    return open_device(spec.device).name


def open_problem(
    spec: RunSpec, space: SearchSpace, data: Dataset, latency: LatencyModel
) -> Problem:
    """The bundle that a strategy works on; all randomness starts from the spec's seed."""
    use_threads(network_cost(space, space.largest()).macs)
    recipe = spec.recipe or recipe_for(len(data.splits["weights"]))
    most = images_at_once(space)
    splits = load_splits(data, flip=flips(spec.data), most=most, recipe=recipe)
    require_memory(space, recipe.batch, separate=SEPARATE.get(spec.strategy, 0))
    torch.manual_seed(spec.seed)  # dropout draws from torch's own stream, saved in checkpoints too
    generator = torch.Generator().manual_seed(spec.seed)
    return Problem(
        spec,
        space,
        splits,
        latency,
        open_supernet(spec, space, generator),
        recipe,
        Filter(space, latency, spec.latency_limit_ms, spec.limits),
        random.Random(spec.seed),
        generator,
        lambda _: None,
    )


def flips(data: DataChoice) -> bool:
    """Whether mirrored images keep their class: known of CIFAR-10 only, so only it is mirrored."""
    return data.source == "cifar10"


def _plan(strategy: Strategy) -> Plan:
    steps = range(strategy.steps)
    return Plan([strategy.phase(s) for s in steps], [strategy.weight(s) for s in steps])


def _ticker(clock: Clock, plan: Plan, step: int) -> Any:
    begun = clock.seconds()

    def tick(share: float) -> None:
        if 0.0 < share < 1.0 and not clock.due():
            return  # called for every batch: the plan is summed up only when it will be told
        clock.tell(plan.status(step, share, clock.seconds() - begun), force=share == 0.0)

    return tick


def freeze(problem: Problem, strategy: Strategy, *, step: int, seconds: float) -> dict[str, Any]:
    """Everything that the steps from `step` on need, as tensors and plain values."""
    version, internal, gauss = problem.rng.getstate()
    return {
        "step": step,
        "seconds": seconds,
        "supernet": problem.supernet.state_dict(),
        "strategy": strategy.state_dict(),
        "rng": [version, list(internal), gauss],
        "generator": problem.generator.get_state(),
        "torch_rng": torch.get_rng_state(),
    }


def restore(state: dict[str, Any], problem: Problem, strategy: Strategy) -> None:
    """Puts `problem` and `strategy` where `freeze` saw them."""
    problem.supernet.load_state_dict(state["supernet"])
    strategy.load_state_dict(state["strategy"])
    version, internal, gauss = state["rng"]
    problem.rng.setstate((version, tuple(internal), gauss))
    problem.generator.set_state(state["generator"])
    torch.set_rng_state(state["torch_rng"])
