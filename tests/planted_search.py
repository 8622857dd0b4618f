"""Whole searches whose best network is known: accuracies are planted, and every network counted.

Images say how hard they are, networks what they are worth, and an image is labelled rightly by the
networks that are worth more than it is hard. The worth of a network is a sum over its layers, which
gates and mixtures have in parts, so that every strategy learns of it in its own way: by judging
networks, by slopes of gates or shares, by training-free metrics. Nothing is convolved, so a search
takes a second. Not for what shared weights learn: these learn nothing.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from engine.batches import Split
from engine.cost import layer_cost
from engine.events import View
from engine.paths import Mixture
from engine.problem import Problem
from engine.space import SKIP, Arch, SearchSpace
from engine.strategies import SEPARATE
from engine.superkernel import SlotGates, corner_table, expected_ms
from engine.supernet import SuperNet
from tests.problems import CLASSES, toy_problem

LEAST, SPAN = 0.1, 0.8  # worth of the worst network of a space, and how far above it the best is
OWN = 0.12  # what an op is worth beside its size, as a standard deviation
TOLD = 0.03  # noise of the one training-free metric that tells something
SHARP = 8.0  # logits per unit that a network is worth more than an image is hard
LEVELS = 255

Worths = tuple[float, list[dict[str, float]]]
"""What a network is worth without its slots, and what each op of each slot adds."""


def planted_problem(space: SearchSpace, *, seed: int = 0, **changes: object) -> Problem:
    """A toy problem on `space` whose truth is drawn from `seed`; `changes` go into the spec."""
    problem = toy_problem(space, seed=seed, **changes)
    separate = problem.spec.strategy in SEPARATE
    worths = _drawn(space, random.Random(seed))
    planted = Planted(space, torch.Generator().manual_seed(seed), separate=separate, worths=worths)
    plain = (torch.tensor([0.0]), torch.tensor([1.0]))
    sizes = {"weights": 128, "architecture": LEVELS, "test": 60}
    splits = {
        name: Split(*_images(count, space.input.size, number), *plain, 0, False)
        for number, (name, count) in enumerate(sizes.items())
    }
    return replace(problem, supernet=planted, splits=splits)


def worth(problem: Problem, arch: Arch) -> float:
    """What `arch` is really worth: its accuracy, but for what the images are too few to tell."""
    assert isinstance(problem.supernet, Planted), "nothing is planted"
    return float(problem.supernet.worth(arch.ops))


def everything(problem: Problem) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Predicted ms and worth of every network of the space, in the order of `itertools.product`."""
    assert isinstance(problem.supernet, Planted), "nothing is planted"
    base, rows = problem.supernet.worths
    ms, worths = np.array([problem.latency.constant_ms]), np.array([base])
    for slot, times, row in zip(problem.space.slots(), problem.latency.slot_ms, rows, strict=True):
        ms = np.add.outer(ms, [times[op] for op in slot.ops]).ravel()
        worths = np.add.outer(worths, [row[op] for op in slot.ops]).ravel()
    assert len(ms) == problem.space.size(), "slots that are tied"
    return ms, worths


def shortfall(problem: Problem, arch: Arch) -> float:
    """How much less `arch` is worth than the best of all networks within the limit."""
    assert problem.latency.predict(arch) <= problem.limit_ms, f"{arch} is above the limit"
    ms, worths = everything(problem)
    return float(worths[ms <= problem.limit_ms].max()) - worth(problem, arch)


def by_luck(problem: Problem, looks: int) -> float:
    """The shortfall to be expected of the best of so many random networks within the limit."""
    ms, worths = everything(problem)
    inside = np.sort(worths[ms <= problem.limit_ms])
    up_to = (np.arange(len(inside) + 1) / len(inside)) ** looks  # the best is among the first k
    return float(inside[-1] - (inside * np.diff(up_to)).sum())


