"""Laws of effects, counterfactuals and shrinking, for every space and whatever was evaluated."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import Candidate
from engine.explain.shrink import better_half, shrink
from engine.explain.why import Why
from engine.latency import restricted
from engine.space import Arch, SearchSpace
from tests.builders import spaces
from tests.made_latency import drawn_model


@st.composite
def searches(draw: st.DrawFn) -> tuple[SearchSpace, list[Candidate], Arch]:
    """A space, some of its networks with any accuracies, and one network more."""
    space = draw(spaces().filter(lambda space: 1 < space.size() < 100_000))
    rng = random.Random(draw(st.integers(0, 999)))
    latency = drawn_model(space, 1)
    archs = {space.smallest(), space.largest()}
    archs |= {space.sample(rng) for _ in range(draw(st.integers(2, 80)))}
    grain = draw(st.sampled_from([0.0, 0.001, 0.3]))
    found = [
        Candidate(
            str(a), 0.5 + grain * rng.random() + 0.001 * len(str(a)), latency.predict(a), 1, 1
        )
        for a in sorted(archs)
    ]
    return space, found, space.sample(rng)


def numbers(value: Any) -> bool:
    """Whether an estimate is a value within its interval, or says why it is not."""
    if value.low is None:
        return bool(value.why)
    return bool(value.low <= value.value <= value.high)


@settings(max_examples=40)
@given(searches())
def test_every_effect_has_an_interval_around_it_or_a_reason(
    made: tuple[SearchSpace, list[Candidate], Arch],
):
    space, found, _ = made
    for effect in Why(space, found).effects():
        assert numbers(effect.accuracy)
        assert numbers(effect.latency_ms)
        assert effect.seen_usual >= effect.seen
        assert effect.value != effect.usual
        assert effect.sentence


@settings(max_examples=40)
@given(searches())
def test_changes_are_all_networks_one_gene_away_and_their_sentences_differ(
    made: tuple[SearchSpace, list[Candidate], Arch],
):
    space, found, arch = made
    changes = Why(space, found).changes(arch, drawn_model(space, 1))
    assert len({change.arch for change in changes}) == len(changes)
    assert len({change.words for change in changes}) == len(changes)
    assert len(changes) == sum(len(gene.values) - 1 for gene in space.genes())
    assert all(Arch.parse(change.arch) in space for change in changes)
    assert all(numbers(change.accuracy) for change in changes)


@settings(max_examples=40)
@given(searches())
def test_a_shrunk_space_is_a_valid_part_of_the_old_that_holds_what_must_stay(
    made: tuple[SearchSpace, list[Candidate], Arch],
):
    space, found, arch = made
    latency = drawn_model(space, 1)
    result = shrink(Why(space, found), latency, keep=[arch])
    assert SearchSpace.from_json(result.space.to_json()) == result.space
    assert restricted(latency, space, result.space) is not None
    assert all(kept in result.space for kept in (arch, *better_half(found)))
    assert result.size_after == result.space.size()
    assert (result.size_after < result.size_before) == bool(result.gone)
