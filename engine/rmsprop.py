"""RMSProp as TensorFlow 1 computes it, for fidelity to recipes of its time; not torch's."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor


class TFRMSProp(torch.optim.Optimizer):
    """`s <- d·s + (1-d)·g²; m <- µ·m + lr·g / sqrt(s + eps); w <- w - m`.

    Differs from `torch.optim.RMSprop`: `s` starts at 1 and epsilon is inside the root, so with
    eps 1e-3 the divisor never falls below 0.0316.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        super().__init__(params, {"lr": lr, "decay": 0.9, "momentum": 0.9, "eps": 1e-3})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is ever given
        """One update of every parameter that has a gradient."""
        assert closure is None, closure
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, group)

    def _update(self, p: Tensor, group: dict[str, float]) -> None:
        state = self.state[p]
        if not state:
            state["square"] = torch.ones_like(p)
            state["velocity"] = torch.zeros_like(p)
        square, velocity = state["square"], state["velocity"]
        square.mul_(group["decay"]).addcmul_(p.grad, p.grad, value=1 - group["decay"])
        root = square.add(group["eps"]).sqrt_()
        velocity.mul_(group["momentum"]).addcdiv_(p.grad, root, value=group["lr"])
        p.sub_(velocity)
