"""The zero-cost screen: a pool within limits, honest correlations, trainings that share nothing."""

from __future__ import annotations

import io
import math
from functools import cache

import pytest
import torch

from engine.build import build
from engine.events import EpochEnd, Evaluated, Event, Screened, Warned, fold
from engine.front.limits import Limits
from engine.run import freeze
from engine.space import Arch
from engine.strategies import zero_cost
from engine.strategies.metrics import METRICS
from engine.strategies.shared_training import SharedTraining
from engine.strategies.zero_cost import ZeroCost
from engine.train import accuracy, recalibrate_bn
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_problem


@pytest.fixture(autouse=True)
def a_small_pool(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zero_cost, "PER_EPOCH", 4)


def opened(space=None, **changes) -> ZeroCost:
    return ZeroCost(toy_problem(space, strategy="zero_cost", **{"epochs": 6, **changes}))


def run(search: ZeroCost, stop: int | None = None) -> list[Event]:
    steps = range(search.steps if stop is None else stop)
    return [event for i in steps for event in search.step(i)]


@cache  # a second or two; read only
def searched() -> tuple[ZeroCost, list[Event]]:
    search = opened(epochs=12)
    return search, run(search)


@pytest.mark.parametrize(("epochs", "networks"), [(3, 12), (40, 160), (100, 400), (1000, 2000)])
def test_the_pool_grows_with_the_budget_up_to_2000(epochs, networks):
    assert opened(epochs=epochs).wanted == networks


def test_the_pool_is_no_larger_than_the_space():
    assert opened(small_space(stage()), epochs=40).wanted == small_space(stage()).size()


def test_the_epochs_of_the_budget_are_divided_among_the_queried_networks():
    for epochs in (3, 12, 40, 100):
        search = opened(epochs=epochs)
        assert search.queries >= 3
        assert 0.75 * epochs <= search.queries * search.epochs <= epochs


def test_every_network_of_the_pool_is_within_the_limits_and_in_it_once():
    most = toy_problem().filter.figure("params", toy_problem().space.largest()) / 2
    search = opened(limits=Limits(params=int(most)))
    run(search, search.screens)
    assert len(set(search.pool)) == len(search.pool) > 5
    assert all(search.problem.filter.admits(arch) for arch in search.pool)


def test_the_correlation_of_every_metric_with_size_is_told():
    _, events = searched()
    (screened,) = [event for event in events if isinstance(event, Screened)]
    assert set(screened.correlations) == set(METRICS)
    assert all(set(known) == {"params", "macs"} for known in screened.correlations.values())
    assert screened.correlations["l2_norm"]["params"] > 0.2
    assert all(-1 <= tau <= 1 for known in screened.correlations.values() for tau in known.values())


def test_a_metric_that_fails_on_some_networks_stops_nothing(monkeypatch):
    real, calls = zero_cost.training_free, []

    def failing(*args):
        calls.append(1)
        bad = {"naswot": -math.inf, "synflow": math.nan} if len(calls) % 2 else {}
        return {**real(*args), **bad}

    monkeypatch.setattr(zero_cost, "training_free", failing)
    search = opened()
    view = fold(run(search))
    assert len(view.candidates) == search.queries
    assert all(
        math.isfinite(t) for known in view.screened.correlations.values() for t in known.values()
    )


def test_every_queried_network_is_trained_once_and_its_accuracy_told():
    search, events = searched()
    told = [event.arch for event in events if isinstance(event, Evaluated)]
    assert len(told) == len(set(told)) == search.queries
    assert search.robot is not None
    assert {str(search.pool[i]) for i in search.robot.values} == set(told)


def test_every_accuracy_told_is_that_of_the_weights_in_the_checkpoint():
    search, events = searched()
    told = {e.arch: e.proxy_accuracy for e in events if isinstance(e, Evaluated)}
    assert len(set(told.values())) > 1
    buffer = io.BytesIO()
    torch.save(freeze(search.problem, search, step=search.steps, seconds=0.0), buffer)
    kept = torch.load(io.BytesIO(buffer.getvalue()), weights_only=True)["strategy"]["own"]
    assert kept.keys() == told.keys()
    for arch, weights in kept.items():
        network = build(search.problem.space.layers(Arch.parse(arch)))
        network.load_state_dict(weights)
        recalibrate_bn(network, search.problem.splits["weights"])
        assert accuracy(network, search.problem.splits["architecture"]) == told[arch]


def test_no_training_of_another_network_makes_an_accuracy_stale():
    _, events = searched()
    assert not any(isinstance(event, EpochEnd) for event in events)
    view = fold(events)
    assert len(view.fresh()) == len(view.candidates)


@pytest.mark.parametrize(("epochs", "said"), [(124, True), (125, False)])
def test_a_pool_smaller_than_the_published_one_is_told(monkeypatch, epochs, said):
    monkeypatch.setattr(zero_cost, "drawn_within", lambda problem, _: [problem.space.largest()])
    search = opened(epochs=epochs)
    told = [event.message for event in search.step(0) if isinstance(event, Warned)]
    assert bool(told) is said
    assert not said or "496 networks are screened" in told[0]


def test_a_space_of_few_networks_is_screened_whole_without_a_word():
    search = opened(small_space(stage()), epochs=40)
    assert not any(isinstance(event, Warned) for event in search.step(0))


def test_each_training_begins_with_the_same_random_weights(monkeypatch):
    search, begun = opened(epochs=12), []
    real = SharedTraining.epoch

    def epoch(self, number, of, **words):
        if number == 0:
            state = search.problem.supernet.state_dict()
            begun.append({name: tensor.clone() for name, tensor in state.items()})
        yield from real(self, number, of, **words)

    before = {name: t.clone() for name, t in search.problem.supernet.state_dict().items()}
    monkeypatch.setattr(SharedTraining, "epoch", epoch)
    run(search)
    assert len(begun) == search.queries
    assert all(torch.equal(state[name], t) for state in begun for name, t in before.items())


def test_short_trainings_beat_chance():
    _, events = searched()
    assert max(e.proxy_accuracy for e in events if isinstance(e, Evaluated)) > 0.5


def test_a_space_with_fewer_networks_than_queries_ends_all_the_same():
    space = small_space(stage(depth=[1, 1], kernel=[3]))
    search = opened(space, latency_limit_ms=macs_latency(space).slowest_ms, epochs=12)
    view = fold(run(search))
    assert len(view.candidates) == space.size() == 2


def test_a_screen_goes_on_in_the_middle_of_a_training(monkeypatch):
    monkeypatch.setattr(zero_cost, "AT_ONCE", 8)
    search = opened(epochs=12)
    assert search.screens > 1
    assert search.epochs > 1
    phases = [search.phase(i) for i in range(search.steps)]
    assert list(dict.fromkeys(phases)) == ["screen", "explore", "follow"]
