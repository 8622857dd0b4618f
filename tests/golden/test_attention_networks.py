"""EfficientViT-M2, SHViT-S1 and EfficientFormer-L1 at 224 pixels, from our data alone.

Published figures: parameters with batch norm's scale and shift, MACs of convolutions and linear
layers without the products inside attention.
"""

from __future__ import annotations

import pytest

from engine.cost import layer_cost, network_cost
from engine.layers import Attend, Layer
from engine.presets import document, load

PUBLISHED = {
    "efficientvit-m2": (4_187_554, 197.8),
    "shvit-s1": (6_330_808, 240.6),
    "efficientformer-l1": (12_289_928, 1288.2),
}
NETWORKS = pytest.mark.parametrize("name", PUBLISHED)


def layers(name: str) -> tuple[Layer, ...]:
    space = load(name)
    return space.layers(space.largest())


def attends(name: str) -> list[Attend]:
    return [leaf for part in layers(name) for leaf, _, _ in part.walk() if isinstance(leaf, Attend)]


@NETWORKS
def test_the_published_network_has_its_parameters_and_macs(name: str):
    space = load(name)
    cost = network_cost(space, space.largest())
    assert (cost.params, round(cost.macs / 1e6, 1)) == PUBLISHED[name]


@NETWORKS
def test_the_preset_states_the_same_figures_exactly(name: str):
    golden = document(name)["golden"]
    assert (golden["params"], round(golden["macs"] / 1e6, 1)) == PUBLISHED[name]


@NETWORKS
def test_the_published_network_as_a_space_is_one_point(name: str):
    assert load(name).size() == 1


@pytest.mark.parametrize("name", ["efficientvit-m2", "shvit-s1"])
def test_the_last_stem_convolution_has_no_activation(name: str):
    space = load(name)
    assert (space.stem.convs, space.stem.width) == (3, 64)
    assert space.largest().ops[0] == "ck3_linear"


def test_efficientvit_attends_in_windows_of_seven_until_the_map_is_smaller():
    seen = [(attend.side, attend.reach) for attend in attends("efficientvit-m2")]
    assert seen == [(14, 7)] * 4 + [(7, 7)] * 3 * 2 + [(4, 4)] * 2 * 3


def test_shvit_attends_with_one_head_from_its_second_stage_on():
    seen = [(attend.heads, attend.value, attend.side) for attend in attends("shvit-s1")]
    assert seen == [(1, 48, 7)] * 4 + [(1, 68, 4)] * 5


def test_efficientformer_attends_in_its_last_layer_only():
    (attend,) = attends("efficientformer-l1")
    assert attend == Attend(8, 32, 128, 7, offsets=True)
    *_, last, head = layers("efficientformer-l1")
    assert last.family == "tokens"
    assert layer_cost(head).params == 2 * 448 + 2 * (448 * 1000 + 1000)
