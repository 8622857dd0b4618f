"""Single-Path NAS (Stamoulis et al. 2019, arXiv:1904.02877) under a limit, then a front around it.

Four phases of one run:

1. warm-up: random decisions (decision dropout, kept with 0.6), no latency term. In `stable` mode
   the draws are unscaled, so each batch trains one real subnet, computed on its slices only.
2. search: gates from thresholds, loss = cross-entropy + 5 · max(0, R / T - 1) + max(0, 1 - R / T)
   with R the expected latency; T falls to 0.95 of the limit, which so is reached from above, gate
   by gate, and not merely traded off against.
3. settle: the best snapshot within all limits is frozen (if there is none, the last decisions are
   repaired greedily: thresholds know of latency only); the weights of it and of random subnets go
   on training.
4. front: evolution on the shared weights, batch norm recalibrated before every evaluation.

Choices that no superkernel with gates holds (other families than MBConv, several activations …) are
drawn at random in phases 1 to 3 and decided by evolution in phase 4.

`reference` mode follows the published form in phases 1 and 2: plain norms, inverse-scaled decision
dropout, kernel-only gates, `CE + 1e-5 · L2 + 20 · ln R`, one TF-style RMSProp for everything. It
differs from the released code in this: R is multilinear in the measured corners (theirs
extrapolates one of four), the learning rate stays constant (theirs falls by 3 % every 2.4 epochs),
there is no moving average of the weights, batch norm has torch's momentum and epsilon, and phases 3
and 4 are ours. It exists for comparison: its thresholds hardly move.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from engine.epoch_log import EpochLog
from engine.events import Event, Warned
from engine.front.phase import FrontPhase
from engine.problem import Problem, evaluate
from engine.repair import repaired
from engine.rmsprop import TFRMSProp
from engine.space import Arch, Gene
from engine.superkernel import (
    Gates,
    SlotGates,
    SuperKernel,
    corner_table,
    decode,
    expected_ms,
    hard_gates,
)
from engine.thresholds import SharedRMS, Thresholds, by_gene, decisions, split
from engine.train import cosine, finite, loss_of, optimizer_for, set_lr

KEEP = 0.6  # probability that decision dropout keeps a decision
AIM = 0.95  # the search aims at this share of the limit: decisions chatter around their target
HINGE = 5.0  # weight of the relative excess over the target
SLACK = 1.0  # weight of what is left unused below it: brings back gates that fell in one sweep
REFERENCE_LAMBDA = 20.0  # 0.020 · 1000, the released code's value on ln R
REFERENCE_DECAY = 1e-5


class SinglePath:
    """One single-path search; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.stable = problem.spec.mode == "stable"
        supernet = problem.supernet
        self.thresholds = Thresholds(supernet, self.stable)
        self.tables = [
            corner_table(kernel, problem.latency.slot_ms[i])
            if isinstance(kernel, SuperKernel)
            else None
            for i, kernel in enumerate(supernet.kernels())
        ]
        epochs = problem.spec.epochs
        self.search = max(1, round(0.3 * epochs))
        self.settle = max(1, round(0.1 * epochs))
        self.warm_up = epochs - self.search - self.settle
        self.batches = problem.splits["weights"].batches(problem.recipe.batch)
        self.weight_optimizer, self.threshold_optimizer = self._optimizers()
        self.target_ms = problem.limit_ms
        self.snapshots: dict[Arch, float] = {}
        self.chosen: Arch | None = None
        self.front = FrontPhase(problem)

    def _optimizers(self) -> tuple[torch.optim.Optimizer, torch.optim.Optimizer | None]:
        problem = self.problem
        if not self.stable:
            everything = [*problem.supernet.parameters(), *self.thresholds.parameters()]
            return TFRMSProp(everything, lr=0.016 * problem.recipe.batch / 256), None
        # In units of the relative norm a threshold must be able to travel from 0 past 1 within a
        # quarter of the search phase, however short that is.
        lr = min(0.1, max(0.01, 4.0 / (self.search * self.batches)))
        weights = optimizer_for(problem.supernet, problem.recipe)
        return weights, SharedRMS(self.thresholds.parameters(), lr)

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
        """Steps of a phase relative to a full-width epoch."""
        return {"warm-up": 0.6, "search": 1.2, "settle": 1.2, "front": 1.0}[self.phase(step)]

    def step(self, number: int) -> Iterator[Event]:
        """One epoch or one generation."""
        phase = self.phase(number)
        if number == 0:
            yield from self._ungated()
        if phase == "front":
            yield from self.front.step(self._known() if number == self.epochs else None)
            return
        if number == self.warm_up + self.search:
            yield from self._freeze()
        yield from self._epoch(phase, number)

    def _ungated(self) -> Iterator[Warned]:
        """Says how many layers have choices that no gates decide, if any have."""
        kernels = self.problem.supernet.kernels()
        ungated = [k for k in kernels if not isinstance(k, SuperKernel) and len(k.slot.ops) > 1]
        if ungated:
            verb, whose = ("is", "its") if len(ungated) == 1 else ("are", "their")
            yield Warned(
                f"{len(ungated)} of {len(kernels)} layers {verb} decided by evolution, not by "
                f"thresholds: {whose} choices do not share one gated superkernel."
            )

    # -- phases 1 to 3 ------------------------------------------------------------------------

    def _epoch(self, phase: str, number: int) -> Iterator[Event]:
        problem = self.problem
        problem.supernet.train()
        log = EpochLog(len(self.tables))
        split = problem.splits["weights"]
        batches = split.shuffled(problem.recipe.batch, problem.generator)
        for i, (x, y) in enumerate(batches):
            now = number + i / self.batches
            self._set_lr(now / self.epochs)
            self.target_ms = self._target((now - self.warm_up) / self.search)
            self.train_step(phase, x, y, log)
            problem.tick((i + 1) / self.batches)
        yield log.event(phase, number + 1)
        if phase == "search":
            yield from self._snapshot(log)

    def _set_lr(self, share: float) -> None:
        if self.stable:
            set_lr(self.weight_optimizer, cosine(self.problem.recipe.lr, share))

    def train_step(self, phase: str, x: Tensor, y: Tensor, log: EpochLog) -> None:
        """One update on one batch, as `phase` does it; what it saw goes into `log`."""
        self.weight_optimizer.zero_grad()
        if self.threshold_optimizer is not None:
            self.threshold_optimizer.zero_grad()
        if phase == "search" or (phase == "warm-up" and not self.stable):
            loss = self._gated_loss(phase, x, y, log)
            torch.autograd.backward(loss)
        else:
            first = self._draw() if self.chosen is None else self.chosen
            archs = [first] if phase == "warm-up" else [first, self._draw()]
            loss = torch.zeros(())
            for arch in archs:
                part = self._sliced_loss(arch, x, y)
                torch.autograd.backward(part)
                loss = loss + part.detach() / len(archs)
            log.gates(self._hard(first), self.problem.latency.predict(first))
        self.weight_optimizer.step()
        if phase == "search":
            if self.threshold_optimizer is not None:
                self.threshold_optimizer.step()
            log.grads(self.thresholds.grad_norms())
        log.losses.append(finite(float(loss.detach())))

    def _sliced_loss(self, arch: Arch, x: Tensor, y: Tensor) -> Tensor:
        logits = self.problem.supernet(x, arch)
        return loss_of(logits, y, self.problem.recipe.smoothing)

    def _gated_loss(self, phase: str, x: Tensor, y: Tensor, log: EpochLog) -> Tensor:
        supernet = self.problem.supernet
        keep = self._dropout() if phase == "warm-up" else None
        gates = self.thresholds.gates(supernet, keep, draw=self._any)
        modelled = self.modelled_ms(gates)
        penalty = self._penalty(modelled) if phase == "search" else torch.zeros(())
        log.gates(gates, float(modelled.detach()))
        log.penalties.append(float(penalty.detach()))
        smoothing = self.problem.recipe.smoothing if self.stable else 0.1
        loss = loss_of(supernet(x, gates), y, smoothing) + penalty
        return loss if self.stable else loss + self._l2()

    def _penalty(self, modelled: Tensor) -> Tensor:
        if not self.stable:
            return REFERENCE_LAMBDA * modelled.log()
        if self.problem.limit_ms >= self.problem.latency.slowest_ms:
            return 0.0 * modelled  # the limit excludes nothing
        excess = modelled / self.target_ms - 1
        return HINGE * torch.relu(excess) + SLACK * torch.relu(-excess)

    def _target(self, share: float) -> float:
        """Target T after `share` of the search phase, in ms.

        It falls from just below the slowest network (so that latency has a say from the first step)
        to its final value over two thirds of the phase; a sudden target throws away what it then
        regrows.
        """
        slowest = self.problem.latency.slowest_ms
        final = AIM * self.problem.limit_ms
        left = min(1.0, max(0.0, 1 - 1.5 * share))
        first = max(final, 0.98 * slowest)
        return final + left * (first - final)

    def _l2(self) -> Tensor:
        """1e-5 · sum of half squares over everything but batch norm, thresholds included."""
        weights = [p for p in self.problem.supernet.parameters() if p.ndim > 1]
        values = [*weights, *self.thresholds.parameters()]
        return REFERENCE_DECAY * torch.stack([0.5 * p.square().sum() for p in values]).sum()

    def modelled_ms(self, gates: Gates) -> Tensor:
        """Expected latency R of the whole network under `gates`."""
        latency = self.problem.latency
        parts = []
        for i, (part, table) in enumerate(zip(gates, self.tables, strict=True)):
            if isinstance(part, str):
                parts.append(torch.tensor(latency.slot_ms[i][part]))
            else:
                assert table is not None, f"slot {i} has no gates"
                parts.append(expected_ms(part, *table))
        return torch.stack(parts).sum() + latency.constant_ms

    def _any(self, gene: Gene) -> tuple[str, ...]:
        """Any ops of a gene whose slots have no gates."""
        return self.problem.rng.choice(gene.values)

    def _draw(self) -> Arch:
        """A subnet by decision dropout: every decision kept with probability 0.6, unscaled."""

        def flipped(_: int, kernel: SuperKernel) -> SlotGates:
            flips = [self.problem.rng.random() < KEEP for _ in range(decisions(kernel))]
            *parts, layer = split(kernel, torch.tensor([float(f) for f in flips]))
            return SlotGates._make([*parts, layer[0] if layer.numel() else torch.ones(())])

        return self._decode(by_gene(self.problem.supernet, flipped, self._any))

    def _dropout(self) -> list[Tensor]:
        """Factors 0 or 1 / 0.6 for every decision: the published, inverse-scaled form."""
        return [
            (torch.rand(t.shape, generator=self.problem.generator) < KEEP).float() / KEEP
            for t in self.thresholds.values
        ]

    def _hard(self, arch: Arch) -> list[SlotGates | str]:
        kernels = self.problem.supernet.kernels()
        return [
            hard_gates(k, op) if isinstance(k, SuperKernel) else op
            for k, op in zip(kernels, arch.ops, strict=True)
        ]

    def _decode(self, gates: Gates) -> Arch:
        """The architecture that hard gates state."""
        ops = []
        for kernel, part in zip(self.problem.supernet.kernels(), gates, strict=True):
            if isinstance(part, str):
                ops.append(part)
            else:
                assert isinstance(kernel, SuperKernel), kernel
                ops.append(decode(kernel, part))
        arch = Arch(tuple(ops))
        assert arch in self.problem.space, arch
        return arch

    # -- decisions ----------------------------------------------------------------------------

    def decoded(self) -> Arch:
        """The architecture that the thresholds state now."""
        with torch.no_grad():
            return self._decode(self.thresholds.gates(self.problem.supernet, draw=self._any))

    def _snapshot(self, log: EpochLog) -> Iterator[Event]:
        if not any(log.grad_sum) and any(len(t) for t in self.thresholds.values):
            yield Warned("All thresholds have a zero gradient: nothing is being searched.")
        result = evaluate(self.problem, self.decoded())
        self.snapshots[Arch.parse(result.arch)] = result.proxy_accuracy
        yield result

    def _freeze(self) -> Iterator[Event]:
        """Chooses the best snapshot within all limits, or repairs the last decisions."""
        latency = self.problem.latency
        feasible = [a for a in self.snapshots if self.problem.filter.keeps(a)]
        if feasible:
            self.chosen = max(feasible, key=lambda a: (self.snapshots[a], latency.predict(a)))
            return
        last = self.decoded()
        self.chosen = repaired(self.problem, last)
        flips = sum(a != b for a, b in zip(last.ops, self.chosen.ops, strict=True))
        if flips:
            yield Warned(
                f"No snapshot met {self._limits()}: {flips} of {len(last.ops)} layers were made "
                "cheaper, each time the one that costs the least accuracy for what it saves."
            )

    def _limits(self) -> str:
        return "all limits" if self.problem.filter.limits.asked() else "the limit"

    # -- phase 4 ------------------------------------------------------------------------------

    def _known(self) -> list[Arch]:
        """What was found so far, every snapshot again, since the weights moved on."""
        return [*([self.chosen] if self.chosen else []), *self.snapshots]

    # -- checkpoints --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Thresholds, optimisers, snapshots, the choice, and what the front phase was told."""
        second = self.threshold_optimizer
        return {
            "thresholds": self.thresholds.state_dict(),
            "weight_optimizer": self.weight_optimizer.state_dict(),
            "threshold_optimizer": second.state_dict() if second else {},
            "snapshots": [[str(a), v] for a, v in self.snapshots.items()],
            "chosen": str(self.chosen) if self.chosen else "",
            "front": self.front.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.thresholds.load_state_dict(state["thresholds"])
        self.weight_optimizer.load_state_dict(state["weight_optimizer"])
        if self.threshold_optimizer is not None:
            self.threshold_optimizer.load_state_dict(state["threshold_optimizer"])
        self.snapshots = {Arch.parse(a): v for a, v in state["snapshots"]}
        self.chosen = Arch.parse(state["chosen"]) if state["chosen"] else None
        self.front.load_state_dict(state["front"])
