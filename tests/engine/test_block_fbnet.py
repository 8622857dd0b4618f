"""What FBNet's block has that MBConv has not: its first 1x1 always, and groups."""

from __future__ import annotations

import pytest

from engine.blocks import Place
from engine.blocks.fbnet import FBNet
from engine.blocks.mbconv import MBConv
from engine.cost import layer_cost
from engine.errors import SpaceError
from engine.layers import Conv, Layer, Residual, Shuffle
from tests.builders import small_space

KEPT = Place(16, 16, 1, 8)
CHANGED = Place(16, 24, 2, 8)


def words(op: FBNet) -> tuple[object, ...]:
    """The primitives of `op` where the shape changes."""
    return op.layers(CHANGED)


def test_without_expansion_it_still_has_its_first_convolution():
    first = words(FBNet(3, 1, 1))[0]
    assert first == Conv(16, 16)


def test_without_groups_it_is_an_mbconv_that_widens():
    assert FBNet(5, 6, 1).layers(KEPT) == MBConv(5, 6).layers(KEPT)


def test_channels_are_shuffled_after_the_first_grouped_convolution():
    first, shuffle, depthwise, last = words(FBNet(3, 1, 2))
    assert (first, shuffle) == (Conv(16, 16, groups=2), Shuffle(2))
    assert depthwise == Conv(16, 16, 3, 2, groups=16)
    assert last == Conv(16, 24, groups=2, act="")


def test_two_groups_halve_the_multiplications_of_both_1x1_convolutions():
    macs = [
        layer_cost(Layer("x", "fbnet", str(op), 16, 24, 2, 8, op.layers(CHANGED))).macs
        for op in (FBNet(3, 1, 1), FBNet(3, 1, 2))
    ]
    assert macs[0] - macs[1] == (16 * 16 * 8**2 + 16 * 24 * 4**2) // 2


def test_it_adds_its_input_only_where_the_shape_stays():
    assert isinstance(FBNet(3, 1, 2).layers(KEPT)[0], Residual)
    assert not any(isinstance(word, Residual) for word in words(FBNet(3, 1, 2)))


@pytest.mark.parametrize(
    ("stem", "width", "said"),
    [
        (5, 8, "stage 1: width before must be a multiple of 2 for fbk3e1g2, got 5."),
        (4, 9, "stage 1: width must be a multiple of 2 for fbk3e1g2, got 9."),
    ],
)
def test_widths_that_no_two_groups_can_share_are_refused(stem: int, width: int, said: str):
    grouped = {"block": "fbnet", "kernel": [3], "expand": [1], "groups": [2]}
    with pytest.raises(SpaceError) as refused:
        small_space(
            {**grouped, "width": width, "depth": [1, 1], "stride": 1},
            stem={"width": stem, "kernel": 3, "stride": 1},
        )
    assert str(refused.value).startswith(said)


def test_its_text_leaves_one_group_out():
    assert (str(FBNet(3, 1, 1)), str(FBNet(5, 6, 2))) == ("fbk3e1", "fbk5e6g2")
