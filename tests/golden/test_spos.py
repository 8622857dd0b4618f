"""The space of Single Path One-Shot (arXiv:1904.00420), its bounds and its published result."""

from __future__ import annotations

import pytest

from engine.cost import Cost, network_cost
from engine.presets import load
from engine.space import Arch

FOUND = (2, 1, 0, 1, 2, 0, 2, 0, 2, 0, 2, 3, 0, 0, 0, 0, 3, 2, 3, 3)
"""The released result: kernel 3, 5 or 7, or the Xception variant, layer by layer."""


def cost(choices: tuple[int, ...]) -> Cost:
    space = load("spos")
    ops = [slot.ops[choice] for slot, choice in zip(space.slots(), choices, strict=True)]
    return network_cost(space, space.require(Arch(tuple(ops))))


def test_the_published_result_has_its_published_macs_and_parameters():
    found = cost(FOUND)
    assert round(found.macs / 1e6) == 323
    assert found.params // 100_000 == 35  # 3.5 M; ours include the classifier's 1000 biases


def test_networks_lie_between_the_bounds_that_candidates_are_drawn_from():
    uniform = [cost((choice,) * 20).macs / 1e6 for choice in range(4)]
    assert uniform == sorted(uniform)
    assert 290 < uniform[0] < uniform[-1] < 360


@pytest.mark.parametrize("name", ["spos", "spos-cifar"])
def test_twenty_layers_have_four_choices_each_and_none_can_be_left_out(name: str):
    space = load(name)
    assert [len(slot.ops) for slot in space.slots()] == [4] * 20
    assert space.size() == 4**20
    assert [stage.depth[1] for stage in space.stages] == [4, 4, 8, 4]


def test_on_small_images_the_last_maps_keep_four_pixels():
    last = load("spos-cifar").slots()[-1]
    assert (last.side, last.stride) == (4, 1)
