"""What every preset must keep: it loads, says what it is, and its golden figures hold."""

from __future__ import annotations

import json
import random

import pytest

from engine.cost import network_cost
from engine.presets import FOLDER, document, load, names
from engine.space import SearchSpace

PRESETS = pytest.mark.parametrize("name", names())


@PRESETS
def test_it_is_called_like_its_file(name: str):
    assert load(name).name == name


@PRESETS
def test_it_says_what_it_is_in_one_sentence(name: str):
    about = document(name)["about"]
    assert about.endswith(".")
    assert "\n" not in about


@PRESETS
def test_its_file_holds_exactly_what_is_read_from_it(name: str):
    written = json.loads((FOLDER / f"{name}.json").read_text())
    assert written.keys() <= {"about", "space", "golden"}
    assert SearchSpace.from_json(written["space"]).to_json() == written["space"]


@PRESETS
def test_its_golden_figures_hold(name: str):
    space, golden = load(name), document(name).get("golden", {})
    cost = network_cost(space, space.largest())
    figures = {"size": space.size(), "params": cost.params, "macs": cost.macs}
    assert golden == {key: figures[key] for key in golden}


@PRESETS
def test_its_smallest_and_largest_network_bound_what_it_samples(name: str):
    space, rng = load(name), random.Random(0)
    least, most = (network_cost(space, end).macs for end in (space.smallest(), space.largest()))
    assert all(least <= network_cost(space, space.sample(rng)).macs <= most for _ in range(20))


@PRESETS
def test_its_map_stays_at_least_one_pixel(name: str):
    assert min(layer.side for layer in load(name).layers(load(name).largest())) >= 1
