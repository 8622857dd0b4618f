"""What ProxylessNAS and FBNet have in common under the contract: phases, data, choice, checkpoints.

Phases of a run: warm-up (weights only), search (weights and choices), settle (the chosen network
and random ones go on training), front. The methods themselves, what an update of weights or of
choices is, are in `strategies`.

Choices learn on images that no weight learns on: the last fifth of the weights split, in warm-up
and search. The architecture split stays what proxy accuracy is judged on, so nothing is fitted to
it. In the settle phase the whole weights split trains weights again.

The limit is met by the latency that the probabilities expect. For the most probable network to be
near it too, the second half of the search adds a growing weight on their entropy to the loss; the
published methods leave that to hundreds of epochs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from engine.batches import Split
from engine.epoch_log import EpochLog
from engine.events import Event, Warned
from engine.front.phase import FrontPhase
from engine.problem import Problem, evaluate
from engine.repair import repaired
from engine.space import Arch
from engine.strategies.mixture import Choices, Multiplier, Shares
from engine.train import cosine, finite, loss_of, optimizer_for, set_lr

HELD_OUT = 0.2  # share of the weights split that choices learn on, as published
TRAVEL = 10.0  # logits must be able to part by this in one search, however short
FASTEST_LR = 0.3
PRICE = 10.0  # the multiplier's rate times the updates
SHARPENED = 0.3  # weight of the choices' uncertainty at the end, from 0 in the middle of the search
SETTLE = 0.15  # share of the epochs
DRAWN = 6  # networks drawn by the probabilities for the front, as FBNet does


@dataclass(frozen=True, slots=True)
class Pace:
    """How long the warm-up is (share of the epochs), and how choices begin and are updated."""

    warm_up: float
    lr: float
    betas: tuple[float, float]
    weight_decay: float
    spread: float
    rarest: int
    """Weight updates for one update of the choices, at most; fewer where a search is short."""
    enough: int = 300
    """Updates of the choices that a search should have, if it has that many batches."""


class MixedSearch:
    """One search in four phases; its children say what an update is."""

    def __init__(self, problem: Problem, pace: Pace, *, batch: int | None = None) -> None:
        self.problem, self.pace = problem, pace
        self.size = batch or problem.recipe.batch
        epochs = problem.spec.epochs
        self.warm_up = max(1, round(pace.warm_up * epochs))
        self.settle = max(1, round(SETTLE * epochs))
        self.search = epochs - self.warm_up - self.settle
        self.training, self.held_out = hold_out(problem.splits["weights"])
        self.batches = self.training.batches(self.size)
        self.choices = Choices(
            problem.space, problem.latency, generator=problem.generator, spread=pace.spread
        )
        self.weight_optimizer = optimizer_for(problem.supernet, problem.recipe)
        updates = self.search * self.updates
        self.choice_optimizer = torch.optim.Adam(
            self.choices.parameters(),
            lr=min(FASTEST_LR, max(pace.lr, TRAVEL / updates)),
            betas=pace.betas,
            weight_decay=pace.weight_decay,
        )
        idle = problem.limit_ms >= problem.latency.slowest_ms
        self.price = Multiplier(problem.limit_ms, PRICE / updates, idle)
        self.chosen: Arch | None = None
        self.front = FrontPhase(problem)

    @property
    def updates(self) -> int:
        """Updates of the choices in one epoch of the search."""
        usual = self.batches // self.pace.rarest
        wanted = -(-self.pace.enough // self.search)
        return max(1, usual, min(wanted, self.batches))

    # -- the plan -----------------------------------------------------------------------------

    @property
    def epochs(self) -> int:
        """Steps that train."""
        return self.warm_up + self.search + self.settle

    @property
    def steps(self) -> int:
        """Epochs of the three training phases, then generations of the front."""
        return self.epochs + self.front.steps

    def phase(self, step: int) -> str:
        """`warm-up`, `search`, `settle` or `front`."""
        if step < self.warm_up:
            return "warm-up"
        if step < self.warm_up + self.search:
            return "search"
        return "settle" if step < self.epochs else "front"

    def weight(self, step: int) -> float:
        """Steps of a phase relative to an epoch of single networks."""
        raise NotImplementedError

    def step(self, number: int) -> Iterator[Event]:
        """One epoch or one generation."""
        phase = self.phase(number)
        if phase == "front":
            yield from self.front.step(self.seeds() if number == self.epochs else None)
            return
        if phase == "settle" and self.chosen is None:
            yield from self._choose()
        log = EpochLog(len(self.problem.space.slots()))
        self.problem.supernet.train()
        if phase == "settle":
            self._settle(number, log)
        else:
            self.train(number, log)
        yield log.event(phase, number + 1)
        if phase == "search":
            yield evaluate(self.problem, self.choices.best())

    def sharpening(self, now: float) -> float:
        """Weight of the choices' uncertainty in the loss after `now` epochs."""
        searched = (now - self.warm_up) / self.search
        return SHARPENED * min(1.0, max(0.0, 2 * searched - 1))

    # -- updates ------------------------------------------------------------------------------

    def train(self, number: int, log: EpochLog) -> None:
        """One epoch of the warm-up or the search: updates of weights and of choices."""
        raise NotImplementedError

    def update_weights(self, loss: Tensor) -> float:
        """One update on the gradients of `loss`; weights that it did not use stay as they were."""
        self.weight_optimizer.zero_grad(set_to_none=True)
        torch.autograd.backward(loss)
        self.weight_optimizer.step()
        return finite(float(loss.detach()))

    def update_choices(self, gradients: Shares, log: EpochLog) -> None:
        """One update of the logits, then of the price of latency."""
        expected = self.choices.level_ms()
        log.penalties.append(float(self.price.penalty(torch.tensor(expected), expected)))
        for logit, gradient in zip(self.choices.logits, gradients, strict=True):
            logit.grad = gradient
        self.choice_optimizer.step()
        self.choice_optimizer.zero_grad(set_to_none=True)
        self.price.learn(expected)
        genes = zip(self.problem.space.genes(), gradients, strict=True)
        log.grads(tuple(float(g.norm()) for gene, g in genes for _ in gene.slots))

    def tell(self, log: EpochLog) -> None:
        """Adds the probabilities as they are now, and the latency they expect, to the epoch."""
        with torch.no_grad():
            shares = self.choices.probabilities()
            log.gates(self.choices.gates(shares), float(self.choices.expected_ms(shares)))

    def set_lr(self, now: float, *, images: int | None = None) -> None:
        """Learning rate of the weights after `now` epochs; in proportion to the images at once."""
        recipe = self.problem.recipe
        lr = recipe.lr * (images or self.size) / recipe.batch
        set_lr(self.weight_optimizer, cosine(lr, now / self.epochs))

    def held_out_batches(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """`count` batches of the held-out images, going through them anew as often as needed."""
        given = 0
        while given < count:
            for batch in self.held_out.shuffled(self.size, self.problem.generator):
                yield batch
                given += 1
                if given == count:
                    return

    def _settle(self, number: int, log: EpochLog) -> None:
        """The chosen network and a random one on every batch: the front needs both trained."""
        problem = self.problem
        assert self.chosen is not None
        split, size = problem.splits["weights"], problem.recipe.batch
        count = split.batches(size)
        shares = self._one_hot(self.chosen)
        gates, ms = self.choices.gates(shares), problem.latency.predict(self.chosen)
        for i, (x, y) in enumerate(split.shuffled(size, problem.generator)):
            self.set_lr(number + i / count, images=size)
            archs = [self.chosen, problem.space.sample(problem.rng)]
            losses = [
                loss_of(problem.supernet(x, arch), y, problem.recipe.smoothing) for arch in archs
            ]
            log.losses.append(self.update_weights(losses[0] + losses[1]) / 2)
            log.gates(gates, ms)
            problem.tick((i + 1) / count)

    def _one_hot(self, arch: Arch) -> list[Tensor]:
        genes = zip(self.problem.space.genes(), self.problem.space.parts(arch), strict=True)
        return [torch.tensor([float(v == part) for v in gene.values]) for gene, part in genes]

    # -- decisions ----------------------------------------------------------------------------

    def _choose(self) -> Iterator[Event]:
        """The most probable network, made cheaper if it is not within the limits."""
        last = self.choices.best()
        self.chosen = repaired(self.problem, last)
        flips = sum(a != b for a, b in zip(last.ops, self.chosen.ops, strict=True))
        if flips:
            yield Warned(
                f"The most probable network did not meet the limits: {flips} of {len(last.ops)} "
                "layers were made cheaper."
            )

    def seeds(self) -> list[Arch]:
        """The chosen network, and some drawn by the probabilities and moved within the limits."""
        problem = self.problem
        drawn = [self.choices.draw(problem.generator) for _ in range(DRAWN)]
        inside = [problem.filter.toward(arch, problem.rng) for arch in drawn]
        return [*([self.chosen] if self.chosen else []), *inside]

    # -- checkpoints --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Logits, both optimisers, the price, the choice, and what the front phase was told."""
        return {
            "choices": self.choices.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "choice_optimizer": self.choice_optimizer.state_dict(),
            "price": self.price.value,
            "chosen": str(self.chosen) if self.chosen else "",
            "front": self.front.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.choices.load_state_dict(state["choices"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        self.choice_optimizer.load_state_dict(state["choice_optimizer"])
        self.price.value = state["price"]
        self.chosen = Arch.parse(state["chosen"]) if state["chosen"] else None
        self.front.load_state_dict(state["front"])


def hold_out(split: Split) -> tuple[Split, Split]:
    """The first four fifths of a split, and the rest, never mixed up; no image is in both."""
    cut = len(split) - max(2, round(HELD_OUT * len(split)))
    first = replace(split, images=split.images[:cut], labels=split.labels[:cut])
    return first, replace(split, images=split.images[cut:], labels=split.labels[cut:], mixup=0.0)
