"""Properties of spaces and architectures, whatever the space."""

from __future__ import annotations

import json
import random
from contextlib import suppress
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from engine.cost import network_cost
from engine.errors import SpaceError, StudioError
from engine.presets import read_space
from engine.space import Arch, SearchSpace
from engine.spec import SPECS, from_json, to_json
from tests.builders import document, search_spec, spaces, stage

seeds = st.integers(0, 2**16).map(random.Random)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20)
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(spaces(), seeds)
def test_text_of_an_architecture_parses_back_to_it(space: SearchSpace, rng: random.Random):
    arch = space.sample(rng)
    assert Arch.parse(str(arch)) == arch


@given(spaces(), seeds, st.floats(0, 1))
def test_samples_mutants_and_children_stay_in_the_space(
    space: SearchSpace, rng: random.Random, p: float
):
    a, b = space.sample(rng), space.sample(rng)
    assert a in space
    assert space.mutate(a, rng, p) in space
    assert space.crossover(a, b, rng) in space
    assert space.smallest() in space
    assert space.largest() in space


@given(spaces(), seeds)
def test_a_mutant_differs_unless_the_space_has_one_architecture(
    space: SearchSpace, rng: random.Random
):
    arch = space.sample(rng)
    assert (space.mutate(arch, rng, 0.1) == arch) == (space.size() == 1)


@given(spaces(), seeds)
def test_no_architecture_costs_less_than_the_smallest_or_more_than_the_largest(
    space: SearchSpace, rng: random.Random
):
    cost = network_cost(space, space.sample(rng))
    least, most = (network_cost(space, end) for end in (space.smallest(), space.largest()))
    assert least.macs <= cost.macs <= most.macs


@given(spaces())
def test_a_space_survives_its_json_and_keeps_its_digest(space: SearchSpace):
    again = SearchSpace.from_json(json.loads(json.dumps(space.to_json())))
    assert again == space
    assert again.digest() == space.digest()


@given(spaces())
def test_layers_fit_together(space: SearchSpace):
    layers = space.layers(space.largest())
    for before, after in pairwise(layers):
        assert (after.cin, after.side) == (before.cout, -(-before.side // before.stride))


@given(anything)
def test_any_json_value_builds_a_space_or_raises_a_space_error(value: Any):
    _builds_or_refuses(value)


@given(st.sampled_from([None, "input", "stem", "head", "stages"]), st.data())
def test_a_space_with_one_value_replaced_builds_or_raises_a_space_error(
    part: str | None, data: st.DataObject
):
    whole = document(stage())
    place: dict[str, Any] = whole if part is None else whole[part]
    place = place[0] if isinstance(place, list) else place
    place[data.draw(st.sampled_from(sorted(place)))] = data.draw(anything)
    _builds_or_refuses(whole)


@given(st.binary(max_size=200) | anything.map(lambda v: json.dumps(v).encode()))
def test_any_file_content_is_a_space_or_raises_a_space_error(content: bytes):
    with suppress(SpaceError):
        read_space(content, "upload.json")


@given(st.sampled_from(sorted(SPECS)), anything)
def test_any_json_value_is_a_spec_or_raises_a_studio_error(kind: str, value: Any):
    with suppress(StudioError):
        from_json(kind, value)


@given(st.data())
def test_a_search_spec_with_one_value_replaced_is_a_spec_or_raises_a_studio_error(
    data: st.DataObject,
):
    whole = to_json(search_spec())
    whole[data.draw(st.sampled_from(sorted(whole)))] = data.draw(anything)
    with suppress(StudioError):
        from_json("search", whole)


def _builds_or_refuses(value: Any) -> None:
    with suppress(SpaceError):
        document = SearchSpace.from_json(value).to_json()
        json.dumps(document, allow_nan=False, ensure_ascii=False).encode()  # fit for any file
