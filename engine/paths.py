"""Shared weights of a slot whose ops are no gated superkernel: slices, and several paths.

Ops of one path (`Block.path`) are slices of the largest of them: first channels, centre taps.
Ops of different paths share nothing. Nothing here can be switched by gates, only chosen or mixed.
"""

from __future__ import annotations

from typing import NamedTuple, cast

import torch
from torch import Tensor, nn
from torch.func import functional_call

from engine.modules import chain
from engine.stage import SKIP, Slot


class Mixture(NamedTuple):
    """What a slot is told to mix: each op's share of its output, a scalar tensor.

    Ops in `quiet` answer without keeping what their own gradients would need.
    """

    shares: dict[str, Tensor]
    quiet: frozenset[str] = frozenset()


class SharedPath(nn.Module):
    """The ops of one path: (N, cin, H, W) to (N, cout, ceil(H/s), ceil(W/s)), sliced."""

    def __init__(self, slot: Slot, ops: tuple[str, ...]) -> None:
        super().__init__()
        with torch.device("meta"):
            forms = {op: chain(slot.layer(op).primitives) for op in ops}
        largest = max(ops, key=lambda op: sum(p.numel() for p in forms[op].parameters()))
        self.largest = largest
        self.whole = chain(slot.layer(largest).primitives)
        # In a tuple, so that the forms, which hold no numbers, do not count as parts.
        self.forms = (forms,)
        held = self.whole.state_dict()
        for op, form in forms.items():
            wanted = form.state_dict()
            fits = wanted.keys() == held.keys() and all(
                all(a <= b for a, b in zip(t.shape, held[name].shape, strict=True))
                for name, t in wanted.items()
            )
            assert fits, f"{op} is no slice of {largest}"

    def forward(self, x: Tensor, op: str) -> Tensor:
        """What the child with `op` computes, on its slices only."""
        if op == self.largest:
            return cast(Tensor, self.whole(x))
        form = self.forms[0][op].train(self.training)
        return cast(Tensor, functional_call(form, self.slices(op), (x,)))

    def slices(self, op: str) -> dict[str, Tensor]:
        """Views of everything that `op` uses, by name."""
        form = self.forms[0][op]
        held = dict(self.whole.named_parameters()) | dict(self.whole.named_buffers())
        wanted = dict(form.named_parameters()) | dict(form.named_buffers())
        return {name: _slice(held[name], tensor.shape) for name, tensor in wanted.items()}

    def copy_into(self, layer: nn.Sequential, op: str) -> None:
        """Copies the slices of `op` into a built layer."""
        targets = dict(layer.named_parameters()) | dict(layer.named_buffers())
        for name, tensor in self.slices(op).items():
            targets[name].copy_(tensor)


class Paths(nn.Module):
    """All ops of one slot, each path with weights of its own; `separate`: each op."""

    def __init__(self, slot: Slot, separate: bool = False) -> None:
        super().__init__()
        self.slot = slot
        groups = list(slot.paths.values())
        if separate:
            groups = [(op,) for ops in groups for op in ops]
        self.paths = nn.ModuleList(SharedPath(slot, ops) for ops in groups)
        self.number = {op: i for i, ops in enumerate(groups) for op in ops}

    def path(self, op: str) -> SharedPath:
        """The path that `op` belongs to."""
        return cast(SharedPath, self.paths[self.number[op]])

    def forward(self, x: Tensor, how: str | Mixture) -> Tensor:
        """What the child with the op `how` computes, or a mixture of that; skip is the identity."""
        if isinstance(how, Mixture):
            return self._mixed(x, how)
        return x if how == SKIP else cast(Tensor, self.path(how)(x, how))

    def _mixed(self, x: Tensor, mixture: Mixture) -> Tensor:
        """Sum of what the ops compute, each times its share; ops that are not named do not run."""
        parts = []
        for op, share in mixture.shares.items():
            kept = torch.is_grad_enabled() and op not in mixture.quiet
            with torch.set_grad_enabled(kept):
                out = self.forward(x, op)
            parts.append(share * (out if kept else out.detach()))
        total = parts[0]
        for part in parts[1:]:
            total = total + part
        return total

    def copy_into(self, layer: nn.Sequential, op: str) -> None:
        """Copies the slices of `op` into a built layer."""
        self.path(op).copy_into(layer, op)


def _slice(tensor: Tensor, shape: torch.Size) -> Tensor:
    """First channels and centre taps of `tensor`, as a view of that shape."""
    for dim, (held, wanted) in enumerate(zip(tensor.shape, shape, strict=True)):
        if held > wanted:
            start = (held - wanted) // 2 if dim >= 2 else 0
            tensor = tensor.narrow(dim, start, wanted)
    return tensor
