"""Networks in a state in which mistakes show, and ONNX files run."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import onnxruntime
import torch
from torch import nn

from engine.modules import LayerScale, OtherNorm

Network = TypeVar("Network", bound=nn.Module)


def shaken(network: Network) -> Network:
    """The network in eval mode with norms far from fresh ones, which would hide what is missing."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for m in network.modules():
            if isinstance(m, nn.BatchNorm2d):
                for t in (m.weight.data, m.bias.data, m.running_mean, m.running_var):
                    t.copy_(torch.rand(t.shape, generator=generator) + 0.5)
            elif isinstance(m, OtherNorm | LayerScale):
                for p in m.parameters():
                    p.copy_(torch.rand(p.shape, generator=generator) + 0.5)
    return network.eval()


def settled(network: Network, x: torch.Tensor) -> Network:
    """The network in eval mode, batch norms uneven, their statistics those of `x`.

    So activations stay near unit size, as in a trained network, however deep it is.
    """
    shaken(network)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # plain averages
    with torch.no_grad():
        network.train()(x)
    return network.eval()


def run_onnx(model: bytes, x: np.ndarray) -> np.ndarray:
    """What ONNX Runtime computes from the file's only input."""
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]
