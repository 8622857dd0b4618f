"""Thresholds of the superkernels: gates by comparing a slice's norm with a learned value.

Single-Path NAS (Stamoulis et al. 2019): a slice of the depthwise kernel stays if its norm exceeds
a threshold, decided with a straight-through estimator. Two forms:

- `reference`: gate = step(norm - t), as published. In a fresh port the sigmoid's slope underflows
  to exactly 0 in wide layers, so nothing can be searched there.
- `stable`: gate = step((norm / (sqrt(n) * sigma) - t) / 0.25) with n weights in the slice drawn
  with standard deviation sigma: about 1 at the start whatever the width, so every slope is alive.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn

from engine.space import SearchSpace
from engine.stage import Slot
from engine.superkernel import SlotGates, SuperKernel, nested
from engine.supernet import Kernel, SuperNet

TEMPERATURE = 0.25
MEMORY = 0.9  # of the running mean square
LOWEST, HIGHEST = -0.5, 1.5  # of a threshold, where fresh slices have a relative norm of 1


class Thresholds(nn.Module):
    """One learned value per decision of every slot: rings, bands, and the layer where it may go."""

    def __init__(self, supernet: SuperNet, stable: bool) -> None:
        super().__init__()
        self.stable = stable
        self.values = nn.ParameterList(
            nn.Parameter(torch.zeros(decisions(kernel))) for kernel in supernet.kernels()
        )

    def gates(
        self,
        supernet: SuperNet,
        keep: list[Tensor] | None = None,
        *,
        draw: Callable[[Slot], str] | None = None,
    ) -> list[SlotGates | str]:
        """Gates of every slot; slots without gates are told the op that `draw` gives them.

        `keep` holds per slot one factor per decision (decision dropout).
        """
        factors: Sequence[Tensor | None] = keep or [None] * len(self.values)
        triples = zip(supernet.kernels(), self.values, factors, strict=True)
        gates: list[SlotGates | str] = []
        for kernel, t, factor in triples:
            if isinstance(kernel, SuperKernel):
                gates.append(self._slot(kernel, t, factor))
            else:
                assert draw is not None, f"{kernel.slot.name} has no gates"
                gates.append(draw(kernel.slot))
        return tie(supernet.space, gates)

    def _slot(self, kernel: SuperKernel, t: Tensor, keep: Tensor | None) -> SlotGates:
        rings, bands = len(kernel.kernels) - 1, len(kernel.expands) - 1
        factor = torch.ones_like(t) if keep is None else keep
        w = kernel.depthwise[:, 0]
        masks = cast(Tensor, kernel.rings)
        ring_norms = [self._norm(kernel, w * mask, w.shape[0] * mask.sum()) for mask in masks[1:]]
        ring = straight_through(self._over(ring_norms, t[:rings])) * factor[:rings]
        # The other norms are taken after the kernel decision: the decisions are nested.
        taps = torch.einsum("r,rhw->hw", nested(ring), masks)
        inner = w * taps
        count = (taps.detach() > 0).sum()
        channels = cast(Tensor, kernel.bands)
        norms = [self._norm(kernel, inner[mask > 0], count * (mask > 0).sum()) for mask in channels]
        band = straight_through(self._over(norms[1:], t[rings : rings + bands]))
        band = band * factor[rings : rings + bands]
        if not kernel.slot.skippable:
            return ring, band, torch.ones(())
        layer = straight_through(self._over(norms[:1], t[rings + bands :]))
        return ring, band, (layer * factor[rings + bands :])[0]

    def _norm(self, kernel: SuperKernel, part: Tensor, count: Tensor) -> Tensor:
        """Frobenius norm of a slice; in the stable form relative to what it was drawn with."""
        norm: Tensor = torch.linalg.vector_norm(part)
        if not self.stable:
            return norm
        sigma = 2**0.5 / kernel.kernels[-1]
        relative: Tensor = norm / (count.sqrt() * sigma)
        return relative

    def _over(self, norms: list[Tensor], t: Tensor) -> Tensor:
        """How far each norm exceeds its threshold, in units of the sigmoid's argument."""
        over = torch.stack(norms) - t if norms else t
        return over / TEMPERATURE if self.stable else over

    def grad_norms(self) -> tuple[float, ...]:
        """Norm of the thresholds' gradient per slot; 0 where a slot has no decision."""
        return tuple(
            float(t.grad.norm()) if t.grad is not None and t.numel() else 0.0 for t in self.values
        )


class SharedRMS(torch.optim.Optimizer):
    """Gradient descent in units of one running root mean square, shared by all thresholds.

    Adam scales every threshold by its own gradient, so that all move in step and all gates fall at
    once. Under a common scale those whose gate saves most latency for least cross-entropy move
    fastest: gates fall one by one until the limit is met. Thresholds stay within LOWEST and HIGHEST
    (relative norms), where their slopes are alive and a gate can come back.
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        super().__init__(params, {"lr": lr, "square": 0.0, "steps": 0})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is ever given
        """One update of every threshold that has a gradient."""
        assert closure is None, closure
        for group in self.param_groups:
            moved = [p for p in group["params"] if p.grad is not None and p.numel()]
            if moved:
                scale = self._scale(group, torch.cat([p.grad.flatten() for p in moved]))
                for p in moved:
                    p.sub_(group["lr"] * p.grad / scale).clamp_(LOWEST, HIGHEST)

    def _scale(self, group: dict[str, Any], gradient: Tensor) -> float:
        """The running root mean square, at least a third of this step's own."""
        now = float(gradient.square().mean())
        group["steps"] += 1
        group["square"] = MEMORY * group["square"] + (1 - MEMORY) * now
        running = group["square"] / (1 - MEMORY ** group["steps"])
        return math.sqrt(max(running, now / 9, 1e-24))


def tie(space: SearchSpace, gates: list[SlotGates | str]) -> list[SlotGates | str]:
    """Gates of which every tied stage has one choice, and leaves out its last layers only.

    Its first layer decides kernel and expansion; a layer is on if those before it are.
    """
    result = list(gates)
    for gene in space.genes():
        first = gates[gene.slots[0]]
        if len(gene.slots) == 1 or isinstance(first, str):
            continue
        on = torch.ones(())
        for i in gene.slots:
            on = on * cast(SlotGates, gates[i])[2]
            result[i] = (first[0], first[1], on)
    return result


def decisions(kernel: Kernel) -> int:
    """Number of decisions of one slot; none where its ops have no gates."""
    if not isinstance(kernel, SuperKernel):
        return 0
    return len(kernel.kernels) + len(kernel.expands) - 2 + kernel.slot.skippable


def straight_through(x: Tensor) -> Tensor:
    """Exactly 0 or 1 forward (1 where x >= 0), the sigmoid's slope backward."""
    soft = torch.sigmoid(x)
    return (x >= 0).to(x.dtype) + (soft - soft.detach())  # in this order the value is exact
