"""What a comparison came to: pooled errors, Student's t, the winner's rule, what is said of it."""

from __future__ import annotations

import random
import statistics
from dataclasses import replace

import pytest
from scipy import stats

from engine.contest import report
from engine.contest.report import Entry, Noise, gain, quantile, remarks, rows, winner
from engine.methods import METHODS

BASELINE = [0.80, 0.81, 0.82, 0.83]


def entry(strategy: str, seed: int, value: float | None, **changes: object) -> Entry:
    usual = Entry(strategy, seed, 1, 9, 60.0, 1, 0.5, None, None, value, value)
    return replace(usual, **changes)


def group(strategy: str, *values: float | None, **changes: object) -> list[Entry]:
    return [entry(strategy, seed, value, **changes) for seed, value in enumerate(values)]


def row(strategy: str, area: float, tuned: float | None, **changes: object) -> dict:
    usual = {"strategy": strategy, "shared": True, "seeds": 3, "picks": 3, "seconds": 60.0}
    figures = {"hypervolume": {"mean": area, "error": 0.01, "t": changes.pop("t", 2.0)}}
    figures["finetuned"] = tuned and {"mean": tuned, "error": 0.01, "t": 2.0}
    return {**usual, **figures, **changes}


# -- errors ----------------------------------------------------------------------------------------


def test_the_error_of_a_strategy_is_that_of_seeds_of_all_or_its_own_if_greater():
    lucky, usual = rows(
        [*group("one_shot", 0.9, 0.9, 0.9), *group("fbnet", 0.8, 0.9, 1.0)], BASELINE
    )
    pooled = (0.5 * (0.0 + 0.1**2)) ** 0.5
    for one, deviation in ((lucky, pooled), (usual, 0.1)):
        assert one["retrained"]["error"] == pytest.approx(deviation / 3**0.5)
        assert one["retrained"]["t"] == pytest.approx(stats.t.ppf(0.975, 4))
        assert one["finetuned"] == one["retrained"]


def test_a_strategy_that_fails_with_some_seeds_makes_no_other_look_unsure():
    steady = [*group("one_shot", 0.90, 0.91, 0.92), *group("mnasnet", 0.92, 0.91, 0.90)]
    usual = rows([*steady, *group("proxyless", 0.88, 0.89, 0.90)], BASELINE)
    broken = rows([*steady, *group("proxyless", 0.10, 0.50, 0.90)], BASELINE)
    for calm, other in zip(usual[:2], broken[:2], strict=True):
        assert calm["retrained"]["error"] == pytest.approx(other["retrained"]["error"])
        assert calm["retrained"]["t"] == pytest.approx(stats.t.ppf(0.975, 3))
    assert broken[2]["retrained"]["error"] == pytest.approx(0.4 / 3**0.5)


def test_the_median_of_variances_is_right_on_average():
    rng = random.Random(1)
    found = [
        report._noise([[rng.gauss(0, 0.02) for _ in range(3)] for _ in range(8)]).deviation ** 2
        for _ in range(4000)
    ]
    assert statistics.median(found) == pytest.approx(0.02**2, rel=0.06)


def test_the_gain_has_the_error_of_picks_and_random_networks_together():
    found = gain([0.90, 0.92, 0.91], BASELINE, noise=Noise(0.02, 6))
    random = 0.815
    assert found["value"] == pytest.approx(0.91 / random - 1)
    picks, luck = 0.02**2 / 3, (0.91 / random) ** 2 * stats.tvar(BASELINE) / 4
    assert found["error"] == pytest.approx((picks + luck) ** 0.5 / random)
    freedom = (picks + luck) ** 2 / (picks**2 / 6 + luck**2 / 3)
    assert found["t"] == pytest.approx(stats.t.ppf(0.975, freedom))
    assert found["real"]


def test_a_gain_beyond_two_errors_is_not_real_with_few_degrees_of_freedom():
    few = gain([0.85, 0.85], [0.80, 0.80], noise=Noise(0.02, 1))
    many = gain([0.85, 0.85], [0.80, 0.80], noise=Noise(0.02, 30))
    assert few["value"] == many["value"] > 2 * few["error"]
    assert many["real"]
    assert not few["real"]


def test_a_loss_is_no_real_gain():
    assert not gain([0.5, 0.5], BASELINE, noise=Noise(0.001, 9))["real"]


def test_three_picks_that_agree_by_luck_do_not_make_a_gain_certain():
    noisy = group("fbnet", 0.60, 0.85, 1.0)
    found = rows([*group("one_shot", 0.86, 0.86, 0.86), *noisy], BASELINE)[0]["ri"]
    assert found["value"] > 0
    assert not found["real"]


