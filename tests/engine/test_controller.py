"""The controller: what it is rewarded for becomes likely, and nothing else does."""

from __future__ import annotations

import random

import pytest

from engine.space import SearchSpace
from engine.strategies.controller import Controller
from tests.builders import small_space, stage
from tests.problems import toy_space


def taught(space: SearchSpace, worth, draws: int, *, bonus: float = 0.0) -> Controller:
    """A controller after so many draws, each rewarded by `worth`."""
    controller, rng = Controller(space, lr=5e-2), random.Random(0)
    for _ in range(draws):
        arch = controller.draw(rng)
        controller.learn(arch, worth(arch), bonus)
    return controller


def test_it_begins_by_drawing_every_value_as_often():
    assert Controller(toy_space()).entropy() == pytest.approx(1.0)


def test_a_reward_that_never_changes_keeps_it_nearly_uniform():
    assert taught(toy_space(), lambda _: 0.7, 400).entropy() > 0.99


def test_rewarding_one_value_of_the_first_gene_makes_it_nearly_certain():
    space = toy_space()
    wanted = space.genes()[0].values[-1]
    controller = taught(space, lambda arch: float(space.parts(arch)[0] == wanted), 400)
    assert controller.probabilities()[0][-1] > 0.95


def test_the_entropy_bonus_keeps_it_from_deciding():
    space = toy_space()
    first = space.genes()[0].values[-1]

    def worth(arch):
        return float(space.parts(arch)[0] == first)

    assert taught(space, worth, 200, bonus=1.0).entropy() > taught(space, worth, 200).entropy()


def test_it_draws_networks_of_the_space_only():
    space = small_space(stage(layers="same"), stage())
    controller, rng = Controller(space), random.Random(0)
    assert all(controller.draw(rng) in space for _ in range(100))


def test_the_baseline_follows_the_rewards_slowly():
    space = toy_space()
    controller = Controller(space)
    controller.learn(space.largest(), 1.0)
    controller.learn(space.largest(), 0.0)
    assert controller.baseline == pytest.approx(0.95)


def test_the_likeliest_networks_are_those_of_the_greatest_products():
    space = small_space(stage())
    controller = taught(space, lambda arch: len(str(arch)) / 20, 60)
    rows = controller.probabilities()
    products = {
        (a, b): p * q
        for a, p in zip(space.genes()[0].values, rows[0], strict=True)
        for b, q in zip(space.genes()[1].values, rows[1], strict=True)
    }
    best = sorted(products.values(), reverse=True)[:5]
    found = [products[tuple(space.parts(arch))] for arch in controller.likeliest(5)]
    assert found == pytest.approx(best, rel=1e-5)


def test_a_space_of_one_network_teaches_nothing_and_breaks_nothing():
    space = small_space(stage(depth=[1, 1], kernel=[3], expand=[3]))
    controller = taught(space, lambda _: 1.0, 3, bonus=0.1)
    assert controller.likeliest(4) == [space.largest()]


def test_it_learns_on_after_a_checkpoint_as_if_never_stopped():
    space = toy_space()
    whole, first = Controller(space), Controller(space)
    for controller in (whole, first):
        controller.learn(space.largest(), 0.5)
    second = Controller(space)
    second.load_state_dict(first.state_dict())
    for controller in (whole, second):
        controller.learn(space.smallest(), 0.9, 0.01)
        controller.learn(space.largest(), 0.1, 0.01)
    assert second.probabilities() == whole.probabilities()
