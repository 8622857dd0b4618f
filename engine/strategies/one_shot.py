"""One-shot search: shared weights are trained through sampled networks, then the front is searched.

Modes, one way of drawing networks each:

- `sandwich` (BigNAS, Yu et al. 2020): every step trains the largest, the smallest and two random
  networks and makes one update. The largest learns from labels, the others from its answers in the
  same step (in-place distillation). Dropout acts on the largest only.
- `uniform` (SPOS, Guo et al. 2019): one random network a step, every value of a gene as likely.
- `complexity` (after ElasticViT): one network a step near a latency that wanders over eight levels
  up to just above the limit, one level at a time; every fourth is the smallest.
- `fair` (after FairNAS): each step deals as many networks as the gene with most values has (eight
  at most), from shuffled decks, so that all values of a gene are trained equally often.

In all modes the last batch norm of every residual branch starts at zero, so a network begins as a
chain of identities; a sampled step computes only the child's slices. Under `sgd` weights that a
step did not use neither decay nor move; under `adamw` and `rmsprop` that holds of whole layers
only, since there the unused slices of a layer are carried on. Batch norm is recalibrated before
every evaluation. The learning rate falls to 5 % of its start (BigNAS keeps such a floor; the shape,
half a cosine, is ours).

Hidden channels are never sorted by importance, as Once-for-All does before it allows narrower
networks. There the widest network is trained alone first, and any of its channels may be the one
that matters. Here all widths are trained from the first step, and the first channels are in each of
them: they learn to matter most, and the order needs no mending.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.epoch_log import EpochLog
from engine.events import Event
from engine.front.evolution import move_to
from engine.front.phase import FrontPhase
from engine.modules import ConvBN, ResidualBody
from engine.problem import Problem
from engine.space import Arch, SearchSpace
from engine.strategies.selective_sgd import sparing
from engine.superkernel import SuperKernel
from engine.supernet import SuperNet
from engine.train import cosine, finite, loss_of, optimizer_for, set_lr

RANDOM = 2  # networks drawn beside the largest and the smallest in a sandwich
FLOOR = 0.05  # of the first learning rate: smaller networks go on learning late
LEVELS, TOP = 8, 1.15  # latency levels of `complexity`, and how far above the limit they reach
TRIES = 8  # networks moved towards a level; they stop at its target or below
SMALLEST_EVERY = 4
MOST_DEALT = 8


class OneShot:
    """One search by sampled training; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.epochs = problem.spec.epochs
        zero_last_norms(problem.supernet)
        self.optimizer = _optimizer(problem)
        self.front = FrontPhase(problem)
        self.decks = Decks(problem.space, problem.rng)
        self.level = LEVELS // 2
        self.drawn = 0
        self.largest, self.smallest = problem.space.largest(), problem.space.smallest()
        ways: dict[str, Callable[[], list[Arch]]] = {
            "sandwich": self._sandwich,
            "uniform": self._uniform,
            "complexity": self._complexity,
            "fair": self.decks.deal,
        }
        self.draw = ways[problem.spec.mode]

    @property
    def steps(self) -> int:
        """Epochs of training, then generations of the front."""
        return self.epochs + self.front.steps

    def phase(self, step: int) -> str:
        """`train` or `front`."""
        return "train" if step < self.epochs else "front"

    def weight(self, step: int) -> float:
        """Relative to a full-width epoch."""
        per_step = {"sandwich": 2.2, "uniform": 0.6, "complexity": 0.5, "fair": 2.5}
        return per_step[self.problem.spec.mode] if step < self.epochs else 1.0

    def step(self, number: int) -> Iterator[Event]:
        """One epoch or one generation."""
        if number >= self.epochs:
            yield from self.front.step([] if number == self.epochs else None)
            return
        problem = self.problem
        split, recipe = problem.splits["weights"], problem.recipe
        count, log = split.batches(recipe.batch), EpochLog(0)
        for i, (x, y) in enumerate(split.shuffled(recipe.batch, problem.generator)):
            share = (number + i / count) / self.epochs
            floor = FLOOR * recipe.lr
            set_lr(self.optimizer, floor + cosine(recipe.lr - floor, share))
            archs = self.draw()
            log.losses.append(self.train_step(archs, x, y))
            for arch in archs:
                log.ms.append(problem.latency.predict(arch))
            problem.tick((i + 1) / count)
        yield log.event("train", number + 1)

    def train_step(self, archs: list[Arch], x: Tensor, y: Tensor) -> float:
        """One update by the gradients of several networks on one batch; the first one's loss."""
        supernet, recipe = self.problem.supernet, self.problem.recipe
        supernet.train()
        self.optimizer.zero_grad(set_to_none=True)
        taught = self.problem.spec.mode == "sandwich"
        answers: Tensor | None = None
        first = 0.0
        for arch in archs:
            _dropout(supernet, active=not taught or arch == self.largest)
            logits = supernet(x, arch)
            if answers is None or not taught:
                loss = loss_of(logits, y, recipe.smoothing)
            else:
                loss = -(answers * F.log_softmax(logits, 1)).sum(1).mean()
            torch.autograd.backward(loss / (1 if taught else len(archs)))
            if answers is None:
                answers = F.softmax(logits.detach(), 1)
                first = finite(float(loss.detach()))
        self.optimizer.step()
        return first

    # -- drawing ------------------------------------------------------------------------------

    def _sandwich(self) -> list[Arch]:
        rng, space = self.problem.rng, self.problem.space
        return [self.largest, self.smallest, *(space.sample(rng) for _ in range(RANDOM))]

    def _uniform(self) -> list[Arch]:
        return [self.problem.space.sample(self.problem.rng)]

    def _complexity(self) -> list[Arch]:
        """A network whose latency lies in the wandering level, or the smallest.

        Where TRIES moved networks lie below the level (few may lie in it), the last is taken.
        """
        problem, rng = self.problem, self.problem.rng
        self.drawn += 1
        if self.drawn % SMALLEST_EVERY == 0:
            return [self.smallest]
        self.level = min(LEVELS - 1, max(0, self.level + rng.choice((-1, 0, 1))))
        low = problem.latency.fastest_ms
        high = min(problem.latency.slowest_ms, max(low, TOP * problem.limit_ms))
        wide = (high - low) / LEVELS
        arch = self.smallest
        for _ in range(TRIES):
            target = low + wide * (self.level + rng.random())
            start = problem.space.sample(rng)
            arch = move_to(problem.space, problem.latency, start, target, rng)
            if problem.latency.predict(arch) >= low + wide * self.level:
                break
        return [arch]

    # -- checkpoints --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Optimiser, decks, the wandering level, and what the front phase was told."""
        return {
            "optimizer": self.optimizer.state_dict(),
            "decks": [list(deck) for deck in self.decks.left],
            "level": [self.level, self.drawn],
            "front": self.front.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.optimizer.load_state_dict(state["optimizer"])
        self.decks.left = [list(deck) for deck in state["decks"]]
        self.level, self.drawn = state["level"]
        self.front.load_state_dict(state["front"])


class Decks:
    """One deck of values per gene: each value is dealt once before any is dealt again."""

    def __init__(self, space: SearchSpace, rng: random.Random) -> None:
        self.genes, self.rng = space.genes(), rng
        self.left: list[list[int]] = [[] for _ in self.genes]
        self.hand = min(MOST_DEALT, max(len(gene.values) for gene in self.genes))

    def deal(self) -> list[Arch]:
        """As many networks as the longest gene has values, eight at most."""
        return [self._one() for _ in range(self.hand)]

    def _one(self) -> Arch:
        ops: list[str] = []
        for gene, deck in zip(self.genes, self.left, strict=True):
            if not deck:
                deck.extend(self.rng.sample(range(len(gene.values)), len(gene.values)))
            ops += gene.values[deck.pop()]
        return Arch(tuple(ops))


@torch.no_grad()
def zero_last_norms(supernet: SuperNet) -> None:
    """Sets the scale of the last batch norm of every residual branch to zero."""
    for module in supernet.modules():
        if isinstance(module, SuperKernel) and module.residual:
            module.bn_project.weight.zero_()
        elif isinstance(module, ResidualBody):
            last = [m for m in module.body.modules() if isinstance(m, ConvBN)][-1:]
            for part in last:
                for norm in (m for m in part.modules() if isinstance(m, nn.BatchNorm2d)):
                    norm.weight.zero_()


def _dropout(supernet: SuperNet, *, active: bool) -> None:
    for module in supernet.modules():
        if isinstance(module, nn.Dropout):
            module.train(active)


def _optimizer(problem: Problem) -> torch.optim.Optimizer:
    """The recipe's; where a step uses a part of the weights, in the form that spares the rest."""
    kernels = problem.supernet.kernels()
    whole = problem.spec.mode == "sandwich" and all(isinstance(k, SuperKernel) for k in kernels)
    # with a sandwich, the largest network uses all there is in every step: nothing is to be spared
    make = optimizer_for if whole else sparing
    return make(problem.supernet, problem.recipe)
