"""The torch module of every word in `layers`; whole networks are made by `build`.

Modules are registered in the order in which they run, so that `Keeps.kept` of one after the other
gives the arrays in the order of `layers.walk`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.attention import inverse, offsets, windows
from engine.graph_words import RESPONSE_EPS
from engine.layers import (
    BN_EPS,
    Act,
    Attend,
    Branches,
    Chain,
    ChannelConv,
    Conv,
    Dropout,
    GlobalPool,
    Linear,
    Norm,
    Pool,
    Primitive,
    RepConv,
    Residual,
    Scale,
    Shuffle,
    Softmax,
    Split,
    Squeeze,
    Take,
    Upsample,
)


def activate(kind: str, x: Tensor) -> Tensor:
    """`x` after the activation `kind`; "" is none."""
    match kind:
        case "":
            return x
        case "relu":
            return torch.relu(x)
        case "relu6":
            return F.relu6(x)
        case "hswish":
            return F.hardswish(x)
        case "swish":
            return F.silu(x)
        case "gelu":
            return F.gelu(x)
        case "sigmoid":
            return torch.sigmoid(x)
        case "hsigmoid":
            return F.hardsigmoid(x)
        case "leaky":
            return F.leaky_relu(x, 0.01)
    raise AssertionError(kind)


class Keeps(nn.Module):
    """A word with arrays of its own."""

    def kept(self) -> dict[str, Tensor]:
        """What it keeps at inference, named and shaped as `layers.shapes` says."""
        raise NotImplementedError


class ConvBN(Keeps):
    """Convolution, batch norm, activation: (N, cin, H, W) to (N, cout, H/s, W/s)."""

    def __init__(self, spec: Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            spec.cin,
            spec.cout,
            spec.taps,
            spec.stride,
            padding=(spec.dilation * (spec.taps[0] // 2), spec.dilation * (spec.taps[1] // 2)),
            dilation=spec.dilation,
            groups=spec.groups,
            bias=spec.bias or not spec.norm,
        )
        self.bn = nn.BatchNorm2d(spec.cout, eps=BN_EPS) if spec.norm else None
        self.act, self.gamma = spec.act, spec.gamma

    def settle(self) -> None:
        """Starts the batch norm's scale where the word says."""
        if self.bn is not None and self.gamma != 1.0:
            nn.init.constant_(self.bn.weight, self.gamma)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv(x)
        return activate(self.act, y if self.bn is None else self.bn(y))

    def kept(self) -> dict[str, Tensor]:
        if self.bn is None:
            assert self.conv.bias is not None, "convolution without norm and bias"
            return {"weight": self.conv.weight, "bias": self.conv.bias}
        bias = {} if self.conv.bias is None else {"bias": self.conv.bias}
        return {"weight": self.conv.weight} | bias | statistics(self.bn)


