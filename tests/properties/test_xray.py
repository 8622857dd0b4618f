"""Properties of the X-ray on spaces that are small enough to look at every network."""

from __future__ import annotations

import itertools
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from engine.blocks import parse_op
from engine.cost import network_cost
from engine.errors import SpaceError
from engine.latency import LatencyModel
from engine.space import SKIP, Arch, SearchSpace
from engine.xray import Choice, XRay, examine
from engine.xray.reach import least_ms, seen
from engine.xray.tables import draw, tables
from tests.builders import document
from tests.made_latency import GRAIN, drawn_model, macs_model

MOST = 1500
"""Networks of a tiny space: some have more than are sampled, most have fewer."""


def some(values: tuple[Any, ...]) -> st.SearchStrategy[list[Any]]:
    return st.sets(st.sampled_from(values), min_size=1, max_size=2).map(sorted)


@st.composite
def options(draw: st.DrawFn, family: str) -> dict[str, Any]:
    fields = {"kernel": draw(some((3, 5))), "expand": draw(some((1, 3, 6)))}
    return {"block": family, **fields, "attention": draw(some(("none", "se")))}


@st.composite
def stages(draw: st.DrawFn) -> dict[str, Any]:
    families = draw(st.sampled_from([["mbconv"], ["fused"], ["mbconv", "fused"]]))
    most = draw(st.integers(1, 3))
    return {
        "blocks": [draw(options(family)) for family in families],
        "width": draw(st.sampled_from([4, 8])),
        "depth": [draw(st.integers(0, most)), most],
        "stride": draw(st.sampled_from([1, 2])),
        "layers": draw(st.sampled_from(["own", "same"])),
    }


def _built(candidate: dict[str, Any]) -> SearchSpace | None:
    try:
        space = SearchSpace.from_json(candidate)
    except SpaceError:
        return None
    return space if space.size() <= MOST else None


tiny = (
    st.lists(stages(), min_size=1, max_size=3)
    .map(lambda parts: _built(document(*parts)))
    .filter(lambda space: space is not None)
)
seeds = st.integers(0, 2**16)
places = st.floats(0, 1)


def networks(space: SearchSpace) -> list[Arch]:
    """Every network of a space."""
    parts = itertools.product(*(gene.values for gene in space.genes()))
    return [Arch(tuple(itertools.chain(*part))) for part in parts]


def made(space: SearchSpace, arch: Arch) -> set[Choice]:
    """The choices that one network makes, among those of which its stage has several."""
    found: set[Choice] = set()
    for number, stage in enumerate(space.stages, 1):
        pairs = zip(space.slots(), arch.ops, strict=True)
        ops = [op for slot, op in pairs if slot.stage == number]
        kept = [parse_op(op) for op in ops if op != SKIP]
        for option, block in itertools.product(stage.options, kept):
            if block.family != option.block:
                continue
            if len(stage.options) > 1:
                found.add(Choice(number, "block", block=option.block))
            found |= {
                Choice(number, field, getattr(block, field), option.block)
                for field, values in option.choices
                if len(values) > 1
            }
        if stage.depth[0] < stage.depth[1]:
            found.add(Choice(number, "depth", len(kept)))
            found |= {Choice(number, "skip")} if SKIP in ops else set()
    return found


def limit_at(model: LatencyModel, place: float) -> float:
    """A limit between just below the fastest and just above the slowest, off the grain."""
    low, high = model.fastest_ms - GRAIN, model.slowest_ms + GRAIN
    return low + place * (high - low) + GRAIN / 3


@given(tiny, seeds)
def test_the_ends_are_those_of_the_whole_space(space: SearchSpace, seed: int):
    model = drawn_model(space, seed)
    xray = examine(space, latency=model)
    costs = [network_cost(space, arch) for arch in networks(space)]
    times = [model.predict(arch) for arch in networks(space)]
    ends = [
        (xray.params, [cost.params for cost in costs]),
        (xray.macs, [cost.macs for cost in costs]),
        (xray.peak_bytes, [cost.peak_bytes for cost in costs]),
        (xray.latency_ms, times),
    ]
    for spread, everything in ends:
        assert (spread.smallest, spread.largest) == (min(everything), max(everything))
    assert (xray.by, xray.size) == ("latency", len(costs))
    assert model.predict(xray.smallest) == min(times)
    assert model.predict(xray.largest) == max(times)


