"""One network that holds the weights of every subnet of a space; it never remembers an active one.

A searched layer is a superkernel: its depthwise kernel is the largest one, smaller kernels are its
centre, smaller expansions its first channels. A forward is told what to use: an `Arch` (hard; only
the chosen slices are computed, at the child's cost) or `Gates` (differentiable; everything is
computed and switched).

Gates switch a layer *after* each batch norm, not only on the kernel as the released code of
Single-Path NAS does: there, unused channels and skipped layers leak the batch norm's shift
(`leaky=True` keeps that form for fidelity tests).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.blocks.mbconv import MBConv
from engine.build import (
    ConvBN,
    build,
    build_layer,
    draw_conv,
    initialize,
    to_channels_last,
)
from engine.layers import BN_EPS
from engine.space import SKIP, Arch, SearchSpace, Slot

SlotGates = tuple[Tensor, Tensor, Tensor]
"""Of one slot, each in [0, 1]: rings (kernels - 1,), bands (expansions - 1,), layer ()."""

Gates = Sequence[SlotGates]


class SuperKernel(nn.Module):
    """All MBConvs of one slot in shared weights: (N, cin, H, W) to (N, cout, ceil(H/s), ceil(W/s)).

    `rings[i]` marks the taps that kernel i + 1 adds to kernel i, `bands[j]` the hidden channels
    that expansion j + 1 adds to expansion j; entry 0 of each marks the innermost part.
    """

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        ops = [MBConv.parse(op) for op in slot.ops if op != SKIP]
        self.slot = slot
        self.kernels = tuple(sorted({op.kernel for op in ops if op}))
        self.expands = tuple(sorted({op.expand for op in ops if op}))
        self.residual = slot.stride == 1 and slot.cin == slot.cout
        mid, kernel = slot.cin * self.expands[-1], self.kernels[-1]
        self.widens = self.expands[-1] > 1
        if self.widens:
            self.expand = nn.Parameter(torch.empty(mid, slot.cin, 1, 1))
            self.bn_expand = nn.BatchNorm2d(mid, eps=BN_EPS)
        self.depthwise = nn.Parameter(torch.empty(mid, 1, kernel, kernel))
        self.bn_depthwise = nn.BatchNorm2d(mid, eps=BN_EPS)
        self.project = nn.Parameter(torch.empty(slot.cout, mid, 1, 1))
        self.bn_project = nn.BatchNorm2d(slot.cout, eps=BN_EPS)
        self.register_buffer("rings", _rings(self.kernels), persistent=False)
        self.register_buffer("bands", _bands(self.expands, slot.cin), persistent=False)

    def draw(self, generator: torch.Generator) -> None:
        """Draws the weights, each as a plain convolution of the largest op would be."""
        if self.widens:
            draw_conv(self.expand, generator, 1)
        draw_conv(self.depthwise, generator, self.depthwise.shape[0])
        draw_conv(self.project, generator, 1)

    def weights_of(self, op: MBConv) -> tuple[Tensor | None, Tensor, Tensor]:
        """Views of the expand, depthwise and project weights that `op` uses."""
        mid = self.slot.cin * op.expand
        crop = (self.kernels[-1] - op.kernel) // 2
        stop = self.kernels[-1] - crop
        expand = self.expand[:mid] if self.widens else None
        return expand, self.depthwise[:mid, :, crop:stop, crop:stop], self.project[:, :mid]

    def sliced(self, x: Tensor, op: MBConv) -> Tensor:
        """What the child with `op` computes, on its slices only."""
        expand, depthwise, project = self.weights_of(op)
        h = x
        if expand is not None:
            h = F.relu(_norm(self.bn_expand, F.conv2d(x, expand)))
        h = F.conv2d(h, depthwise, None, self.slot.stride, op.kernel // 2, 1, depthwise.shape[0])
        h = F.relu(_norm(self.bn_depthwise, h))
        y = _norm(self.bn_project, F.conv2d(h, project))
        return x + y if self.residual else y

    def gated(self, x: Tensor, gates: SlotGates, leaky: bool) -> Tensor:
        """The same under gates: exact at hard gates, differentiable between (unless `leaky`)."""
        rings, bands, layer = gates
        taps = torch.einsum("r,rhw->hw", nested(rings), cast(Tensor, self.rings))
        mask = torch.einsum("b,bc->c", nested(bands), cast(Tensor, self.bands))
        kernel = self.depthwise * taps
        if leaky:
            kernel = kernel * (layer * mask)[:, None, None, None]
        h = x
        if self.widens:
            h = F.relu(_norm(self.bn_expand, F.conv2d(x, self.expand)))
        pad = self.kernels[-1] // 2
        h = F.conv2d(h, kernel, None, self.slot.stride, pad, 1, kernel.shape[0])
        h = F.relu(_norm(self.bn_depthwise, h))
        # Masking the project weight's input channels equals masking h, on far fewer numbers.
        project = self.project if leaky else self.project * mask[None, :, None, None]
        # The layer's gate scales the last batch norm's output: its affine part does that for free.
        gain = layer if self.residual and not leaky else None
        y = _norm(self.bn_project, F.conv2d(h, project), gain)
        return x + y if self.residual else y

    def forward(self, x: Tensor, how: str | SlotGates, leaky: bool = False) -> Tensor:
        """`how` is an op's text (sliced; skip is the identity) or gates."""
        if not isinstance(how, str):
            return self.gated(x, how, leaky)
        op = MBConv.parse(how)
        return x if op is None else self.sliced(x, op)

    def copy_into(self, layer: nn.Sequential, op: MBConv) -> None:
        """Copies the slices of `op`, batch norm and its statistics included, into a built layer."""
        targets = [m for m in layer.modules() if isinstance(m, ConvBN)]
        norms = [self.bn_expand] if self.widens else []
        norms += [self.bn_depthwise, self.bn_project]
        weights = [w for w in self.weights_of(op) if w is not None]
        for target, weight, norm in zip(targets, weights, norms, strict=True):
            target.conv.weight.copy_(weight)
            n = weight.shape[0]
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(target.bn, name).copy_(getattr(norm, name)[:n])


