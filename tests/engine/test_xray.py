"""The X-ray of a space: figures by hand, choices that a limit rules out, sentences, DeepMAD."""

from __future__ import annotations

import itertools
import math
from typing import Any

import numpy as np
import pytest

from engine import presets
from engine.cost import layer_cost, network_cost
from engine.layers import Attend, Branches, Conv, Layer, RepConv, Residual, Split
from engine.sanity import Sanity, sanity
from engine.space import Arch, SearchSpace
from engine.xray import Choice, Within, examine
from engine.xray.reach import seen
from engine.xray.tables import SAMPLE, draw, tables
from tests.builders import small_space, stage
from tests.made_latency import GRAIN, macs_model

MBCONV = {"block": "mbconv", "kernel": [3], "expand": [3]}
FUSED = {"block": "fused", "kernel": [3], "expand": [6]}


def two_families(*blocks: dict[str, Any]) -> SearchSpace:
    """One layer that is one of two blocks."""
    return small_space({"blocks": list(blocks), "width": 8, "depth": [1, 1], "stride": 1})


def within(space: SearchSpace, limit_ms: float) -> Within:
    """What a limit leaves where time goes with MACs."""
    found = examine(space, latency=macs_model(space), limit_ms=limit_ms).within
    assert found is not None
    return found


# -- figures -----------------------------------------------------------------------------------


def test_a_large_space_is_sampled_and_the_same_seed_draws_the_same():
    space = presets.load("single-path")
    first, again, other = examine(space), examine(space), examine(space, seed=1)
    assert (first.sampled, first.complete, first.size) == (SAMPLE, False, space.size())
    assert first == again
    assert first.macs.values != other.macs.values


def test_every_value_of_a_gene_is_drawn_about_as_often():
    space = presets.load("single-path")
    found = tables(space, None)
    for table, picks in zip(found, draw(found, space.size(), 0), strict=True):
        often = [int((picks == i).sum()) for i in range(len(table.kept))]
        assert sum(often) == SAMPLE
        assert min(often) > 0.7 * SAMPLE / len(often)


def test_an_edited_stage_redraws_no_other():
    before, after = (
        small_space(*[stage(depth=[3, 3])] * 2, stage(kernel=kernels, depth=[3, 3]))
        for kernels in ([3, 5], [3])
    )
    drawn = [draw(tables(space, None), space.size(), 0) for space in (before, after)]
    assert (drawn[0][:6] == drawn[1][:6]).all()
    assert drawn[0].shape == drawn[1].shape == (9, SAMPLE)


def test_a_space_of_one_network_has_its_figures_everywhere():
    space = presets.load("spnasnet_100")
    xray, cost = examine(space), network_cost(space, space.largest())
    assert (xray.size, xray.sampled, xray.complete) == (1, 1, True)
    for spread, value in ((xray.params, cost.params), (xray.macs, cost.macs)):
        assert (spread.smallest, spread.median, spread.largest) == (value,) * 3
    assert xray.smallest == xray.median == xray.largest == space.largest()


def test_without_a_latency_model_the_median_goes_by_macs_and_no_limit_is_judged():
    space = small_space()
    xray = examine(space, limit_ms=0.1)
    assert (xray.by, xray.latency_ms, xray.within) == ("macs", None, None)
    assert network_cost(space, xray.median).macs == xray.macs.median
    assert [card.latency_share for card in xray.cards] == [None] * 3


def test_a_model_of_another_space_is_refused():
    with pytest.raises(AssertionError, match="another space"):
        examine(small_space(), latency=macs_model(small_space(stage(kernel=[3]))))


def test_the_smallest_network_need_not_be_the_first_choice():
    space = two_families({**MBCONV, "expand": [6]}, {**FUSED, "expand": [1]})
    xray = examine(space)
    assert (xray.smallest, xray.largest) == (Arch(("fk3e1",)), Arch(("k3e6",)))


def test_a_tied_stage_is_drawn_as_one():
    space = small_space(stage(depth=[2, 3], layers="same"))
    xray = examine(space)
    assert (xray.size, xray.sampled) == (8, 8)
    costs = [network_cost(space, Arch(value)) for value in space.genes()[0].values]
    assert sorted(xray.macs.values) == sorted(cost.macs for cost in costs)


