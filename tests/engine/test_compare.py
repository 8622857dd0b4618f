"""Comparing strategies: equal cost, equal trainings, nothing done twice, sums that add up."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest

from engine.contest import compare as comparing
from engine.contest.compare import Step, compare, phases, random_networks
from engine.errors import RunError
from engine.methods import METHODS
from engine.space import Arch
from engine.spec import RunSpec, TrainSpec
from engine.store import Store
from tests.fake_contest import LATENCY, LIMIT, SPACE, Fake, contest, seconds_of


def pilots(fake: Fake) -> dict[str, list[int]]:
    """Epochs of every strategy's pilots."""
    found: dict[str, list[int]] = {}
    for spec, _ in fake.done:
        if isinstance(spec, RunSpec) and spec.seed == comparing.PILOT_SEED:
            found.setdefault(spec.strategy, []).append(spec.epochs)
    return found


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(Store(tmp_path / "studio.db"), monkeypatch)


def test_every_strategy_gets_epochs_for_the_same_seconds(fake):
    found = compare(contest(strategies=tuple(METHODS), seeds=1), fake.store, fake)
    assert len(found["strategies"]) == len(METHODS)
    for one in found["strategies"]:
        assert one["seconds"] == pytest.approx(seconds_of(one["strategy"], one["epochs"]))
        assert 54 < one["seconds"] <= 63, one
    assert not [remark for remark in found["remarks"] if "same cost" in remark]


def test_the_second_pilot_takes_about_half_of_the_budget(fake):
    compare(contest(), fake.store, fake)
    for name, (short, long) in pilots(fake).items():
        assert short == comparing.PILOT_EPOCHS
        assert 25 < seconds_of(name, long) < 35


def test_a_second_pilot_that_outlasts_the_budget_still_tells_the_epochs(fake):
    compare(contest(strategies=("one_shot",), budget_s=20.0), fake.store, fake)
    assert seconds_of("one_shot", pilots(fake)["one_shot"][1]) > 20.0
    searches = [s for s, _ in fake.done if isinstance(s, RunSpec) and s.strategy == "one_shot"]
    assert 14 < seconds_of("one_shot", searches[-1].epochs) <= 20.0


def test_where_four_epochs_are_too_dear_there_is_no_longer_pilot(fake):
    found = compare(contest(strategies=("one_shot",), budget_s=10.0), fake.store, fake)
    assert pilots(fake)["one_shot"] == [4]
    assert found["strategies"][0]["epochs"] == 3
    assert found["remarks"][0] == (
        "Not the same cost: One-shot took 13 s instead of 10 s on average."
    )


def test_random_search_is_part_of_every_comparison(fake):
    found = compare(contest(strategies=("one_shot",)), fake.store, fake)
    assert [row["strategy"] for row in found["strategies"]] == ["one_shot", "random_search"]
    assert found["remarks"] == ["Random search is part of every comparison, asked for or not."]
    assert phases(contest(strategies=("one_shot",))) == phases(contest())


def test_seeds_take_turns_so_that_a_slow_hour_hits_all_alike(fake):
    compare(contest(), fake.store, fake)
    searches = [s for s, _ in fake.done if isinstance(s, RunSpec)][4:]
    order = [(s.seed, s.strategy) for s in searches]
    assert order == [(seed, name) for seed in (0, 1) for name in ("one_shot", "random_search")]


def test_every_step_is_at_its_place_in_the_phases(fake):
    seen, steps = [], comparing.contest_steps(contest(), fake.store)
    step: Step | None = next(steps)
    while step is not None:
        seen.append((step.number, phases(contest())[step.number], step.spec))
        with contextlib.suppress(StopIteration):
            step, last = None, step
            step = steps.send(fake(last.spec, last.words))
    assert [number for number, *_ in seen] == list(range(len(phases(contest()))))
    for _, phase, spec in seen:
        kind = {"baseline": "retrain"}.get(phase, "search" if "pilot" in phase else phase)
        assert kind == (spec.mode if isinstance(spec, TrainSpec) else spec.kind)


def test_all_picks_are_trained_alike(fake):
    compare(contest(), fake.store, fake)
    trainings = [s for s, _ in fake.done if isinstance(s, TrainSpec)]
    assert {t.epochs for t in trainings} == {6}
    picks = [t for t in trainings if t.arch == str(LATENCY.fastest(SPACE))]
    assert [t.mode for t in picks] == ["finetune", "retrain"] * 4


def test_the_row_of_a_strategy_is_what_its_runs_came_to(fake):
    found = compare(contest(), fake.store, fake)
    row = found["strategies"][0]
    assert row["retrained"]["mean"] == pytest.approx(0.9005)
    assert row["finetuned"]["mean"] == pytest.approx(0.9505)
    assert row["retrained"]["error"] == pytest.approx(0.0005)
    mean = found["random"]["accuracy"]
    assert row["ri"]["value"] == pytest.approx((0.9005 - mean) / mean)
    area = (LATENCY.slowest_ms - LATENCY.fastest_ms) * 0.7 / LATENCY.slowest_ms
    assert row["hypervolume"]["mean"] == pytest.approx(area)
    assert row["peak_bytes"] == 5_000_000
    assert row["picks"] == 2


def test_a_search_without_a_pick_counts_as_none(fake, monkeypatch):
    monkeypatch.setattr(comparing, "picked", lambda *_: None)
    found = compare(contest(), fake.store, fake)
    row = found["strategies"][0]
    assert (row["picks"], row["finetuned"], row["ri"]) == (0, None, None)


def test_the_random_networks_lie_just_below_the_limit_and_differ():
    names = random_networks(SPACE, LATENCY, contest())
    again = random_networks(SPACE, LATENCY, contest())
    assert names == again
    assert len(set(names)) == len(names) == comparing.RANDOM
    for name in names:
        assert LATENCY.predict(Arch.parse(name)) <= LIMIT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": ("luck",)}, "strategies: must be all or among single_path"),
        ({"seeds": 0}, "seeds: must be a whole number from 1 to 100, got 0"),
        ({"budget_s": 0.0}, "seconds per search: must be above 0"),
        ({"budget_s": float("nan")}, "seconds per search: must be above 0"),
        ({"strategies": ()}, "strategies: must be at least one, each named once, got none"),
        ({"strategies": ("fbnet", "fbnet")}, "each named once, got fbnet, fbnet"),
        ({"epochs": 0}, "epochs: must be a whole number from 1"),
    ],
)
def test_a_contest_that_cannot_be_is_refused(changes, message):
    with pytest.raises(RunError, match=message):
        contest(**changes)
