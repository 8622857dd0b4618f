"""What every block family must keep, by arithmetic and as torch and ONNX networks."""

from __future__ import annotations

import itertools
import re

import numpy as np
import onnx
import pytest
import torch

from engine.blocks import BLOCKS, SEARCHED, Block, parse_op
from engine.build import arrays, build
from engine.cost import layer_cost
from engine.graph import layer_onnx, to_onnx
from engine.layers import Layer, Map, flow, out_side, shapes
from engine.space import SearchSpace
from engine.stage import Slot
from engine.supernet import SuperNet
from tests.builders import document
from tests.networks import run_onnx, shaken
from tests.ops import PLACES, fitting, layer, some_layers, some_ops

FAMILIES = pytest.mark.parametrize("family", BLOCKS)
SEARCHABLE = pytest.mark.parametrize("family", SEARCHED)


@FAMILIES
def test_the_table_knows_a_family_by_its_own_name(family: str):
    assert BLOCKS[family].family == family


@SEARCHABLE
def test_a_family_says_what_it_is_in_one_sentence(family: str):
    block = BLOCKS[family]
    assert block.title
    assert block.about.endswith(".")
    assert block.about.count(".") == 1
    assert block.source
    assert block.group in ("Convolutions", "Attention")


@FAMILIES
def test_the_text_of_an_op_parses_back_to_it(family: str):
    assert [parse_op(str(op)) for op in some_ops(family)] == some_ops(family)


@FAMILIES
def test_texts_fit_into_the_text_of_an_architecture(family: str):
    texts = [str(op) for op in some_ops(family)]
    assert len(set(texts)) == len(texts)
    assert [text for text in texts if not re.fullmatch(r"[a-z0-9._]+", text)] == []


@FAMILIES
def test_no_other_family_takes_an_op_for_its_own(family: str):
    others = [block for name, block in BLOCKS.items() if name != family]
    ops = some_ops(family)
    assert not [(op, o) for op in ops for o in others if o.parse(str(op)) is not None]


@FAMILIES
def test_numbers_are_offered_in_ascending_order(family: str):
    for field in BLOCKS[family].fields:
        numbers = [value for value in field.values if not isinstance(value, str)]
        assert numbers == sorted(set(numbers)), field
        assert len(numbers) in (0, len(field.values)), field
        assert field.usual is None or field.usual in field.values


@FAMILIES
def test_every_op_fits_somewhere_and_says_why_not_elsewhere(family: str):
    for op in some_ops(family):
        assert fitting(op), str(op)
        reasons = [op.misfit(place) for place in PLACES]
        assert [r for r in reasons if r.endswith(".") or r[:1].isupper()] == []


@FAMILIES
def test_words_lead_from_the_input_to_the_output(family: str):
    for op in some_ops(family):
        for place in fitting(op):
            out = flow(op.layers(place), Map(place.cin, place.side))
            assert out == Map(place.cout, out_side(place.side, place.stride)), (str(op), place)


@SEARCHABLE
def test_a_larger_shared_choice_never_costs_less(family: str):
    fields = [f for f in BLOCKS[family].fields if f.shared and len(f.values) > 1]
    for op, field in itertools.product(some_ops(family)[:2], fields):
        for place in fitting(op)[:2]:
            costs = [layer_cost(layer(other, place)).macs for other in _along(op, field.name)]
            assert costs == sorted(costs), (str(op), field.name)


def _along(op: Block, name: str) -> list[Block]:
    """The op with each value of one field."""
    field = next(f for f in op.fields if f.name == name)
    kept = {f.name: getattr(op, f.name) for f in op.fields}
    return [type(op)(**(kept | {name: value})) for value in field.values]


@SEARCHABLE
def test_ops_of_one_path_are_slices_of_one_superkernel(family: str):
    for op, field in itertools.product(some_ops(family), BLOCKS[family].fields):
        for place in fitting(op)[:1]:
            same = [o for o in _along(op, field.name) if o.path == op.path and not o.misfit(place)]
            kept = [_sizes(layer(other, place)) for other in same]
            assert len({len(sizes) for sizes in kept}) == 1, (str(op), field.name)
            if not field.shared:
                assert len(same) == 1, f"{field.name} of {op} shares weights but does not say so"


def _sizes(block: Layer) -> list[tuple[str, ...]]:
    return [tuple(shapes(leaf)) for leaf, _, _ in block.walk() if shapes(leaf)]


@FAMILIES
def test_keys_tell_ops_and_places_apart(family: str):
    keys = [layer(op, place).key for op in some_ops(family) for place in fitting(op)]
    assert len(set(keys)) == len(keys)


@SEARCHABLE
def test_costs_are_those_of_the_module(family: str):
    for block in some_layers((family,)):
        network = shaken(build((block,), torch.Generator().manual_seed(0)))
        kept = [a.size for w in arrays(network) for k, a in w.items() if k not in ("mean", "var")]
        assert sum(kept) == layer_cost(block).params, block.key


@SEARCHABLE
def test_the_onnx_file_agrees_with_the_module(family: str):
    generator = torch.Generator().manual_seed(2)
    for block in some_layers((family,)):
        network = shaken(build((block,), generator))
        x = torch.randn(2, block.cin, block.side, block.side, generator=generator)
        got = run_onnx(to_onnx((block,), arrays(network), metadata={}), x.numpy())
        with torch.inference_mode():
            wanted = network(x).numpy()
        assert got.shape == wanted.shape, block.key
        assert np.abs(got - wanted).max() <= 1e-4 * max(1.0, np.abs(wanted).max()), block.key


@SEARCHABLE
def test_the_onnx_file_is_of_the_standard_domain_and_passes_the_full_check(family: str):
    for block in list(some_layers((family,)))[:3]:
        model = onnx.load_from_string(layer_onnx(block, 0))
        onnx.checker.check_model(model, full_check=True)
        assert {node.domain for node in model.graph.node} == {""}


@SEARCHABLE
def test_a_subnet_of_shared_weights_computes_what_the_supernet_computes(family: str):
    space = _space_of(family)
    supernet = SuperNet(space, torch.Generator().manual_seed(1))
    shaken(supernet)
    x = torch.randn(2, 1, 8, 8, generator=torch.Generator().manual_seed(3))
    for arch in (space.smallest(), space.largest()):
        with torch.inference_mode():
            torch.testing.assert_close(supernet(x, arch), supernet.subnet(arch)(x))


def _space_of(family: str) -> SearchSpace:
    """A space whose one searched layer offers the least and the greatest of a family."""
    ends = some_ops(family)[:2]
    place = next(p for p in PLACES if p.side == 8 and not any(op.misfit(p) for op in ends))
    fields = {
        f.name: list(dict.fromkeys(getattr(op, f.name) for op in ends))
        for f in BLOCKS[family].fields
    }
    stage = {"block": family, "width": place.cout, "depth": [1, 1], "stride": place.stride}
    stem = {"width": place.cin, "kernel": 3, "stride": 1}
    space = SearchSpace.from_json(document(stage | fields, stem=stem))
    assert isinstance(space.slots()[0], Slot)
    return space
