"""Convolutional families by hand: fused, separable, plain, Tucker, Ghost of both kinds, shuffle."""

from __future__ import annotations

import numpy as np
import onnxruntime
import pytest
import torch
from torch import nn

from engine.blocks import Place, parse_op
from engine.build import arrays, build
from engine.cost import layer_cost
from engine.graph import to_onnx
from engine.layers import Conv, Layer, Map, Pool, Residual, Shuffle, Upsample, flow

KEEP, WIDEN = Place(8, 8, 1, 6), Place(8, 16, 1, 7)
STRIDE, ODD = Place(8, 16, 2, 8), Place(8, 16, 2, 9)
SAMPLED = [
    *("fk3e4", "fk5e1", "fk3e1_se", "fk3e2.5_eca_gelu", "dsk5", "dsk3_hswish", "ck1", "ck7_linear"),
    *("tk3i0.25o0.75", "tk5i0.75o0.3_swish", "gk3e1", "gk5e3_se", "gk3e2.3", "gvk3e2", "gvk5e6_se"),
    *("snk3", "snk7", "snk3_xception", "snk5_xception"),
]


def layer(text: str, place: Place) -> Layer:
    op = parse_op(text)
    assert not op.misfit(place)
    shape = (place.cin, place.cout, place.stride, place.side)
    return Layer("block", op.family, text, *shape, op.layers(place))


def lively(part: Layer) -> nn.Sequential:
    """The layer as a module whose batch norms and biases all do something."""
    generator = torch.Generator().manual_seed(3)
    network = build((part,), generator)
    for name, tensor in network.state_dict().items():
        if tensor.ndim == 1:
            shift = 0.5 if name.endswith(("weight", "running_var")) else -0.5
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + shift)
    return network.eval()


def through_onnx(part: Layer, network: nn.Sequential, x: torch.Tensor) -> np.ndarray:
    content = to_onnx((part,), arrays(network), metadata={})
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": x.numpy()})[0]


