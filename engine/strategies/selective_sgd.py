"""SGD that moves only what was used: numbers without a gradient keep their value, bit for bit.

A sampled step touches slices of shared weights; the rest of each tensor has a gradient of exactly
zero. Plain SGD would still decay it and carry it on by old momentum, so that choices drawn rarely
would fade (SPOS's released code drops such gradients too, a whole tensor at a time). The optimisers
with running squares have no such form here: under them unused slices do move.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from engine.recipe import Recipe
from engine.train import optimizer_for


def sparing(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser of all weights of `module`; `sgd` in the form that spares the rest.

    `adamw` and `rmsprop` are the usual ones: of a tensor that a step uses in part they move the
    rest too, by decay and by what they remember. A tensor that it does not use at all stays.
    """
    usual = optimizer_for(module, recipe)
    return SelectiveSGD(usual.param_groups, recipe.lr) if recipe.optimizer == "sgd" else usual


class SelectiveSGD(torch.optim.Optimizer):
    """SGD with Nesterov momentum whose decay and momentum skip entries of zero gradient."""

    def __init__(self, params: Iterable[Any], lr: float, momentum: float = 0.9) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": 0.0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # a closure is never given
        """One update of every parameter that has a gradient."""
        assert closure is None
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._move(p, p.grad, group)

    def _move(self, p: Tensor, slope: Tensor, group: dict[str, Any]) -> None:
        used = slope.ne(0)
        buffer = self.state[p].setdefault("momentum", torch.zeros_like(p))
        grad = slope.add(p, alpha=group["weight_decay"]) if group["weight_decay"] else slope
        fresh = buffer.mul(group["momentum"]).add_(grad)
        torch.where(used, fresh, buffer, out=buffer)
        step = grad.add(fresh, alpha=group["momentum"])
        p.sub_(step.mul_(used), alpha=group["lr"])
