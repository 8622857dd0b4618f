"""MnasNet's rules: its reward, its controller, its factorised space, its held-out images."""

from __future__ import annotations

import math
import random

import pytest
import torch

from engine.events import Evaluated
from engine.front import phase as front_phase
from engine.front.limits import Limits
from engine.presets import load
from engine.space import Arch, SearchSpace
from engine.stage import SKIP
from engine.strategies.controller import Controller
from engine.strategies.mnasnet import HARD, SOFT, MnasNet, held_out, reward
from tests.problems import toy_problem, toy_splits


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front_phase, "CHILDREN", 8)


def opened(**changes) -> MnasNet:
    return MnasNet(toy_problem(strategy="mnasnet", **changes))


@pytest.mark.parametrize("w", [0.0, -0.07, -0.15, -1.0, 0.3])
def test_at_the_limit_the_reward_is_the_accuracy_for_every_exponent(w):
    assert reward(0.73, 20.0, 20.0, (w, w)) == 0.73


@pytest.mark.parametrize("ms", [5.0, 20.0, 60.0])
def test_soft_doubling_the_latency_multiplies_the_reward_by_95_percent(ms):
    ratio = reward(0.7, 2 * ms, 20.0, SOFT) / reward(0.7, ms, 20.0, SOFT)
    assert ratio == pytest.approx(0.9526, abs=5e-5)


def test_hard_the_reward_is_the_same_for_every_latency_within_the_limit():
    assert {reward(0.7, ms, 20.0, HARD) for ms in (1.0, 10.0, 19.99, 20.0)} == {0.7}
    assert reward(0.7, 40.0, 20.0, HARD) == pytest.approx(0.35)


@pytest.mark.parametrize(("mode", "exponents"), [("", SOFT), ("soft", SOFT), ("hard", HARD)])
def test_the_mode_chooses_the_exponents(mode, exponents):
    assert opened(mode=mode).exponents == exponents


@pytest.mark.parametrize("name", ["mnasnet-a1", "mnasnet-b1", "mnasnet"])
def test_the_published_tables_survive_being_written_and_read(name):
    space = load(name)
    again = SearchSpace.from_json(space.to_json())
    assert again == space
    assert again.require(Arch.parse(str(space.largest()))) == space.largest()


def test_all_layers_of_a_block_are_alike_in_every_network_that_is_drawn():
    space = load("mnasnet")
    controller, rng = Controller(space), random.Random(0)
    for _ in range(50):
        arch = controller.draw(rng)
        for number in range(1, len(space.stages) + 1):
            pairs = zip(space.slots(), arch.ops, strict=True)
            assert len({op for slot, op in pairs if slot.stage == number} - {SKIP}) <= 1


def test_rewards_come_from_images_that_weights_never_see():
    split = toy_splits(8)["weights"]
    trained, rewarding = held_out(split)
    assert len(trained) + len(rewarding) == len(split)
    assert 0.1 < len(rewarding) / len(split) < 0.3
    seen = {image.numpy().tobytes() for image in trained.images}
    assert not any(image.numpy().tobytes() in seen for image in rewarding.images)
    assert len(rewarding.labels.unique()) == 3


def test_the_controller_learns_nothing_in_the_warm_up_and_something_after():
    search = opened(epochs=4)
    list(search.step(0))
    assert search.phase(0) == "warm-up"
    assert search.controller.entropy() == pytest.approx(1.0)
    list(search.step(1))
    assert search.phase(1) == "learn"
    assert search.controller.entropy() < 1.0 - 1e-6
    assert search.learned == search.training.batches


def test_judging_a_drawn_network_moves_no_weight():
    search = opened()
    before = {name: p.clone() for name, p in search.problem.supernet.named_parameters()}
    assert 0.0 <= search.accuracy(search.problem.space.largest()) <= 1.0
    for name, p in search.problem.supernet.named_parameters():
        assert torch.equal(p, before[name])
        assert p.grad is None


def test_a_controller_that_is_told_to_be_fast_draws_faster_networks(monkeypatch):
    search = opened(epochs=20)
    monkeypatch.setattr(MnasNet, "accuracy", lambda *_: 0.8)
    search.exponents = (-2.0, -2.0)
    means = [next(iter(search.step(i))).modelled_ms for i in range(search.epochs)]
    assert sum(means[-4:]) < 0.8 * sum(means[:4])


def test_the_front_is_seeded_with_what_the_controller_likes_within_the_limits():
    most = int(toy_problem().filter.figure("params", toy_problem().space.largest()) * 0.6)
    search = opened(limits=Limits(params=most), epochs=3)
    seeds = search.seeds()
    assert seeds
    assert all(search.problem.filter.admits(arch) for arch in seeds)
    likely = search.controller.likeliest(512)
    assert [likely.index(arch) for arch in seeds] == sorted(likely.index(arch) for arch in seeds)
    (first, *_) = search.step(search.epochs)
    assert isinstance(first, Evaluated)
    assert first.arch == str(seeds[0])


def test_a_controller_that_likes_nothing_within_the_limits_is_moved_there():
    search = opened(epochs=3)
    with torch.no_grad():
        search.controller.logits.copy_(10.0 * torch.arange(search.controller.logits.shape[1]))
    search.problem.filter.limit_ms = search.problem.latency.fastest_ms * 1.001
    (seed,) = search.seeds()
    assert search.problem.filter.admits(seed)


def test_the_bonus_for_entropy_has_faded_when_learning_ends(monkeypatch):
    search, told = opened(epochs=4), []
    learn = search.controller.learn
    monkeypatch.setattr(
        search.controller, "learn", lambda *args: (told.append(args[2]), learn(*args))
    )
    for i in range(search.epochs):
        list(search.step(i))
    assert told == sorted(told, reverse=True)
    assert told[-1] < 0.1 * told[0]
    assert all(math.isfinite(x) for x in told)