def test_one_pick_has_a_gain_where_others_tell_what_a_seed_changes():
    found = rows([*group("one_shot", None, 0.9), *group("fbnet", 0.80, 0.82)], BASELINE)
    assert (found[0]["picks"], found[0]["seeds"]) == (1, 2)
    assert found[0]["ri"] is not None
    assert found[0]["retrained"]["error"] == pytest.approx(found[1]["retrained"]["error"] * 2**0.5)


def test_with_one_seed_there_is_no_error_and_no_gain():
    [found] = rows(group("one_shot", 0.9), BASELINE)
    assert found["retrained"] == {"mean": 0.9, "error": 0.0, "t": 0.0}
    assert found["ri"] is None
    assert quantile(0) == 0.0


def test_proxies_of_short_trainings_alone_are_marked_and_pooled_apart():
    entries = [entry("zero_cost", s, 0.9, hypervolume=0.5 + 0.1 * s) for s in range(2)]
    entries += [entry("one_shot", s, 0.9, hypervolume=0.6 + 0.01 * s) for s in range(2)]
    screen, other = rows(entries, BASELINE)
    assert (screen["shared"], other["shared"]) == (False, True)
    assert screen["hypervolume"]["error"] == pytest.approx(0.05)
    assert other["hypervolume"]["error"] == pytest.approx(0.005)
    assert remarks([screen, other], 60.0) == [
        "The hypervolume of Zero-cost screen is of short trainings alone, not of shared weights:"
        " it compares with no other."
    ]


# -- words -----------------------------------------------------------------------------------------


def test_the_highest_hypervolume_wins_where_no_other_is_near():
    found = winner([row("fbnet", 0.70, 0.99), row("one_shot", 0.72, 0.90)], 60.0)
    assert (found["strategy"], found["level"]) == ("one_shot", ["one_shot"])
    assert found["says"].startswith("One-shot wins: its hypervolume is the highest")
    assert found["rule"] == report.RULE


def test_within_one_standard_error_the_most_accurate_after_finetuning_wins():
    three = [row("fbnet", 0.711, 0.95), row("one_shot", 0.72, 0.90), row("mnasnet", 0.7, 1)]
    found = winner(three, 60.0)
    assert (found["strategy"], found["level"]) == ("fbnet", ["fbnet", "one_shot"])
    assert found["says"] == (
        "FBNet wins: of FBNet and One-shot, whose hypervolumes are within one standard error of"
        " the highest, it is the most accurate after finetuning."
    )


def test_who_is_not_of_shared_weights_or_misses_a_pick_or_the_cost_cannot_win():
    able = [row("one_shot", 0.5, 0.6), row("mnasnet", 0.4, 0.7)]
    better = [
        row("zero_cost", 0.9, 0.9, shared=False),
        row("fbnet", 0.9, 0.9, picks=2),
        row("netadapt", 0.9, 0.9, seconds=73.0),
    ]
    assert winner([*better, *able], 60.0)["strategy"] == "one_shot"


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ([row("zero_cost", 0.9, 0.9, shared=False)], "no strategy of shared weights took part"),
        ([row("fbnet", 0.9, None, picks=0)], "found a network within the limit each time"),
        ([row("fbnet", 0.9, 0.9, seconds=80.0)], "more than a fifth longer"),
        ([row("fbnet", 0.9, 0.9)], "FBNet is the only one that can be compared by the rule"),
        (
            [row("fbnet", 0.9, 0.9, t=0.0), row("one_shot", 0.5, 0.5, t=0.0)],
            "with one seed each, nobody knows",
        ),
    ],
)
def test_without_a_contest_or_with_chance_unknown_nobody_wins(found, said: str):
    verdict = winner(found, 60.0)
    assert (verdict["strategy"], verdict["level"]) == (None, [])
    assert verdict["says"].startswith("No winner: ")
    assert said in verdict["says"]


def test_the_rule_is_in_the_docstring_word_for_word_in_what_decides():
    said = " ".join((report.__doc__ or "").split())
    for words in ("within one standard error of", "after finetuning", "found a network within the"):
        assert words in said
        assert words in report.RULE


@pytest.mark.parametrize(("seconds", "said"), [(49.0, 0), (71.0, 0), (47.0, 1), (73.0, 1)])
def test_more_than_a_fifth_off_the_budget_is_said(seconds, said):
    assert len(remarks([row("one_shot", 0.5, 0.5, seconds=seconds)], 60.0)) == said


def test_all_that_are_off_the_budget_are_in_one_sentence():
    names = list(METHODS)[:3]
    off = [row(name, 0.5, 0.5, seconds=30.0 + i) for i, name in enumerate(names)]
    [said] = remarks([*off, row("zero_cost", 0.5, 0.5)], 60.0)
    titles = [METHODS[name].title for name in names]
    assert said == (
        f"Not the same cost: {titles[0]} took 30 s, {titles[1]} took 31 s and {titles[2]} took"
        " 32 s instead of 60 s on average."
    )
