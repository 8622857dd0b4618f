"""Shrinking a space: what is surely useless goes, everything else stays."""

from __future__ import annotations

import random
from collections.abc import Mapping

import pytest

from engine.errors import SpaceError
from engine.events import Candidate
from engine.explain.knobs import Knob, knobs_of
from engine.explain.shrink import Shrunk, better_half, shrink
from engine.explain.why import Why
from engine.latency import LatencyModel, restricted
from engine.space import Arch, SearchSpace
from tests.builders import small_space, stage
from tests.made_latency import macs_model
from tests.planted import Truth, judged

Added = Mapping[tuple[int, str, object], float]
"""What (gene, knob, value) adds to the accuracy; 0 where it is not said."""


def truth_of(space: SearchSpace, added: Added) -> Truth:
    def of(knob: Knob) -> dict[object, float]:
        return {v: added.get((knob.gene, knob.name, v), 0.0) for v in knob.values}

    return Truth(space, {knob: of(knob) for knob in knobs_of(space)})


def everything(truth: Truth, latency: LatencyModel) -> list[Candidate]:
    """Every network of a space of few, judged with a little noise."""
    rng = random.Random(0)
    archs = {truth.space.sample(rng) for _ in range(2000)}
    found = judged(truth, sorted(archs), rng)
    return [
        Candidate(c.arch, c.proxy_accuracy, latency.predict(Arch.parse(c.arch)), 1, 1)
        for c in found
    ]


def shrunk(space: SearchSpace, added: Added, *keep: str) -> Shrunk:
    latency = macs_model(space)
    why = Why(space, everything(truth_of(space, added), latency))
    return shrink(why, latency, keep=[Arch.parse(text) for text in keep])


def two_layers(**changes: object) -> SearchSpace:
    """One stage of two layers, kernels and expansions free: 16 networks."""
    return small_space(stage(depth=[2, 2], **changes))


BAD_KERNEL = {(0, "kernel", 5): -0.05, (1, "kernel", 5): -0.05}
GOOD_EXPANSION = {(0, "expand", 6): 0.05, (1, "expand", 6): 0.05}


def test_a_value_that_is_slower_and_worse_in_every_layer_goes():
    found = shrunk(two_layers(), BAD_KERNEL | GOOD_EXPANSION)
    assert found.space == two_layers(kernel=[3])
    assert (found.size_before, found.size_after) == (16, 4)
    (words,) = found.gone
    assert words.startswith("stage 1: kernel 5 goes.")


def test_the_reason_tells_how_much_better_what_stays_is():
    (words,) = shrunk(two_layers(), BAD_KERNEL | GOOD_EXPANSION).gone
    points = [float(w) for w in words.split() if w.replace(".", "").isdigit()]
    assert points[-2:] == pytest.approx([5.0, 5.0], abs=1.5)


def test_a_value_that_is_worse_but_faster_stays():
    worse = {(0, "kernel", 3): -0.05, (1, "kernel", 3): -0.05}
    assert shrunk(two_layers(), worse | GOOD_EXPANSION).gone == ()


def test_a_value_that_one_layer_of_its_stage_needs_stays():
    needed = {(0, "kernel", 5): -0.05, (1, "kernel", 5): 0.05}
    assert shrunk(two_layers(), needed | GOOD_EXPANSION).gone == ()


def test_a_value_without_a_sure_effect_stays():
    space, latency = two_layers(expand=[3]), macs_model(two_layers(expand=[3]))
    clear = {"k3e3-k3e3": 0.90, "k5e3-k3e3": 0.89, "k3e3-k5e3": 0.89, "k5e3-k5e3": 0.88}
    found = [Candidate(a, x, latency.predict(Arch.parse(a)), 1, 1) for a, x in clear.items()]
    why = Why(space, found)  # four networks for two effects: however bad, nothing is sure
    assert why.swap(0, ("k3e3",), ("k5e3",)).value is not None
    assert shrink(why, latency).gone == ()


def test_a_value_of_the_picked_network_stays():
    found = shrunk(two_layers(), BAD_KERNEL | GOOD_EXPANSION, "k5e3-k3e3")
    assert found.gone == ()
    assert Arch.parse("k5e3-k3e3") in found.space


def test_a_value_that_the_better_half_of_the_front_uses_stays():
    space = two_layers()
    latency = macs_model(space)
    found = everything(truth_of(space, BAD_KERNEL | GOOD_EXPANSION), latency)
    assert shrink(Why(space, found), latency).gone != ()
    best = max(c.proxy_accuracy for c in found)
    lucky = Candidate("k5e6-k3e6", best + 0.001, latency.predict(Arch.parse("k5e6-k3e6")), 1, 1)
    why = Why(space, [*(c for c in found if c.arch != lucky.arch), lucky])
    assert why.swap(1, ("k3e6",), ("k5e6",)).sign < 0
    shrunken = shrink(why, latency)
    assert Arch.parse(lucky.arch) in shrunken.space


def test_of_three_values_that_are_all_bad_the_least_bad_stays():
    space = two_layers(kernel=[3, 5, 7], expand=[3])
    added = {(g, "kernel", k): -0.03 * k for g in (0, 1) for k in (3, 5, 7)}
    assert shrunk(space, added).space == two_layers(kernel=[3], expand=[3])


def test_a_whole_family_goes_where_another_is_better_and_no_slower():
    families = [
        {"block": "mbconv", "kernel": [3], "expand": [3, 6]},
        {"block": "fused", "kernel": [3], "expand": [2, 4]},
    ]
    shape = {"width": 8, "depth": [2, 2], "stride": 1}
    space = small_space({"blocks": families, **shape})
    bad = {(g, "block", "fused"): -0.05 for g in (0, 1)}
    found = shrunk(space, bad | GOOD_EXPANSION)
    assert [option.block for option in found.space.stages[0].options] == ["mbconv"]
    assert found.gone[0].startswith("stage 1: Fused-MBConv goes.")


def test_a_tied_stage_shrinks_too():
    space = small_space(stage(depth=[1, 3], layers="same"))
    added = {(0, "kernel", 5): -0.05, (0, "expand", 6): 0.05, (0, "depth", 3): 0.02}
    found = shrunk(space, added)
    assert found.space == small_space(stage(depth=[1, 3], layers="same", kernel=[3]))
    assert (found.size_before, found.size_after) == (12, 6)


def test_the_latency_model_holds_in_the_smaller_space():
    found = shrunk(two_layers(), BAD_KERNEL | GOOD_EXPANSION)
    before = macs_model(two_layers())
    model = restricted(before, two_layers(), found.space)
    assert model is not None
    arch = found.space.largest()
    assert model.predict(arch) == before.predict(arch)


def test_a_network_of_another_space_cannot_be_kept():
    with pytest.raises(SpaceError, match=r"stage1\.1: must be one of"):
        shrunk(two_layers(), BAD_KERNEL, "k7e3-k3e3")


def test_the_better_half_of_a_front_is_the_more_accurate_one():
    accuracies = {"a": (1.0, 0.5), "b": (2.0, 0.6), "c": (3.0, 0.7), "d": (4.0, 0.65)}
    found = [Candidate(f"k{i}e3", a, ms, 1, 1) for i, (ms, a) in enumerate(accuracies.values())]
    assert [str(arch) for arch in better_half(found)] == ["k1e3", "k2e3"]
