"""Comparing strategies: equal cost, equal trainings, nothing done twice, sums that add up."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine import compare as comparing
from engine.compare import Contest, compare, random_networks
from engine.devices import open_device
from engine.errors import RunError
from engine.events import (
    DataReady,
    Evaluated,
    Event,
    Finished,
    Measured,
    Progress,
    Resumed,
    Trained,
)
from engine.spec import RunSpec, Spec, TrainSpec
from engine.store import Store
from tests.builders import search_spec
from tests.problems import macs_latency, toy_space

SPACE = toy_space()
LATENCY = macs_latency(SPACE)
LIMIT = (LATENCY.fastest_ms + LATENCY.slowest_ms) / 2
WORTH = {"one_shot": 0.90, "random_search": 0.80}
EPOCH_S = {"one_shot": 3.0, "random_search": 1.0}


class Fake:
    """Runs that take made-up seconds and end in made-up accuracies; remembers what was asked."""

    def __init__(self, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store, self.done = store, []
        self.now = 1000.0
        monkeypatch.setattr("engine.store.time.time", lambda: self.now)
        key = open_device(search_spec().device).key
        store.put_calibration(key, SPACE.with_data(3).digest(), LATENCY.to_json())

    def __call__(self, spec: Spec, words: str) -> tuple[int, int]:
        self.done.append((spec, words))
        number = self.store.create_run(spec)
        say = self._search if isinstance(spec, RunSpec) else self._train
        say(number, spec)
        self.store.set_state(number, "finished")
        return number, 5_000_000

    def _tell(self, number: int, seconds: float, *events: Event) -> None:
        self.now += seconds
        self.store.append(number, *events)

    def _search(self, number: int, spec: RunSpec) -> None:
        self._tell(number, 7.0, Resumed(0), DataReady("toy", "0", ("a", "b", "c"), {}))
        for step in range(1, spec.epochs + 1):
            self._tell(number, EPOCH_S[spec.strategy], Progress(step, spec.epochs + 3, "train"))
        fast = LATENCY.fastest(SPACE)
        ms = LATENCY.predict(fast)
        self._tell(number, 2.0, Evaluated(str(fast), 0.7, ms, 1, 1))
        for step in (1, 2):
            self._tell(number, 0.5, Progress(spec.epochs + step, spec.epochs + 3, "front"))
        self._tell(number, 30.0, Measured(str(fast), ms, ms, ms, 9, (ms,)))
        self._tell(number, 0.0, Progress(spec.epochs + 3, spec.epochs + 3, "measure"))
        self._tell(number, 0.0, Finished("budget used", 1.0))

    def _train(self, number: int, spec: TrainSpec) -> None:
        host = self.store.run(spec.run).spec
        assert isinstance(host, RunSpec)
        picked = spec.arch == str(LATENCY.fastest(SPACE))
        worth = WORTH[host.strategy] if picked else 0.75 + 0.01 * (spec.seed % 3)
        bonus = 0.05 if spec.mode == "finetune" else 0.0
        worth += bonus + 0.001 * spec.seed
        self._tell(number, 1.0, Trained(spec.arch, spec.mode, 0.5, worth, worth, 1.0))


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    return Fake(Store(tmp_path / "studio.db"), monkeypatch)


def contest(**changes) -> Contest:
    base = search_spec(space=SPACE, latency_limit_ms=LIMIT)
    usual = Contest(base, ("one_shot", "random_search"), 2, 60.0, 6)
    return replace(usual, **changes)


def test_every_strategy_gets_epochs_for_the_same_seconds(fake):
    found = compare(contest(), fake.store, fake)
    slow, quick = found["strategies"]
    assert quick["epochs"] > 2 * slow["epochs"]
    for one in (slow, quick):
        # two of two generations are counted whole: 2.0 + 0.5 + 0.5 seconds of judging
        assert one["seconds"] == pytest.approx(one["epochs"] * EPOCH_S[one["strategy"]] + 3.0)
        assert 45 < one["seconds"] <= 60


def test_seeds_take_turns_so_that_a_slow_hour_hits_all_alike(fake):
    compare(contest(), fake.store, fake)
    searches = [s for s, _ in fake.done if isinstance(s, RunSpec)][2:]
    order = [(s.seed, s.strategy) for s in searches]
    assert order == [(seed, name) for seed in (0, 1) for name in ("one_shot", "random_search")]


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
    from engine.space import Arch

    for name in names:
        assert LATENCY.predict(Arch.parse(name)) <= LIMIT


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"strategies": ("luck",)}, "strategies: must be all or among single_path"),
        ({"seeds": 0}, "seeds: must be from 1 to 100, got 0"),
        ({"budget_s": 0.0}, "seconds per search: must be above 0"),
    ],
)
def test_a_contest_that_cannot_be_is_refused(changes, message):
    with pytest.raises(RunError, match=message):
        contest(**changes)
