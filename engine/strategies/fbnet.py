"""FBNet (Wu et al. 2018, arXiv:1812.03443), under a limit that is met in one run.

Every gene has logits t over its values. All values run side by side; a slot's output is the sum of
what its ops compute, each times its share of the mask m = softmax((t + g) / tau) with Gumbel noise
g. The same mask gives the latency, sum of m_i · ms_i: noise drawn anew for it would reward the
wrong branch. tau falls from 5.0 by exp(-0.045) eighty times, as published, spread over the epochs
there are: it ends near 0.137, where masks are nearly one-hot.

In each epoch of the search the weights learn first, on four fifths of the weights split, masks
without gradients; then the logits learn on the rest, weights without gradients.

Where we differ from the published form:

- The published loss is CE · 0.2 · (ln LAT)^0.6: a trade that hits no limit and changes with the
  unit. Here it is CE + lambda · (LAT / T - 1) with lambda learned (`mixture.Multiplier`) from the
  latency that softmax(t) expects, which has no noise. Uncertainty is pressed down towards the end.
- An epoch goes over the held-out part more than once where a search is short, and the logits'
  learning rate (0.01 as published) is raised so that they can part within it.
- Networks are drawn from softmax(t) at the end, as published, but are judged on the shared weights
  as the first of the front; the most probable one is what settles.
- Large spaces go through in smaller batches: all ops of all slots are kept for the gradients.

No noise is left when a network is judged: it is built alone, its batch norm recalibrated.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from engine.epoch_log import EpochLog
from engine.problem import Problem
from engine.strategies.mixed_search import MixedSearch, Pace
from engine.strategies.mixture import side_by_side
from engine.train import loss_of

PACE = Pace(warm_up=1 / 9, lr=0.01, betas=(0.9, 0.999), weight_decay=5e-4, spread=0.0, rarest=4)
HOTTEST, COOLING, DECAYS = 5.0, 0.045, 80  # 10 of 90 epochs train weights only
SMALLEST = 1e-10  # of a uniform number: its logarithm's logarithm must be finite


class FBNet(MixedSearch):
    """One FBNet search; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, PACE, batch=side_by_side(problem.space, problem.recipe.batch))

    def weight(self, step: int) -> float:
        """Steps of a phase relative to an epoch of single networks."""
        slots = self.problem.space.slots()
        paths = sum(len(slot.ops) for slot in slots) / len(slots)
        again = 1.0 + self.updates / self.batches
        return {"warm-up": paths, "search": again * paths, "settle": 2.0, "front": 1.0}[
            self.phase(step)
        ]

    def train(self, number: int, log: EpochLog) -> None:
        """Weights first; in the search phase, then the logits."""
        problem = self.problem
        updates = self.updates if self.phase(number) == "search" else 0
        total = self.batches + updates
        for i, (x, y) in enumerate(self.training.shuffled(self.size, problem.generator)):
            self.set_lr(number + i / self.batches)
            self.weight_step(x, y, self.tau(number, i / total), log)
            problem.tick((i + 1) / total)
        for i, (x, y) in enumerate(self.held_out_batches(updates), self.batches):
            self.choice_step(
                x,
                y,
                self.tau(number, i / total),
                log,
                sharpening=self.sharpening(number + i / total),
            )
            problem.tick((i + 1) / total)
        self.tell(log)

    def tau(self, number: int, share: float) -> float:
        """The temperature after `share` of epoch `number`."""
        searched = max(0.0, (number - self.warm_up + share) / self.search)
        return HOTTEST * math.exp(-COOLING * DECAYS * searched)

    def weight_step(self, x: Tensor, y: Tensor, tau: float, log: EpochLog) -> None:
        """Trains the weights under one mask."""
        with torch.no_grad():
            mask = self.mask(tau)
        logits = self.problem.supernet(x, self.choices.mixtures(mask))
        log.losses.append(self.update_weights(loss_of(logits, y, self.problem.recipe.smoothing)))

    def choice_step(
        self, x: Tensor, y: Tensor, tau: float, log: EpochLog, *, sharpening: float = 0.0
    ) -> None:
        """Updates the logits under one mask, which gives both the output and the latency."""
        mask = self.mask(tau)
        logits = self.problem.supernet(x, self.choices.mixtures(mask))
        modelled = self.choices.expected_ms(mask)
        penalty = self.price.penalty(modelled, self.choices.level_ms())
        loss = loss_of(logits, y, 0.0) + penalty + sharpening * self.choices.uncertainty()
        self.update_choices(torch.autograd.grad(loss, list(self.choices.logits)), log)

    def mask(self, tau: float) -> list[Tensor]:
        """Gumbel-softmax shares of every gene: softmax((logit + noise) / tau)."""
        return [
            gumbel_softmax(logit, self._noise(len(logit)), tau) for logit in self.choices.logits
        ]

    def _noise(self, count: int) -> Tensor:
        uniform = torch.rand(count, generator=self.problem.generator).clamp(min=SMALLEST)
        return -(-uniform.log()).clamp(min=SMALLEST).log()


def gumbel_softmax(logit: Tensor, noise: Tensor, tau: float) -> Tensor:
    """softmax((logit + noise) / tau): one-hot as tau falls, then drawn by softmax(logit)."""
    return ((logit + noise) / tau).softmax(0)
