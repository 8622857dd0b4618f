"""Writes ONNX files from primitives and plain arrays, batch norm folded; no torch, no runtime.

One more reading of the same data that `build` turns into modules. Nodes are named after their
layers (`stage2.1/conv2`, `stage2.1/add`, `head/linear`), convolutions counted from 1 per layer.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine import __version__
from engine.layers import (
    BN_EPS,
    Conv,
    Dropout,
    GlobalPool,
    Layer,
    Linear,
    Primitive,
    Residual,
    walk,
)

Array = npt.NDArray[np.float32]

OPSET = 18
IR_VERSION = 10  # what the opset above came with; older runtimes refuse newer ones
INPUT, OUTPUT = "image", "logits"


@dataclass(frozen=True, slots=True)
class ConvWeights:
    """A convolution and its batch norm: weight (cout, cin // groups, k, k), the rest (cout,)."""

    weight: Array
    gamma: Array
    beta: Array
    mean: Array
    var: Array

    def folded(self) -> tuple[Array, Array]:
        """Weight and bias of the one convolution that does both, computed in double precision."""
        scale = self.gamma / np.sqrt(self.var.astype(np.float64) + BN_EPS)
        weight = self.weight * scale[:, None, None, None]
        bias = self.beta - self.mean * scale
        return weight.astype(np.float32), bias.astype(np.float32)


@dataclass(frozen=True, slots=True)
class LinearWeights:
    """A linear layer: weight (cout, cin), bias (cout,)."""

    weight: Array
    bias: Array


Weights = ConvWeights | LinearWeights


def random_weights(layers: Sequence[Layer], seed: int) -> list[Weights]:
    """Weights in `walk` order that keep activations near unit size, so that none turn denormal."""
    rng = np.random.Generator(np.random.PCG64(seed))
    primitives = (p for layer in layers for p, _, _ in walk(layer.primitives, layer.side))
    return [_random(p, rng) for p in primitives if isinstance(p, Conv | Linear)]


def _random(primitive: Conv | Linear, rng: np.random.Generator) -> Weights:
    if isinstance(primitive, Linear):
        weight = _normal(rng, (primitive.cout, primitive.cin), primitive.cin**-0.5)
        return LinearWeights(weight, np.zeros(primitive.cout, np.float32))
    inputs, cout, k = primitive.cin // primitive.groups, primitive.cout, primitive.kernel
    gain = 2 if primitive.act else 1  # ReLU drops half of the variance
    weight = _normal(rng, (cout, inputs, k, k), (gain / (inputs * k * k)) ** 0.5)
    one, zero = np.ones(cout, np.float32), np.zeros(cout, np.float32)
    return ConvWeights(weight, one, _normal(rng, (cout,), 0.1), zero, one)


def _normal(rng: np.random.Generator, shape: tuple[int, ...], scale: float) -> Array:
    return rng.standard_normal(shape, np.float32) * np.float32(scale)


def to_onnx(
    layers: Sequence[Layer], weights: Sequence[Weights], *, metadata: Mapping[str, str]
) -> bytes:
    """The network as the bytes of an ONNX file.

    Input `image` float32 (batch, cin, side, side) of the first layer; output `logits` (batch,
    classes), or (batch, cout, side, side) where the last layer is no classifier. `weights` holds
    one entry per Conv and Linear in `walk` order. `metadata` becomes the file's properties.
    """
    writer = _Writer(iter(weights))
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
    last, _, side = list(walk(layer.primitives, layer.side))[-1]
    if isinstance(last, Linear):
        return (last.cout,)
    return (layer.cout,) if isinstance(last, GlobalPool) else (layer.cout, side, side)


def _value(name: str, shape: tuple[int, ...]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, ("batch", *shape))


@dataclass
class _Writer:
    """Collects nodes and tensors; methods take the name of an input and return an output's."""

    weights: Iterator[Weights]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    prefix: str = ""
    convs: int = 0

    def layer(self, layer: Layer, value: str) -> str:
        self.prefix, self.convs = layer.name, 0
        return self.chain(layer.primitives, value)

    def chain(self, primitives: tuple[Primitive, ...], value: str) -> str:
        for primitive in primitives:
            value = self.primitive(primitive, value)
        return value

    def primitive(self, primitive: Primitive, value: str) -> str:
        match primitive:
            case Conv():
                return self.conv(primitive, value)
            case Residual(body):
                return self.node("Add", "add", self.chain(body, value), value)
            case GlobalPool():
                pooled = self.node("GlobalAveragePool", "pool", value)
                return self.node("Flatten", "flatten", pooled, axis=1)
            case Linear():
                return self.linear(value)
            case Dropout():
                return value

    def conv(self, conv: Conv, value: str) -> str:
        self.convs += 1
        weights = next(self.weights)
        assert isinstance(weights, ConvWeights), (self.prefix, weights)
        shape = (conv.cout, conv.cin // conv.groups, conv.kernel, conv.kernel)
        assert weights.weight.shape == shape, (self.prefix, weights.weight.shape, shape)
        name = f"conv{self.convs}"
        value = self.node(
            "Conv",
            name,
            value,
            *self.parameters(name, *weights.folded()),
            kernel_shape=[conv.kernel] * 2,
            pads=[conv.kernel // 2] * 4,
            strides=[conv.stride] * 2,
            group=conv.groups,
        )
        return self.node("Relu", f"relu{self.convs}", value) if conv.act else value

    def linear(self, value: str) -> str:
        weights = next(self.weights)
        assert isinstance(weights, LinearWeights), (self.prefix, weights)
        inputs = self.parameters("linear", weights.weight, weights.bias)
        return self.node("Gemm", "linear", value, *inputs, transB=1)

    def parameters(self, name: str, weight: Array, bias: Array) -> tuple[str, str]:
        names = f"{self.prefix}/{name}.weight", f"{self.prefix}/{name}.bias"
        for tensor, array in zip(names, (weight, bias), strict=True):
            self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), tensor))
        return names

    def node(self, kind: str, name: str, *inputs: str, **attributes: int | list[int]) -> str:
        full = f"{self.prefix}/{name}"
        self.nodes.append(_node(kind, inputs, full, attributes))
        return full


def _node(
    kind: str, inputs: Sequence[str], name: str, attributes: Mapping[str, int | list[int]]
) -> onnx.NodeProto:
    """A node whose only output has the node's name."""
    node = helper.make_node(kind, inputs, [name], name)
    node.attribute.extend(helper.make_attribute(key, value) for key, value in attributes.items())
    return node
