"""Training one architecture of a search: finetuning shared weights, or retraining from scratch."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from engine.batches import Split, load_splits
from engine.build import build
from engine.clock import Clock
from engine.cost import network_cost
from engine.data import Dataset, prepare
from engine.errors import CheckpointError, DataError
from engine.events import Event, Finished, Resumed, Trained
from engine.memory import images_at_once
from engine.recipe import Recipe, recipe_for
from engine.run import flips, trained_supernet
from engine.space import Arch
from engine.spec import RunSpec, Spec, TrainSpec
from engine.store import Store
from engine.supernet import SuperNet
from engine.train import accuracy, fit, recalibrate_bn, use_threads

WEIGHTS = "model.safetensors"
FINETUNE_LR = 0.2  # of the recipe's: inherited weights are moved gently


def train(spec: Spec, store: Store, clock: Clock) -> Iterator[Event]:
    """Trains, judges on the architecture split, and touches the test split once, at the end."""
    assert isinstance(spec, TrainSpec), spec
    yield Resumed(0)
    clock.enter("train")
    search, supernet = trained_supernet(store, spec.run)
    arch = supernet.space.require(Arch.parse(spec.arch))
    most = images_at_once(supernet.space)
    data = same_data(store, spec.run, search)
    recipe = search.recipe or recipe_for(len(data.splits["weights"]))
    splits = load_splits(data, flip=flips(search.data), most=most, recipe=recipe)
    use_threads(network_cost(supernet.space, arch).macs)
    torch.manual_seed(spec.seed)
    generator = torch.Generator().manual_seed(spec.seed)
    network: nn.Module = supernet.subnet(arch)
    recalibrate_bn(network, splits["weights"])
    proxy = accuracy(network, splits["architecture"])
    teacher = _teacher(supernet, splits["weights"]) if recipe.distill > 0.0 else None
    if spec.mode == "finetune":
        recipe = _gentler(recipe)
    else:
        network = build(supernet.space.layers(arch), generator)
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
    """A network ready to be exported; `times_tested`: trainings of it that saw the test split."""

    network: nn.Sequential
    proxy_accuracy: float
    trained: Trained | None
    times_tested: int


def best_weights(store: Store, run_id: int, arch: Arch, splits: dict[str, Split]) -> Weights:
    """The network of `arch` with its most accurate weights (architecture split), batch norm ready.

    The event is that of the training they come from; without one they are the shared weights,
    `proxy` their accuracy.
    """
    _, supernet = trained_supernet(store, run_id)
    network = supernet.subnet(supernet.space.require(arch))
    recalibrate_bn(network, splits["weights"])
    proxy = accuracy(network, splits["architecture"])
    known = trainings(store, run_id, arch)
    event, path = max(known, key=lambda pair: pair[0].accuracy, default=(None, Path()))
    if event is None or event.accuracy < proxy:
        return Weights(network, proxy, None, len(known))
    _load(network, path)
    return Weights(network, proxy, event, len(known))


def trainings(store: Store, run_id: int, arch: Arch) -> list[tuple[Trained, Path]]:
    """Every finished training of `arch` in search `run_id`, with the file of its weights."""
    return [
        (event, store.run_folder(run.id) / WEIGHTS)
        for run in store.runs(TrainSpec.kind)
        if isinstance(run.spec, TrainSpec) and (run.spec.run, run.spec.arch) == (run_id, str(arch))
        for event in store.view(run.id).trained
    ]


def _load(network: nn.Module, path: Path) -> None:
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path.parent.name}/{path.name}: cannot be read: {str(error)[:120]}.",
            "Train it again.",
        ) from error
    network.eval()


def _teacher(supernet: SuperNet, split: Split) -> nn.Module:
    """The largest network with the shared weights, ready to answer."""
    network = supernet.subnet(supernet.space.largest())
    recalibrate_bn(network, split)
    return network


def _gentler(recipe: Recipe) -> Recipe:
    return replace(recipe, lr=recipe.lr * FINETUNE_LR)