# -- cards -------------------------------------------------------------------------------------


def test_cards_tell_where_each_part_stands():
    space = small_space(stage(width=8, stride=2), stage(width=12))
    places = [(c.name, c.side_in, c.side_out, c.cin, c.cout) for c in examine(space).cards]
    assert places == [
        ("stem", 8, 8, 1, 4),
        ("stage 1", 8, 4, 4, 8),
        ("stage 2", 4, 4, 8, 12),
        ("head", 4, 1, 12, 3),
    ]


def test_choices_of_one_superkernel_are_one_path_that_costs_nothing():
    space = small_space(stage())
    card = examine(space).cards[1]
    largest = sum(layer_cost(slot.layer("k5e6")).params for slot in space.slots())
    assert (card.paths, card.cost_of_paths) == (1, "")
    assert card.path_params == card.single_params == largest


def test_two_families_are_two_paths_and_a_sentence_says_what_they_cost():
    space = two_families(MBCONV, FUSED)
    card = examine(space).cards[1]
    alone = [layer_cost(space.slots()[0].layer(op)).params for op in space.stages[0].ops()]
    assert (card.paths, card.path_params, card.single_params) == (2, sum(alone), max(alone))
    assert card.cost_of_paths == (
        f"Its choices do not share weights here: 2 paths per layer with {sum(alone):,} parameters"
        f" to train together, where the largest path alone has {max(alone):,}"
        f" ({sum(alone) / max(alone):.1f} times)."
    )


def test_excitation_or_none_is_one_path_and_two_kinds_of_it_are_two():
    for attention, paths in ((["none", "se"], 1), (["none", "sein"], 1), (["se", "sein"], 2)):
        assert examine(small_space(stage(attention=attention))).cards[1].paths == paths


def test_no_widening_beside_others_is_a_path_of_its_own():
    assert examine(small_space(stage(expand=[1, 3]))).cards[1].paths == 2


def test_decisions_are_further_values_further_families_and_skip():
    full = stage(kernel=[3, 5, 7], expand=[2, 4, 6], attention=["none", "se"], depth=[1, 2])
    assert examine(small_space(full)).cards[1].decisions == 2 + 2 + 1 + 1
    assert examine(two_families(MBCONV, FUSED)).cards[1].decisions == 1


# -- limits ------------------------------------------------------------------------------------


def test_below_the_fastest_no_limit_is_met_and_the_tightest_is_told():
    space = small_space()
    model = macs_model(space)
    xray = examine(space, latency=model, limit_ms=model.fastest_ms - GRAIN)
    assert xray.within == Within(model.fastest_ms - GRAIN, 0.0, "never", model.fastest_ms)
    assert f"the fastest needs {model.fastest_ms:.3g} ms" in xray.warnings[0]


def test_the_slowest_itself_is_within_a_limit_that_names_it():
    space = small_space()
    found = within(space, macs_model(space).slowest_ms)
    assert (found.verdict, found.share, found.dead) == ("always", 1.0, ())


def test_at_the_fastest_everything_else_is_dead():
    """Stage 1 must be k3e3 and nothing more, so of each choice the other value is dead."""
    space = small_space(stage(depth=[1, 2]))
    assert set(within(space, macs_model(space).fastest_ms).dead) == {
        Choice(1, "kernel", 5, "mbconv"),
        Choice(1, "expand", 6, "mbconv"),
        Choice(1, "depth", 2),
    }


def test_a_family_of_its_own_can_be_dead():
    space = two_families(MBCONV, FUSED)
    found = within(space, macs_model(space).fastest_ms)
    assert [str(choice) for choice in found.dead] == ["Fused-MBConv"]


def ten_and_one(expand: int) -> tuple[SearchSpace, float]:
    """Ten free layers, then a narrow or a wide one; the ms of the fastest network with the wide."""
    last = stage(width=16, depth=[1, 1], kernel=[7], expand=[1, expand])
    space = small_space(stage(width=4, depth=[10, 10]), last)
    model = macs_model(space)
    narrow_ms, wide_ms = sorted(model.slot_ms[-1].values())
    return space, model.fastest_ms + wide_ms - narrow_ms