@pytest.mark.parametrize("place", [KEEP, WIDEN, STRIDE, ODD], ids=str)
@pytest.mark.parametrize("text", SAMPLED)
def test_onnx_runtime_agrees_with_torch(text: str, place: Place):
    part = layer(text, place)
    network = lively(part)
    noise = np.random.default_rng(1).standard_normal((3, place.cin, place.side, place.side))
    x = torch.from_numpy(noise.astype(np.float32))
    with torch.inference_mode():
        wanted = network(x).numpy()
    assert wanted.shape == (3, place.cout, *[-(-place.side // place.stride)] * 2)
    assert wanted.std() > 1e-3
    np.testing.assert_allclose(through_onnx(part, network, x), wanted, atol=1e-4, rtol=0)


# Every 1x1 and k x k convolution is followed by two numbers per channel of its batch norm.
BY_HAND = {
    ("fk3e4", STRIDE): 8 * 32 * 9 + 64 + 32 * 16 + 32,
    ("fk3e1", STRIDE): 8 * 16 * 9 + 32,
    ("fk3e2_se", KEEP): 8 * 16 * 9 + 32 + (16 * 8 + 8 + 8 * 16 + 16) + 16 * 8 + 16,
    ("dsk5", WIDEN): 8 * 25 + 16 + 8 * 16 + 32,
    ("ck3", STRIDE): 8 * 16 * 9 + 32,
    ("tk3i0.25o0.75", Place(40, 40, 1, 7)): 40 * 8 + 16 + 8 * 32 * 9 + 64 + 32 * 40 + 80,
    ("gk3e3_se", KEEP): (8 * 12 + 24 + 12 * 9 + 24)
    + (24 * 8 + 8 + 8 * 24 + 24)
    + (24 * 4 + 8 + 4 * 9 + 8),
    ("gk5e2", Place(8, 12, 2, 8)): (8 * 8 + 16 + 8 * 9 + 16)
    + (16 * 25 + 32)
    + (16 * 6 + 12 + 6 * 9 + 12)
    + (8 * 25 + 16 + 8 * 12 + 24),
    ("gvk3e2", KEEP): (8 * 8 + 16 + 8 * 9 + 16)
    + (8 * 16 + 32 + 16 * 5 + 32 + 16 * 5 + 32)
    + (16 * 4 + 8 + 4 * 9 + 8),
    ("snk5", KEEP): 4 * 4 + 8 + 4 * 25 + 8 + 4 * 4 + 8,
    ("snk3_xception", Place(6, 16, 2, 8)): (6 * 9 + 12 + 6 * 6 + 12)
    + (6 * 9 + 12 + 6 * 8 + 16)
    + (8 * 9 + 16 + 8 * 8 + 16)
    + (8 * 9 + 16 + 8 * 10 + 20),
}


@pytest.mark.parametrize(("text", "place"), BY_HAND, ids=str)
def test_parameters_are_those_counted_by_hand(text: str, place: Place):
    assert layer_cost(layer(text, place)).params == BY_HAND[text, place]


def test_attention_of_ghost_v2_is_made_at_half_the_side_rounded_down():
    module, weights, narrow = 8 * 8 + 8 * 9, 8 * 16 + 2 * 16 * 5, 16 * 4 + 4 * 9
    cost = layer_cost(layer("gvk3e2", Place(8, 8, 1, 7)))
    assert cost.macs == (module + narrow) * 49 + weights * 9


@pytest.mark.parametrize("text", ["fk3e1", "fk3e4", "tk3i0.25o0.25", "gk3e2", "gvk3e2"])
def test_residual_families_add_their_input_where_width_and_side_are_kept(text: str):
    assert isinstance(parse_op(text).layers(KEEP)[0], Residual)
    assert not isinstance(parse_op(text).layers(WIDEN)[0], Residual)


@pytest.mark.parametrize("text", ["ck3", "dsk3", "snk3"])
def test_plain_separable_and_shuffled_convolutions_never_add_their_input(text: str):
    assert not isinstance(parse_op(text).layers(KEEP)[0], Residual)


def test_a_fused_layer_without_widening_is_one_convolution_with_activation():
    assert parse_op("fk5e1_relu6").layers(STRIDE) == (Conv(8, 16, 5, 2, act="relu6"),)


def test_a_plain_convolution_may_have_no_activation():
    assert parse_op("ck1_linear").layers(WIDEN) == (Conv(8, 16, act=""),)


def test_tucker_ranks_are_the_nearest_multiples_of_eight():
    first, middle, _ = parse_op("tk3i0.25o0.75").layers(Place(72, 40, 1, 4))
    assert (first.cout, middle.cout) == (16, 32)  # of 18 and 30, where round8 gives 24 and 32


@pytest.mark.parametrize(("hidden", "squeezed"), [(72, 20), (112, 28), (120, 32), (20, 8), (8, 4)])
def test_ghost_squeezes_to_multiples_of_four(hidden: int, squeezed: int):
    block = parse_op("gk5e1_se").layers(Place(hidden, 40, 2, 8))[0]
    squeeze = block.chains[0][3].chains[1]
    assert [part.cout for part in squeeze[1:]] == [squeezed, hidden]


def test_a_ghost_module_of_an_odd_width_drops_the_last_ghost():
    place = Place(5, 7, 1, 4)
    assert flow(parse_op("gk3e1").layers(place), Map(5, 4)) == Map(7, 4)


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("snk3", Place(7, 7, 1, 4), "width must be even for Shuffle unit, got 7"),
        ("snk3", Place(8, 9, 2, 4), "width must be even for Shuffle unit, got 9"),
        (
            "snk5",
            Place(16, 16, 2, 4),
            "width must be more than the 16 channels that come in where Shuffle unit changes"
            " width or side, got 16",
        ),
        ("gvk3e2", Place(8, 8, 1, 1), "map side must be at least 2 for Ghost bottleneck V2, got 1"),
    ],
)
def test_a_place_where_an_op_cannot_stand_is_explained(text: str, place: Place, why: str):
    assert parse_op(text).misfit(place) == why


def test_a_shuffle_unit_passes_its_first_half_on_to_every_other_channel():
    network = lively(layer("snk3", KEEP))
    x = torch.randn(2, 8, 6, 6, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        y = network(x)
    assert torch.equal(y[:, 0::2], x[:, :4])
    assert (y[:, 1::2] >= 0).all()


def test_where_it_strides_a_shuffle_unit_passes_on_as_many_channels_as_come_in():
    branches, shuffle = parse_op("snk3").layers(Place(16, 64, 2, 8))
    assert [chain[-1].cout for chain in branches.chains] == [16, 48]
    assert shuffle == Shuffle(2)


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("fk3e4", "fk7e6", True),
        ("fk3e4", "fk3e1", False),
        ("fk3e4_eca", "fk3e6_eca", False),
        ("dsk3", "dsk5", True),
        ("ck1", "ck7", True),
        ("tk3i0.25o0.75", "tk5i0.75o0.25", True),
        ("gk3e3", "gk5e3", True),
        ("gk3e3", "gk3e6", False),
        ("gvk3e3", "gk3e3", False),
        ("snk3", "snk7", True),
        ("snk3", "snk3_xception", False),
    ],
)
def test_ops_share_weights_where_one_is_a_slice_of_the_other(one: str, other: str, shared: bool):
    assert (parse_op(one).path == parse_op(other).path) is shared


@pytest.mark.parametrize(("side", "left"), [(2, 1), (7, 3), (8, 4)])
def test_pooling_two_by_two_drops_an_odd_last_row(side: int, left: int):
    assert flow((Pool("avg", 2, 2),), Map(1, side)) == Map(1, left)
    part = Layer("pool", "", "", 1, 1, 2, side, (Pool("avg", 2, 2),))
    x = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side)
    y = build((part,))(x)
    assert y.shape[-1] == left
    assert y[0, 0, 0, 0] == x[0, 0, :2, :2].mean()
    np.testing.assert_array_equal(through_onnx(part, build((part,)), x), y.numpy())


@pytest.mark.parametrize(("side", "wanted"), [(3, 7), (3, 6), (1, 3), (4, 7)])
def test_spreading_shows_the_pixel_at_the_same_share_of_the_side(side: int, wanted: int):
    part = Layer("up", "", "", 1, 1, 1, side, (Upsample(wanted),))
    x = torch.arange(side * side, dtype=torch.float32).view(1, 1, side, side)
    index = [i * side // wanted for i in range(wanted)]
    expected = x[:, :, index][:, :, :, index]
    assert torch.equal(build((part,))(x), expected)
    np.testing.assert_array_equal(through_onnx(part, build((part,)), x), expected.numpy())
