"""Limits beside latency: who is refused, what is counted, and which wishes are refused at once."""

from __future__ import annotations

import random

import pytest

from engine.cost import network_cost
from engine.errors import InfeasibleLimit, RunError
from engine.front.filter import Filter, additive, onnx_bytes
from engine.front.limits import Limits, limits_from
from tests.problems import macs_latency, toy_space


def filter_of(limit_ms: float | None = None, **limits: int) -> Filter:
    space = toy_space()
    latency = macs_latency(space)
    return Filter(space, latency, limit_ms or latency.slowest_ms, Limits(**limits))


@pytest.mark.parametrize("name", ["params", "macs"])
def test_what_adds_up_adds_up_to_the_cost_of_the_network(name):
    space = toy_space()
    constant, tables = additive(space, name)
    rng = random.Random(0)
    for _ in range(40):
        arch = space.sample(rng)
        at = [g.values.index(p) for g, p in zip(space.genes(), space.parts(arch), strict=True)]
        total = constant + sum(table[k] for table, k in zip(tables, at, strict=True))
        assert total == getattr(network_cost(space, arch), name)


@pytest.mark.parametrize("name", ["params", "macs", "peak_bytes", "onnx_bytes"])
def test_a_network_above_one_limit_is_refused_and_counted_there(name):
    free = filter_of()
    rng = random.Random(1)
    archs = [free.space.sample(rng) for _ in range(30)]
    figures = sorted(free.figure(name, arch) for arch in archs)
    most = int(figures[15])
    kept = filter_of(**{name: most})
    for arch in archs:
        assert kept.admits(arch) == (free.figure(name, arch) <= most)
    refused = sum(figure > most for figure in figures)
    assert kept.refused == ({name: refused} if refused else {})
    assert kept.accepted == pytest.approx(1 - refused / 30)


def test_latency_is_asked_first_since_it_costs_least():
    kept = filter_of(limit_ms=1e-9, params=1)
    assert not kept.admits(kept.space.largest())
    assert kept.refused == {"latency_ms": 1}


def test_the_size_of_the_file_is_that_of_the_file(tmp_path):
    from engine.graph import random_weights, to_onnx

    space = toy_space()
    arch = space.largest()
    layers = space.layers(arch)
    file = tmp_path / "net.onnx"
    file.write_bytes(to_onnx(layers, random_weights(layers, 7), metadata={"arch": str(arch)}))
    assert file.stat().st_size == onnx_bytes(space, arch)


def test_moving_towards_the_limits_ends_within_them():
    free = filter_of()
    middle = (free.latency.fastest_ms + free.latency.slowest_ms) / 2
    fewest = network_cost(free.space, free.space.smallest()).params
    kept = filter_of(middle, params=2 * fewest)
    rng = random.Random(2)
    for _ in range(40):
        assert kept.admits(kept.toward(kept.space.sample(rng), rng))


def test_possible_limits_tell_what_share_of_the_space_they_leave():
    kept = filter_of(params=10**9)
    assert kept.require_possible("this computer") > 0.9
    assert (kept.asked, kept.refused) == (0, {})


@pytest.mark.parametrize("name", ["params", "macs", "peak_bytes", "onnx_bytes"])
def test_a_limit_below_the_least_network_names_the_least(name):
    with pytest.raises(InfeasibleLimit, match="the least that a network of this space"):
        filter_of(**{name: 10}).require_possible("this computer")


def test_limits_that_only_together_exclude_everything_are_refused_with_what_each_can_reach():
    free = filter_of()
    space = free.space
    contrary = _contrary(free)  # a made-up device on which large layers are fast
    both = Limits(params=network_cost(space, space.smallest()).params + 1)
    with pytest.raises(InfeasibleLimit, match="parameters can reach") as caught:
        Filter(space, contrary, contrary.fastest_ms * 1.0001, both).require_possible("here")
    assert "fewer than 1 in 10,000" in str(caught.value)


def _contrary(free: Filter):
    """A latency that falls where parameters grow."""
    from dataclasses import replace

    from engine.latency import gene_ms

    tables = tuple({op: 10.0 - ms for op, ms in table.items()} for table in free.latency.slot_ms)
    genes = gene_ms(free.space, tables)
    span = {"fastest_ms": sum(map(min, genes)), "slowest_ms": sum(map(max, genes))}
    return replace(free.latency, constant_ms=0.0, slot_ms=tables, **span)


@pytest.mark.parametrize("value", [0, -1, 1.5, True])
def test_a_limit_that_is_no_whole_number_above_0_is_refused(value):
    with pytest.raises(RunError, match=r"limit of parameters: must be a whole number above 0"):
        Limits(params=value)


def test_an_unknown_limit_names_the_known():
    with pytest.raises(RunError, match="must be among macs, onnx_bytes, params, peak_bytes"):
        limits_from({"energy": 3})
