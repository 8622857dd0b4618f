"""Published networks and sizes of published spaces, reproduced from our data alone.

Parameters count batch norm's scale and shift; multiplications are those of convolutions and linear
layers, in millions. Both are those of the networks' public definitions.
"""

from __future__ import annotations

import pytest

from engine.cost import network_cost
from engine.layers import Conv
from engine.presets import document, load
from engine.space import Arch

PUBLISHED = {
    "mobilenet-v2": (3_504_872, 300.8),
    "mnasnet-b1": (4_383_312, 314.4),
    "mnasnet-a1": (3_887_038, 311.6),
    "spnasnet_100": (4_421_616, 333.5),
    "fbnet-c": (5_572_200, 385.0),
    "mobilenet-v3-large": (5_483_032, 216.6),
    "mobilenet-v3-small": (2_542_856, 56.5),
    "mobilenet-v3-large-minimalistic": (3_924_288, 209.1),
    "ghostnet": (5_182_508, 141.2),
    "ghostnet-v2": (6_156_908, 167.0),
    "efficientformer-l1": (12_289_928, 1288.2),
    "efficientvit-m2": (4_187_554, 197.8),
    "shvit-s1": (6_330_808, 240.6),
}

SIZES = {
    "single-path": 4**5 * 5**15,
    "proxylessnas": 6**6 * 7**15,
    "proxylessnas-cifar": 6**6 * 7**15,
    "fbnet": 9**22,
    "fbnet-cifar": 9**22,
    "mnasnet": (3 * (2 + 8 + 2)) ** 5,
    "mnasnet-cifar": (3 * (2 + 8 + 2)) ** 5,
    # Any of the last two layers of a stage may be left out; the paper keeps the first ones only,
    # which is (9**2 + 9**3 + 9**4) ** 5.
    "ofa": (9**2 * 10**2) ** 5,
    "ofa-cifar": (9**2 * 10**2) ** 5,
    "attentivenas": 4 * 18 * 24 * 24 * 36 * 12 * 4,
    "attentivenas-cifar": 4 * 18 * 24 * 24 * 36 * 12 * 4,
}

FOUND = {
    "spnasnet_100": (
        "single-path",
        "k3e1-k3e3-k3e3-k3e3-skip-k5e6-k3e3-k3e3-k3e3-k5e6-k3e3-k3e3-k3e3-"
        "k5e6-k5e3-k5e3-k5e3-k5e6-k5e6-k5e6-k5e6-k3e6",
    ),
    "fbnet-c": (
        "fbnet",
        "fbk3e1-k3e6-skip-fbk3e1-fbk3e1-k5e6-k5e3-k5e6-k3e6-k5e6-k5e3-k5e6-k5e6-"
        "k5e6-k5e6-k5e6-k5e3-k5e6-k5e6-k5e6-k5e6-k3e6",
    ),
    "mnasnet-a1": (
        "mnasnet",
        "k3e1-k3e6-k3e6-skip-k5e3_sein-k5e3_sein-k5e3_sein-skip-k3e6-k3e6-k3e6-k3e6-skip-"
        "k3e6_sein-k3e6_sein-skip-skip-k5e6_sein-k5e6_sein-k5e6_sein-skip-k3e6",
    ),
}
"""Networks, the spaces they were found in, and the architectures that they are there."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_network_has_its_parameters_and_macs(name: str):
    space = load(name)
    cost = network_cost(space, space.largest())
    assert (cost.params, round(cost.macs / 1e6, 1)) == PUBLISHED[name]


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_published_network_is_a_space_of_one_point_with_its_exact_figures(name: str):
    space = load(name)
    cost = network_cost(space, space.largest())
    assert space.size() == 1
    assert document(name)["golden"] == {"params": cost.params, "macs": cost.macs}


@pytest.mark.parametrize("name", FOUND)
def test_a_published_network_is_one_architecture_of_the_space_it_was_found_in(name: str):
    where, ops = FOUND[name]
    space, golden = load(where), document(name)["golden"]
    cost = network_cost(space, space.require(Arch.parse(ops)))
    assert {"params": cost.params, "macs": cost.macs} == golden


@pytest.mark.parametrize("name", SIZES)
def test_a_space_has_the_size_of_its_choices(name: str):
    assert load(name).size() == SIZES[name]


@pytest.mark.parametrize("name", ["fbnet", "fbnet-cifar"])
def test_every_layer_of_fbnet_has_nine_candidates(name: str):
    slots = load(name).slots()
    assert [len(slot.ops) for slot in slots] == [9] * 22


def test_the_published_macros_end_in_maps_of_seven_pixels():
    spaces = map(load, ("mnasnet", "proxylessnas", "fbnet", "ofa", "attentivenas"))
    assert {space.head_layer().side for space in spaces} == {7}


def test_their_forms_for_small_images_end_in_maps_of_four_pixels():
    small = ("mnasnet", "proxylessnas", "fbnet", "ofa", "attentivenas")
    assert {load(f"{name}-cifar").head_layer().side for name in small} == {4}


@pytest.mark.parametrize("name", ["fbnet", "fbnet-cifar"])
def test_a_layer_of_fbnet_is_skipped_by_a_1x1_convolution_where_its_shape_changes(name: str):
    least = [(slot.place.keeps, slot.ops[0]) for slot in load(name).slots()]
    assert set(least) == {(True, "skip"), (False, "ck1")}
    assert sum(keeps for keeps, _ in least) == 16


def activations(name: str) -> list[str]:
    """Those of the convolutions of a preset's largest network, one text per layer."""
    space = load(name)
    layers = space.layers(space.largest())
    leaves = [[leaf for leaf, _, _ in layer.walk()] for layer in layers]
    return [" ".join(leaf.act for leaf in row if isinstance(leaf, Conv)).strip() for row in leaves]


@pytest.mark.parametrize("name", ["mobilenet-v2", "proxylessnas", "proxylessnas-cifar"])
def test_mobilenet_v2_and_what_follows_it_stop_at_six(name: str):
    assert set(" ".join(activations(name)).split()) == {"relu6"}


def test_mobilenet_v3_large_has_its_activations_and_attention_where_its_table_says():
    squeezed = "{0} {0} relu hsigmoid"
    relu, attending = "relu relu", squeezed.format("relu")
    hard, both = "hswish hswish", squeezed.format("hswish")
    body = ["relu", *[relu] * 2, *[attending] * 3, *[hard] * 4, *[both] * 5]
    assert activations("mobilenet-v3-large") == ["hswish", *body, "hswish"]


def test_mobilenet_v3_small_has_its_activations_and_attention_where_its_table_says():
    squeezed = "{0} {0} relu hsigmoid"
    body = ["relu relu hsigmoid", *["relu relu"] * 2, *[squeezed.format("hswish")] * 8]
    assert activations("mobilenet-v3-small") == ["hswish", *body, "hswish"]


def test_the_minimalistic_form_knows_one_activation_only():
    assert set(" ".join(activations("mobilenet-v3-large-minimalistic")).split()) == {"relu"}


def test_once_for_all_changes_its_activation_after_two_stages():
    words = activations("ofa")
    assert [row.split()[0] for row in words] == ["hswish", *["relu"] * 9, *["hswish"] * 13]


def test_attentive_nas_is_smooth_throughout():
    assert set(" ".join(activations("attentivenas")).split()) == {"swish", "relu", "hsigmoid"}
