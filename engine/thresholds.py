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

from engine.space import Gene, SearchSpace
from engine.superkernel import SlotGates, SuperKernel, nested
from engine.supernet import Kernel, SuperNet

TEMPERATURE = 0.25
MEMORY = 0.9  # of the running mean square
LOWEST, HIGHEST = -0.5, 1.5  # of a threshold, where fresh slices have a relative norm of 1


class Thresholds(nn.Module):
    """One learned value per decision of every slot: rings, bands, excite, layer where it may go."""

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
        draw: Callable[[Gene], tuple[str, ...]] | None = None,
    ) -> list[SlotGates | str]:
        """Gates of every slot; slots without gates are told the ops that `draw` gives their gene.

        `keep` holds per slot one factor per decision (decision dropout).
        """
        factors: Sequence[Tensor | None] = keep or [None] * len(self.values)

        def of(i: int, kernel: SuperKernel) -> SlotGates:
            return self._slot(kernel, self.values[i], factors[i])

        return by_gene(supernet, of, draw)

    def _slot(self, kernel: SuperKernel, t: Tensor, keep: Tensor | None) -> SlotGates:
        factor = torch.ones_like(t) if keep is None else keep
        keep_ring, keep_band, keep_excite, keep_layer = split(kernel, factor)
        t_ring, t_band, t_excite, t_layer = split(kernel, t)
        w = kernel.depthwise[:, 0]
        masks = cast(Tensor, kernel.rings)
        drawn = 2**0.5 / kernel.kernels[-1]  # the standard deviation of fresh weights
        ring_norms = [self._norm(w * mask, w.shape[0] * mask.sum(), drawn) for mask in masks[1:]]
        ring = straight_through(self._over(ring_norms, t_ring)) * keep_ring
        # The other norms are taken after the kernel decision: the decisions are nested.
        taps = torch.einsum("r,rhw->hw", nested(ring), masks)
        inner = w * taps
        count = (taps.detach() > 0).sum()
        channels = cast(Tensor, kernel.bands)
        norms = [self._norm(inner[mask > 0], count * (mask > 0).sum(), drawn) for mask in channels]
        band = straight_through(self._over(norms[1:], t_band)) * keep_band
        excite = t_excite
        if excite.numel():
            excite = straight_through(self._over([self._excite(kernel)], t_excite)) * keep_excite
        if not kernel.slot.skippable:
            return SlotGates(ring, band, excite, torch.ones(()))
        layer = straight_through(self._over(norms[:1], t_layer)) * keep_layer
        return SlotGates(ring, band, excite, layer[0])

    def _excite(self, kernel: SuperKernel) -> Tensor:
        """Norm of the second matrix of the squeeze-and-excitation, its part in every network."""
        assert kernel.excite is not None, kernel.slot.name
        weight = kernel.excite.widen.weight
        part = weight[: kernel.excite.mids[0], : kernel.excite.squeezed[0]]
        return self._norm(part, torch.tensor(part.numel()), (2 / weight.shape[0]) ** 0.5)

    def _norm(self, part: Tensor, count: Tensor, sigma: float) -> Tensor:
        """Frobenius norm of a slice; in the stable form relative to what it was drawn with."""
        norm: Tensor = torch.linalg.vector_norm(part)
        if not self.stable:
            return norm
        # A band may be empty: two ratios that come to the same width in this layer of a tied stage.
        relative: Tensor = norm / (count.clamp(min=1).sqrt() * sigma)
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


def by_gene(
    supernet: SuperNet,
    gates: Callable[[int, SuperKernel], SlotGates],
    draw: Callable[[Gene], tuple[str, ...]] | None,
) -> list[SlotGates | str]:
    """What every slot is told, tied: its gates or, gene by gene, the ops that are drawn for it.

    By gene, as the layers of a tied stage have one op: drawn one by one they leave the space.
    """
    kernels, told = supernet.kernels(), list[SlotGates | str]()
    for gene in supernet.space.genes():
        own = [(i, kernels[i]) for i in gene.slots]
        held = [(i, kernel) for i, kernel in own if isinstance(kernel, SuperKernel)]
        if held:
            assert len(held) == len(gene.slots), "one gene, but gates for some of its slots only"
            told += [gates(i, kernel) for i, kernel in held]
        else:
            assert draw is not None, f"{kernels[gene.slots[0]].slot.name} has no gates"
            told += draw(gene)
    return tie(supernet.space, told)


def tie(space: SearchSpace, gates: list[SlotGates | str]) -> list[SlotGates | str]:
    """Gates of which every tied stage has one choice, and leaves out its last layers only.

    Its first layer decides all but itself; a layer is on if those before it are.
    """
    result = list(gates)
    for gene in space.genes():
        first = gates[gene.slots[0]]
        if len(gene.slots) == 1 or isinstance(first, str):
            continue
        on = torch.ones(())
        for i in gene.slots:
            on = on * cast(SlotGates, gates[i]).layer
            result[i] = first._replace(layer=on)
    return result


def decisions(kernel: Kernel) -> int:
    """Number of decisions of one slot; none where its ops have no gates."""
    if not isinstance(kernel, SuperKernel):
        return 0
    return sum(_counts(kernel))


def split(kernel: SuperKernel, values: Tensor) -> tuple[Tensor, ...]:
    """One value per decision of a slot (n,) as those of rings, bands, excite and layer."""
    return torch.split(values, _counts(kernel))


def _counts(kernel: SuperKernel) -> list[int]:
    held = (kernel.kernels, kernel.expands, kernel.attentions)
    return [*(len(choices) - 1 for choices in held), int(kernel.slot.skippable)]


def straight_through(x: Tensor) -> Tensor:
    """Exactly 0 or 1 forward (1 where x >= 0), the sigmoid's slope backward."""
    soft = torch.sigmoid(x)
    return (x >= 0).to(x.dtype) + (soft - soft.detach())  # in this order the value is exact
