"""Modules against the data they are built from, and the ONNX file against both exporters."""

from __future__ import annotations

import io
import random
import warnings

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from engine import presets
from engine.blocks import SEARCHED
from engine.build import arrays, build
from engine.cost import layer_cost, network_cost
from engine.graph import to_onnx
from engine.layers import ChannelConv, GlobalPool, Layer, Linear, RepConv, out_side
from engine.space import Arch
from engine.stage import Input, Stem
from tests.networks import run_onnx, shaken
from tests.ops import fitting, layer, some_layers, some_ops


def macs_by_hooks(network: nn.Module, x: torch.Tensor) -> int:
    """Multiply-accumulates that the convolutions and linear layers really do, counted in a run."""
    counted = []

    def count(module: nn.Module, _: object, y: torch.Tensor) -> None:
        if isinstance(module, nn.Conv2d):
            counted.append(y[0].numel() * module.weight[0].numel())
        else:
            counted.append(y[0].numel() * module.in_features)

    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            module.register_forward_hook(count)
    network(x)
    return sum(counted)


@pytest.mark.parametrize("family", SEARCHED)
def test_every_op_does_as_many_multiplications_as_its_cost_says(family) -> None:
    for block in some_layers((family,)):
        if any(isinstance(leaf, RepConv | ChannelConv) for leaf, _, _ in block.walk()):
            continue  # trained in another form than counted, or no convolution of torch's
        network = build((block,), torch.Generator().manual_seed(0)).eval()
        x = torch.randn(1, block.cin, block.side, block.side)
        assert macs_by_hooks(network, x) == layer_cost(block).macs, block.key


@pytest.mark.parametrize("arch", ["smallest", "largest", "random"])
@pytest.mark.parametrize("preset", ["digits", "single-path-cifar"])
def test_the_onnx_file_gives_the_logits_of_the_network(preset, arch) -> None:
    space = presets.load(preset)
    choice = space.sample(random.Random(5)) if arch == "random" else getattr(space, arch)()
    layers = space.layers(choice)
    network = shaken(build(layers, torch.Generator().manual_seed(0)))
    x = torch.randn(64, space.input.channels, space.input.size, space.input.size)
    got = run_onnx(to_onnx(layers, arrays(network), metadata={}), x.numpy())
    with torch.inference_mode():
        expected = network(x).numpy()
    assert np.abs(got - expected).max() <= 1e-5 * max(1.0, np.abs(expected).max())


@pytest.mark.slow
@pytest.mark.parametrize("family", SEARCHED)
def test_our_onnx_file_agrees_with_torchs_own_exporter(family) -> None:
    """One network of a family's greatest op, through torch.onnx.export(dynamo=True)."""
    op = some_ops(family)[1]
    place = fitting(op)[0]
    stem = Stem(place.cin, 3, 1).layer(Input(place.side, 1))
    side = out_side(place.side, place.stride)
    head = Layer(
        "head", "head", "w0", place.cout, 10, 1, side, (GlobalPool(), Linear(place.cout, 10))
    )
    layers = (stem, layer(op, place), head)
    network = shaken(build(layers, torch.Generator().manual_seed(0)))
    x = torch.randn(4, 1, place.side, place.side)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's exporter warns about its own internals
        program = torch.onnx.export(network, (x,), dynamo=True, verbose=False)
        buffer = io.BytesIO()
        onnx.save(program.model_proto, buffer)
    theirs = run_onnx(buffer.getvalue(), x.numpy())
    ours = run_onnx(to_onnx(layers, arrays(network), metadata={}), x.numpy())
    np.testing.assert_allclose(ours, theirs, atol=1e-4, rtol=1e-4)


def test_the_published_network_has_its_published_size_as_a_module() -> None:
    space = presets.load("spnasnet_100")
    network = build(space.layers(space.largest()))
    assert sum(p.numel() for p in network.parameters()) == 4_421_616
    assert network_cost(space, space.largest()).macs == 333_467_072


def test_building_twice_from_one_seed_gives_one_network() -> None:
    space = presets.load("digits")
    arch = Arch(space.largest().ops)
    a, b = (build(space.layers(arch), torch.Generator().manual_seed(7)) for _ in range(2))
    assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))
