"""Primitives become torch modules here and nowhere else; also the way back, to plain arrays."""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from engine.graph import ConvWeights, LinearWeights
from engine.layers import (
    BN_EPS,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    Primitive,
    Residual,
)


class ConvBN(nn.Module):
    """Convolution, batch norm and, if `act`, ReLU: (N, cin, H, W) to (N, cout, H/s, W/s)."""

    def __init__(self, spec: Conv) -> None:
        super().__init__()
        self.conv = nn.Conv2d(
            spec.cin,
            spec.cout,
            spec.kernel,
            spec.stride,
            padding=spec.kernel // 2,
            groups=spec.groups,
            bias=False,
        )
        self.bn = nn.BatchNorm2d(spec.cout, eps=BN_EPS)
        self.act = spec.act

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.bn(self.conv(x))
        return torch.relu(y) if self.act else y


class ResidualBody(nn.Module):
    """Adds its input to its body's output."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.body(x)
        return y


class Pool(nn.Module):
    """Mean over the map: (N, C, H, W) to (N, C)."""

    def forward(self, x: Tensor) -> Tensor:
        return x.mean((2, 3))


def build_primitive(primitive: Primitive) -> nn.Module:
    """The module of one primitive, weights not yet drawn."""
    match primitive:
        case Conv():
            return ConvBN(primitive)
        case Residual(body):
            return ResidualBody(nn.Sequential(*map(build_primitive, body)))
        case GlobalPool():
            return Pool()
        case Dropout(rate):
            return nn.Dropout(rate)
        case Linear(cin, cout):
            return nn.Linear(cin, cout)


def build_layer(layer: Layer) -> nn.Sequential:
    """The module of one named layer."""
    return nn.Sequential(*map(build_primitive, layer.primitives))


def build(layers: tuple[Layer, ...], generator: torch.Generator | None = None) -> nn.Sequential:
    """The whole network, channels_last; weights from `generator`, or not drawn if None."""
    named = [(layer.name.replace(".", "_"), build_layer(layer)) for layer in layers]
    network = nn.Sequential(OrderedDict[str, nn.Module](named))
    if generator is not None:
        initialize(network, generator)
    to_channels_last(network)
    return network


def to_channels_last(network: nn.Module) -> None:
    """Lays out every convolution weight channels_last, which CPUs compute twice as fast with."""
    for p in network.parameters():
        if p.ndim == 4:
            p.data = p.data.contiguous(memory_format=torch.channels_last)


def initialize(network: nn.Module, generator: torch.Generator) -> None:
    """Draws all weights: convolutions N(0, 2 / fan-out per group), classifier N(0, 0.01²)."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            draw_conv(module.weight, generator, module.groups)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01, generator=generator)
            nn.init.zeros_(module.bias)


def draw_conv(weight: Tensor, generator: torch.Generator, groups: int) -> None:
    """Fills a convolution's weight in place, N(0, 2 / (k² · cout / groups))."""
    fan_out = weight.shape[0] // groups * weight.shape[2] * weight.shape[3]
    nn.init.normal_(weight, 0.0, (2.0 / fan_out) ** 0.5, generator=generator)


def arrays(network: nn.Module) -> list[ConvWeights | LinearWeights]:
    """The network's weights as arrays in the order of `layers.walk`: what `graph.to_onnx` reads."""
    result: list[ConvWeights | LinearWeights] = []
    for module in network.modules():
        if isinstance(module, ConvBN):
            bn = module.bn
            assert bn.running_mean is not None, "batch norm without running statistics"
            assert bn.running_var is not None, "batch norm without running statistics"
            parts = (module.conv.weight, bn.weight, bn.bias, bn.running_mean, bn.running_var)
            result.append(ConvWeights(*(p.detach().contiguous().numpy() for p in parts)))
        elif isinstance(module, nn.Linear):
            result.append(
                LinearWeights(module.weight.detach().numpy(), module.bias.detach().numpy())
            )
    return result