class Rep(Keeps):
    """Depthwise convolution with smaller dilated ones beside it, each with a batch norm."""

    def __init__(self, spec: RepConv) -> None:
        super().__init__()
        self.spec = spec
        kinds = ((spec.kernel, 1), *spec.beside)
        self.convs = nn.ModuleList(
            nn.Conv2d(
                spec.channels,
                spec.channels,
                k,
                spec.stride,
                padding=r * (k // 2),
                dilation=r,
                groups=spec.channels,
                bias=False,
            )
            for k, r in kinds
        )
        self.norms = nn.ModuleList(nn.BatchNorm2d(spec.channels, eps=BN_EPS) for _ in kinds)

    def forward(self, x: Tensor) -> Tensor:
        pairs = zip(self.convs, self.norms, strict=True)
        return torch.stack([norm(conv(x)) for conv, norm in pairs]).sum(0)

    def kept(self) -> dict[str, Tensor]:
        size = self.spec.kernel
        weight = torch.zeros(self.spec.channels, 1, size, size)
        bias = torch.zeros(self.spec.channels)
        for conv, norm in zip(self.convs, self.norms, strict=True):
            assert isinstance(conv, nn.Conv2d), conv
            assert isinstance(norm, nn.BatchNorm2d), norm
            part = statistics(norm)
            scale = part["gamma"] / (part["var"] + BN_EPS).sqrt()
            step, reach = conv.dilation[0], conv.dilation[0] * (conv.kernel_size[0] // 2)
            near = slice(size // 2 - reach, size // 2 + reach + 1, step)
            weight[:, :, near, near] += conv.weight * scale[:, None, None, None]
            bias += part["beta"] - part["mean"] * scale
        return {"weight": weight, "bias": bias}


class Dense(Keeps):
    """Fully connected layer: (N, cin) to (N, cout)."""

    def __init__(self, spec: Linear) -> None:
        super().__init__()
        self.linear = nn.Linear(spec.cin, spec.cout)
        self.act = spec.act

    def forward(self, x: Tensor) -> Tensor:
        return activate(self.act, self.linear(x))

    def kept(self) -> dict[str, Tensor]:
        return {"weight": self.linear.weight, "bias": self.linear.bias}


class BatchNorm(Keeps):
    """Batch norm of maps (N, C, H, W) or vectors (N, C)."""

    def __init__(self, spec: Norm) -> None:
        super().__init__()
        self.bn = nn.BatchNorm2d(spec.channels, eps=BN_EPS)
        self.act = spec.act

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(x) if x.ndim == 4 else self.bn(x[:, :, None, None])[:, :, 0, 0]
        return activate(self.act, y)

    def kept(self) -> dict[str, Tensor]:
        return statistics(self.bn)


class OtherNorm(Keeps):
    """The norms without running statistics; (N, C, H, W), `layer` also (N, C)."""

    def __init__(self, spec: Norm) -> None:
        super().__init__()
        self.spec = spec
        zero = spec.kind == "response"  # which starts as the identity
        start = torch.zeros(spec.channels) if zero else torch.ones(spec.channels)
        self.gamma = nn.Parameter(start)
        self.beta = nn.Parameter(torch.zeros(spec.channels))

    def forward(self, x: Tensor) -> Tensor:
        return activate(self.spec.act, self._normed(x))

    def _normed(self, x: Tensor) -> Tensor:
        shape = (-1, 1, 1) if x.ndim == 4 else (-1,)
        gamma, beta = self.gamma.view(shape), self.beta.view(shape)
        match self.spec.kind:
            case "instance":
                return F.instance_norm(x, None, None, self.gamma, self.beta, eps=BN_EPS)
            case "group":
                return F.group_norm(x, 1, self.gamma, self.beta, BN_EPS)
            case "layer":
                mean = x.mean(1, keepdim=True)
                var = x.var(1, unbiased=False, keepdim=True)
                return (x - mean) / (var + BN_EPS).sqrt() * gamma + beta
        size = torch.linalg.vector_norm(x, dim=(2, 3), keepdim=True)
        share = size / (size.mean(1, keepdim=True) + RESPONSE_EPS)
        y: Tensor = x + (x * (share * gamma) + beta)
        return y

    def kept(self) -> dict[str, Tensor]:
        return {"gamma": self.gamma, "beta": self.beta}


class LayerScale(Keeps):
    """Each channel times a learned factor."""

    def __init__(self, spec: Scale) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((spec.channels,), float(spec.start)))

    def forward(self, x: Tensor) -> Tensor:
        return x * (self.gamma[:, None, None] if x.ndim == 4 else self.gamma)

    def kept(self) -> dict[str, Tensor]:
        return {"gamma": self.gamma}


class AlongChannels(Keeps):
    """Convolution along the channels of (N, C, 1, 1), then a sigmoid."""

    def __init__(self, spec: ChannelConv) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((spec.kernel,), 1.0 / spec.kernel))

    def forward(self, x: Tensor) -> Tensor:
        n, channels = x.shape[:2]
        k = len(self.weight)
        y = F.conv1d(x.reshape(n, 1, channels), self.weight.view(1, 1, k), padding=k // 2)
        return torch.sigmoid(y).view(n, channels, 1, 1)

    def kept(self) -> dict[str, Tensor]:
        return {"weight": self.weight}


class Attention(Keeps):
    """Attention between all pixels: (N, h · (2 · key + value), S, S) to (N, h · value, S, S)."""

    index: Tensor

    def __init__(self, spec: Attend) -> None:
        super().__init__()
        self.spec = spec
        self.bias = nn.Parameter(torch.zeros(spec.heads, spec.reach**2)) if spec.offsets else None
        distances = torch.from_numpy(offsets(spec.reach if spec.offsets else 1))
        self.register_buffer("index", distances, persistent=False)
        self.cut, self.order = windows(spec)

    def forward(self, x: Tensor) -> Tensor:
        s = self.spec
        sizes = [s.heads * s.key, s.heads * s.key, s.heads * s.value]
        x = x.reshape(-1, sum(sizes), *self.cut).permute(self.order)
        parts = torch.split(x.reshape(-1, sum(sizes), s.reach**2), sizes, dim=1)
        q, k, v = (p.reshape(len(p), s.heads, -1, s.reach**2) for p in parts)
        scores = q.transpose(2, 3) @ k / math.sqrt(s.key)
        if self.bias is not None:
            scores = scores + self.bias[:, self.index]
        y: Tensor = v @ scores.softmax(-1).transpose(2, 3)
        tiles = s.side // s.reach
        y = y.reshape(-1, tiles, tiles, sizes[2], s.reach, s.reach)
        return y.permute(inverse(self.order)).reshape(-1, sizes[2], s.side, s.side)

    def kept(self) -> dict[str, Tensor]:
        return {} if self.bias is None else {"bias": self.bias}


class ResidualBody(nn.Module):
    """Adds its input to its body's output, then the activation."""

    def __init__(self, body: nn.Module, act: str = "") -> None:
        super().__init__()
        self.body, self.act = body, act

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return activate(self.act, y)


class Joined(nn.Module):
    """Several chains from one input, joined."""

    def __init__(self, spec: Branches) -> None:
        super().__init__()
        self.chains = nn.ModuleList(chain(c) for c in spec.chains)
        self.how = spec.join

    def forward(self, x: Tensor) -> Tensor:
        return joined(self.how, [c(x) for c in self.chains])


class Parted(nn.Module):
    """Channels in parts, one chain each, concatenated."""

    def __init__(self, spec: Split) -> None:
        super().__init__()
        self.chains = nn.ModuleList(chain(c) for c in spec.chains)
        self.sizes, self.cascade = list(spec.sizes), spec.cascade

    def forward(self, x: Tensor) -> Tensor:
        ends: list[Tensor] = []
        for part, inside in zip(torch.split(x, self.sizes, dim=1), self.chains, strict=True):
            ends.append(inside(part + ends[-1] if self.cascade and ends else part))
        return torch.cat(ends, 1)


class Plain(nn.Module):
    """A word without arrays."""

    def __init__(self, spec: Primitive) -> None:
        super().__init__()
        self.spec = spec

    def forward(self, x: Tensor) -> Tensor:
        match self.spec:
            case Act(kind):
                return activate(kind, x)
            case Pool(kind, kernel, stride):
                pad = (kernel - 1) // 2
                if kind == "max":
                    return F.max_pool2d(x, kernel, stride, pad)
                return F.avg_pool2d(x, kernel, stride, pad, count_include_pad=False)
            case Squeeze():
                return x.mean((2, 3), keepdim=True)
            case GlobalPool():
                return x.mean((2, 3))
            case Upsample(side):
                return F.interpolate(x, size=(side, side), mode="nearest")
            case Shuffle(groups):
                n, c, h, w = x.shape
                dealt = x.reshape(n, groups, c // groups, h, w).transpose(1, 2)
                return dealt.reshape(n, c, h, w)
            case Take(channels):
                return x[:, :channels]
            case Softmax():
                return x.flatten(2).softmax(-1).view_as(x)
        raise AssertionError(self.spec)


def joined(how: str, ends: list[Tensor]) -> Tensor:
    """The join of several values."""
    if how == "concat":
        return torch.cat(ends, 1)
    whole = ends[0]
    for end in ends[1:]:
        whole = whole * end if how == "mul" else whole - end if how == "sub" else whole + end
    return whole / len(ends) if how == "mean" else whole


def statistics(bn: nn.BatchNorm2d) -> dict[str, Tensor]:
    """What a batch norm keeps."""
    assert bn.running_mean is not None, "batch norm without running statistics"
    assert bn.running_var is not None, "batch norm without running statistics"
    return {"gamma": bn.weight, "beta": bn.bias, "mean": bn.running_mean, "var": bn.running_var}


def chain(primitives: Chain) -> nn.Sequential:
    """Modules of words one after the other; none is the identity."""
    return nn.Sequential(*map(module, primitives))


MODULES: dict[type[Primitive], Callable[[Any], nn.Module]] = {
    Conv: ConvBN,
    RepConv: Rep,
    Linear: Dense,
    Norm: lambda spec: BatchNorm(spec) if spec.kind == "batch" else OtherNorm(spec),
    Scale: LayerScale,
    ChannelConv: AlongChannels,
    Attend: Attention,
    Residual: lambda spec: ResidualBody(chain(spec.body), spec.act),
    Branches: Joined,
    Split: Parted,
    Dropout: lambda spec: nn.Dropout(spec.rate),
}


def module(primitive: Primitive) -> nn.Module:
    """The module of one word, weights not yet drawn."""
    return MODULES.get(type(primitive), Plain)(primitive)
