"""Training one architecture of a search: finetuning what it left, or retraining from scratch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import nn

from engine.batches import Split, load_splits
from engine.build import build
from engine.clock import Clock
from engine.cost import network_cost
from engine.data import Dataset, prepare
from engine.errors import DataError
from engine.events import Event, Finished, Resumed, Trained, Warned
from engine.inherit import WEIGHTS, Left, left_by, read_weights, trainings
from engine.memory import images_at_once
from engine.recipe import Recipe, recipe_for
from engine.run import flips
from engine.space import Arch
from engine.spec import RunSpec, Spec, TrainSpec
from engine.store import Store
from engine.train import accuracy, fit, recalibrate_bn, use_threads

FINETUNE_LR = 0.2  # of the recipe's: inherited weights are moved gently


def train(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Trains, judges on the architecture split, and touches the test split once, at the end."""
    assert isinstance(spec, TrainSpec), spec
    yield Resumed(0)
    clock.enter("train")
    left = left_by(store, spec.run)
    search, arch = left.spec, left.space.require(Arch.parse(spec.arch))
    inherited = left.require(arch) if spec.mode == "finetune" else left.network(arch)
    most = images_at_once(left.space)
    data = same_data(store, spec.run, search)
    recipe = search.recipe or recipe_for(len(data.splits["weights"]))
    splits = load_splits(data, flip=flips(search.data), most=most, recipe=recipe)
    use_threads(network_cost(left.space, arch).macs)
    torch.manual_seed(spec.seed)
    generator = torch.Generator().manual_seed(spec.seed)
    proxy = None if inherited is None else _judged(inherited, splits)
    teacher = _teacher(left, splits["weights"]) if recipe.distill > 0.0 else None
    if teacher is None and recipe.distill > 0.0:
        yield Warned(f"Run {spec.run} left no shared weights to teach: trained without a teacher.")
    if spec.mode == "finetune":
        assert inherited is not None, "refused above"
        network, recipe = inherited, _gentler(recipe)
    else:
        network = build(left.space.layers(arch), generator)
    yield from fit(
        network,
        splits,
        recipe=recipe,
        epochs=spec.epochs,
        generator=generator,
        tick=lambda share: clock.tick(share, f"epoch {int(share * spec.epochs) + 1}"),
        teacher=teacher,
    )
    # Convolutions lie channels_last in memory, and files hold plain arrays.
    arrays = {name: tensor.contiguous() for name, tensor in network.state_dict().items()}
    save_file(arrays, store.run_folder(clock.run_id) / WEIGHTS)
    judged = (accuracy(network, splits["architecture"]), accuracy(network, splits["test"]))
    yield Trained(str(arch), spec.mode, proxy, *judged, clock.seconds(), recipe.digest())
    yield Finished("trained", clock.seconds())


def same_data(store: Store, run_id: int, search: RunSpec) -> Dataset:
    """The images that search `run_id` used; DataError if they are not what they were."""
    folder = store.folder / "data"
    data = prepare(search.data, folder, search.space.input, lambda *_: None)
    known = store.view(run_id).data
    if known is not None and known.hash != data.hash:
        raise DataError(f"data: the images of run {run_id} changed since it ran.", "Search anew.")
    return data


@dataclass(frozen=True, slots=True)
class Weights:
    """A network ready to be exported; `times_tested`: trainings of it that saw the test split.

    `shared`: what its search left are shared weights, not those of single networks.
    """

    network: nn.Sequential
    proxy_accuracy: float | None
    trained: Trained | None
    times_tested: int
    shared: bool = True


def best_weights(store: Store, run_id: int, arch: Arch, splits: dict[str, Split]) -> Weights:
    """The network of `arch` with its most accurate weights (architecture split), batch norm ready.

    The event is that of the training they come from; without one they are those that the search
    left, `proxy` their accuracy. RunError if there are neither.
    """
    left = left_by(store, run_id)
    known = trainings(store, run_id, arch)
    event, path = max(known, key=lambda pair: pair[0].accuracy, default=(None, Path()))
    network = left.require(arch) if event is None else left.network(arch)
    proxy = None if network is None else _judged(network, splits)
    if event is not None and (proxy is None or proxy <= event.accuracy):
        network = network or build(left.space.layers(arch))
        read_weights(network, path)
        return Weights(network, proxy, event, len(known), left.shared)
    assert network is not None, "refused above"
    return Weights(network, proxy, None, len(known), left.shared)


def _judged(network: nn.Module, splits: dict[str, Split]) -> float:
    """Accuracy on the architecture split, once batch norm is recalibrated."""
    recalibrate_bn(network, splits["weights"])
    return accuracy(network, splits["architecture"])


def _teacher(left: Left, split: Split) -> nn.Module | None:
    """The largest network that was trained, ready to answer; None where no weights are shared."""
    if not left.shared:
        return None
    start = left.spec.start
    network = left.require(Arch.parse(start.arch) if start else left.space.largest())
    recalibrate_bn(network, split)
    return network


def _gentler(recipe: Recipe) -> Recipe:
    return replace(recipe, lr=recipe.lr * FINETUNE_LR)
