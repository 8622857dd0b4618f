"""All MBConvs of one slot in shared weights, and the gates that switch its parts.

The depthwise kernel is the largest one, smaller kernels are its centre, smaller expansions its
first channels. Gates switch a layer *after* each batch norm, not only on the kernel as the released
code of Single-Path NAS does: there, unused channels and skipped layers leak the batch norm's shift
(`leaky=True` keeps that form for fidelity tests). Squeeze-and-excitation beside none is gated as
x · (1 + d · (s(x) - 1)).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.blocks.contract import round8, scaled
from engine.blocks.mbconv import Corners, MBConv
from engine.build import draw_conv
from engine.layers import BN_EPS
from engine.modules import ConvBN, activate
from engine.stage import SKIP, Slot


class SlotGates(NamedTuple):
    """Gates of one slot, each in [0, 1].

    rings (kernels - 1,), bands (expansions - 1,), excite (1,) or (0,) where there is no choice
    between squeeze-and-excitation and none, layer ().
    """

    rings: Tensor
    bands: Tensor
    excite: Tensor
    layer: Tensor


Gates = Sequence[SlotGates | str]
"""Of every slot; an op's text where a slot has no gates."""


class SuperKernel(nn.Module):
    """All MBConvs of one slot in shared weights: (N, cin, H, W) to (N, cout, ceil(H/s), ceil(W/s)).

    `rings[i]` marks the taps that kernel i + 1 adds to kernel i, `bands[j]` the hidden channels
    that expansion j + 1 adds to expansion j; entry 0 of each marks the innermost part.
    """

    def __init__(self, slot: Slot) -> None:
        super().__init__()
        ops = [op for op in map(MBConv.parse, slot.ops) if op]
        self.slot = slot
        corners = Corners.of(ops)
        self.kernels, self.expands = corners.kernels, corners.expands
        self.act, self.attentions = ops[0].act, corners.attentions
        self.mids = tuple(scaled(slot.cin, expand) for expand in self.expands)
        self.residual = slot.stride == 1 and slot.cin == slot.cout
        mid, kernel = self.mids[-1], self.kernels[-1]
        self.widens = self.expands[-1] > 1
        if self.widens:
            self.expand = nn.Parameter(torch.empty(mid, slot.cin, 1, 1))
            self.bn_expand = nn.BatchNorm2d(mid, eps=BN_EPS)
        self.depthwise = nn.Parameter(torch.empty(mid, 1, kernel, kernel))
        self.bn_depthwise = nn.BatchNorm2d(mid, eps=BN_EPS)
        self.excite = self._excite()
        self.project = nn.Parameter(torch.empty(slot.cout, mid, 1, 1))
        self.bn_project = nn.BatchNorm2d(slot.cout, eps=BN_EPS)
        self.register_buffer("rings", _rings(self.kernels), persistent=False)
        self.register_buffer("bands", _bands(self.mids), persistent=False)

    def _excite(self) -> SuperExcite | None:
        kind = self.attentions[-1]
        if kind == "none":
            return None
        if kind == "sein":
            return SuperExcite(self.mids, (max(1, self.slot.cin // 4),) * len(self.mids), "sigmoid")
        return SuperExcite(self.mids, tuple(round8(mid / 4) for mid in self.mids), "hsigmoid")

    def draw(self, generator: torch.Generator) -> None:
        """Draws the weights, each as a plain convolution of the largest op would be."""
        if self.widens:
            draw_conv(self.expand, generator, 1)
        draw_conv(self.depthwise, generator, self.depthwise.shape[0])
        draw_conv(self.project, generator, 1)

    def op(self, kernel: int, expand: float, attention: str) -> MBConv:
        """The op of this superkernel with that kernel, expansion and channel attention."""
        return MBConv(kernel, expand, attention, self.act)

    def weights_of(self, op: MBConv) -> tuple[Tensor | None, Tensor, Tensor]:
        """Views of the expand, depthwise and project weights that `op` uses."""
        mid = scaled(self.slot.cin, op.expand)
        crop = (self.kernels[-1] - op.kernel) // 2
        stop = self.kernels[-1] - crop
        expand = self.expand[:mid] if self.widens else None
        return expand, self.depthwise[:mid, :, crop:stop, crop:stop], self.project[:, :mid]

    def sliced(self, x: Tensor, op: MBConv) -> Tensor:
        """What the child with `op` computes, on its slices only."""
        expand, depthwise, project = self.weights_of(op)
        h = x
        if expand is not None:
            h = activate(self.act, _norm(self.bn_expand, F.conv2d(x, expand)))
        h = F.conv2d(h, depthwise, None, self.slot.stride, op.kernel // 2, 1, depthwise.shape[0])
        h = activate(self.act, _norm(self.bn_depthwise, h))
        if self.excite is not None and op.attention != "none":
            h = self.excite.sliced(h, self.expands.index(op.expand))
        y = _norm(self.bn_project, F.conv2d(h, project))
        return x + y if self.residual else y

    def gated(self, x: Tensor, gates: SlotGates, leaky: bool) -> Tensor:
        """The same under gates: exact at hard gates, differentiable between (unless `leaky`)."""
        rings, bands, excite, layer = gates
        taps = torch.einsum("r,rhw->hw", nested(rings), cast(Tensor, self.rings))
        mask = torch.einsum("b,bc->c", nested(bands), cast(Tensor, self.bands))
        kernel = self.depthwise * taps
        if leaky:
            kernel = kernel * (layer * mask)[:, None, None, None]
        h = x
        if self.widens:
            h = activate(self.act, _norm(self.bn_expand, F.conv2d(x, self.expand)))
        pad = self.kernels[-1] // 2
        h = F.conv2d(h, kernel, None, self.slot.stride, pad, 1, kernel.shape[0])
        h = activate(self.act, _norm(self.bn_depthwise, h))
        if self.excite is not None:
            h = self.excite.gated(h, mask, nested(bands), on=excite)
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

    def copy_into(self, layer: nn.Sequential, text: str) -> None:
        """Copies the slices of an op, batch norm and statistics included, into a built layer."""
        op = MBConv.parse(text)
        assert op is not None, text
        targets = [m for m in layer.modules() if isinstance(m, ConvBN)]
        if self.excite is not None and op.attention != "none":
            self.excite.copy_into(targets[-3:-1], self.expands.index(op.expand))
        plain = [target for target in targets if target.bn is not None]
        norms = [self.bn_expand] if self.widens else []
        norms += [self.bn_depthwise, self.bn_project]
        weights = [w for w in self.weights_of(op) if w is not None]
        for target, weight, norm in zip(plain, weights, norms, strict=True):
            target.conv.weight.copy_(weight)
            n = weight.shape[0]
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(target.bn, name).copy_(getattr(norm, name)[:n])


class SuperExcite(nn.Module):
    """Squeeze-and-excitation of every expansion in shared weights: (N, mid, H, W) to the same.

    `mids` and `squeezed` are the channels weighed and squeezed to, per expansion; `gate` is the
    activation of the weights.
    """

    def __init__(self, mids: tuple[int, ...], squeezed: tuple[int, ...], gate: str) -> None:
        super().__init__()
        self.mids, self.squeezed = mids, squeezed
        self.gate = gate
        self.squeeze = nn.Conv2d(mids[-1], squeezed[-1], 1)
        self.widen = nn.Conv2d(squeezed[-1], mids[-1], 1)
        self.register_buffer("bands", _bands(squeezed), persistent=False)

    def sliced(self, h: Tensor, level: int) -> Tensor:
        """`h` of expansion number `level`, weighed as its own squeeze does."""
        weights = self._slices(level)
        s = torch.relu(F.conv2d(h.mean((2, 3), keepdim=True), *weights[:2]))
        return h * activate(self.gate, F.conv2d(s, *weights[2:]))

    def gated(self, h: Tensor, mask: Tensor, switches: Tensor, *, on: Tensor) -> Tensor:
        """`h` of the largest expansion; channels outside `mask` count for nothing.

        `on` (1,) switches between `h` weighed and `h` as it is, exactly at 0 and 1; (0,): weighed.
        """
        inside = torch.einsum("b,bc->c", switches, cast(Tensor, self.bands))
        mean = h.mean((2, 3), keepdim=True) * mask[:, None, None]
        s = torch.relu(self.squeeze(mean)) * inside[:, None, None]
        weights = activate(self.gate, self.widen(s))
        return h * (on * weights + (1 - on) if on.numel() else weights)

    def copy_into(self, targets: list[ConvBN], level: int) -> None:
        """Copies the slices of one expansion into the two convolutions of a built block."""
        weights = self._slices(level)
        for target, (weight, bias) in zip(targets, (weights[:2], weights[2:]), strict=True):
            assert target.conv.bias is not None, "squeeze without a bias"
            target.conv.weight.copy_(weight)
            target.conv.bias.copy_(bias)

    def _slices(self, level: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        mid, inner = self.mids[level], self.squeezed[level]
        assert self.squeeze.bias is not None, "squeeze without a bias"
        assert self.widen.bias is not None, "squeeze without a bias"
        first = self.squeeze.weight[:inner, :mid], self.squeeze.bias[:inner]
        return *first, self.widen.weight[:mid, :inner], self.widen.bias[:mid]


def nested(gates: Tensor) -> Tensor:
    """(n,) gates to (n + 1,) switches 1, g1, g1·g2, …: a part is on if those inside it are."""
    return torch.cat([gates.new_ones(1), torch.cumprod(gates, 0)])


def hard_gates(kernel: SuperKernel, op: str) -> SlotGates:
    """The gates, each 0 or 1, at which the gated forward computes `op`."""
    block = MBConv.parse(op)
    if block is None:
        counts = (len(kernel.kernels), len(kernel.expands), len(kernel.attentions))
        return SlotGates._make([*(torch.zeros(n - 1) for n in counts), torch.zeros(())])
    rings = torch.tensor([float(k <= block.kernel) for k in kernel.kernels[1:]])
    bands = torch.tensor([float(e <= block.expand) for e in kernel.expands[1:]])
    excite = torch.tensor([float(a == block.attention) for a in kernel.attentions[1:]])
    return SlotGates(rings, bands, excite, torch.tensor(1.0))


def decode(kernel: SuperKernel, gates: SlotGates) -> str:
    """The op that hard gates state: skip if the layer is off, whatever the others say."""
    rings, bands, excite, layer = (part.detach() for part in gates)
    if float(layer) < 0.5 and kernel.slot.skippable:
        return SKIP
    size = kernel.kernels[int(nested(rings).round().sum()) - 1]
    expand = kernel.expands[int(nested(bands).round().sum()) - 1]
    attention = kernel.attentions[int(nested(excite).round().sum()) - 1]
    return str(kernel.op(size, expand, attention))


def corner_table(kernel: SuperKernel, ms: dict[str, float]) -> tuple[Tensor, float]:
    """Latency of every (kernel, expansion, attention), (K, E, A) in ms, and of leaving it out."""
    table = [
        [[ms[str(kernel.op(k, e, a))] for a in kernel.attentions] for e in kernel.expands]
        for k in kernel.kernels
    ]
    return torch.tensor(table), ms.get(SKIP, 0.0)


def expected_ms(gates: SlotGates, table: Tensor, skip_ms: float) -> Tensor:
    """Expected latency of one slot: multilinear in the gates, exact where all are 0 or 1."""
    *parts, layer = gates
    on = table
    for part in reversed(parts):  # the last axis goes first; one without a choice costs nothing
        on = on @ _only(nested(part)) if part.numel() else on[..., 0]
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


def _bands(sizes: tuple[int, ...]) -> Tensor:
    """(levels, largest): which channels each size adds to the one before."""
    masks = torch.zeros(len(sizes), sizes[-1])
    for level, size in enumerate(sizes):
        masks[level, :size] = 1
    masks[1:] -= masks[:-1].clone()
    return masks
