"""Attention families by hand: pooling, tokens, cascaded, single-head, MOAT, EMO; windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import nn

from engine.attention import inverse, windows
from engine.blocks import Place, parse_op
from engine.build import arrays, build
from engine.cost import layer_cost
from engine.graph import to_onnx
from engine.layers import Attend, Branches, Layer, Map, Norm, Pool, Residual, flow
from engine.modules import Attention, module
from tests.networks import run_onnx, shaken
from tests.ops import layer

KEEP, WIDEN, STRIDE, ODD = (
    Place(32, 32, 1, 8),
    Place(32, 64, 1, 4),
    Place(32, 64, 2, 8),
    Place(32, 64, 2, 7),
)
SAMPLED = [
    *("poolp3", "poolp7r1", "tokh2", "tokh4r2", "cgah4k7", "cgah2k5d8w4", "shsas0", "shsas0.21"),
    *("shsas0.5r3", "moatk3e4", "moatk5e2h16w4", "emok3e2", "emok5e4_close", "emok5e3_hybridh8"),
]


def at(text: str, place: Place) -> Layer:
    assert not parse_op(text).misfit(place)
    return layer(parse_op(text), place)


def pixels(*shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(1))


def settled(part: Layer) -> nn.Sequential:
    """A shaken module with the batch statistics of some images: scores that leave softmax soft.

    With others they grow to thousands here, and torch itself is further from its own result in
    double precision than a file may be from torch.
    """
    network = shaken(build((part,), torch.Generator().manual_seed(0)))
    for m in network.modules():
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = 1.0
    with torch.no_grad():
        network.train()(pixels(16, part.cin, part.side, part.side))
    return network.eval()


def agrees(part: Layer) -> bool:
    """Whether ONNX Runtime gives what torch gives, to a ten-thousandth of the largest number."""
    network = settled(part)
    x = pixels(3, part.cin, part.side, part.side)
    with torch.inference_mode():
        wanted = network(x).numpy()
    assert wanted.shape == (3, part.cout, *[-(-part.side // part.stride)] * 2)
    assert wanted.std() > 1e-3
    got = run_onnx(to_onnx((part,), arrays(network), metadata={}), x.numpy())
    return bool(np.abs(got - wanted).max() <= 1e-4 * max(1, np.abs(wanted).max()))


@pytest.mark.parametrize("place", [KEEP, WIDEN, STRIDE, ODD], ids=str)
@pytest.mark.parametrize("text", SAMPLED)
def test_onnx_runtime_agrees_with_torch(text: str, place: Place):
    assert agrees(at(text, place))


@pytest.mark.parametrize("text", ["emok3e2_closew4", "emok3e2_remotew4", "emok3e2_hybridw4"])
def test_onnx_runtime_agrees_with_torch_in_windows(text: str):
    assert agrees(at(text, KEEP))


def local(width: int) -> int:
    """Parameters of a depthwise 3x3 with batch norm."""
    return width * 9 + 2 * width


def mlp(width: int, mid: int) -> int:
    """Parameters of two 1x1 convolutions with batch norm."""
    return 2 * width * mid + 2 * mid + 2 * width


def merge(cin: int, cout: int, mlps: int) -> int:
    """Parameters of patch merging with what stands on its sides."""
    mid = 4 * cin
    widen, depthwise, narrow = cin * mid + 2 * mid, mid * 9 + 2 * mid, mid * cout + 2 * cout
    excite = mid * cin + cin + cin * mid + mid
    sides = local(cin) + mlp(cin, mlps * cin) + local(cout) + mlp(cout, mlps * cout)
    return widen + depthwise + excite + narrow + sides


BY_HAND = {
    # scale, biased widen and narrow with batch norms, scale
    ("poolp3r2", KEEP): 32 + (32 * 64 + 3 * 64) + (64 * 32 + 3 * 32) + 32,
    ("poolp5r2", Place(16, 32, 2, 8)): (16 * 32 * 9 + 3 * 32)
    + (32 + (32 * 64 + 3 * 64) + (64 * 32 + 3 * 32) + 32),
    # norm, queries keys values, distances, back, scale; norm, widen, narrow, scale
    ("tokh2", KEEP): (64 + 32 * 384 + 384 + 2 * 64 + 256 * 32 + 32 + 32)
    + (64 + 32 * 128 + 128 + 128 * 32 + 32 + 32),
    # per head of 16 channels: queries keys values, query kernel, distances of a window of 4
    ("cgah2k5w4", KEEP): 2 * (local(32) + mlp(32, 64))
    + (16 * 48 + 96 + 16 * 25 + 32 + 16)
    + (16 * 48 + 96 + 16 * 9 + 32 + 16)
    + (32 * 32 + 64),
    ("cgah1k3d8", Place(16, 24, 2, 8)): merge(16, 24, 2)
    + 2 * (local(24) + mlp(24, 48))
    + (24 * 40 + 80 + 8 * 9 + 16 + 16)
    + (24 * 24 + 48),
    ("shsas0r3", KEEP): local(32) + mlp(32, 96),
    # group norm, queries keys values of 8 channels, all back
    ("shsas0.25", KEEP): local(32) + mlp(32, 64) + (16 + 8 * 40 + 80) + (32 * 32 + 64),
    ("moatk3e4", KEEP): (64 + 32 * 128 + 256 + 128 * 9 + 256 + 128 * 32 + 32)
    + (64 + 32 * 96 + 96 + 64 + 32 * 32 + 32),
    ("moatk3e4", STRIDE): (64 + 32 * 128 + 256 + 128 * 9 + 256 + 128 * 64 + 64)
    + (32 * 64 + 64)
    + (128 + 64 * 192 + 192 + 2 * 16 + 64 * 64 + 64),
    ("emok3e2", KEEP): 64 + 32 * 64 + 64 + (64 * 9 + 128) + 64 * 32 + 32 + 32,
    ("emok3e2_close", WIDEN): 64 + 32 * 128 + 128 + (64 * 9 + 128) + 64 * 64 + 64,
}


@pytest.mark.parametrize(("text", "place"), BY_HAND, ids=str)
def test_parameters_are_those_counted_by_hand(text: str, place: Place):
    assert layer_cost(at(text, place)).params == BY_HAND[text, place]


@pytest.mark.parametrize(
    ("text", "place", "why"),
    [
        ("cgah3k3", Place(32, 32, 1, 4), "width must be a multiple of the 3 heads, got 32"),
        (
            "cgah2k3w7",
            Place(32, 32, 1, 16),
            "the side of the map must be a multiple of the window, 7, got 16",
        ),
        (
            "tokh2",
            Place(32, 32, 1, 56),
            "attention needs a map side of at most 32 or windows, got 56",
        ),
        (
            "shsas0.5",
            Place(4, 4, 1, 4),
            "width must be at least 8 for single-head attention, got 4",
        ),
        (
            "moatk3e4",
            Place(32, 48, 1, 4),
            "width must be a multiple of the 32 channels per head, got 48",
        ),
        (
            "emok3e2_close",
            Place(24, 32, 1, 4),
            "width before must be a multiple of the 16 channels per head, got 24",
        ),
        (
            "emok3e2.3_close",
            Place(48, 48, 1, 4),
            "expansion must give a multiple of the 3 heads, got 110 channels",
        ),
    ],
)
def test_what_does_not_fit_says_why(text: str, place: Place, why: str):
    assert parse_op(text).misfit(place) == why


@pytest.mark.parametrize("text", ["shsas0", "emok3e4", "poolp3"])
def test_blocks_that_do_not_attend_stand_on_any_map(text: str):
    assert parse_op(text).misfit(Place(4, 4, 1, 112)) == ""


def test_attention_that_strides_is_judged_by_the_map_that_leaves():
    assert parse_op("tokh2").misfit(Place(8, 8, 2, 64)) == ""


def test_query_kernels_shrink_from_head_to_head_down_to_three():
    mix = parse_op("cgah4k7").layers(KEEP)[2]
    assert isinstance(mix, Residual)
    heads = mix.body[0].chains
    assert [head[1].chains[0][0].kernel for head in heads] == [7, 5, 3, 3]


def test_a_cascade_shows_the_first_part_to_every_head():
    network = shaken(build((at("cgah4k3", KEEP),), torch.Generator().manual_seed(0)))
    parted = next(m for m in network.modules() if getattr(m, "cascade", False))
    x = pixels(1, 32, 8, 8)
    changed = x.clone()
    changed[:, :8] += 1
    moved = (parted(changed) - parted(x)).abs().amax((0, 2, 3))
    assert (moved > 1e-6).all()


def test_the_share_that_attends_is_the_nearest_multiple_of_four():
    parts = [parse_op("shsas0.21").layers(Place(w, w, 1, 4))[1].body[0].sizes for w in (224, 320)]
    assert parts == [(48, 176), (68, 252)]


def test_the_part_that_attends_is_normalised_over_the_whole_image():
    attending, passing = parse_op("shsas0.25").layers(KEEP)[1].body[0].chains
    assert attending[0] == Norm(8, "group")
    assert passing == ()


def test_a_pooling_block_of_an_even_map_adds_nothing():
    mix = parse_op("poolp3").layers(KEEP)[0].body[0]
    assert mix == Branches(((Pool("avg", 3),), ()), "sub")
    flat = torch.ones(1, 2, 4, 4)
    assert module(mix)(flat).abs().max() == 0


@pytest.mark.parametrize("text", ["poolp3", "cgah2k3", "shsas0.25", "moatk3e4"])
def test_only_what_changes_the_map_stands_outside_residuals(text: str):
    inside = parse_op(text).layers(KEEP)
    assert all(isinstance(word, Residual) for word in inside)
    assert not all(isinstance(word, Residual) for word in parse_op(text).layers(STRIDE))


def window(attend: Attend, y: int, x: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """Which window a pixel is in, and where in it."""
    reach, count = attend.reach, attend.side // attend.reach
    if attend.spread:
        return (y % count, x % count), (y // count, x // count)
    return (y // reach, x // reach), (y % reach, x % reach)


def by_definition(attend: Attend, image: np.ndarray, bias: np.ndarray | None) -> np.ndarray:
    """Attention of an image (C, S, S) one pixel and head after the other: (h · value, S, S)."""
    spots = list(np.ndindex(attend.side, attend.side))
    ends = np.cumsum([attend.heads * attend.key] * 2)
    queries, keys, values = (
        part.reshape(attend.heads, -1, *image.shape[1:]) for part in np.split(image, ends)
    )
    out = np.zeros_like(values)
    for head, (y, x) in itertools.product(range(attend.heads), spots):
        mine, here = window(attend, y, x)
        seen = [spot for spot in spots if window(attend, *spot)[0] == mine]
        scores = np.array([queries[head, :, y, x] @ keys[head, :, a, b] for a, b in seen])
        scores /= attend.key**0.5
        if bias is not None:
            there = [window(attend, *spot)[1] for spot in seen]
            far = [abs(a - here[0]) * attend.reach + abs(b - here[1]) for a, b in there]
            scores += bias[head, far]
        weights = np.exp(scores - scores.max())
        looked = np.stack([values[head, :, a, b] for a, b in seen], 1)
        out[head, :, y, x] = looked @ (weights / weights.sum())
    return out.reshape(-1, *image.shape[1:])


@pytest.mark.parametrize(
    "attend",
    [
        Attend(2, 3, 5, 4),
        Attend(2, 3, 5, 4, offsets=True),
        Attend(2, 3, 5, 6, True, 2),
        Attend(2, 3, 5, 6, True, 3, spread=True),
    ],
    ids=str,
)
def test_attention_is_what_its_definition_says(attend: Attend):
    part = module(attend)
    assert isinstance(part, Attention)
    bias = None
    if part.bias is not None:
        torch.nn.init.normal_(part.bias, generator=torch.Generator().manual_seed(4))
        bias = part.bias.detach().double().numpy()
    x = pixels(2, 2 * (3 + 3 + 5), attend.side, attend.side)
    with torch.inference_mode():
        got = part(x).numpy()
    wanted = [by_definition(attend, image, bias) for image in x.double().numpy()]
    np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_window_has_distances_of_its_own_size():
    place = Place(32, 32, 1, 8)
    whole, cut = (layer_cost(at(text, place)).params for text in ("cgah2k3", "cgah2k3w4"))
    assert whole - cut == 2 * (64 - 16)


def test_a_window_no_larger_than_the_map_is_the_whole_map():
    small = Place(32, 32, 1, 4)
    assert parse_op("moatk3e4w4").layers(small) == parse_op("moatk3e4").layers(small)


def test_windows_must_tile_the_map():
    with pytest.raises(AssertionError):
        flow((Attend(1, 2, 2, 6, window=4),), Map(6, 6))


@pytest.mark.parametrize("spread", [False, True])
def test_cutting_into_windows_can_be_undone(spread: bool):
    sizes, order = windows(Attend(1, 1, 1, 6, window=2, spread=spread))
    x = np.arange(3 * 36).reshape(1, 3, *sizes)
    assert x.transpose(order).shape == (1, 3, 3, 3, 2, 2)
    np.testing.assert_array_equal(x.transpose(order).transpose(inverse(order)), x)
