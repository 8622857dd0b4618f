"""The run that looks for gradient conflicts in the shared weights of a search, place by place.

Resumable without a checkpoint: a place is told, then its `Progress`, and each place has randomness
of its own, so the log says where to go on.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch

from engine.batches import load_splits
from engine.clock import Clock
from engine.cost import network_cost
from engine.events import Event, Finished, Progress, Resumed
from engine.explain.conflicts import conflicts_of, contested, some_batches
from engine.inherit import trained_supernet
from engine.memory import images_at_once, require_memory
from engine.recipe import recipe_for
from engine.run import flips
from engine.spec import ConflictSpec, Spec
from engine.store import Store
from engine.train import use_threads
from engine.train_job import same_data

PHASE = "conflicts"


def conflicts(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Tells, for every place with a choice, which of its ops pull the shared weights apart.

    RunError for a search that trained only some networks, or each alone.
    """
    assert isinstance(spec, ConflictSpec), spec
    start = store.view(clock.run_id).step
    yield Resumed(start)
    clock.enter(PHASE)
    search, supernet = trained_supernet(store, spec.run, every=True)
    space = supernet.space
    data = same_data(store, spec.run, search)
    recipe = search.recipe or recipe_for(len(data.splits["weights"]))
    most = images_at_once(space)
    splits = load_splits(data, flip=flips(search.data), most=most, recipe=recipe)
    require_memory(space, recipe.batch)
    use_threads(network_cost(space, space.largest()).macs)
    genes = contested(space)
    generator = torch.Generator().manual_seed(spec.seed)
    batches = some_batches(splits["weights"], recipe.batch, spec.batches, generator)
    for number, gene in enumerate(genes[start:], start):

        def tick(share: float, number: int = number) -> None:
            clock.tick((number + share) / len(genes), f"place {number + 1} of {len(genes)}")

        yield conflicts_of(
            supernet, gene, batches=batches, recipe=recipe, seed=spec.seed, tick=tick
        )
        yield Progress(number + 1, len(genes), PHASE)
    yield Finished("conflicts told", clock.seconds())
