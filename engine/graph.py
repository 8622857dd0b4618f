"""Writes ONNX files from primitives and plain arrays, batch norm folded; no torch, no runtime.

One more reading of the same data that `build` turns into modules. Nodes are named after their
layers (`stage2.1/conv2`, `stage2.1/add`, `head/linear`), convolutions counted from 1 per layer.
How a single word is written stands in `graph_words`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from engine import __version__
from engine.graph_words import Array, Weights, Writer
from engine.layers import Attend, Conv, Layer, Leaf, Norm, Scale, flow, shapes

OPSET = 18
IR_VERSION = 10  # what the opset above came with; older runtimes refuse newer ones
INPUT, OUTPUT = "image", "logits"


def random_weights(layers: Sequence[Layer], seed: int) -> list[Weights]:
    """Weights in `walk` order that keep activations near unit size, so that none turn denormal."""
    rng = np.random.Generator(np.random.PCG64(seed))
    leaves = (leaf for layer in layers for leaf, _, _ in layer.walk())
    return [_random(leaf, rng) for leaf in leaves if shapes(leaf)]


def _random(leaf: Leaf, rng: np.random.Generator) -> Weights:
    return {name: _array(leaf, name, shape, rng) for name, shape in shapes(leaf).items()}


def _array(leaf: Leaf, name: str, shape: tuple[int, ...], rng: np.random.Generator) -> Array:
    if name in ("gamma", "var"):
        return np.full(shape, leaf.start if isinstance(leaf, Scale) else 1.0, np.float32)
    if name == "beta" and not isinstance(leaf, Norm):
        return _normal(rng, shape, 0.1)
    if name != "weight":
        return _normal(rng, shape, 0.1) if isinstance(leaf, Attend) else np.zeros(shape, np.float32)
    gain = 2 if isinstance(leaf, Conv) and leaf.act else 1  # ReLU drops half of the variance
    fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else shape[0]
    return _normal(rng, shape, (gain / fan_in) ** 0.5)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return rng.standard_normal(shape, np.float32) * np.float32(scale)


def to_onnx(
    layers: Sequence[Layer], weights: Sequence[Weights], *, metadata: Mapping[str, str]
) -> bytes:
    """The network as the bytes of an ONNX file.

    Input `image` float32 (batch, cin, side, side) of the first layer; output `logits` (batch,
    classes), or (batch, cout, side, side) where the last layer is no classifier. `weights` holds
    one entry per word that keeps arrays, in `walk` order. `metadata` becomes the file's properties.
    """
    writer = Writer(iter(weights))
    value = INPUT
    for layer in layers:
        value = writer.layer(layer, value)
    assert next(writer.weights, None) is None, "more weights than primitives"
    writer.nodes[-1].output[0] = OUTPUT
    first = layers[0]
    graph = helper.make_graph(
        writer.nodes,
        "network",
        [_value(INPUT, (first.cin, first.side, first.side))],
        [_value(OUTPUT, _output_shape(layers[-1]))],
        writer.tensors,
    )
    model = helper.make_model(
        graph,
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name="onepath-studio",
        producer_version=__version__,
    )
    helper.set_model_props(model, dict(metadata))
    content: bytes = model.SerializeToString()
    return content


def layer_onnx(layer: Layer, seed: int) -> bytes:
    """One layer alone with random weights, as a latency table measures it."""
    return to_onnx((layer,), random_weights((layer,), seed), metadata={"layer": layer.key})


def _output_shape(layer: Layer) -> tuple[int, ...]:
    out = flow(layer.primitives, layer.map)
    return (out.channels,) if out.flat else (out.channels, out.side, out.side)


def _value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", *shape))
