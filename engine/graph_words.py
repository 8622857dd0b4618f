"""How each word is written as ONNX nodes of the standard domain; whole files are made by `graph`.

Batch sizes stay open: every reshape keeps the first dimension (0) and states the others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count

import numpy as np
import numpy.typing as npt
import onnx
from onnx import helper, numpy_helper

from engine.attention import inverse, offsets, windows
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
    Layer,
    Leaf,
    Linear,
    Map,
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
    flow,
    inner,
    shapes,
)

Array = npt.NDArray[np.float32]
Weights = Mapping[str, Array]
"""The arrays of one word, named and shaped as `layers.shapes` says."""

Attribute = int | float | str | list[int] | list[float]
RESPONSE_EPS = 1e-6


def folded(weights: Weights) -> tuple[Array, Array]:
    """Weight and bias of the one convolution that does both it and its batch norm.

    Computed in double precision.
    """
    scale = weights["gamma"] / np.sqrt(weights["var"].astype(np.float64) + BN_EPS)
    weight = weights["weight"] * scale[:, None, None, None]
    bias = weights["beta"] + (weights.get("bias", 0.0) - weights["mean"]) * scale
    return weight.astype(np.float32), bias.astype(np.float32)


@dataclass
class Writer:
    """Collects nodes and tensors; methods take the name of an input and return an output's."""

    weights: Iterator[Weights]
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    tensors: list[onnx.TensorProto] = field(default_factory=list)
    prefix: str = ""
    used: Counter[str] = field(default_factory=Counter)

    def layer(self, layer: Layer, value: str) -> str:
        """Writes one named layer."""
        self.prefix, self.used = layer.name, Counter()
        return self.chain(layer.primitives, value, layer.map)

    def chain(self, primitives: Chain, value: str, come: Map) -> str:
        """Writes words one after the other; `come` is what `value` holds."""
        for primitive in primitives:
            value = self.primitive(primitive, value, come)
            come = flow((primitive,), come)
        return value

    def primitive(self, primitive: Primitive, value: str, come: Map) -> str:
        """Writes one word."""
        match primitive:
            case Residual(body, act):
                inside = self.chain(body, value, come)
                return self.act(act, self.node("Add", "add", inside, value))
            case Branches(join=join):
                return self.join(join, self.ends(primitive, value, come))
            case Split():
                return self.split(primitive, value, come)
            case _:
                return self.leaf(primitive, value, come)

    def ends(self, branches: Branches, value: str, come: Map) -> list[str]:
        """What each chain gives; a concatenation that ends one is part of the outer one."""
        found: list[str] = []
        for chain, into in inner(branches, come):
            last = chain[-1] if chain else None
            if branches.join == "concat" and isinstance(last, Branches) and last.join == "concat":
                before = self.chain(chain[:-1], value, into)
                found += self.ends(last, before, flow(chain[:-1], into))
            else:
                found.append(self.chain(chain, value, into))
        return found

    def leaf(self, leaf: Leaf, value: str, come: Map) -> str:
        """Writes one word that holds no others."""
        match leaf:
            case Conv():
                return self.conv(leaf, value)
            case RepConv():
                w = self.take(leaf)
                pair = w["weight"], w["bias"]
                return self.convolve(value, *pair, stride=leaf.stride, groups=leaf.channels)
            case Linear():
                return self.linear(leaf, value)
            case Norm():
                return self.act(leaf.act, self.norm(leaf, value, come))
            case Scale():
                gamma = self.take(leaf)["gamma"]
                return self.node("Mul", "scale", value, self.per_channel("scale", gamma, come))
            case ChannelConv():
                return self.channel_conv(leaf, value)
            case Attend():
                return self.attend(leaf, value)
            case Act() | Pool() | Squeeze() | GlobalPool() | Dropout():
                return self.plain(leaf, value)
            case _:
                return self.moved(leaf, value, come)

    def plain(self, leaf: Act | Pool | Squeeze | GlobalPool | Dropout, value: str) -> str:
        """Words without weights that compute."""
        match leaf:
            case Act(kind):
                return self.act(kind, value)
            case Pool():
                return self.pool(leaf, value)
            case Squeeze():
                return self.node("GlobalAveragePool", "squeeze", value)
            case GlobalPool():
                pooled = self.node("GlobalAveragePool", "pool", value)
                return self.node("Flatten", "flatten", pooled, axis=1)
            case Dropout():
                return value

    def moved(self, leaf: Leaf, value: str, come: Map) -> str:
        """Words that only move numbers, and the softmax over pixels."""
        channels, side = come.channels, come.side
        match leaf:
            case Upsample(wanted):
                how: dict[str, Attribute] = {"mode": "nearest", "nearest_mode": "floor"}
                how |= {"coordinate_transformation_mode": "asymmetric", "axes": [2, 3]}
                return self.node("Resize", "resize", value, "", "", self.whole([wanted] * 2), **how)
            case Shuffle(groups):
                dealt = self.reshape(value, [groups, channels // groups, side, side])
                turned = self.node("Transpose", "deal", dealt, perm=[0, 2, 1, 3, 4])
                return self.reshape(turned, [channels, side, side])
            case Take(kept):
                ends = [self.whole([0]), self.whole([kept]), self.whole([1])]
                return self.node("Slice", "take", value, *ends)
            case Softmax():
                rows = self.reshape(value, [channels, side * side])
                soft = self.node("Softmax", "softmax", rows, axis=-1)
                return self.reshape(soft, [channels, side, side])
        raise AssertionError(leaf)

    # -- words with weights ---------------------------------------------------------------------

    def conv(self, conv: Conv, value: str) -> str:
        weights = self.take(conv)
        pair = folded(weights) if conv.norm else (weights["weight"], weights["bias"])
        how = (conv.stride, conv.groups, conv.dilation)
        value = self.convolve(value, *pair, stride=how[0], groups=how[1], dilation=how[2])
        return self.act(conv.act, value, number=self.used["conv"])

    def linear(self, linear: Linear, value: str) -> str:
        weights = self.take(linear)
        name = self.upcoming("linear")
        inputs = [self.tensor(f"{name}.{kind}", weights[kind]) for kind in ("weight", "bias")]
        return self.act(linear.act, self.node("Gemm", "linear", value, *inputs, transB=1))

    def convolve(
        self,
        value: str,
        weight: Array,
        bias: Array,
        *,
        stride: int = 1,
        groups: int = 1,
        dilation: int = 1,
    ) -> str:
        self.used["conv"] += 1
        name = f"conv{self.used['conv']}"
        tensors = self.tensor(f"{name}.weight", weight), self.tensor(f"{name}.bias", bias)
        taps = list(weight.shape[2:])
        how: dict[str, Attribute] = {"kernel_shape": taps, "group": groups}
        how["pads"] = [dilation * (k // 2) for k in taps] * 2
        how["strides"] = [stride] * 2
        if dilation > 1:
            how["dilations"] = [dilation] * 2
        return self.node("Conv", name, value, *tensors, **how)

    def norm(self, norm: Norm, value: str, come: Map) -> str:
        weights = self.take(norm)
        gamma, beta = weights["gamma"], weights["beta"]
        if norm.kind == "response":
            return self.response(value, gamma, beta, come)
        if norm.kind == "group":
            row = self.reshape(value, [1, -1])
            ones = self.constant(np.ones(1, np.float32)), self.constant(np.zeros(1, np.float32))
            even = self.node("InstanceNormalization", "norm", row, *ones, epsilon=BN_EPS)
            back = self.reshape(even, [come.channels, come.side, come.side])
            scaled = self.node("Mul", "norm_scale", back, self.per_channel("gamma", gamma, come))
            return self.node("Add", "norm_shift", scaled, self.per_channel("beta", beta, come))
        name = self.upcoming("norm")
        pair = self.tensor(f"{name}.gamma", gamma), self.tensor(f"{name}.beta", beta)
        if norm.kind == "instance":
            return self.node("InstanceNormalization", "norm", value, *pair, epsilon=BN_EPS)
        if norm.kind == "batch":
            kept = [self.tensor(f"{name}.{k}", weights[k]) for k in ("mean", "var")]
            return self.node("BatchNormalization", "norm", value, *pair, *kept, epsilon=BN_EPS)
        if come.flat:
            return self.node("LayerNormalization", "norm", value, *pair, axis=-1, epsilon=BN_EPS)
        last = self.node("Transpose", "channels_last", value, perm=[0, 2, 3, 1])
        even = self.node("LayerNormalization", "norm", last, *pair, axis=-1, epsilon=BN_EPS)
        return self.node("Transpose", "channels_first", even, perm=[0, 3, 1, 2])

    def response(self, value: str, gamma: Array, beta: Array, come: Map) -> str:
        size = self.node("ReduceL2", "size", value, self.whole([2, 3]), keepdims=1)
        mean = self.node("ReduceMean", "mean_size", size, self.whole([1]), keepdims=1)
        safe = self.node("Add", "safe", mean, self.constant(np.float32(RESPONSE_EPS)))
        share = self.node("Div", "share", size, safe)
        scaled = self.node("Mul", "response_scale", share, self.per_channel("gamma", gamma, come))
        more = self.node("Mul", "response", value, scaled)
        shifted = self.node("Add", "response_shift", more, self.per_channel("beta", beta, come))
        return self.node("Add", "response_add", value, shifted)

    def channel_conv(self, conv: ChannelConv, value: str) -> str:
        weight = self.take(conv)["weight"].reshape(1, 1, conv.kernel, 1)
        column = self.reshape(value, [1, -1, 1])
        seen = self.convolve(column, weight, np.zeros(1, np.float32))
        return self.act("sigmoid", self.reshape(seen, [-1, 1, 1]))

    def attend(self, attend: Attend, value: str) -> str:
        heads, key, width, side = attend.heads, attend.key, attend.value, attend.reach
        cut, order = windows(attend)
        tiles = attend.side // side
        if tiles > 1:
            value = self.reshape(value, [heads * (2 * key + width), *cut])
            value = self.node("Transpose", "windows", value, perm=[*order])
            flat = self.whole([-1, heads * (2 * key + width), side, side])
            value = self.node("Reshape", "reshape", value, flat)
        sizes = self.whole([heads * key, heads * key, heads * width])
        parts = self.nodes_of("Split", "heads", 3, value, sizes, axis=1)
        q, k = (self.reshape(part, [heads, key, side * side]) for part in parts[:2])
        v = self.reshape(parts[2], [heads, width, side * side])
        turned = self.node("Transpose", "queries", q, perm=[0, 1, 3, 2])
        scale = self.constant(np.float32(key**-0.5))
        scores = self.node("Mul", "scores", self.node("MatMul", "products", turned, k), scale)
        if attend.offsets:
            table = self.take(attend)["bias"][:, offsets(side)]
            scores = self.node("Add", "biased", scores, self.constant(table))
        soft = self.node("Softmax", "attention", scores, axis=-1)
        seen = self.node("Transpose", "seen", soft, perm=[0, 1, 3, 2])
        value = self.node("MatMul", "values", v, seen)
        if tiles == 1:
            return self.reshape(value, [heads * width, side, side])
        parted = self.whole([-1, tiles, tiles, heads * width, side, side])
        value = self.node("Reshape", "reshape", value, parted)
        value = self.node("Transpose", "whole", value, perm=inverse(order))
        return self.reshape(value, [heads * width, attend.side, attend.side])

    # -- words without ---------------------------------------------------------------------------

    def act(self, kind: str, value: str, number: int = 0) -> str:
        """Writes an activation; "" is none."""
        name = f"{kind}{number}" if number else kind
        match kind:
            case "":
                return value
            case "relu6":
                ends = self.constant(np.float32(0)), self.constant(np.float32(6))
                return self.node("Clip", name, value, *ends)
            case "swish":
                gate = self.node("Sigmoid", f"{name}_gate", value)
                return self.node("Mul", name, value, gate)
            case "gelu":
                inside = self.node("Mul", f"{name}_in", value, self.constant(np.float32(0.5**0.5)))
                erf = self.node("Erf", f"{name}_erf", inside)
                one = self.node("Add", f"{name}_one", erf, self.constant(np.float32(1)))
                half = self.node("Mul", f"{name}_half", value, self.constant(np.float32(0.5)))
                return self.node("Mul", name, half, one)
            case "hsigmoid":
                return self.node("HardSigmoid", name, value, alpha=1 / 6, beta=0.5)
            case "leaky":
                return self.node("LeakyRelu", name, value, alpha=0.01)
            case _:
                known = {"relu": "Relu", "hswish": "HardSwish", "sigmoid": "Sigmoid"}
                return self.node(known[kind], name, value)

    def pool(self, pool: Pool, value: str) -> str:
        how: dict[str, Attribute] = {
            "kernel_shape": [pool.kernel] * 2,
            "pads": [(pool.kernel - 1) // 2] * 4,
            "strides": [pool.stride] * 2,
        }
        if pool.kind == "avg":
            return self.node("AveragePool", "average", value, **how, count_include_pad=0)
        return self.node("MaxPool", "largest", value, **how)

    def split(self, split: Split, value: str, come: Map) -> str:
        parts = self.nodes_of(
            "Split", "split", len(split.sizes), value, self.whole([*split.sizes]), axis=1
        )
        ends: list[str] = []
        for part, (chain, into) in zip(parts, inner(split, come), strict=True):
            start = self.node("Add", "cascade", part, ends[-1]) if split.cascade and ends else part
            ends.append(self.chain(chain, start, into))
        return self.join("concat", ends)

    def join(self, how: str, ends: Sequence[str]) -> str:
        """Writes the join of several values."""
        if how == "concat":
            return self.node("Concat", "concat", *ends, axis=1)
        kind = {"add": "Sum", "sub": "Sub", "mean": "Mean", "mul": "Mul"}[how]
        return self.node(kind, how, *ends)

    # -- nodes and tensors -----------------------------------------------------------------------

    def take(self, leaf: Leaf) -> Weights:
        """The next weights, which must be those of `leaf`."""
        weights = next(self.weights)
        found = {name: array.shape for name, array in weights.items()}
        assert found == shapes(leaf), (self.prefix, leaf, found)
        return weights

    def name(self, kind: str) -> str:
        """`kind`, numbered from its second use in a layer on."""
        name = self.upcoming(kind)
        self.used.update({kind, name})
        return name

    def upcoming(self, kind: str) -> str:
        """What `name` will give next."""
        later = (f"{kind}{number}" for number in count(self.used[kind] + 1))
        return next(name for name in later if not self.used[name]) if self.used[kind] else kind

    def node(self, kind: str, name: str, *inputs: str, **attributes: Attribute) -> str:
        """Writes a node with one output."""
        return self.nodes_of(kind, name, 1, *inputs, **attributes)[0]

    def nodes_of(
        self, kind: str, name: str, outputs: int, *inputs: str, **attributes: Attribute
    ) -> list[str]:
        """Writes a node with several outputs."""
        full = f"{self.prefix}/{self.name(name)}"
        ends = [full] if outputs == 1 else [f"{full}.{i}" for i in range(outputs)]
        node = helper.make_node(kind, inputs, ends, full)
        node.attribute.extend(helper.make_attribute(k, v) for k, v in attributes.items())
        self.nodes.append(node)
        return ends

    def tensor(self, name: str, array: Array) -> str:
        """Stores an array of this layer."""
        full = f"{self.prefix}/{name}"
        self.tensors.append(numpy_helper.from_array(np.ascontiguousarray(array), full))
        return full

    def constant(self, array: npt.ArrayLike) -> str:
        """Stores numbers that belong to no weights."""
        return self.tensor(self.name("constant"), np.asarray(array))

    def whole(self, numbers: list[int]) -> str:
        """Stores whole numbers, as shapes and axes want them."""
        return self.constant(np.array(numbers, np.int64))

    def reshape(self, value: str, shape: list[int]) -> str:
        """Another shape of the same numbers; the batch stays."""
        return self.node("Reshape", "reshape", value, self.whole([0, *shape]))

    def per_channel(self, name: str, array: Array, come: Map) -> str:
        """One number per channel, shaped to multiply what flows."""
        return self.tensor(self.name(name), array if come.flat else array.reshape(-1, 1, 1))