def test_a_choice_that_only_rare_networks_can_afford_is_unused_but_not_dead():
    """Wide fits only where all others are the least: no draw hits that."""
    space, wide_ms = ten_and_one(10)
    found = within(space, wide_ms)
    assert found.share > 0.1
    assert found.unused == (Choice(2, "expand", 10, "mbconv"),)
    assert found.dead == ()
    told = examine(space, latency=macs_model(space), limit_ms=wide_ms).warnings
    assert any(w.startswith("Stage 2: no sampled network within") for w in told)


def test_what_is_dead_is_not_called_unused_as_well():
    space, wide_ms = ten_and_one(10)
    found = within(space, wide_ms - GRAIN)
    assert found.share > 0.1
    assert (found.dead, found.unused) == ((Choice(2, "expand", 10, "mbconv"),), ())


def test_a_choice_that_is_rare_anyway_is_not_called_unused():
    """A tenth of all networks keep ten layers; of thirty within the limit none need do."""
    space = small_space(stage(width=4, depth=[0, 10]), stage(width=4, depth=[1, 1]))
    model = macs_model(space)
    limit = sorted(examine(space, latency=model).latency_ms.values)[29]
    found, picks = tables(space, model), draw(tables(space, model), space.size(), 0)
    inside = np.array(examine(space, latency=model).latency_ms.values) <= limit
    ten = Choice(1, "depth", 10)
    makes = seen(found, picks, space=space)[ten]
    left = within(space, limit)
    assert makes.any()
    assert not makes[inside].any()
    assert ten not in left.dead
    assert ten not in left.unused


# -- sentences ---------------------------------------------------------------------------------


def test_dead_choices_are_named_in_one_sentence_per_stage():
    space = small_space(stage(depth=[1, 2]))
    model = macs_model(space)
    warnings = examine(space, latency=model, limit_ms=model.fastest_ms).warnings
    limit = f"{model.fastest_ms:.3g} ms"
    said = f"Stage 1: no network within {limit} uses kernel 5×5, expansion ×6 or 2 layers."
    assert said in warnings


def test_the_same_value_of_two_families_is_told_apart():
    choice = Choice(1, "kernel", 5, "fused")
    assert (choice.told(), choice.told(with_block=True)) == (
        "kernel 5×5",
        "Fused-MBConv kernel 5×5",
    )


def test_a_limit_that_few_networks_meet_is_warned_of():
    space = small_space(stage(depth=[0, 6], width=4))
    model = macs_model(space)
    values = sorted(examine(space, latency=model).latency_ms.values)
    xray = examine(space, latency=model, limit_ms=values[20])
    assert 0.02 < xray.within.share < 0.05
    assert xray.warnings[0].startswith(f"Only {xray.within.share:.1%} of the space is within")


def test_a_limit_that_no_sampled_network_meets_is_told_from_one_that_none_can():
    space = small_space(stage(depth=[10, 10]))
    model = macs_model(space)
    warnings = examine(space, latency=model, limit_ms=model.fastest_ms).warnings
    limit = f"{model.fastest_ms:.3g} ms"
    assert warnings[0] == (
        f"None of 1,000 sampled networks is within {limit}, though the fastest, at {limit}, is."
    )


def test_more_decisions_per_layer_than_can_be_measured_are_warned_of():
    much = stage(kernel=[3, 5, 7], expand=[1, 2, 3, 4, 6], attention=["none", "se"])
    assert any(
        w.startswith("Stage 1: 8 decisions per layer") for w in examine(small_space(much)).warnings
    )


# -- DeepMAD -----------------------------------------------------------------------------------


def test_effectiveness_and_entropy_by_hand():
    """Stem 1 to 4 (3x3), a block 4-12-12-8 that strides, head 8 to 8: two map sizes, 8 and 4."""
    space = small_space(stage(stride=2, depth=[1, 1]))
    first, all_of_it = [9], [9, 4, 9, 12, 8]
    found = sanity(space, Arch(("k3e3",)))
    rhos = [len(w) / math.prod(w) ** (1 / len(w)) for w in (first, all_of_it)]
    logs = [math.log(math.prod(w)) / 2 for w in (first, all_of_it)]
    entropy = math.log(4 * 64) * logs[0] + 8 * math.log(8 * 16) * logs[1]
    assert found.convs == 5
    assert found.rho == pytest.approx(max(rhos))
    assert found.entropy == pytest.approx(entropy)


