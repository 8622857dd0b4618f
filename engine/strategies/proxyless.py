"""ProxylessNAS (Cai, Zhu, Han 2018, arXiv:1812.00332), under a limit that is met in one run.

Every gene has probabilities p = softmax(a) over its values. An update of the weights draws one
network by p; only it runs, and only its weights move. An update of the logits a sets binary gates
g, one open per gene, and goes by dL/da_i = sum_j dL/dg_j · p_j · (delta_ij - p_i), where dL/dg_j is
what the loss gains per unit of value j at the slots, also of values whose gates are shut.

- `two`: two values per gene are drawn without putting back, one of them is open; p is taken over
  the pair, and afterwards both logits are moved by the same amount, so that the pair keeps its mass
  and no other probability changes. Two paths are in memory.
- `full`: every value answers; of the shut ones only the answer is kept, not what led to it.

Where we differ from the published form:

- The published loss is CE · 0.2 · (ln E / ln T)^0.3, or CE + 0.1 · (E - T) / T: a trade that hits
  no limit. Here it is CE + lambda · (E / T - 1) with lambda learned (`mixture.Multiplier`).
- In `two` the published E covers the drawn pair only, and its level jumps. Here the gradient is the
  pair's, and the level, that lambda learns from and that is shown, is that of all values.
- When skip is drawn, the released code discards the gene's whole gradient, latency included.
  Here skip is a value like any other: the identity.
- Updates of the logits come more often than every fifth batch where a search is short, and their
  learning rate (1e-3 as published) is raised so that logits can part within it. Uncertainty is
  pressed down towards the end.
- The chosen network and random ones go on training (settle), then a front is searched on the shared
  weights. Batch norm is always recalibrated before a network is judged.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from engine.epoch_log import EpochLog
from engine.problem import Problem
from engine.strategies.mixed_search import MixedSearch, Pace
from engine.strategies.mixture import pick
from engine.train import loss_of

PACE = Pace(
    warm_up=0.25, lr=1e-3, betas=(0.0, 0.999), weight_decay=0.0, spread=1e-3, rarest=5
)  # 40 of 160 epochs; no momentum, so logits that were not drawn stay where they are
LEAST = 1e-9  # probability with which a value is drawn at least, so that there always are two


class Proxyless(MixedSearch):
    """One ProxylessNAS search; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem, PACE)
        self.two = problem.spec.mode == "two"

    def weight(self, step: int) -> float:
        """Steps of a phase relative to an epoch of single networks."""
        most = max(len(slot.ops) for slot in self.problem.space.slots())
        paths = 2 if self.two else most
        update = 0.5 * (1 + paths) * self.updates / self.batches
        return {"warm-up": 1.0, "search": 1.0 + update, "settle": 2.0, "front": 1.0}[
            self.phase(step)
        ]

    def train(self, number: int, log: EpochLog) -> None:
        """Updates of weights; in the search phase, updates of logits evenly between them."""
        problem = self.problem
        updates = self.updates if self.phase(number) == "search" else 0
        held_out = self.held_out_batches(updates)
        done = 0
        for i, (x, y) in enumerate(self.training.shuffled(self.size, problem.generator), 1):
            self.set_lr(number + (i - 1) / self.batches)
            self.weight_step(x, y, log)
            while done * self.batches < i * updates:
                now = number + i / self.batches
                self.choice_step(*next(held_out), log, sharpening=self.sharpening(now))
                done += 1
            self.tell(log)
            problem.tick(i / self.batches)

    def weight_step(self, x: Tensor, y: Tensor, log: EpochLog) -> None:
        """Trains one network, drawn by the probabilities."""
        arch = self.choices.draw(self.problem.generator)
        loss = loss_of(self.problem.supernet(x, arch), y, self.problem.recipe.smoothing)
        log.losses.append(self.update_weights(loss))

    def choice_step(self, x: Tensor, y: Tensor, log: EpochLog, *, sharpening: float = 0.0) -> None:
        """Updates the logits on images that no weight learns on; without smoothing of labels."""
        with torch.no_grad():
            used = [self._used(p) for p in self.choices.probabilities()]
            pairs = zip(self.choices.logits, used, strict=True)
            shares = [_within(logit, at) for logit, at in pairs]
            active = [pick(share, self.problem.generator) for share in shares]
        gradients = self.gate_gradients(x, y, used, active)
        per_ms = self.price.price(self.choices.level_ms()) / self.price.limit_ms
        pulls = []
        for i, (gradient, share) in enumerate(zip(gradients, shares, strict=True)):
            # the last term is that of the uncertainty, -sum p ln p, for p
            logit = self.choices.logits[i].detach()
            whole = gradient + per_ms * self.choices.ms[i] - sharpening * logit
            pulls.append(through_softmax(whole, share))
        before = [logit.detach().clone() for logit in self.choices.logits]
        self.update_choices(pulls, log)
        for logit, old, at in zip(self.choices.logits, before, used, strict=True):
            keep_mass(logit, old, at)

    def gate_gradients(
        self, x: Tensor, y: Tensor, used: Sequence[Sequence[int]], active: Sequence[int]
    ) -> tuple[Tensor, ...]:
        """dL/dg of every gene (values,), L the cross-entropy; 0 for values that are not `used`.

        By definition: the outputs of a slot are summed, each times its gate, and the gates are
        1 for the `active` value and 0 for the others.
        """
        gates = []
        for logit, open_ in zip(self.choices.logits, active, strict=True):
            gate = torch.zeros_like(logit)
            gate[open_] = 1.0
            gates.append(gate.requires_grad_())
        told = self.choices.mixed(gates, used, active=active)
        loss = loss_of(self.problem.supernet(x, told), y, 0.0)
        return torch.autograd.grad(loss, gates)

    def _used(self, probabilities: Tensor) -> list[int]:
        """The values that answer: two drawn ones, or all."""
        count = len(probabilities)
        if not self.two or count <= 2:
            return list(range(count))
        likely = probabilities.clamp(min=LEAST)
        drawn = torch.multinomial(likely, 2, generator=self.problem.generator)
        return sorted(int(i) for i in drawn)


def _within(logit: Tensor, used: Sequence[int]) -> Tensor:
    """Softmax over the `used` values, 0 elsewhere."""
    share = torch.zeros_like(logit)
    share[list(used)] = logit[list(used)].softmax(0)
    return share


def through_softmax(gradient: Tensor, p: Tensor) -> Tensor:
    """Gradient for the logits of p from that for p: sum_j G_j p_j (delta_ij - p_i)."""
    return p * (gradient - (p * gradient).sum())


@torch.no_grad()
def keep_mass(logit: Tensor, before: Tensor, used: Sequence[int]) -> None:
    """Moves the `used` logits together, so that exp of them sums to what it did `before`."""
    at = list(used)
    if len(at) < len(logit):
        logit[at] -= logit[at].logsumexp(0) - before[at].logsumexp(0)
