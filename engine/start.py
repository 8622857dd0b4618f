"""Refining a design: a search that starts from a trained network of another; rules, no torch.

What is taken over from that search, and what is refused; its weights are read elsewhere
(`inherit`).
"""

from __future__ import annotations

from engine.errors import DataError, RunError
from engine.front.filter import Filter
from engine.methods import METHODS
from engine.space import Arch, SearchSpace
from engine.spec import RunSpec, Start
from engine.store import Store

REFINING = next(name for name, method in METHODS.items() if method.shrinks)
"""The strategy that starts from a trained network."""


def origin(store: Store, start: Start) -> RunSpec:
    """The search that the network comes from.

    RunError for a run that is not there or no search, or that never trained that network.
    """
    spec = store.run(start.run).spec
    if not isinstance(spec, RunSpec):
        raise RunError(f"start: must be a search, but run {start.run} is of kind {spec.kind}.")
    arch = spec.space.require(Arch.parse(start.arch))
    if not is_trained(store, start.run, arch):
        raise RunError(
            f"start: run {start.run} must have trained the network, but never trained {arch}.",
            "Choose a network that it evaluated, or retrain this one first.",
        )
    return spec


def is_trained(store: Store, run_id: int, arch: Arch) -> bool:
    """Whether `arch` has weights: of a training of its own, or those that search `run_id` left."""
    spec, view = store.run(run_id).spec, store.view(run_id)
    assert isinstance(spec, RunSpec), spec.kind
    every = METHODS[spec.strategy].every
    if view.step > 0 and (every or str(arch) in view.candidates):
        return True
    return any(store.view(run.id).trained for run in store.trainings(run_id, str(arch)))


def require_same(store: Store, start: Start, space: SearchSpace, data_hash: str) -> None:
    """Refuses to start in another space than that of the network, or on other images.

    RunError or DataError.
    """
    known = store.view(start.run).data
    if known is not None and known.hash != data_hash:
        raise DataError(
            f"start: the images must be those of run {start.run} ({known.name}), but they differ.",
            "Start on the same images, or search anew.",
        )
    require_space(store, start, space)


def require_space(store: Store, start: Start, space: SearchSpace) -> None:
    """RunError for another space than that of the network; its name and classes do not count."""
    own, classes = origin(store, start).space, space.classes
    if own.with_data(classes).digest() != space.digest():
        raise RunError(
            f"start: the space must be that of run {start.run} ({own.name}), but {space.name} is"
            " another.",
            "Leave the space out: it is taken from that run.",
        )


def require_shrinking(kept: Filter, start: Start) -> None:
    """RunError if the network to start from keeps all limits: nothing would be left to do."""
    arch = Arch.parse(start.arch)
    if not kept.keeps(arch):
        return
    ms = kept.latency.predict(arch)
    raise RunError(
        f"latency limit: must be below the {ms:.3g} ms that the network to start from needs, "
        f"predicted, got {kept.limit_ms:.3g} ms.",
        f"Ask for less than {ms:.3g} ms.",
    )


def refining(search: RunSpec, start: Start, limit_ms: float) -> RunSpec:
    """A search from `start` under another limit, in all else as `search`, which it is from."""
    return RunSpec(
        space=search.space,
        data=search.data,
        device=search.device,
        latency_limit_ms=limit_ms,
        strategy=REFINING,
        limits=search.limits,
        recipe=search.recipe,
        seed=search.seed,
        start=start,
    )
