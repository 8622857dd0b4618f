"""Layers become torch networks here and nowhere else; also the way back, to plain arrays.

The module of every single word stands in `modules`.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn

from engine.graph_words import Weights
from engine.layers import Layer
from engine.modules import ConvBN, Keeps, chain


def build_layer(layer: Layer) -> nn.Sequential:
    """The module of one named layer, weights not yet drawn."""
    return chain(layer.primitives)


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
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, 0.0, 0.01, generator=generator)
            nn.init.zeros_(module.bias)
        elif isinstance(module, ConvBN):
            module.settle()


def draw_conv(weight: Tensor, generator: torch.Generator, groups: int) -> None:
    """Fills a convolution's weight in place, N(0, 2 / (k² · cout / groups))."""
    fan_out = weight.shape[0] // groups * weight.shape[2] * weight.shape[3]
    nn.init.normal_(weight, 0.0, (2.0 / fan_out) ** 0.5, generator=generator)


@torch.no_grad()
def arrays(network: nn.Module) -> list[Weights]:
    """The network's weights as arrays in the order of `layers.walk`: what `graph.to_onnx` reads."""
    kept = [module.kept() for module in network.modules() if isinstance(module, Keeps)]
    return [
        {name: tensor.detach().contiguous().numpy() for name, tensor in tensors.items()}
        for tensors in kept
        if tensors
    ]
