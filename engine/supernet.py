"""One network that holds the weights of every subnet of a space; it never remembers an active one.

A slot is a superkernel (`superkernel`), or paths side by side where its ops cannot share one
(`paths`). A forward is told what to use: an `Arch` (hard; only the chosen slices are computed, at
the child's cost), `Gates` (differentiable; everything is computed and switched, slots without
gates are told an op), or a `Mixture` per slot (differentiable; the sum of what its ops compute).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from engine.build import build, build_layer, initialize, to_channels_last
from engine.paths import Mixture, Paths
from engine.space import SKIP, Arch, SearchSpace
from engine.superkernel import SlotGates, SuperKernel

Kernel = SuperKernel | Paths


class SuperNet(nn.Module):
    """Shared weights of every subnet of `space`: (N, C, size, size) to (N, classes) logits.

    `separate` gives every op of a slot weights of its own, so that networks share only equal ops.
    """

    def __init__(
        self,
        space: SearchSpace,
        generator: torch.Generator,
        *,
        leaky: bool = False,
        separate: bool = False,
    ) -> None:
        super().__init__()
        self.space = space
        self.leaky = leaky
        self.stem = build_layer(space.stem_layer())
        self.slots = nn.ModuleList(
            SuperKernel(slot) if slot.gated and not separate else Paths(slot, separate)
            for slot in space.slots()
        )
        self.head = build_layer(space.head_layer())
        initialize(self, generator)
        for kernel in self.kernels():
            if isinstance(kernel, SuperKernel):
                kernel.draw(generator)
        to_channels_last(self)

    def kernels(self) -> list[Kernel]:
        """What holds the ops, one per slot."""
        return [cast(Kernel, module) for module in self.slots]

    def forward(self, x: Tensor, how: Arch | Sequence[str | SlotGates | Mixture]) -> Tensor:
        """Logits of the subnet that `how` states: an architecture, gates or mixtures of ops."""
        parts: Sequence[str | SlotGates | Mixture] = how.ops if isinstance(how, Arch) else how
        h = self.stem(x)
        for kernel, part in zip(self.kernels(), parts, strict=True):
            if isinstance(kernel, SuperKernel):
                assert not isinstance(part, Mixture), f"{kernel.slot.name} has gates, no paths"
                h = kernel(h, part, self.leaky)
            else:
                assert not isinstance(part, SlotGates), f"{kernel.slot.name} has no gates"
                h = kernel(h, part)
        logits: Tensor = self.head(h)
        return logits

    @torch.no_grad()
    def subnet(self, arch: Arch) -> nn.Sequential:
        """A separate network of `arch` with its own copy of the shared weights."""
        layers = self.space.layers(arch)
        network = build(layers)
        modules = dict(zip((layer.name for layer in layers), network, strict=True))
        modules["stem"].load_state_dict(self.stem.state_dict())
        modules["head"].load_state_dict(self.head.state_dict())
        for kernel, op in zip(self.kernels(), arch.ops, strict=True):
            if op != SKIP:
                kernel.copy_into(cast(nn.Sequential, modules[kernel.slot.name]), op)
        return network.train(self.training)
