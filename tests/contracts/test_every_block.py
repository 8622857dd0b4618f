"""What every block family must keep, by arithmetic; torch and ONNX have tests of their own."""

from __future__ import annotations

import itertools

import pytest

from engine.blocks import BLOCKS, Block, parse_op
from engine.cost import layer_cost
from engine.layers import Conv, Layer, Residual, out_side, walk
from engine.presets import load
from engine.space import SKIP, SearchSpace
from tests.builders import document, stage

FAMILIES = pytest.mark.parametrize("family", BLOCKS)


def ops(family: str) -> list[Block]:
    """Every op of a family."""
    legal = BLOCKS[family].choices
    products = itertools.product(*legal.values())
    return [BLOCKS[family](**dict(zip(legal, p, strict=True))) for p in products]


@FAMILIES
def test_the_table_knows_a_family_by_its_own_name(family: str):
    assert BLOCKS[family].family == family


@FAMILIES
def test_the_text_of_an_op_parses_back_to_it(family: str):
    assert [parse_op(str(op)) for op in ops(family)] == ops(family)


@FAMILIES
def test_texts_fit_into_the_text_of_an_architecture(family: str):
    texts = [str(op) for op in ops(family)]
    assert len(set(texts)) == len(texts)
    assert all(text and text.isalnum() for text in texts)


@FAMILIES
def test_no_other_family_takes_an_op_for_its_own(family: str):
    others = [block for name, block in BLOCKS.items() if name != family]
    assert not [(op, o) for op in ops(family) for o in others if o.parse(str(op)) is not None]


@FAMILIES
def test_values_may_be_chosen_from_in_ascending_order(family: str):
    for values in BLOCKS[family].choices.values():
        assert list(values) == sorted(set(values))


@FAMILIES
@pytest.mark.parametrize(("cin", "cout", "stride"), [(8, 8, 1), (4, 8, 1), (8, 8, 2), (4, 6, 2)])
def test_primitives_lead_from_the_input_to_the_output(
    family: str, cin: int, cout: int, stride: int
):
    for op in ops(family):
        if str(op) == SKIP and (cin != cout or stride != 1):
            continue
        width, side = cin, 9
        for primitive in op.layers(cin, cout, stride):
            width, side = follow(primitive, width, side)
        assert (width, side) == (cout, out_side(9, stride)), str(op)


def follow(primitive: object, width: int, side: int) -> tuple[int, int]:
    """Width and side after a primitive; fails where it does not fit what comes before."""
    if isinstance(primitive, Residual):
        inner = (width, side)
        for part in primitive.body:
            inner = follow(part, *inner)
        assert inner == (width, side)
        return inner
    assert isinstance(primitive, Conv), primitive
    assert primitive.cin == width
    assert width % primitive.groups == primitive.cout % primitive.groups == 0
    return primitive.cout, out_side(side, primitive.stride)


@FAMILIES
def test_a_larger_choice_never_costs_less(family: str):
    costs = []
    for op in ops(family):
        layer = Layer("x", family, str(op), 8, 8, 1, 8, op.layers(8, 8, 1))
        costs.append(layer_cost(layer).macs)
    chosen = list(itertools.product(*BLOCKS[family].choices.values()))
    for (a, cost_a), (b, cost_b) in itertools.permutations(zip(chosen, costs, strict=True), 2):
        if all(x <= y for x, y in zip(a, b, strict=True)):
            assert cost_a <= cost_b


@FAMILIES
def test_a_space_of_one_family_has_layers_with_keys_of_their_own(family: str):
    legal = BLOCKS[family].choices
    if not legal:
        assert SKIP in load("digits").slots()[0].ops
        return
    last = {field: [values[-1]] for field, values in legal.items()}
    base = stage()
    only = {key: base[key] for key in ("width", "depth", "stride")} | {"block": family} | last
    space = SearchSpace.from_json(document(only))
    first, second = space.slots()
    assert first.layer(first.ops[-1]).key != second.layer(second.ops[-1]).key
    assert list(walk(first.layer(first.ops[-1]).primitives, first.side))
