"""Spaces, slots and architectures by example; their laws are in tests/properties."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
import torch

from engine.blocks.contract import scaled
from engine.cost import layer_cost
from engine.errors import SpaceError
from engine.space import SKIP, Arch, SearchSpace
from engine.supernet import SuperNet
from tests.builders import document, small_space, stage


def test_slots_stride_first_then_keep_width_and_side():
    space = small_space(stage(width=8, stride=2, depth=[1, 3]))
    shapes = [(s.name, s.cin, s.cout, s.stride, s.side) for s in space.slots()]
    assert shapes == [
        ("stage1.1", 4, 8, 2, 8),
        ("stage1.2", 8, 8, 1, 4),
        ("stage1.3", 8, 8, 1, 4),
    ]


def test_only_slots_beyond_the_least_depth_may_be_skipped():
    space = small_space(stage(depth=[2, 4]))
    assert [slot.skippable for slot in space.slots()] == [False, False, True, True]


def test_size_counts_every_architecture_once():
    space = small_space(stage(kernel=[3, 5], expand=[3, 6], depth=[1, 2]))
    assert space.size() == 4 * 5


def test_odd_sides_are_rounded_up_when_halved():
    space = small_space(stage(stride=2), stage(stride=2), input={"size": 7, "channels": 1})
    assert [slot.side for slot in space.slots()] == [7, 4, 4, 2]


def test_smallest_skips_what_it_may_and_largest_skips_nothing():
    space = small_space(stage(depth=[1, 2]))
    assert str(space.smallest()) == "k3e3-skip"
    assert str(space.largest()) == "k5e6-k5e6"


def test_a_skipped_slot_is_no_layer():
    space = small_space(stage(depth=[1, 2]))
    names = [layer.name for layer in space.layers(Arch.parse("k3e3-skip"))]
    assert names == ["stem", "stage1.1", "head"]


def test_equal_shapes_share_a_key_and_other_shapes_do_not():
    space = small_space(stage(depth=[1, 3]))
    first, second, third = space.slots()
    assert second.layer("k3e3").key == third.layer("k3e3").key
    assert first.layer("k3e3").key != second.layer("k3e3").key


def test_the_same_seed_draws_the_same_architectures():
    space = small_space(stage(depth=[1, 6]))
    draws = [[space.sample(random.Random(3)) for _ in range(4)] for _ in range(2)]
    assert draws[0] == draws[1]


def test_sampling_is_uniform_over_the_ops_of_a_slot():
    space, rng = small_space(stage(depth=[0, 1], width=4)), random.Random(0)
    drawn = [str(space.sample(rng)) for _ in range(5000)]
    counts = [drawn.count(op) for op in space.slots()[0].ops]
    assert len(counts) == 5
    assert all(900 < count < 1100 for count in counts)


def test_with_data_changes_only_the_classifier():
    space = small_space()
    other = space.with_data(7)
    assert other.layers(other.largest())[:-1] == space.layers(space.largest())[:-1]
    assert other.head_layer().cout == 7


def test_the_digest_ignores_the_name_and_follows_the_networks():
    assert small_space(name="a").digest() == small_space(name="b").digest()
    assert small_space(classes=3).digest() != small_space(classes=4).digest()


def test_require_names_the_slot_and_its_ops():
    with pytest.raises(SpaceError, match=r"stage1\.1: must be one of k3e3.*, got skip"):
        small_space().require(Arch.parse("skip-k3e3"))


def test_require_says_how_many_ops_are_needed():
    with pytest.raises(SpaceError, match="needs 2 ops, got 1"):
        small_space().require(Arch.parse("k3e3"))


def test_an_unknown_op_names_the_known_families():
    with pytest.raises(SpaceError, match=r"'k3e'.*mbconv.*skip"):
        Arch.parse("k3e3-k3e")


def test_a_one_point_space_mutates_into_itself():
    space = small_space(stage(kernel=[3], expand=[3], depth=[1, 1]))
    arch = space.largest()
    assert space.mutate(arch, random.Random(0), 1.0) == arch


def test_a_name_that_utf8_cannot_hold_is_mended():
    assert small_space(name="a\ud800b").name == "a?b"


WRONG = {
    "input size: must be 4 to 1024, got 3": document(input={"size": 3, "channels": 1}),
    "input channels: must be 1 or 3, got 2": document(input={"size": 8, "channels": 2}),
    "classes: must be 2 to 10000, got 1": document(classes=1),
    "stem: kernel must be 1, 3, 5 or 7, got 4": document(
        stem={"width": 4, "kernel": 4, "stride": 1}
    ),
    "stem: stride must be 1 or 2, got 3": document(stem={"width": 4, "kernel": 3, "stride": 3}),
    "stem width: must be 1 to 4096, got 0": document(stem={"width": 0, "kernel": 3, "stride": 1}),
    "stages: must be 1 to 64, got 0": {**document(), "stages": []},
    "stages: must be 1 to 64, got 65": document(*[stage()] * 65),
    "stage 2 width: must be 1 to 4096": document(stage(), stage(width=5000)),
    "stage 1: stride must be 1 or 2, got 3": document(stage(stride=3)),
    "stage 4: stride 2 would shrink a 1x1 map": document(*[stage(stride=2)] * 4),
    "stage 1 depth: must be 1 to 12, got 13": document(stage(depth=[1, 13])),
    "stage 1: depth must start between 1 and 2, got 0 .its first layer": document(
        stage(depth=[0, 2])
    ),
    "stage 1: depth must start between 1 and 2, got 3": document(stage(depth=[3, 2])),
    "stage 1: depth must be two numbers": document(stage(depth=[1])),
    "stage 1: kernel must be one or more of 3, 5, 7, got nothing": document(stage(kernel=[])),
    "stage 1: kernel must be one or more of 3, 5, 7, got 4": document(stage(kernel=[4])),
    "stage 1: block must be one of mbconv, .*, got 'skip'": document(stage(block="skip")),
    "stage 1: width must be a whole number, got '8'": document(stage(width="8")),
    "stage 1: kernel must be a list of at most 32 numbers": document(stage(kernel=[3, "5"])),
    "head width: must be 0 to 4096, got -1": document(head={"width": -1}),
    "head dropout: must be at least 0 and below 1": document(head={"width": 8, "dropout": 1}),
    "head: dropout must be within": document(head={"width": 8, "dropout": float("nan")}),
    "stem: width must be within": document(stem={"width": 10**400, "kernel": 3, "stride": 1}),
    "input: must be a JSON object, got nothing": document(input=None),
    "space: classes must be a whole number, got True": document(classes=True),
    "space: stages must be a list, got an object": {**document(), "stages": {}},
}


@pytest.mark.parametrize("message", WRONG)
def test_a_space_that_cannot_be_built_is_refused_where_it_is_wrong(message: str):
    with pytest.raises(SpaceError, match=message):
        SearchSpace.from_json(WRONG[message])


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"layer": "same"}, "stage 1: has no 'layer'. Did you mean layers?"),
        ({"attentions": ["se"]}, "stage 1: has no 'attentions'. Did you mean attention?"),
        ({"colour": 1}, "stage 1: has no 'colour'. Known: block, width"),
        ({"blocks": [{"block": "mbconv"}]}, "stage 1: has no 'block'"),
    ],
)
def test_a_slip_of_the_pen_is_not_taken_for_nothing(change: dict[str, Any], said: str):
    with pytest.raises(SpaceError, match=re.escape(said)):
        SearchSpace.from_json(document(stage(**change)))


@pytest.mark.parametrize("part", ["input", "stem", "head"])
def test_nor_is_one_in_another_card(part: str):
    broken = document()
    broken[part] = {**broken[part], "padding": 1}
    with pytest.raises(SpaceError, match=f"^{part}: has no 'padding'"):
        SearchSpace.from_json(broken)


def test_ops_that_come_to_the_same_layer_count_once():
    stem = {"width": 8, "kernel": 3, "stride": 1}
    ghost = {"block": "ghost", "kernel": [3, 5], "expand": [2], "width": 8, "depth": [1, 2]}
    space = small_space({**ghost, "stride": 2}, stem=stem)
    first, second = space.slots()
    assert first.ops == ("gk3e2", "gk5e2")  # the kernel strides
    assert second.ops == (SKIP, "gk3e2")  # without a stride there is no kernel
    assert space.size() == 4
    tied = small_space({**ghost, "stride": 2, "layers": "same"}, stem=stem)
    assert tied.size() == 4  # two ops, since they differ in the first layer, times two depths


@pytest.mark.parametrize("ratios", [[1.5, 1.6], [1.85, 1.9], [1, 1.01, 2.33]])
def test_ratios_that_come_to_one_width_are_one_choice_and_wider_ones_are_wider(ratios):
    stem = {"width": 5, "kernel": 3, "stride": 1}
    space = small_space(stage(width=5, expand=ratios), stem=stem)
    costs = [layer_cost(space.slots()[0].layer(op)).params for op in space.slots()[0].ops]
    assert len(set(costs)) == len(costs)
    supernet = SuperNet(space, torch.Generator().manual_seed(0)).eval()
    x = torch.randn(2, 1, 8, 8)
    for arch in (space.smallest(), space.largest()):
        with torch.no_grad():
            torch.testing.assert_close(supernet(x, arch), supernet.subnet(arch)(x))


def test_a_ratio_between_those_offered_widens_to_the_nearest_whole_width():
    assert [scaled(24, ratio) for ratio in (1, 2.5, 3.67)] == [24, 60, 88]
    assert scaled(1, 0.5) == 1


def test_more_families_than_a_card_can_hold_are_refused_before_they_are_read():
    many = {"blocks": [{"block": "nonsense"}] * 100_000, "width": 8, "depth": [1, 1], "stride": 1}
    with pytest.raises(SpaceError, match="1 to 8 block families, got 100000"):
        SearchSpace.from_json(document(many))


@pytest.mark.parametrize("text", ["k3.0e6", "k3e6.0", "k3e2.50", "k03e6"])
def test_an_op_has_one_text(text: str):
    with pytest.raises(SpaceError):
        Arch.parse(text)