def test_mobilenet_v2_is_deeper_than_deepmad_allows():
    """52 convolutions; the median network and the largest are the same, so it is told once."""
    space = presets.load("mobilenet-v2")
    xray = examine(space)
    assert (xray.largest_sanity.convs, round(xray.largest_sanity.rho, 2)) == (52, 0.94)
    assert list(xray.notes) == [
        "The median network is too deep for its width: effectiveness ρ is 0.94, DeepMAD advises at"
        " most 0.5 (MobileNetV2 has 0.94)."
    ]


def test_a_wide_shallow_network_is_not_too_deep():
    found = sanity(*wide())
    assert found.rho < 0.5
    assert not found.too_deep


def wide() -> tuple[SearchSpace, Arch]:
    """Three convolutions of many channels each."""
    space = small_space(
        stage(block="fused", width=256, depth=[1, 1], kernel=[3], expand=[1]),
        stem={"width": 256, "kernel": 3, "stride": 1},
        input={"size": 8, "channels": 3},
    )
    return space, space.largest()


def test_squeeze_and_excitation_is_no_depth():
    with_se, without = (
        small_space(stage(depth=[1, 1], attention=[kind])) for kind in ("se", "none")
    )
    assert sanity(with_se, with_se.largest()) == sanity(without, without.largest())


class Made:
    """A space of one network, whose layers are given."""

    def __init__(self, *chains: tuple) -> None:
        self.chains = chains

    def layers(self, arch: Arch) -> list[Layer]:
        assert arch == Arch(())
        return [
            Layer(f"layer{i}", "test", "op", 8, 8, 1, 4, chain)
            for i, chain in enumerate(self.chains)
        ]


CONV = Conv(8, 8)


def made(*chains: tuple) -> Sanity:
    return sanity(Made(*chains), Arch(()))


def test_of_convolutions_side_by_side_the_longest_row_counts():
    found = made((Branches(((CONV,), (CONV, CONV, CONV))),))
    assert (found.convs, found.branched) == (3, True)
    assert "side by side" in found.note


def test_a_reparameterised_convolution_counts_with_its_taps():
    """As the depthwise convolution that it becomes."""
    merged, plain = RepConv(8, 7, ((3, 1),)), Conv(8, 8, 7, groups=8)
    assert made((CONV, merged)) == made((CONV, plain))


def test_parts_that_feed_each_other_are_a_row():
    half = (Conv(4, 4),)
    cascade, apart = (made((Split((4, 4), (half, half), cascade=c),)) for c in (True, False))
    assert (cascade.convs, apart.convs) == (2, 1)


def test_attention_has_no_effectiveness_and_the_note_names_the_layer():
    attends = (Conv(8, 24), Attend(2, 4, 4, 4))
    found = made((CONV,), (Residual(attends),))
    assert (found.rho, found.entropy, found.outside) == (None, None, ("layer1",))
    assert "layer1" in found.note
    assert not found.too_deep


def test_the_deepest_map_size_decides():
    """Rows of 1, 2 and 3 convolutions: each row is as wide, so the longest has the greatest rho."""
    rhos = [made(*[(CONV,)] * n).rho for n in (1, 2, 3)]
    assert rhos == sorted(rhos)
    assert all(a < b for a, b in itertools.pairwise(rhos))


@pytest.mark.parametrize("layers", ["own", "same"])
def test_choices_that_come_to_the_same_layer_are_told_and_called_dead_nowhere(layers: str):
    """A Ghost block that keeps its shape has no kernel; the last one listed counts as the first."""
    stem = {"width": 8, "kernel": 3, "stride": 1}
    ghost = {"block": "ghost", "kernel": [3, 5], "expand": [2], "width": 8, "stride": 1}
    space = small_space(ghost | {"depth": [0, 2], "layers": layers}, stem=stem)
    model = macs_model(space)
    for limit_ms in (model.fastest_ms, model.slowest_ms):
        xray = examine(space, latency=model, limit_ms=limit_ms)
        assert any("Stage 1: some choices come to the same layer" in w for w in xray.warnings)
        assert xray.within is not None
        assert not [c for c in xray.within.dead if c.field == "kernel" and c.value == 5]
