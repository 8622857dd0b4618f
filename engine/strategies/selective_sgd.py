"""SGD that moves only what was used: numbers without a gradient keep their value, bit for bit.

A sampled step touches slices of shared weights; the rest of each tensor has a gradient of exactly
zero. Plain SGD would still decay it and carry it on by old momentum, so that choices drawn rarely
would fade (methods.md's note on SPOS: gradients that are zero there are set to None).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


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
        grad = slope.add(p, alpha=group["weight_decay"])
        fresh = buffer.mul(group["momentum"]).add_(grad)
        buffer.copy_(torch.where(used, fresh, buffer))
        step = grad.add(fresh, alpha=group["momentum"])
        p.sub_(step.mul_(used), alpha=group["lr"])
