"""Training the weights that networks share: one drawn network per batch, on its slices only.

What is drawn is the caller's affair (uniform, by a controller, the largest), and so is any teacher:
this is the plain loop of SPOS (Guo et al. 2019, arXiv:1904.00420), with its schedule and its event.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor

from engine.batches import Split
from engine.epoch_log import EpochLog
from engine.events import EpochEnd
from engine.problem import Problem
from engine.space import Arch
from engine.strategies.selective_sgd import sparing
from engine.train import cosine, finite, loss_of, set_lr


class SharedTraining:
    """The optimiser of `problem`'s shared weights; `split` is what it trains on (None: weights)."""

    def __init__(self, problem: Problem, split: Split | None = None) -> None:
        self.problem = problem
        self.split = split or problem.splits["weights"]
        self.optimizer = sparing(problem.supernet, problem.recipe)

    @property
    def batches(self) -> int:
        """Updates per epoch."""
        return self.split.batches(self.problem.recipe.batch)

    def epoch(
        self, number: int, of: int, *, draw: Callable[[], Arch], phase: str = "train"
    ) -> Iterator[EpochEnd]:
        """Epoch `number` (from 0) of `of`, one network of `draw` per batch; its event at the end.

        The event has the mean predicted latency of what was drawn, and no gates. The learning rate
        falls along half a cosine over all `of` epochs. Ticks from 0 to 1.
        """
        problem, count = self.problem, self.batches
        log = EpochLog(0)
        for i, (x, y) in enumerate(self.split.shuffled(problem.recipe.batch, problem.generator)):
            set_lr(self.optimizer, cosine(problem.recipe.lr, (number + i / count) / of))
            arch = draw()
            log.losses.append(self.update(x, y, arch))
            log.ms.append(problem.latency.predict(arch))
            problem.tick((i + 1) / count)
        yield log.event(phase, number + 1)

    def update(self, x: Tensor, y: Tensor, arch: Arch) -> float:
        """One step of the weights of `arch` on one batch; the loss before it, in nats.

        Under `sgd` neither decay nor momentum moves what `arch` does not use, be it a layer or a
        slice of one. Under the recipe's other optimisers that holds of whole layers only: of one
        that `arch` uses in part, the rest decays and goes on by what the optimiser remembers.
        Raises RunError where training has diverged.
        """
        self.problem.supernet.train()
        self.optimizer.zero_grad(set_to_none=True)
        loss = loss_of(self.problem.supernet(x, arch), y, self.problem.recipe.smoothing)
        torch.autograd.backward(loss)
        self.optimizer.step()
        return finite(float(loss.detach()))

    def state_dict(self) -> dict[str, Any]:
        """The optimiser's; the weights belong to the problem."""
        return {"optimizer": self.optimizer.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.optimizer.load_state_dict(state["optimizer"])
