"""Limits beside latency: who is refused, what is counted, and which wishes are refused at once."""

from __future__ import annotations

import random
import re
from dataclasses import replace

import pytest

from engine.cost import network_cost
from engine.errors import InfeasibleLimit, RunError
from engine.front.filter import ENOUGH, Filter, least_of
from engine.front.limits import Limits, limits_from
from engine.front.tables import additive, onnx_bytes
from engine.latency import gene_ms
from engine.presets import load_space
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
    assert kept.asked == 30


def test_only_what_was_drawn_is_counted_and_nothing_that_was_moved():
    kept = filter_of(params=3028)
    rng = random.Random(0)
    for _ in range(20):
        arch = kept.toward(kept.space.sample(rng), rng)
        assert kept.keeps(arch)
        assert kept.keeps(kept.fit(kept.space.sample(rng), rng))
    assert (kept.asked, kept.refused) == (0, {})


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


@pytest.mark.parametrize("name", ["params", "macs", "peak_bytes", "onnx_bytes"])
def test_a_limit_that_hardly_anything_keeps_is_reached_by_moving(name):
    free = filter_of()
    most = int(free.figure(name, least_of(free, name)) * 1.02)
    kept = filter_of(**{name: most})
    rng = random.Random(3)
    for _ in range(20):
        assert kept.keeps(kept.toward(kept.space.sample(rng), rng))
        assert kept.keeps(kept.fit(kept.space.sample(rng), rng))


def test_what_is_gained_under_one_limit_is_not_lost_under_another():
    # a device on which half of the layers are fast where they have many parameters
    contrary = _contrary(filter_of(), every=2)
    middle = (contrary.fastest_ms + contrary.slowest_ms) / 2
    space = toy_space()
    params = sum(network_cost(space, a).params for a in (space.smallest(), space.largest())) // 3
    kept = Filter(space, contrary, middle, Limits(params=params))
    rng = random.Random(4)
    moved = [kept.toward(space.sample(rng), rng) for _ in range(200)]
    assert all(kept.keeps(arch) for arch in moved)


def test_fitting_a_network_makes_it_no_slower_than_it_was_or_the_limit_is():
    contrary = _contrary(filter_of())
    middle = (contrary.fastest_ms + contrary.slowest_ms) / 2
    space = toy_space()
    params = int(0.7 * network_cost(space, space.largest()).params)
    kept = Filter(space, contrary, middle, Limits(params=params))
    rng = random.Random(5)
    for _ in range(60):
        arch = space.sample(rng)
        ms = contrary.predict(kept.fit(arch, rng))
        assert ms <= max(middle, contrary.predict(arch)) * (1 + 1e-6)


def test_sizes_by_tables_are_never_less_than_those_of_the_files_and_hardly_more():
    for space in (toy_space(), load_space("digits")[0]):
        constant, tables = additive(space, "onnx_bytes")
        rng = random.Random(0)
        for _ in range(30):
            arch = space.sample(rng)
            parts = zip(space.genes(), tables, space.parts(arch), strict=True)
            told = constant + sum(table[g.values.index(p)] for g, table, p in parts)
            assert 0 <= told - onnx_bytes(space, arch) < 100


def test_a_limit_of_the_file_that_one_network_in_a_thousand_keeps_is_no_reason_to_refuse():
    space = load_space("digits")[0]
    latency = macs_latency(space)
    free = Filter(space, latency, latency.slowest_ms)
    rng = random.Random(0)
    params = sorted(free.figure("params", space.sample(rng)) for _ in range(2000))[2]
    arch = free.moves.moved(space.largest(), {"params": params}, rng)
    size = int(free.figure("onnx_bytes", arch)) + 100
    by_file = Filter(space, latency, latency.slowest_ms, Limits(onnx_bytes=size))
    by_params = Filter(space, latency, latency.slowest_ms, Limits(params=int(params)))
    onnx_bytes.cache_clear()
    share = by_file.require_possible("here")
    assert share == pytest.approx(by_params.require_possible("here"), abs=0.1)
    assert onnx_bytes.cache_info().misses < ENOUGH  # most of it is told by the tables


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
    fewest = network_cost(space, space.smallest()).params
    both = Limits(params=fewest + 1)
    kept = Filter(space, contrary, contrary.fastest_ms * 1.0001, both)
    with pytest.raises(InfeasibleLimit, match="parameters can reach") as caught:
        kept.require_possible("here")
    said = str(caught.value)
    assert "fewer than 1 in 10,000" in said
    reached = re.search(r"latency can reach ([0-9.]+) ms, parameters can reach ([0-9.]+) k", said)
    assert reached
    # each is above what was asked, and asking for it in place of that is possible
    ms, params = float(reached[1]), int(1000 * float(reached[2]))
    assert ms > kept.limit_ms
    assert params > fewest + 1
    assert Filter(space, contrary, ms, both).require_possible("here") > 0
    Filter(space, contrary, kept.limit_ms, Limits(params=params)).require_possible("here")


def test_asking_for_the_least_that_is_named_is_no_mistake():
    for name in ("params", "macs", "peak_bytes", "onnx_bytes"):
        with pytest.raises(InfeasibleLimit) as caught:
            filter_of(**{name: 10}).require_possible("here")
        least = re.search(r"Ask for ([0-9.]+) [kM]", str(caught.value))
        assert least
        per = 1e6 if name == "macs" else 1e3
        filter_of(**{name: round(per * float(least[1]))}).require_possible("here")


def _contrary(free: Filter, every: int = 1):
    """A latency that falls where parameters grow, in all layers or every second one."""
    tables = tuple(
        table if i % every else {op: 10.0 - ms for op, ms in table.items()}
        for i, table in enumerate(free.latency.slot_ms)
    )
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


def test_no_figure_is_named_as_reachable_that_is_within_what_was_asked(monkeypatch):
    monkeypatch.setattr(Filter, "_share", lambda *_: 0.0)  # as if none had been met by drawing
    with pytest.raises(InfeasibleLimit) as caught:
        filter_of(params=8000).require_possible("here")
    assert "can reach" not in str(caught.value)