@given(tiny, seeds)
def test_samples_lie_between_the_ends_and_their_middle_is_the_median(space: SearchSpace, seed: int):
    model = drawn_model(space, seed)
    xray = examine(space, latency=model, seed=seed)
    for spread in (xray.params, xray.macs, xray.peak_bytes, xray.latency_ms):
        assert all(spread.smallest <= value <= spread.largest for value in spread.values)
        assert spread.median == sorted(spread.values)[(xray.sampled - 1) // 2]
    assert xray.median in space
    assert model.predict(xray.median) == xray.latency_ms.median


@given(tiny)
def test_of_a_space_no_larger_than_the_sample_every_network_is_taken_once(space: SearchSpace):
    xray = examine(space)
    assume(xray.complete)
    costs = [network_cost(space, arch) for arch in networks(space)]
    assert sorted(xray.macs.values) == sorted(cost.macs for cost in costs)
    assert sorted(xray.params.values) == sorted(cost.params for cost in costs)
    assert sorted(xray.peak_bytes.values) == sorted(cost.peak_bytes for cost in costs)


@given(tiny, seeds, places, places)
def test_a_wider_limit_leaves_no_smaller_share(
    space: SearchSpace, seed: int, one: float, other: float
):
    model = drawn_model(space, seed)
    limits = sorted([limit_at(model, one), limit_at(model, other)])
    tight, wide = (examine(space, latency=model, limit_ms=limit).within for limit in limits)
    assert tight.share <= wide.share


@given(tiny, seeds, places)
def test_the_verdict_is_that_of_the_whole_space(space: SearchSpace, seed: int, place: float):
    model = drawn_model(space, seed)
    limit = limit_at(model, place)
    within = examine(space, latency=model, limit_ms=limit).within
    times = [model.predict(arch) for arch in networks(space)]
    fits = {ms <= limit for ms in times}
    expected = "sometimes" if len(fits) == 2 else {True: "always", False: "never"}[fits.pop()]
    assert within.verdict == expected
    assert within.tightest_ms == min(times)


@given(tiny, seeds)
def test_each_choice_has_the_fastest_of_all_networks_that_make_it(space: SearchSpace, seed: int):
    model = drawn_model(space, seed)
    fastest: dict[Choice, float] = {}
    for arch in networks(space):
        ms = model.predict(arch)
        fastest |= {c: min(ms, fastest.get(c, ms)) for c in made(space, arch)}
    assert least_ms(tables(space, model), model.constant_ms, space=space) == fastest


@given(tiny, seeds)
def test_the_choices_seen_are_those_that_the_drawn_networks_make(space: SearchSpace, seed: int):
    found = tables(space, None)
    picks = draw(found, space.size(), seed)[:, :3]
    chosen = [
        [table.gene.values[i] for table, i in zip(found, pick, strict=True)] for pick in picks.T
    ]
    archs = [Arch(tuple(itertools.chain(*values))) for values in chosen]
    makers = seen(found, picks, space=space)
    for number, arch in enumerate(archs):
        assert {choice for choice, makes in makers.items() if makes[number]} == made(space, arch)


@given(tiny, seeds, places)
def test_dead_choices_are_those_that_no_network_within_the_limit_makes(
    space: SearchSpace, seed: int, place: float
):
    model = drawn_model(space, seed)
    limit = limit_at(model, place)
    xray: XRay = examine(space, latency=model, limit_ms=limit)
    assume(xray.within.verdict == "sometimes")
    every: set[Choice] = set()
    usable: set[Choice] = set()
    for arch in networks(space):
        choices = made(space, arch)
        every |= choices
        usable |= choices if model.predict(arch) <= limit else set()
    assert set(xray.within.dead) == every - usable
    assert not set(xray.within.unused) & set(xray.within.dead)
    assert set(xray.within.unused) <= usable


@given(tiny)
def test_shares_of_the_cards_add_up_to_the_median_network(space: SearchSpace):
    model = macs_model(space)
    xray = examine(space, latency=model)
    for share in ("params_share", "macs_share", "latency_share"):
        assert abs(sum(getattr(card, share) for card in xray.cards) - 1) < 1e-9
    layers = dict(model.layer_ms(space, xray.median))
    whole = model.predict(xray.median)
    for card in xray.cards:
        own = [
            ms for name, ms in layers.items() if name.split(".")[0] == card.name.replace(" ", "")
        ]
        assert abs(card.latency_share - sum(own) / whole) < 1e-9
