"""Statistics of trust by definition and by example, the networks chosen, and every verdict."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import RunError
from engine.events import Evaluated, Measured, View, fold
from engine.front.filter import Filter
from engine.front.limits import Limits
from engine.space import Arch
from engine.spec import TrustSpec
from engine.trust.figures import (
    Evidence,
    Judged,
    correlation,
    halvings,
    improvement,
    kendall,
    lead,
    measured,
    noise_ceiling,
    seed_deviation,
)
from engine.trust.plan import Plan, Unit, neighbours, plan, spread
from engine.trust.verdict import Verdict, verdict
from tests.builders import search_spec, small_space, stage
from tests.made_latency import macs_model

few = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=2, max_size=9)


def by_definition(pairs: list[tuple[int, int]]) -> float:
    agreed, in_x, in_y = 0, 0, 0
    for i, (x, y) in enumerate(pairs):
        for other_x, other_y in pairs[:i]:
            product = (x - other_x) * (y - other_y)
            agreed += (product > 0) - (product < 0)
            in_x += x != other_x
            in_y += y != other_y
    return agreed / math.sqrt(in_x * in_y) if in_x and in_y else 0.0


@given(few)
def test_kendall_is_tau_b_counted_pair_by_pair(pairs: list[tuple[int, int]]):
    x, y = np.array(pairs, float).T
    assert float(kendall(x, y)) == pytest.approx(by_definition(pairs))


@given(few)
def test_an_interval_holds_the_range_of_tau_and_repeats(pairs: list[tuple[int, int]]):
    x, y = zip(*pairs, strict=True)
    tau = correlation(x, y)
    assert -1 <= tau.low <= tau.high <= 1
    assert correlation(x, y) == tau


def test_a_perfect_order_has_a_tau_of_one_and_no_doubt():
    tau = correlation(range(8), range(8))
    assert (tau.value, tau.low, tau.high) == (1.0, 1.0, 1.0)


def test_a_lead_is_the_difference_of_two_taus_resampled_together():
    y = list(range(8))
    none = lead(y, y, y)
    assert (none.value, none.low, none.high) == (0.0, 0.0, 0.0)
    assert lead(y, y[::-1], y).value == 2.0


def test_the_ceiling_is_the_mean_over_all_ways_to_halve_the_seeds():
    table = np.random.default_rng(1).normal(size=(9, 4))
    taus = [
        float(kendall(table[:, list(half)].mean(1), table[:, list(rest)].mean(1)))
        for half, rest in (((0, 1), (2, 3)), ((0, 2), (1, 3)), ((0, 3), (1, 2)))
    ]
    assert noise_ceiling(table.tolist()).value == pytest.approx(np.mean(taus))


@pytest.mark.parametrize(("seeds", "ways"), [(2, 1), (4, 3), (6, 10), (8, 35), (10, 35)])
def test_no_half_is_the_other_half_of_another(seeds: int, ways: int):
    found = halvings(seeds)
    assert len(found) == len(set(found)) == ways
    assert all(half[0] == 0 and len(half) == seeds // 2 for half in found)


def test_seeds_that_change_nothing_give_a_ceiling_of_one():
    assert noise_ceiling([[x, x] for x in range(8)]).value == 1.0


def test_what_a_seed_changes_is_pooled_over_networks_with_several():
    assert seed_deviation([[0.0, 2.0], [5.0, 5.0, 5.0], [9.0]]) == pytest.approx(
        math.sqrt((2.0 * 1 + 0.0 * 2) / 3)
    )
    assert seed_deviation([[1.0], [2.0]]) == 0.0


def test_the_relative_improvement_follows_its_formula():
    found = improvement([0.90, 0.92, 0.94], [0.8] * 8)
    assert found.ri == pytest.approx(0.12 / 0.8)
    assert found.se == pytest.approx(0.02 / math.sqrt(3) / 0.8)
    assert (found.n_pick, found.n_random, found.real) == (3, 8, True)


def test_an_improvement_within_two_standard_errors_is_not_real():
    assert not improvement([0.81, 0.83, 0.85], [0.7, 0.9] * 4).real


def test_the_error_of_the_improvement_is_what_repeating_it_shows():
    rng = np.random.default_rng(0)
    pick, others = rng.normal(0.9, 0.02, (4000, 3)), rng.normal(0.8, 0.03, (4000, 8))
    each = [improvement(p, r, seed_sd=0.02) for p, r in zip(pick, others, strict=True)]
    assert np.mean([e.se for e in each]) == pytest.approx(np.std([e.ri for e in each]), rel=0.06)


# -- the networks that are trained ---------------------------------------------------------------

SPACE = small_space(stage(depth=[1, 3]), stage(depth=[1, 3], stride=2))
LATENCY = macs_model(SPACE)
MIDDLE = (LATENCY.fastest_ms + LATENCY.slowest_ms) / 2
SEARCH = search_spec(space=SPACE, latency_limit_ms=MIDDLE)
FILTER = Filter(SPACE, LATENCY, MIDDLE)


def ms_of(name: str) -> float:
    return LATENCY.predict(Arch.parse(name))


def evaluated(count: int, seed: int = 0) -> View:
    rng = random.Random(seed)
    names = {str(SPACE.sample(rng)) for _ in range(count)}
    return fold([Evaluated(a, 0.5 + ms_of(a) / 1000, ms_of(a), 1, 1) for a in sorted(names)])


@pytest.mark.parametrize("known", [0, 40])
def test_the_networks_lie_in_different_bands_of_the_latency_range(known: int):
    ms = {c.arch: c.predicted_ms for c in evaluated(known).fresh()}
    names = spread(SPACE, LATENCY, known=ms, count=8, rng=random.Random(3))
    step = np.log(LATENCY.slowest_ms / LATENCY.fastest_ms) / 8  # equal in ratio
    above = [np.log(ms_of(a) / LATENCY.fastest_ms) for a in names]
    bands = [min(7, int(gap / step + 1e-9)) for gap in above]
    assert bands == list(range(8))


def test_half_of_the_networks_are_such_that_the_search_evaluated():
    ms = {c.arch: c.predicted_ms for c in evaluated(4000).fresh()}
    names = spread(SPACE, LATENCY, known=ms, count=8, rng=random.Random(0))
    assert sum(name in ms for name in names) >= 4


def test_a_small_space_gives_all_it_has():
    space = small_space(stage(kernel=[3], depth=[1, 3]), stage(kernel=[3], depth=[1, 1]))
    names = spread(space, macs_model(space), known={}, count=100, rng=random.Random(0))
    assert len(set(names)) == space.size()


def test_random_networks_keep_the_pick_s_latency_and_the_limits():
    pick = SPACE.sample(random.Random(5))
    strict = replace(FILTER, limit_ms=ms_of(str(pick)), limits=Limits(params=5000))
    names, (low, high) = neighbours(pick, strict, count=8, rng=random.Random(0))
    assert len(set(names)) == 8
    assert str(pick) not in names
    assert high <= strict.limit_ms
    assert all(low <= ms_of(name) <= high for name in names)
    assert all(strict.figure("params", Arch.parse(name)) <= 5000 for name in names)


def test_a_window_that_holds_too_few_is_widened():
    _, narrow = neighbours(SPACE.sample(random.Random(5)), FILTER, count=8, rng=random.Random(0))
    end, wide = neighbours(SPACE.smallest(), FILTER, count=8, rng=random.Random(0))
    assert len(end) == 8
    assert str(SPACE.smallest()) not in end
    assert narrow[1] / narrow[0] < wide[1] / wide[0]


def test_the_pick_is_the_best_measured_within_else_the_best_predicted():
    view = evaluated(40)
    inside = [c for c in view.fresh() if c.predicted_ms <= MIDDLE]
    most = max(inside, key=lambda c: c.proxy_accuracy)
    assert plan(TrustSpec(1), SEARCH, view, FILTER).pick == most.arch
    other = min(inside, key=lambda c: c.proxy_accuracy).arch
    fold([Measured(other, 1.0, 1.0, 1.0, 9, (MIDDLE, MIDDLE))], view)
    assert plan(TrustSpec(1), SEARCH, view, FILTER).pick == other


def test_a_search_without_a_candidate_has_no_pick_and_no_rivals():
    found = plan(TrustSpec(1), SEARCH, View(), FILTER)
    assert (found.pick, found.others) == (None, ())
    assert len(found.units()) == 8 * 4


def test_every_network_is_trained_with_two_sets_of_seeds_and_no_training_twice():
    found = plan(TrustSpec(1, seeds=1, seed=5), SEARCH, evaluated(40), FILTER)
    units = found.units()
    assert len(set(units)) == len(units)
    assert {Unit(arch, seed) for arch in found.subnets for seed in (5, 6)} <= set(units)
    assert {Unit(str(found.pick), seed) for seed in (5, 6, 7)} <= set(units)
    assert {u.seed for u in units if u.arch in found.others} == {5, 6, 7}


def test_a_pick_that_is_among_the_networks_anyway_is_not_trained_twice():
    found = Plan(("a", "b"), "a", (), (1.0, 2.0), (0, 1), (0, 1, 2))
    assert sorted((u.arch, u.seed) for u in found.units()) == [
        *(("a", seed) for seed in (0, 1, 2)),
        *(("b", seed) for seed in (0, 1)),
    ]


def test_the_same_seed_chooses_the_same_networks_and_another_others():
    one, again, other = (
        plan(TrustSpec(1, seed=s), SEARCH, evaluated(40), FILTER) for s in (1, 1, 2)
    )
    assert one == again
    assert one.subnets != other.subnets


def test_a_space_of_fewer_than_eight_networks_is_refused():
    space = small_space(stage(kernel=[3], depth=[1, 1]))
    few_of_them = Filter(space, macs_model(space), 9.0)
    with pytest.raises(RunError, match="space: must have at least 8 networks"):
        plan(TrustSpec(1), SEARCH, View(), few_of_them)


# -- what the figures mean -----------------------------------------------------------------------


def network(i: int, proxy: float, *alone: float, params: int = 0) -> Judged:
    pairs = tuple(enumerate(alone))
    return Judged(f"n{i}", 1.0 + i, params or 100 + i, 1000 + i, proxy, proxy - 0.1, pairs)


GOOD = [0.60 + 0.04 * i for i in range(8)]


def evidence(
    proxy: list[float] | None = None,
    alone: list[float] | None = None,
    *,
    noise: float = 0.0,
    pick: float = 0.95,
    params: list[int] | None = None,
) -> Evidence:
    """Healthy, unless told otherwise; `noise` is what every other seed adds or takes."""
    proxy, alone, sizes = proxy or GOOD, alone or GOOD, params or [9, 8, 7, 6, 5, 4, 3, 2]
    rng = np.random.default_rng(0)
    nets = [
        network(i, p, *(a + noise * rng.normal(size=4)), params=size)
        for i, (p, a, size) in enumerate(zip(proxy, alone, sizes, strict=True))
    ]
    others = tuple(network(20 + i, 0.7, 0.80 + 0.01 * (i % 2)) for i in range(8))
    best = network(10, 0.9, pick, pick + 0.002, pick - 0.002)
    error = {"mape": 0.02, "n_heldout": 32}
    return Evidence(tuple(nets), best, others, (1.0, 2.0), 0.1, 300, error)


def judged(found: Evidence) -> Verdict:
    return verdict(measured(found))


def said(found: Verdict) -> str:
    return " ".join(found.sentences)


def test_a_report_is_plain_json():
    report = measured(evidence())
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    bare = measured(replace(evidence(), pick=None, others=()))
    assert json.loads(json.dumps(bare, allow_nan=False))["improvement"] is None


def test_a_ranking_as_good_as_noise_allows_and_a_pick_that_pays_are_green():
    found = judged(evidence())
    assert found.colour == "green"
    assert "rank as well as noise allows" in said(found)
    assert "The search pays: the pick gains +18" in said(found)


def test_shared_weights_that_only_guess_are_red_even_under_a_low_ceiling():
    found = judged(evidence(proxy=[0.1 + 0.01 * (i % 3) for i in range(8)], noise=0.5))
    assert found.colour == "red"
    assert "hardly more than guessing" in found.sentences[0]


def test_shared_weights_that_learned_a_little_are_told_to_learn_more_but_not_red():
    found = judged(evidence(proxy=[0.1 + 0.3 * (x - 0.1) for x in GOOD]))
    assert found.colour == "green"
    assert "know 30% of what the same networks learn alone" in said(found)
    assert "learn alone" not in said(judged(evidence()))


def test_where_nothing_learns_shared_weights_that_guess_are_red_too():
    chance = [0.10, 0.11, 0.09, 0.10, 0.12, 0.08, 0.10, 0.11]
    assert judged(evidence(proxy=chance, alone=chance)).colour == "red"


def test_an_order_turned_around_is_red_and_says_what_to_do():
    found = judged(evidence(proxy=GOOD[::-1]))
    assert found.colour == "red"
    assert "Train longer or shrink the space." in found.sentences[0]


def test_a_low_tau_that_may_be_bad_luck_is_not_red():
    proxy = [0.68, 0.72, 0.80, 0.60, 0.84, 0.76, 0.64, 0.88]
    report = measured(evidence(proxy=proxy))
    assert 0.2 < report["tau"]["value"] < 0.3
    assert verdict(report).colour == "amber"


def test_below_a_low_ceiling_nobody_can_tell():
    found = judged(evidence(noise=0.12))
    assert found.colour == "grey"
    assert "says little: the ceiling is only" in said(found)


def test_a_space_whose_networks_differ_less_than_seeds_do_cannot_be_searched():
    alone = [0.80 + 0.001 * i for i in range(8)]
    found = judged(evidence(alone=alone, noise=0.01))
    assert found.colour == "grey"
    assert "This space cannot be searched meaningfully" in found.sentences[0]


def test_networks_that_are_all_equal_cannot_be_searched_either():
    found = judged(evidence(alone=[0.8] * 8))
    assert found.colour == "grey"
    assert "cannot be searched meaningfully" in found.sentences[0]


def test_seven_networks_are_too_few():
    seven = evidence()
    found = judged(replace(seven, subnets=seven.subnets[1:]))
    assert found.colour == "grey"
    assert "7 networks are too few" in said(found)


def test_size_that_ranks_better_takes_the_green_away():
    proxy = [*GOOD[:3], *GOOD[4:2:-1], *GOOD[5:]]
    found = judged(evidence(proxy=proxy, params=list(range(1, 9))))
    assert found.colour == "amber"
    assert "may rank better than it does: parameters alone reach 1.00" in said(found)


@pytest.mark.parametrize(
    ("pick", "words"),
    [(0.806, "not shown to be better than chance"), (0.70, "The pick is worse than chance")],
)
def test_a_pick_that_is_no_better_than_chance_takes_the_green_away(pick: float, words: str):
    found = judged(evidence(pick=pick))
    assert found.colour == "amber"
    assert words in said(found)


def test_too_few_random_networks_are_no_judgement():
    fewer = evidence()
    found = judged(replace(fewer, others=fewer.others[:3]))
    assert found.colour != "green"
    assert "relative to 3 random networks of its latency; 8 are needed" in said(found)


def test_without_a_pick_the_search_is_not_called_better():
    found = judged(replace(evidence(), pick=None))
    assert found.colour == "amber"
    assert "let the search end first" in said(found)


def test_batch_norm_and_latency_are_told_in_every_colour():
    for one in (evidence(), evidence(proxy=GOOD[::-1]), evidence(noise=0.12)):
        words = said(judged(one))
        assert "Recalibrating batch norm changes proxy accuracy by +10.0 points" in words
        assert "mean error of 2.0 % over 32 networks" in words
