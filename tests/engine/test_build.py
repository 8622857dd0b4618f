"""Modules against the data they are built from, and the ONNX file against both exporters."""

from __future__ import annotations

import io
import itertools
import random
import warnings

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch import nn

from engine import presets
from engine.blocks import BLOCKS
from engine.build import arrays, build
from engine.cost import layer_cost, network_cost
from engine.graph import to_onnx
from engine.layers import GlobalPool, Layer, Linear
from engine.space import Arch

SHAPES = [(8, 8, 1, 7), (8, 16, 1, 7), (8, 16, 2, 7), (8, 8, 2, 8)]


def ops() -> list[object]:
    """Every op of every family."""
    result = []
    for family in BLOCKS.values():
        fields = list(family.choices)
        for values in itertools.product(*family.choices.values()):
            result.append(family(**dict(zip(fields, values, strict=True))))
    return result


def layer(op: object, shape: tuple[int, int, int, int], name: str = "block") -> Layer:
    cin, cout, stride, side = shape
    return Layer(name, op.family, str(op), cin, cout, stride, side, op.layers(cin, cout, stride))


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


def run_onnx(model: bytes, x: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: x})[0]


def shaken(network: nn.Module) -> nn.Module:
    """The network in eval mode with batch-norm statistics far from fresh ones."""
    generator = torch.Generator().manual_seed(3)
    for m in network.modules():
        if isinstance(m, nn.BatchNorm2d):
            for t in (m.weight.data, m.bias.data, m.running_mean, m.running_var):
                t.copy_(torch.rand(t.shape, generator=generator) + 0.5)
    return network.eval()


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("op", [op for op in ops() if op.family != "skip"], ids=str)
def test_every_op_costs_what_its_module_costs(op, shape) -> None:
    block = layer(op, shape)
    network = build((block,), torch.Generator().manual_seed(0))
    cost = layer_cost(block)
    x = torch.randn(2, shape[0], shape[3], shape[3])
    assert sum(p.numel() for p in network.parameters()) == cost.params
    assert macs_by_hooks(network, x) == cost.macs


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
@pytest.mark.parametrize("family", [name for name, f in BLOCKS.items() if f.choices])
def test_our_onnx_file_agrees_with_torchs_own_exporter(family) -> None:
    """One network of a family's extreme ops, through torch.onnx.export(dynamo=True)."""
    choices = BLOCKS[family].choices
    least = BLOCKS[family](**{k: v[0] for k, v in choices.items()})
    most = BLOCKS[family](**{k: v[-1] for k, v in choices.items()})
    blocks = (layer(most, (4, 4, 1, 8), "first"), layer(least, (4, 6, 2, 8), "second"))
    stem = presets.load("digits").stem_layer()
    head = Layer("head", "head", "w0", 6, 10, 1, 4, (GlobalPool(), Linear(6, 10)))
    layers = (stem, *blocks, head)
    network = shaken(build(layers, torch.Generator().manual_seed(0)))
    x = torch.randn(4, 1, 16, 16)
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
