"""Published figures of Single-Path NAS (arXiv:1904.02877), reproduced from our data alone."""

from __future__ import annotations

from engine.cost import network_cost
from engine.presets import load
from engine.space import Arch

FOUND_FOR_PIXEL_1 = (
    "k3e1-k3e3-k3e3-k3e3-skip-k5e6-k3e3-k3e3-k3e3-k5e6-k3e3-k3e3-k3e3-"
    "k5e6-k5e3-k5e3-k5e3-k5e6-k5e6-k5e6-k5e6-k3e6"
)


def test_the_published_network_has_its_parameters_and_macs():
    space = load("spnasnet_100")
    cost = network_cost(space, space.largest())
    assert (cost.params, cost.macs) == (4_421_616, 333_467_072)


def test_the_published_network_is_one_architecture_of_the_published_space():
    space = load("single-path")
    cost = network_cost(space, space.require(Arch.parse(FOUND_FOR_PIXEL_1)))
    assert (cost.params, cost.macs) == (4_421_616, 333_467_072)


def test_the_published_network_as_a_space_is_one_point():
    assert load("spnasnet_100").size() == 1


def test_the_published_space_has_the_published_size():
    assert load("single-path").size() == 4**5 * 5**15