class SuperNet(nn.Module):
    """Shared weights of every subnet of `space`: (N, C, size, size) to (N, classes) logits."""

    def __init__(self, space: SearchSpace, generator: torch.Generator, leaky: bool = False) -> None:
        super().__init__()
        self.space = space
        self.leaky = leaky
        self.stem = build_layer(space.stem_layer())
        self.slots = nn.ModuleList(SuperKernel(slot) for slot in space.slots())
        self.head = build_layer(space.head_layer())
        initialize(self, generator)
        for kernel in self.kernels():
            kernel.draw(generator)
        to_channels_last(self)

    def kernels(self) -> list[SuperKernel]:
        """The superkernels, one per slot."""
        return [cast(SuperKernel, module) for module in self.slots]

    def forward(self, x: Tensor, how: Arch | Gates) -> Tensor:
        """Logits of the subnet that `how` states, as an architecture or as gates."""
        parts: Sequence[str | SlotGates] = how.ops if isinstance(how, Arch) else how
        h = self.stem(x)
        for kernel, part in zip(self.kernels(), parts, strict=True):
            h = kernel(h, part, self.leaky)
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
            block = MBConv.parse(op)
            if block is not None:
                kernel.copy_into(cast(nn.Sequential, modules[kernel.slot.name]), block)
        return network.train(self.training)


def nested(gates: Tensor) -> Tensor:
    """(n,) gates to (n + 1,) switches 1, g1, g1·g2, …: a part is on if those inside it are."""
    return torch.cat([gates.new_ones(1), torch.cumprod(gates, 0)])


def hard_gates(kernel: SuperKernel, op: str) -> SlotGates:
    """The gates, each 0 or 1, at which the gated forward computes `op`."""
    block = MBConv.parse(op)
    if block is None:
        off = (torch.zeros(len(kernel.kernels) - 1), torch.zeros(len(kernel.expands) - 1))
        return (*off, torch.zeros(()))
    rings = torch.tensor([float(k <= block.kernel) for k in kernel.kernels[1:]])
    bands = torch.tensor([float(e <= block.expand) for e in kernel.expands[1:]])
    return rings, bands, torch.tensor(1.0)


def decode(kernel: SuperKernel, gates: SlotGates) -> str:
    """The op that hard gates state: skip if the layer is off, whatever the others say."""
    rings, bands, layer = (part.detach() for part in gates)
    if float(layer) < 0.5 and kernel.slot.skippable:
        return SKIP
    size = kernel.kernels[int(nested(rings).round().sum()) - 1]
    expand = kernel.expands[int(nested(bands).round().sum()) - 1]
    return str(MBConv(size, expand))


def corner_table(kernel: SuperKernel, ms: dict[str, float]) -> tuple[Tensor, float]:
    """Latency of every (kernel, expansion) of a slot, (K, E) in ms, and of leaving it out."""
    rows = [[ms[str(MBConv(k, e))] for e in kernel.expands] for k in kernel.kernels]
    return torch.tensor(rows), ms.get(SKIP, 0.0)


def expected_ms(gates: SlotGates, table: Tensor, skip_ms: float) -> Tensor:
    """Expected latency of one slot: multilinear in the gates, exact where all are 0 or 1."""
    rings, bands, layer = gates
    on = torch.einsum("k,e,ke->", _only(nested(rings)), _only(nested(bands)), table)
    return layer * on + (1 - layer) * skip_ms


def _only(switches: Tensor) -> Tensor:
    """(n,) nested switches to weights that sum to 1: part i is on and part i + 1 is not."""
    return switches - torch.cat([switches[1:], switches.new_zeros(1)])


def _norm(bn: nn.BatchNorm2d, x: Tensor, gain: Tensor | None = None) -> Tensor:
    """Batch norm with the first `x.shape[1]` channels, times `gain`; statistics move in place."""
    n = x.shape[1]
    assert bn.running_mean is not None, "batch norm without running statistics"
    assert bn.running_var is not None, "batch norm without running statistics"
    momentum = 0.1 if bn.momentum is None else bn.momentum
    stats = (bn.running_mean[:n], bn.running_var[:n])
    affine = (bn.weight[:n], bn.bias[:n])
    if gain is not None:
        affine = (affine[0] * gain, affine[1] * gain)
    return F.batch_norm(x, *stats, *affine, bn.training, momentum, bn.eps)


def _rings(kernels: tuple[int, ...]) -> Tensor:
    size = kernels[-1]
    masks = torch.zeros(len(kernels), size, size)
    for i, kernel in enumerate(kernels):
        low, high = (size - kernel) // 2, (size + kernel) // 2
        masks[i, low:high, low:high] = 1
    masks[1:] -= masks[:-1].clone()
    return masks


def _bands(expands: tuple[int, ...], cin: int) -> Tensor:
    masks = torch.zeros(len(expands), cin * expands[-1])
    for j, expand in enumerate(expands):
        masks[j, : cin * expand] = 1
    masks[1:] -= masks[:-1].clone()
    return masks
