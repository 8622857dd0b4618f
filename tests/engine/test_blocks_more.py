"""Rarer families by hand: OSA, IBN, E2GC, VanillaNet, large kernels, Inception-ResNet, ULSAM."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from torch import nn

from engine.blocks import Place, parse_op
from engine.blocks.replk import BESIDE
from engine.build import arrays, build
from engine.cost import layer_cost
from engine.graph import to_onnx
from engine.layers import Conv, Layer, Norm, Pool, Residual, Scale
from engine.modules import ConvBN, Rep
from tests import ops
from tests.networks import run_onnx, shaken

KEEP, WIDEN, STRIDE, ODD, ODD_KEPT = (
    Place(16, 16, 1, 6),
    Place(16, 32, 1, 7),
    Place(16, 32, 2, 8),
    Place(16, 32, 2, 9),
    Place(16, 16, 2, 7),
)
PLACES = (KEEP, WIDEN, STRIDE, ODD, ODD_KEPT)
SAMPLED = [
    *("osa3w0.25", "osa5w0.5_ese", "osa4w0.33", "ibnk3w0.25", "ibnk5w0.5i0.25", "ibnk3w0.5i0"),
    *("egc1k3e2", "egc8k5e6", "egc4k3e2.5", "van1", "van3", "repk3e2", "repk7e2.5", "repk13e3"),
    *("inck3b3w0.1", "inck7b2w0.25s0.1_factorised", "inck5b3w0.25s0.17", "ulsam1k5", "ulsam8k3"),
]
STANDS = [(t, p) for t in SAMPLED for p in PLACES if not parse_op(t).misfit(p)]


def layer(text: str, place: Place) -> Layer:
    return ops.layer(parse_op(text), place)


def lively(text: str, place: Place) -> nn.Sequential:
    """The op as a module whose norms and biases all do something."""
    network = shaken(build((layer(text, place),), torch.Generator().manual_seed(3)))
    for m in network.modules():
        if isinstance(m, nn.Conv2d) and m.bias is not None:
            nn.init.uniform_(m.bias, -0.5, 0.5, generator=torch.Generator().manual_seed(4))
    return network


def images(place: Place) -> torch.Tensor:
    shape = (3, place.cin, place.side, place.side)
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def exported(text: str, place: Place, network: nn.Sequential) -> bytes:
    return to_onnx((layer(text, place),), arrays(network), metadata={})


@pytest.mark.parametrize(("text", "place"), STANDS, ids=str)
def test_onnx_runtime_agrees_with_torch(text: str, place: Place):
    network, x = lively(text, place), images(place)
    with torch.inference_mode():
        wanted = network(x).numpy()
    assert wanted.shape == (3, place.cout, *[-(-place.side // place.stride)] * 2)
    assert wanted.std() > 1e-3
    got = run_onnx(exported(text, place, network), x.numpy())
    np.testing.assert_allclose(got, wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("text", "place"), STANDS, ids=str)
def test_no_two_nodes_of_a_file_have_one_name(text: str, place: Place):
    model = onnx.load_from_string(exported(text, place, lively(text, place)))
    names = [node.name for node in model.graph.node]
    assert len(set(names)) == len(names)


# Every convolution is followed by two numbers per channel of its batch norm, or by its bias.
BY_HAND = {
    ("osa3w0.25", STRIDE): (16 * 8 * 9 + 16) + 2 * (8 * 8 * 9 + 16) + (16 + 24) * 32 + 64,
    ("osa3w0.5_ese", KEEP): (16 * 8 * 9 + 16)
    + 2 * (8 * 8 * 9 + 16)
    + ((16 + 24) * 16 + 32)
    + (16 * 16 + 16),
    ("ibnk3w0.25", STRIDE): (16 * 4 + 4 + 8)
    + (16 * 4 + 8)
    + (8 * 8 * 9 + 16)
    + (8 * 32 + 64)
    + (16 * 32 + 64),
    ("ibnk5w0.5i0", KEEP): (16 * 8 + 16) + (8 * 8 * 25 + 16) + (8 * 16 + 32),
    ("egc4k3e2", WIDEN): (16 * 32 + 64) + (32 * 4 * 9 + 64) + (32 * 32 + 64),
    ("van3", STRIDE): (16 * 32 + 64) + (32 * 49 + 64),
    ("repk13e2", KEEP): (16 * 169 + 16)
    + (16 * 4 + 4 + 4 * 16 + 16)
    + (16 * 32 + 32)
    + 2 * 32
    + (32 * 16 + 32),
    ("repk5e2", ODD): (16 * 32 * 9 + 32 + 64)
    + (32 * 25 + 32)
    + (32 * 8 + 8 + 8 * 32 + 32)
    + (32 * 64 + 64 + 2 * 64)
    + (64 * 32 + 64),
    ("inck7b2w0.5_factorised", KEEP): 2 * (16 * 8 + 16)
    + 2 * (8 * 8 * 7 + 16)
    + (16 * 16 + 16)
    + 16,
    ("inck3b3w0.25", STRIDE): 3 * (16 * 8 + 16)
    + 3 * (8 * 8 * 9 + 16)
    + (24 * 32 + 32 + 32)
    + (16 * 32 + 64),
    ("ulsam4k3", STRIDE): (16 * 9 + 32) + (16 * 32 + 64) + 4 * (8 + 16 + 8 + 2),
}


@pytest.mark.parametrize(("text", "place"), BY_HAND, ids=str)
def test_parameters_are_those_counted_by_hand(text: str, place: Place):
    assert layer_cost(layer(text, place)).params == BY_HAND[text, place]


def test_strided_branches_of_inception_are_computed_at_the_sides_they_have():
    """Only the last convolution of a branch, the joining one and the one around see 4x4 maps."""
    large = 2 * 16 * 8 + 8 * 8 * 9
    small = 16 * 8 + 2 * 8 * 8 * 9 + 24 * 32 + 16 * 32
    assert layer_cost(layer("inck3b3w0.25", STRIDE)).macs == large * 64 + small * 16


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("egc16k3e2.5", KEEP, "widened channels must be a multiple of the group size 16, got 40"),
        ("egc8k3e2", Place(6, 8, 1, 7), "widened channels must be a multiple of the group size 8"),
        ("van1", ODD, "pooling by 2 needs an even map side, got 9"),
        ("ibnk3w0.25", Place(16, 16, 1, 1), "instance norm needs a map side of at least 2, got 1"),
        ("ulsam8k3", Place(8, 12, 1, 7), "width must be a multiple of the 8 groups, got 12"),
    ],
)
def test_an_op_says_why_it_cannot_stand_somewhere(text: str, place: Place, why: str):
    assert parse_op(text).misfit(place).startswith(why)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("van1", Place(8, 8, 1, 9)),
        ("ibnk3w0.25i0", Place(16, 16, 1, 1)),
        ("ulsam4k3", Place(7, 12, 1, 7)),
        ("egc16k3e2", Place(24, 20, 2, 9)),
    ],
)
def test_an_op_stands_wherever_its_parts_come_out_whole(text: str, place: Place):
    assert parse_op(text).misfit(place) == ""


@pytest.mark.parametrize("text", ["osa3w0.25", "ibnk3w0.25", "egc4k3e2", "repk7e2", "inck3b2w0.1"])
def test_residual_families_add_their_input_where_width_and_side_are_kept(text: str):
    assert isinstance(parse_op(text).layers(KEEP)[0], Residual)
    assert not isinstance(parse_op(text).layers(STRIDE)[0], Residual)


@pytest.mark.parametrize("text", ["van3", "ulsam4k3"])
def test_vanilla_and_sub_space_blocks_add_no_input_around_themselves(text: str):
    assert isinstance(parse_op(text).layers(KEEP)[0], Conv)


def test_one_shot_aggregation_joins_the_input_and_every_result():
    network, x = lively("osa3w0.25", WIDEN), images(WIDEN)
    *chain, last = [m for m in network.modules() if isinstance(m, ConvBN)]
    results = [x]
    for conv in chain:
        results.append(conv(results[-1]))
    torch.testing.assert_close(network(x), last(torch.cat(results, 1)))


def test_one_shot_aggregation_strides_before_it_convolves():
    assert parse_op("osa3w0.25").layers(ODD)[0] == Pool("max", 3, 2)


def test_the_share_of_instance_norm_is_cut_from_the_narrow_channels():
    first = parse_op("ibnk3w0.5i0.25").layers(WIDEN)[0].chains[0][0]
    instance, batch = first.chains
    assert instance[1] == Norm(4, "instance", "relu")
    assert batch == (Conv(16, 12),)


def test_instance_norm_forgets_contrast_where_batch_norm_does_not():
    network, x = lively("ibnk3w0.5", KEEP), images(KEEP)
    instance, batch = network[0][0].body[0].chains
    torch.testing.assert_close(instance(2 * x), instance(x), atol=1e-3, rtol=1e-3)
    assert not torch.allclose(batch(2 * x), batch(x), atol=0.1)


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_groups_keep_their_size_as_widths_grow(size: int):
    for cin in (16, 48):
        conv = parse_op(f"egc{size}k3e2").layers(Place(cin, 8, 1, 7))[1]
        assert conv.cin // conv.groups == size


def test_a_series_activation_sees_as_many_pixels_to_every_side():
    assert [parse_op(f"van{n}").layers(KEEP)[1].kernel for n in (1, 2, 3)] == [3, 5, 7]


@pytest.mark.parametrize("kernel", [3, 5, 7, 9, 11, 13])
def test_large_kernels_merge_with_what_was_trained_beside_them(kernel: int):
    """Torch still runs every branch with its batch norm; the file has one convolution instead."""
    text, place = f"repk{kernel}e2", Place(16, 16, 1, 17)
    network, x = lively(text, place), images(place)
    (rep,) = (m for m in network.modules() if isinstance(m, Rep))
    assert [c.kernel_size[0] for c in rep.convs] == [kernel, *(k for k, _ in BESIDE[kernel])]
    content = exported(text, place, network)
    convs = [n for n in onnx.load_from_string(content).graph.node if n.op_type == "Conv"]
    assert len(convs) == 5  # the large one, two of squeeze-and-excitation, widen, narrow
    with torch.inference_mode():
        wanted = network(x).numpy()
    np.testing.assert_allclose(run_onnx(content, x.numpy()), wanted, atol=1e-4, rtol=1e-4)


def test_what_is_trained_beside_a_large_kernel_reaches_no_further():
    for kernel, beside in BESIDE.items():
        assert all((k - 1) * dilation < kernel for k, dilation in beside)


def test_a_large_kernel_block_is_nearly_the_identity_at_first():
    network = build((layer("repk7e2", KEEP),), torch.Generator().manual_seed(0)).eval()
    torch.testing.assert_close(network(images(KEEP)), images(KEEP), atol=1e-3, rtol=0)


def test_a_large_kernel_block_answers_by_how_strong_each_channel_is_among_all():
    """Global response normalisation: x · gamma · |x| / mean |x| + beta + x, the norms over maps."""
    network, x = lively("repk3e2", KEEP), images(KEEP)
    _, _, widen, response, _ = network[0][0].body
    h = widen(x)
    size = h.pow(2).sum((2, 3), keepdim=True).sqrt()
    gamma, beta = (p[:, None, None] for p in (response.gamma, response.beta))
    wanted = h * gamma * size / size.mean(1, keepdim=True) + beta + h
    torch.testing.assert_close(response(h), wanted)


def test_the_scale_of_inception_is_what_its_factors_start_with():
    place = Place(320, 320, 1, 5)
    assert parse_op("inck3b3w0.1s0.17").layers(place)[0].body[-1] == Scale(320, 0.17)


def test_factorised_branches_look_along_the_rows_and_then_along_the_columns():
    branch = parse_op("inck7b2w0.25_factorised").layers(STRIDE)[0].chains[0][0].chains[1]
    assert branch == (Conv(16, 8), Conv(8, 8, (1, 7)), Conv(8, 8, (7, 1), 2))


def test_sub_spaces_are_weighed_by_a_softmax_of_their_own():
    network, x = lively("ulsam4k3", WIDEN), images(WIDEN)
    first, second, *pairs = [m for m in network.modules() if isinstance(m, ConvBN)]
    groups = second(first(x)).split(8, dim=1)
    ends = []
    for number, group in enumerate(groups):
        depthwise, point = pairs[2 * number : 2 * number + 2]
        largest = nn.functional.max_pool2d(depthwise(group), 3, 1, 1)
        weights = point(largest).flatten(1).softmax(1).view(len(x), 1, 7, 7)
        ends.append(weights * group + group)
    torch.testing.assert_close(network(x), torch.cat(ends, 1))
