"""NetAdapt (Yang et al. 2018, arXiv:1804.03230) as MobileNetV3 used it (arXiv:1905.02244).

1. train: the largest network alone, in the shared weights. A search that starts from a network of
   another begins with that one's weights, and leaves this out.
2. adapt: step by step to the limits. Every gene proposes its least change that saves enough; the
   proposals that lose least untrained are finetuned for a few batches, each from the same weights;
   the best is kept with its weights. Truncating is slicing here: a smaller op is a slice of the
   larger one, its first channels (the paper keeps those of the greatest norm). The weights move
   with every step: what a part accepted is told at its end, and what parts before accepted is
   stale.
3. finetune: all accepted networks together, the last of them half of the time.
4. judge: each accepted network again, on the weights as they ended up, which can be exported. No
   other network was ever trained, so no other is told.

A step must save 1 % of the start's latency, as published, or more where the budget has too few
steps for that; what a step saves beyond lowers what the next ones must. Costs are counted in shares
of the tightest limit, so that limits of parameters, MACs or memory lead the way where they bind.
Which proposal is best: the least accuracy lost for what it saves, or (`accuracy`, NetAdapt's own
rule) the most accurate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from engine.epoch_log import EpochLog
from engine.events import Event, Filtered, Warned
from engine.problem import Problem, evaluate
from engine.space import Arch
from engine.strategies.draw import drawn_within
from engine.strategies.shared_training import SharedTraining
from engine.strategies.shrinking import Proposal, Shrinking, best_of
from engine.train import cosine, loss_of, set_lr

LEAST = 0.01  # of the start's cost that a step must save
PROBE_IMAGES = 512  # of the architecture split that a proposal is judged on
FINETUNED = 4  # proposals that are finetuned in a step, those of the least loss before
SHRINKS = 60  # steps of NetAdapt at most before each must save more

Batch = tuple[Tensor, Tensor]
Weights = dict[str, Tensor]


class NetAdapt:
    """One adaptation; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.by_accuracy = problem.spec.mode == "accuracy"
        budget, start = problem.spec.epochs, problem.spec.start
        self.start = 0 if start else max(1, budget // 2)
        self.adapts = max(1, budget // (2 if start else 4))
        self.long = max(1, budget - self.start - self.adapts)
        # what was trained elsewhere goes on at the learning rate it would have here by then
        self.before = self.start or 2 * self.long
        self.shrinking = Shrinking(problem.filter, problem.limit_ms)
        self.training = SharedTraining(problem)
        self.shrinks = min(SHRINKS, 4 * self.adapts)
        per_step = self.adapts * self.training.batches / (self.shrinks * FINETUNED)
        self.batches = max(1, round(per_step))
        first = Arch.parse(start.arch) if start else problem.space.largest()
        self.accepted: list[Arch] = [first]
        self.ended = False

    # -- the plan -----------------------------------------------------------------------------

    @property
    def steps(self) -> int:
        """Epochs, parts of the adaptation, epochs again, and the last judgement."""
        return self.start + self.adapts + self.long + 1

    def phase(self, step: int) -> str:
        """`train`, `adapt`, `finetune` or `judge`."""
        if step < self.start:
            return "train"
        if step < self.start + self.adapts:
            return "adapt"
        return "finetune" if step < self.steps - 1 else "judge"

    def weight(self, step: int) -> float:
        """Steps of a phase relative to an epoch of the largest network."""
        return {"train": 1.0, "adapt": 1.5, "finetune": 0.7, "judge": 0.5}[self.phase(step)]

    def step(self, number: int) -> Iterator[Event]:
        """One epoch, one part of the adaptation, or the last judgement."""
        phase = self.phase(number)
        if phase == "adapt":
            yield from self._adapt(number - self.start)
        elif phase == "judge":
            yield from self._judge()
        else:
            done = self.start + self.adapts
            epoch = number if phase == "train" else number - done + self.before
            of = self.before + self.long
            for event in self.training.epoch(epoch, of, draw=self._draw, phase=phase):
                yield replace(event, epoch=number + 1)

    def _draw(self) -> Arch:
        """The last accepted network half of the time, else any; before adapting, the largest."""
        rng = self.problem.rng
        return self.accepted[-1] if rng.random() < 0.5 else rng.choice(self.accepted)

    # -- adapting -----------------------------------------------------------------------------

    def _adapt(self, part: int) -> Iterator[Event]:
        """The shrinking steps of one part; in the last part, as many as are still needed."""
        if part == 0:
            yield evaluate(self.problem, self.accepted[0])
        each = -(-self.shrinks // self.adapts)
        known, log = len(self.accepted), EpochLog(0)
        done = 0
        while not self.ended and (done < each or part == self.adapts - 1):
            left = max(1, self.shrinks - each * part - done)
            yield from self._shrink(left, log, share=(done / each, (done + 1) / each))
            done += 1
        if log.losses:
            yield log.event("adapt", self.start + part + 1)
        for arch in self.accepted[known:]:
            yield evaluate(self.problem, arch)
        if part == self.adapts - 1:
            kept = self.problem.filter
            yield Filtered(kept.asked, dict(kept.refused))
        self.problem.tick(1.0)

    def _shrink(
        self, left: int, log: EpochLog, *, share: tuple[float, float] = (0.0, 1.0)
    ) -> Iterator[Event]:
        """One accepted step, or the end: within the limits, or nothing left to change.

        `share` of the part is told while it goes on; `log` takes what the finetuning comes to.
        """
        here = self.accepted[-1]
        if self.problem.filter.keeps(here):
            self.ended = True
            return
        options = self.shrinking.proposals(here, self.least(left))
        if not options:
            yield from self._stuck()
            return
        self.accepted.append(self._best(here, options, log, share=share))

    def least(self, left: int) -> float:
        """What the next of `left` steps must save, in limits."""
        cost = self.shrinking.cost
        first, here = cost(self.accepted[0]), cost(self.accepted[-1])
        return max(LEAST * first, (here - 1) / left)

    def _best(
        self, here: Arch, options: list[Proposal], log: EpochLog, *, share: tuple[float, float]
    ) -> Arch:
        """The best proposal after finetuning; the shared weights are then those it was left with.

        The published search finetunes every proposal; here those that lose the most untrained fall
        out first, which costs a forward each.
        """
        problem, batches = self.problem, self._batches()
        probe = next(problem.splits["architecture"].in_order(PROBE_IMAGES))
        before = self._probed(here, probe)[0]
        options = sorted(options, key=lambda p: self._probed(p.arch, probe)[1])[:FINETUNED]
        weights = kept = _copied(problem)
        best: Proposal | None = None
        for i, option in enumerate(options, 1):
            problem.supernet.load_state_dict(weights)
            log.losses += self._finetune(option.arch, batches)
            log.ms.append(problem.latency.predict(option.arch))
            judged = Proposal(option.arch, option.saved, *self._probed(option.arch, probe))
            rivals = [best, judged] if best else [judged]
            if best_of(rivals, before, by_accuracy=self.by_accuracy) is judged:
                best, kept = judged, _copied(problem)
            low, high = share
            problem.tick(min(0.99, low + (high - low) * i / len(options)))
        problem.supernet.load_state_dict(kept)
        assert best is not None, "nothing was proposed"
        return best.arch

    def _batches(self) -> list[Batch]:
        """A few training batches, the same for every proposal of a step."""
        split = self.problem.splits["weights"]
        drawn = split.shuffled(self.problem.recipe.batch, self.problem.generator)
        return [batch for _, batch in zip(range(self.batches), drawn, strict=False)]

    def _finetune(self, arch: Arch, batches: list[Batch]) -> list[float]:
        """A few updates, at the learning rate at which the first training ended; their losses."""
        training = SharedTraining(self.problem)  # its own momentum: it begins anew each time
        share = self.before / (self.before + self.long)
        set_lr(training.optimizer, cosine(self.problem.recipe.lr, share))
        return [training.update(x, y, arch) for x, y in batches]

    @torch.no_grad()
    def _probed(self, arch: Arch, probe: Batch) -> tuple[float, float]:
        """Accuracy and cross-entropy on one batch, batch norm using the batch's own statistics."""
        supernet = self.problem.supernet
        supernet.train()
        supernet.head.eval()  # no dropout: proposals must be compared on equal terms
        logits = supernet(probe[0], arch)
        supernet.head.train()
        right = float((logits.argmax(1) == probe[1]).float().mean())
        return right, float(loss_of(logits, probe[1], 0.0))

    def _stuck(self) -> Iterator[Event]:
        """No single change lowers the cost: ends with a random network within the limits."""
        self.ended = True
        found = drawn_within(self.problem, 1, self.accepted)
        yield Warned(
            "No single change brought the network closer to its limits: "
            + ("a random one within them was taken." if found else "it stays above them.")
        )
        self.accepted += found

    def _judge(self) -> Iterator[Event]:
        for i, arch in enumerate(self.accepted, 1):
            yield evaluate(self.problem, arch)
            self.problem.tick(i / len(self.accepted))

    # -- checkpoints --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """The optimiser, the accepted networks, whether it arrived, and the filter's counts."""
        kept = self.problem.filter
        return {
            "training": self.training.state_dict(),
            "accepted": [str(arch) for arch in self.accepted],
            "ended": self.ended,
            "asked": kept.asked,
            "refused": dict(kept.refused),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.training.load_state_dict(state["training"])
        self.accepted = [Arch.parse(arch) for arch in state["accepted"]]
        self.ended = state["ended"]
        self.problem.filter.asked = state["asked"]
        self.problem.filter.refused = dict(state["refused"])


def _copied(problem: Problem) -> Weights:
    with torch.no_grad():
        return {name: t.clone() for name, t in problem.supernet.state_dict().items()}
