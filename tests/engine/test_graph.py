"""ONNX files: they compute what the primitives say, and their parts are named after the layers."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest

from engine import presets
from engine.graph import layer_onnx, random_weights, to_onnx
from engine.graph_words import Weights, folded
from engine.layers import BN_EPS, Conv, Dropout, GlobalPool, Layer, Linear, Residual
from engine.space import Arch, SearchSpace
from tests.builders import small_space, stage


def odd_space() -> SearchSpace:
    """Maps of odd sides, two stages that stride, classifier with a convolution."""
    stages = stage(stride=2), stage(stride=2, width=12)
    size = {"size": 13, "channels": 3}
    return small_space(*stages, input=size, stem={"width": 4, "kernel": 3, "stride": 2})


def run(model: bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    return session.run(["logits"], {"image": images})[0]


def convolve(x: np.ndarray, weight: np.ndarray, conv: Conv) -> np.ndarray:
    """The definition of a convolution, one kernel position after the other."""
    pad, k, s = conv.kernel // 2, conv.kernel, conv.stride
    x = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    side = -(-(x.shape[2] - 2 * pad) // s)
    y = np.zeros((len(x), conv.cout, side, side))
    per, out = conv.cin // conv.groups, conv.cout // conv.groups
    for g in range(conv.groups):
        part, rows = x[:, g * per : (g + 1) * per], slice(g * out, (g + 1) * out)
        for i in range(k):
            for j in range(k):
                seen = part[:, :, i : i + s * side : s, j : j + s * side : s][:, :, :side, :side]
                y[:, rows] += np.einsum("nchw,oc->nohw", seen, weight[rows, :, i, j])
    return y


def reference(primitives, weights, x: np.ndarray) -> np.ndarray:
    """The network in double precision with the batch norm as its formula says."""
    for primitive in primitives:
        match primitive:
            case Conv():
                w = next(weights)
                per_channel = [
                    w[name].astype(float)[:, None, None]
                    for name in ("gamma", "beta", "mean", "var")
                ]
                gamma, beta, mean, var = per_channel
                x = convolve(x, w["weight"].astype(float), primitive)
                x = gamma * (x - mean) / np.sqrt(var + BN_EPS) + beta
                x = np.maximum(x, 0) if primitive.act else x
            case Residual(body):
                x = x + reference(body, weights, x)
            case GlobalPool():
                x = x.mean((2, 3))
            case Linear():
                w = next(weights)
                x = x @ w["weight"].T.astype(float) + w["bias"]
    return x


def lively_weights(layers: tuple[Layer, ...]) -> list[Weights]:
    """Weights whose batch norms and biases all do something."""
    rng = np.random.default_rng(3)

    def lively(name: str, array: np.ndarray) -> np.ndarray:
        if name == "weight":
            return array
        drawn = rng.uniform(0.5, 1.5, array.shape).astype(np.float32)
        return drawn - 1 if name in ("beta", "mean") else drawn

    return [{k: lively(k, a) for k, a in w.items()} for w in random_weights(layers, 0)]


@pytest.mark.parametrize(
    "ops", ["k3e3-k5e6-k5e3-k3e6", "k5e6-skip-k3e3-skip", "k3e3-k3e3-k5e6-skip"]
)
def test_the_file_computes_what_the_primitives_say(ops):
    layers = odd_space().layers(Arch.parse(ops))
    weights = lively_weights(layers)
    images = np.random.default_rng(1).standard_normal((2, 3, 13, 13), np.float32)
    primitives = [p for layer in layers for p in layer.primitives]
    wanted = reference(primitives, iter(weights), images.astype(float))
    got = run(to_onnx(layers, weights, metadata={}), images)
    np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-4)


def test_folding_gives_the_convolution_that_does_both():
    ones = np.ones((1, 1, 1, 1), np.float32)
    gamma, beta, mean, var = (np.array([v], np.float32) for v in (3.0, 5.0, 2.0, 4.0))
    weight, bias = folded({"weight": ones, "gamma": gamma, "beta": beta, "mean": mean, "var": var})
    assert weight.item() == pytest.approx(3 / np.sqrt(4 + BN_EPS))
    assert bias.item() == pytest.approx(5 - 2 * 3 / np.sqrt(4 + BN_EPS))


@pytest.mark.parametrize("name", ["digits", "single-path-cifar"])
def test_files_of_the_ends_of_a_space_pass_the_full_check(name):
    space = presets.load(name)
    for arch in (space.smallest(), space.largest()):
        layers = space.layers(arch)
        content = to_onnx(layers, random_weights(layers, 0), metadata={})
        onnx.checker.check_model(onnx.load_from_string(content), full_check=True)


def test_every_layer_alone_passes_the_full_check():
    space = odd_space()
    slots = (slot.layer(op) for slot in space.slots() for op in slot.ops if op != "skip")
    for layer in (space.stem_layer(), space.head_layer(), *slots):
        onnx.checker.check_model(onnx.load_from_string(layer_onnx(layer, 0)), full_check=True)


def test_nodes_are_named_after_their_layers():
    layers = odd_space().layers(Arch.parse("k3e3-k3e3-k3e3-skip"))
    model = onnx.load_from_string(to_onnx(layers, random_weights(layers, 0), metadata={}))
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)
    convolutions = [name for name in names if name.startswith("stage1.2/conv")]
    assert convolutions == [f"stage1.2/conv{i}" for i in (1, 2, 3)]
    assert {"stem/conv1", "stage1.1/conv3", "stage1.2/add", "head/pool", "head/linear"} <= {*names}
    assert not any(name.startswith("stage2.2") for name in names)


def test_any_number_of_images_goes_through_at_once():
    layers = odd_space().layers(odd_space().largest())
    model = to_onnx(layers, random_weights(layers, 0), metadata={})
    images = np.random.default_rng(1).standard_normal((5, 3, 13, 13), np.float32)
    one_by_one = [run(model, images[i : i + 1]) for i in range(5)]
    np.testing.assert_allclose(run(model, images), np.concatenate(one_by_one), atol=1e-5)


def test_metadata_is_in_the_file():
    layers = odd_space().layers(odd_space().smallest())
    content = to_onnx(layers, random_weights(layers, 0), metadata={"arch": "k3e3", "seed": "4"})
    properties = {p.key: p.value for p in onnx.load_from_string(content).metadata_props}
    assert properties == {"arch": "k3e3", "seed": "4"}


def test_dropout_leaves_no_trace():
    plain = Layer("head", "head", "w0", 2, 3, 1, 4, (GlobalPool(), Linear(2, 3)))
    dropping = Layer("head", "head", "w0", 2, 3, 1, 4, (GlobalPool(), Dropout(0.5), Linear(2, 3)))
    assert layer_onnx(plain, 0) == layer_onnx(dropping, 0)


def test_random_weights_repeat_with_their_seed_and_differ_between_seeds():
    layer = odd_space().stem_layer()
    assert layer_onnx(layer, 1) == layer_onnx(layer, 1)
    assert layer_onnx(layer, 1) != layer_onnx(layer, 2)


def test_random_weights_let_no_activation_die_out():
    space = presets.load("single-path-cifar")
    layers = space.layers(space.largest())
    images = np.random.default_rng(1).standard_normal((1, 3, 32, 32), np.float32)
    logits = run(to_onnx(layers, random_weights(layers, 0), metadata={}), images)
    assert 1e-2 < np.abs(logits).mean() < 1e2


def test_weights_of_another_shape_are_refused():
    layers = (odd_space().stem_layer(),)
    other = random_weights((small_space().stem_layer(),), 0)
    with pytest.raises(AssertionError, match="stem"):
        to_onnx(layers, other, metadata={})


def test_weights_left_over_are_refused():
    layers = (odd_space().stem_layer(),)
    weights = random_weights(layers, 0)
    with pytest.raises(AssertionError, match="more weights"):
        to_onnx(layers, weights * 2, metadata={})
