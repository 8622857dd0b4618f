"""GhostNet 1.0 and GhostNetV2 1.0 (arXiv:1911.11907, arXiv:2211.12905) from our data alone."""

from __future__ import annotations

import pytest

from engine.cost import network_cost
from engine.presets import document, load

PUBLISHED = {"ghostnet": (5_182_508, 141.2), "ghostnet-v2": (6_156_908, 167.0)}
NETWORKS = pytest.mark.parametrize("name", PUBLISHED)


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


@NETWORKS
def test_sixteen_bottlenecks_end_at_seven_pixels(name: str):
    slots = load(name).slots()
    assert len(slots) == 16
    assert (slots[-1].side, slots[-1].cout) == (7, 160)


def test_the_second_generation_differs_from_the_third_layer_on():
    first, second = (load(name) for name in PUBLISHED)
    pairs = zip(first.largest().ops, second.largest().ops, strict=True)
    wanted = [(op, op if i < 2 else f"gv{op[1:]}") for i, op in enumerate(first.largest().ops)]
    assert list(pairs) == wanted
