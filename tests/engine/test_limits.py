"""Limits on the way from a search to its user: what is known of a network, what a view admits."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.events import Evaluated, Measured, Resumed, View, fold
from engine.front.limits import Limits, kept, told
from engine.problem import evaluate
from engine.repair import repaired
from engine.spec import ProfileSpec
from engine.store import Store
from engine.strategies.proxyless import Proxyless
from engine.strategies.single_path import SinglePath
from engine.trust.plan import picked
from tests.builders import search_spec
from tests.problems import macs_latency, toy_problem, toy_space

SMALL, LARGE = "k3e3", "k5e6"
STRICT = Limits(params=1000)


def found(limits: Limits = STRICT) -> View:
    """Two measured networks, of which the more accurate one has too many parameters."""
    events = [
        Evaluated(SMALL, 0.8, 0.5, 900, 1, 1),
        Evaluated(LARGE, 0.9, 0.6, 1100, 1, 1),
        Measured(SMALL, 0.5, 0.5, 0.5, 10, (0.5,)),
        Measured(LARGE, 0.6, 0.6, 0.6, 10, (0.6,)),
    ]
    return fold(events, View(limits))


def test_a_network_above_a_limit_is_on_no_front_and_never_the_best():
    view = found()
    assert [c.arch for c in view.front()] == [SMALL]
    assert view.best(1.0).arch == SMALL
    assert found(Limits()).best(1.0).arch == LARGE


def test_a_network_above_a_limit_is_not_what_a_trust_report_takes_for_the_pick():
    assert picked(found(), 1.0) == SMALL
    unmeasured = fold([e for e in found().kept if isinstance(e, Evaluated)], View(STRICT))
    assert picked(unmeasured, 1.0) == SMALL


def test_limits_outlast_a_resumption():
    view = fold([Resumed(0), *found().kept], View(STRICT))
    assert [c.arch for c in view.front()] == [SMALL]


@pytest.mark.parametrize("name", ["peak_bytes", "onnx_bytes"])
def test_what_is_not_known_of_a_network_keeps_no_limit(name):
    one = fold([Evaluated(SMALL, 0.8, 0.5, 900, 1)]).candidates[SMALL]
    assert kept(one, STRICT)
    assert not kept(one, Limits(**{name: 10**9}))


def test_the_view_of_a_search_knows_its_limits(tmp_path: Path):
    store = Store(tmp_path / "studio.db")
    run = store.create_run(search_spec(limits=STRICT))
    store.append(run, *found().kept)
    assert [c.arch for c in store.view(run).front()] == [SMALL]
    store.set_state(run, "finished")
    other = store.create_run(ProfileSpec(search_spec().space, search_spec().device))
    assert store.view(other).limits == Limits()


@pytest.mark.parametrize(("asked", "known"), [(Limits(onnx_bytes=10**6), True), (Limits(), False)])
def test_the_size_of_the_file_is_kept_where_a_limit_asks_for_it(asked, known):
    problem = toy_problem(limits=asked)
    arch = problem.space.smallest()
    size = evaluate(problem, arch).onnx_bytes
    assert size == (problem.filter.figure("onnx_bytes", arch) if known else 0)


# -- networks that a strategy settles on -----------------------------------------------------------

SPACE = toy_space()
LATENCY = macs_latency(SPACE)


def both_limits(**changes: object):
    """A problem whose limit of parameters is far tighter than that of latency."""
    middle = (LATENCY.fastest_ms + LATENCY.slowest_ms) / 2
    usual = {"latency_limit_ms": middle, "limits": Limits(params=3028, onnx_bytes=14_000)}
    return toy_problem(SPACE, **{**usual, **changes})


def test_repair_goes_on_until_all_limits_are_kept():
    problem = both_limits()
    for start in (SPACE.largest(), *(SPACE.sample(problem.rng) for _ in range(4))):
        assert problem.filter.keeps(repaired(problem, start))


def test_repair_judges_the_last_part_of_the_way_under_any_limit(monkeypatch):
    problem = both_limits(latency_limit_ms=2 * LATENCY.slowest_ms)
    seen = []
    monkeypatch.setattr("engine.repair.probe", lambda _, arch, __: seen.append(arch) or 0.0)
    repaired(problem, SPACE.largest())
    assert seen


def test_single_path_freezes_no_snapshot_above_a_limit():
    strategy = SinglePath(both_limits(latency_limit_ms=2 * LATENCY.slowest_ms))
    strategy.snapshots = {SPACE.largest(): 0.99, SPACE.smallest(): 0.5}
    assert list(strategy._freeze()) == []
    assert strategy.chosen == SPACE.smallest()


def test_single_path_says_that_its_last_decisions_were_repaired_to_keep_all_limits():
    strategy = SinglePath(both_limits(latency_limit_ms=2 * LATENCY.slowest_ms))
    strategy.snapshots = {SPACE.largest(): 0.99}
    (warned,) = strategy._freeze()
    assert warned.message.startswith("No snapshot met all limits")
    assert strategy.problem.filter.keeps(strategy.chosen)


def test_a_mixed_search_chooses_and_seeds_within_all_limits():
    strategy = Proxyless(both_limits(strategy="proxyless"))
    list(strategy._choose())
    assert all(strategy.problem.filter.keeps(arch) for arch in strategy.seeds())


def test_a_few_parameters_are_told_one_by_one():
    assert told("params", 10) == "10"
    assert told("params", 731.5, least=True) == "732"
    assert told("params", 1500) == "1.5 k"


@pytest.mark.parametrize("figure", [1234.0, 1234.4, 1235.6, 98765.0, 0.12345])
def test_the_least_that_is_told_is_never_too_little(figure):
    said = float(told("onnx_bytes", figure, least=True).split()[0]) * 1e3
    assert figure <= said * (1 + 1e-12)
    assert said == pytest.approx(figure, rel=2e-3)
