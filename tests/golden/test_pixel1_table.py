"""Latency totals of the Single-Path space with the released Pixel 1 table."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import presets
from engine.cost import network_cost
from engine.latency import read_table, table_sum
from engine.space import Arch

TABLE = Path(__file__).parents[2] / "assets" / "tables" / "pixel1-single-path.csv"
PUBLISHED = Arch.parse(
    "k3e1-k3e3-k3e3-k3e3-skip-k5e6-k3e3-k3e3-k3e3-k5e6-k3e3-k3e3-k3e3"
    "-k5e6-k5e3-k5e3-k5e3-k5e6-k5e6-k5e6-k5e6-k3e6"
)


def uniform(op: str) -> Arch:
    """`op` in all searched layers."""
    return Arch(("k3e1", *[op] * 20, "k3e6"))


def test_the_constant_is_that_of_the_released_model():
    assert read_table(TABLE)[0] == 19.5999


@pytest.mark.parametrize(
    ("arch", "ms"),
    [
        (PUBLISHED, 80.44),
        (uniform("k5e6"), 131.46),
        (uniform("k3e3"), 65.69),
        (uniform("k3e6"), 110.65),
        (uniform("k5e3"), 76.36),
        (presets.load("single-path").smallest(), 30.63),
    ],
    ids=["published", "all k5e6", "all k3e3", "all k3e6", "all k5e3", "smallest"],
)
def test_totals_are_the_published_ones(arch, ms):
    constant_ms, rows = read_table(TABLE)
    total = table_sum(presets.load("single-path"), arch, rows, constant_ms)
    assert round(total, 2) == ms


def test_the_published_network_in_the_space_is_the_one_of_its_own_preset():
    own = presets.load("spnasnet_100")
    wanted = network_cost(own, own.largest())
    assert network_cost(presets.load("single-path"), PUBLISHED) == wanted


def test_every_op_of_the_space_has_a_row():
    _, rows = read_table(TABLE)
    slots = presets.load("single-path").slots()
    assert rows.keys() == {(s.name, op) for s in slots for op in s.ops if op != "skip"}
