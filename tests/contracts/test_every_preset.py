"""What every preset must keep: it loads, says what it is and whose, its golden figures hold."""

from __future__ import annotations

import json
import random
import re

import numpy as np
import onnx
import pytest

from engine.cost import network_cost
from engine.graph import to_onnx
from engine.graph_words import Weights
from engine.layers import Layer, flow, shapes
from engine.presets import FOLDER, document, figures, load, names
from engine.space import SearchSpace

PRESETS = pytest.mark.parametrize("name", names())
OURS = {"digits"}
KEYS = {"about", "from_memory", "golden", "space"}


def nothing(layers: tuple[Layer, ...]) -> list[Weights]:
    """Weights of zero, which are quick to make."""
    leaves = [leaf for layer in layers for leaf, _, _ in layer.walk() if shapes(leaf)]
    return [{k: np.zeros(s, np.float32) for k, s in shapes(leaf).items()} for leaf in leaves]


def is_sentence(text: str) -> bool:
    """Whether it reads as one paragraph that ends."""
    return text.endswith(".") and "\n" not in text and text == text.strip()


@PRESETS
def test_it_is_called_like_its_file(name: str):
    assert load(name).name == name


@PRESETS
def test_it_says_what_it_is_in_one_sentence(name: str):
    assert is_sentence(document(name)["about"])


@PRESETS
def test_it_names_the_paper_that_it_is_from(name: str):
    cited = re.match(r"\w[\w-]* et al\. \d{4}, .+, arXiv:\d{4}\.\d{5}", load(name).citation)
    assert bool(cited) == (name not in OURS)


@PRESETS
def test_what_it_holds_from_memory_is_said_in_sentences(name: str):
    written = document(name)
    assert "from_memory" not in written or written["from_memory"]
    assert all(is_sentence(text) for text in written.get("from_memory", []))


@PRESETS
def test_its_file_holds_exactly_what_is_read_from_it(name: str):
    written = json.loads((FOLDER / f"{name}.json").read_text())
    assert written.keys() <= KEYS
    assert SearchSpace.from_json(written["space"]).to_json() == written["space"]


@PRESETS
def test_its_golden_figures_hold(name: str):
    golden, ours = document(name).get("golden", {}), figures(load(name))
    assert golden == {key: ours[key] for key in golden}


@PRESETS
def test_its_smallest_and_largest_network_bound_what_it_samples(name: str):
    space, rng = load(name), random.Random(0)
    least, most = (network_cost(space, end).macs for end in (space.smallest(), space.largest()))
    assert all(least <= network_cost(space, space.sample(rng)).macs <= most for _ in range(20))


@PRESETS
def test_every_layer_of_its_ends_takes_what_the_one_before_gives(name: str):
    space = load(name)
    for arch in {space.smallest(), space.largest()}:
        layers = space.layers(arch)
        leaving = [flow(layer.primitives, layer.map) for layer in layers]
        assert leaving[:-1] == [layer.map for layer in layers[1:]]
        assert (leaving[-1].channels, leaving[-1].flat) == (space.classes, True)


@PRESETS
def test_its_ends_pass_the_full_check_as_onnx_files(name: str):
    space = load(name)
    for arch in {space.smallest(), space.largest()}:
        layers = space.layers(arch)
        onnx.checker.check_model(to_onnx(layers, nothing(layers), metadata={}), full_check=True)
