"""What weights a search left, and how a network or another search takes them over.

Most strategies leave shared weights, of which every network is a slice; one that trains networks
alone leaves each its own. Nothing is trained or judged here.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from engine.build import build
from engine.checkpoint import load_checkpoint
from engine.errors import CheckpointError, RunError
from engine.events import Progress, Trained
from engine.methods import METHODS, require_judged
from engine.space import Arch, SearchSpace
from engine.spec import RunSpec, Start
from engine.store import Store
from engine.strategies import SEPARATE
from engine.supernet import SuperNet

WEIGHTS = "model.safetensors"
BASE = 4096  # numbers of weights are taken apart into two digits of this base, both exact as floats

State = dict[str, Tensor]


def steps_written(store: Store, run_id: int) -> set[int]:
    """Steps of a run whose `Progress` the log holds."""
    return {e.step for e in store.events_after(run_id)[0] if isinstance(e, Progress)}


def open_supernet(spec: RunSpec, space: SearchSpace, generator: torch.Generator) -> SuperNet:
    """The shared weights that a search works on, freshly drawn, in the form its strategy wants."""
    leaky, separate = spec.mode == "reference", spec.strategy in SEPARATE
    return SuperNet(space, generator, leaky=leaky, separate=separate)


@dataclass(frozen=True, slots=True)
class Left:
    """The weights of search `run` as of its last checkpoint (classes: the data's).

    `own`: those of networks that were trained alone, by architecture; what `supernet` holds then is
    no network's.
    """

    run: int
    spec: RunSpec
    supernet: SuperNet
    own: dict[str, State]

    @property
    def space(self) -> SearchSpace:
        """The space as it was searched."""
        return self.supernet.space

    @property
    def shared(self) -> bool:
        """Whether networks share weights."""
        return METHODS[self.spec.strategy].shared

    def network(self, arch: Arch) -> nn.Sequential | None:
        """A copy of the network with the weights that it has of this search; None if of none."""
        if self.shared:
            return self.supernet.subnet(arch)
        if str(arch) not in self.own:
            return None
        network = build(self.space.layers(arch))
        network.load_state_dict(self.own[str(arch)])
        return network

    def require(self, arch: Arch) -> nn.Sequential:
        """`network`; RunError if the search left it no weights."""
        network = self.network(arch)
        if network is None:
            raise RunError(
                f"run {self.run}: must have trained {arch} to go on from its weights, but"
                f" {METHODS[self.spec.strategy].title} trained only the networks it tells of.",
                "Choose one of them, or retrain this one.",
            )
        return network


def left_by(store: Store, run_id: int) -> Left:
    """What a search left; RunError for other runs, CheckpointError before its first checkpoint."""
    spec = store.run(run_id).spec
    if not isinstance(spec, RunSpec):
        raise RunError(f"run {run_id}: must be a search, got a {spec.kind} run.")
    state, _ = load_checkpoint(store.run_folder(run_id), steps_written(store, run_id))
    data = store.view(run_id).data
    if state is None or data is None:
        raise CheckpointError(f"run {run_id}: has no weights yet.", "Wait for its first epoch.")
    supernet = open_supernet(spec, spec.space.with_data(len(data.classes)), torch.Generator())
    supernet.load_state_dict(state["supernet"])
    return Left(run_id, spec, supernet, state["strategy"].get("own", {}))


def trained_supernet(store: Store, run_id: int, *, every: bool = False) -> tuple[RunSpec, SuperNet]:
    """A search's spec, and the weights that its networks share, to be judged.

    RunError where there are none; `every`: or where only some networks were trained in them.
    """
    spec = store.run(run_id).spec
    if isinstance(spec, RunSpec):
        require_judged(run_id, spec.strategy, every=every)
    left = left_by(store, run_id)
    return left.spec, left.supernet


def trainings(store: Store, run_id: int, arch: Arch) -> list[tuple[Trained, Path]]:
    """Every finished training of `arch` in search `run_id`, with the file of its weights."""
    return [
        (event, store.run_folder(run.id) / WEIGHTS)
        for run in store.trainings(run_id, str(arch))
        for event in store.view(run.id).trained
    ]


def read_weights(network: nn.Module, path: Path) -> None:
    """Gives `network` the weights of a training; CheckpointError for a file that is none."""
    try:
        network.load_state_dict(load_file(path))
    except (OSError, RuntimeError, ValueError) as error:
        raise CheckpointError(
            f"{path.parent.name}/{path.name}: cannot be read: {str(error)[:120]}.",
            "Train it again.",
        ) from error
    network.eval()


def begin(supernet: SuperNet, store: Store, start: Start) -> None:
    """Puts the network that a search starts from into its `supernet`.

    Its weights are those of its most accurate training, if there is one, else those of the search
    `start.run`. Around them lie that search's shared weights, where it has some of the same form:
    changes may reach beyond the slices of the network itself.
    """
    left, arch = left_by(store, start.run), Arch.parse(start.arch)
    known = trainings(store, start.run, arch)
    if known:
        network = build(left.space.layers(arch))
        read_weights(network, max(known, key=lambda pair: pair[0].accuracy)[1])
    else:
        network = left.require(arch)
    around = left.supernet.state_dict()
    if left.shared and _forms(around) == _forms(supernet.state_dict()):
        supernet.load_state_dict(around)
    plant(supernet, arch, network)


def _forms(state: State) -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in state.items()}


@torch.no_grad()
def plant(supernet: SuperNet, arch: Arch, network: nn.Module) -> None:
    """Writes the weights of `network`, which is one of `arch`, into its slices of `supernet`.

    The way back of `SuperNet.subnet`, found by asking it: with every shared weight replaced by its
    number, the subnet's weights tell which they are, whatever the blocks do to slice them.
    """
    tensors = [t for t in supernet.state_dict().values() if t.is_floating_point()]
    values = torch.cat([t.reshape(-1) for t in tensors])
    numbers = torch.arange(len(values))
    digits = []
    for digit in (numbers // BASE, numbers % BASE):
        _write(tensors, digit.float())
        digits.append(_floats(supernet.subnet(arch)).long())
    values[digits[0] * BASE + digits[1]] = _floats(network)
    _write(tensors, values)


def _floats(network: nn.Module) -> Tensor:
    """All weights and statistics of a network in one row, in the order of its state."""
    state = network.state_dict().values()
    return torch.cat([t.reshape(-1) for t in state if t.is_floating_point()])


def _write(tensors: list[Tensor], values: Tensor) -> None:
    at = 0
    for tensor in tensors:
        tensor.copy_(values[at : at + tensor.numel()].view(tensor.shape))
        at += tensor.numel()