def found(problem: Problem, view: View) -> Arch:
    """The network that a search would hand over, were predictions measurements."""
    inside = [c for c in view.fresh() if c.predicted_ms <= problem.limit_ms]
    return Arch.parse(max(inside, key=lambda c: c.proxy_accuracy).arch)


class Planted(SuperNet):
    """A supernet of which only the form is used: what it answers follows from what is planted."""

    def __init__(
        self, space: SearchSpace, generator: torch.Generator, *, separate: bool, worths: Worths
    ) -> None:
        super().__init__(space, generator, separate=separate)
        self.worths = worths

    def worth(self, how: Sequence[str | SlotGates | Mixture]) -> Tensor:
        """What the network of `how` is worth, a scalar: linear in each gate and in each share."""
        base, rows = self.worths
        total = torch.tensor(base)
        for kernel, part, row in zip(self.kernels(), how, rows, strict=True):
            if isinstance(part, SlotGates):
                total = total + expected_ms(part, *corner_table(kernel, row))
            elif isinstance(part, Mixture):
                total = total + sum(share * row[op] for op, share in part.shares.items())
            else:
                total = total + row[part]
        return total

    def forward(self, x: Tensor, how: Arch | Sequence[str | SlotGates | Mixture]) -> Tensor:
        """Logits by which an image is labelled rightly if it is less hard than that is worth."""
        parts = how.ops if isinstance(how, Arch) else how
        moved = sum(p.sum() for p in self.stem.parameters())  # training has something to update
        return _answers(x, self.worth(parts)) + 0.0 * moved

    def subnet(self, arch: Arch) -> nn.Module:
        """A network of one weight, whose norm tells roughly what it is worth."""
        noise = random.Random(str(arch)).gauss(0.0, TOLD)
        value = float(self.worth(arch.ops))
        return _Child(value, value + noise).train(self.training)


class _Child(nn.Module):
    def __init__(self, value: float, told: float) -> None:
        super().__init__()
        self.value, self.told = value, nn.Parameter(torch.tensor([[told]]))

    def forward(self, x: Tensor) -> Tensor:
        return _answers(x, torch.tensor(self.value)) + 0.0 * self.told.sum()


def _answers(x: Tensor, value: Tensor) -> Tensor:
    half = x.shape[-1] // 2
    label = (x[:, :, :half].mean((1, 2, 3)) * CLASSES).round().long() % CLASSES
    hard = x[:, :, half:].mean((1, 2, 3))
    return F.one_hot(label, CLASSES) * (SHARP * (value - hard))[:, None]


def _images(count: int, side: int, seed: int) -> tuple[Tensor, Tensor]:
    """Images (count, 1, side, side) uint8 of two tones, label above and hardness below; labels."""
    order = torch.randperm(count, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(count) % CLASSES
    pixels = torch.empty(count, 1, side, side, dtype=torch.uint8)
    pixels[:, :, : side // 2] = (labels * LEVELS // CLASSES)[:, None, None, None]
    pixels[:, :, side // 2 :] = (order * LEVELS // count)[:, None, None, None]
    return pixels, labels


def _drawn(space: SearchSpace, rng: random.Random) -> Worths:
    """Larger ops are worth more, some layers matter more, and every op has its own say."""
    rows: list[dict[str, float]] = []
    for slot in space.slots():
        sizes = {op: layer_cost(slot.layer(op)).params for op in slot.ops if op != SKIP}
        most, matters = max(sizes.values()), rng.uniform(0.3, 1.0)
        own = {op: matters * (math.sqrt(n / most) + rng.gauss(0, OWN)) for op, n in sizes.items()}
        rows.append({op: own.get(op, 0.0) for op in slot.ops})
    least, most = (sum(end(row.values()) for row in rows) for end in (min, max))
    unit = SPAN / (most - least)
    return LEAST - unit * least, [{op: unit * w for op, w in row.items()} for row in rows]
