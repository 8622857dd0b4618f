"""RoBoT's combination: it finds what the metrics tell, and asks about no network twice."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from engine.strategies.robot import Robot, foreseen, normalised

NUMBERS = st.floats(allow_nan=True, allow_infinity=True, width=32)


def pool(count: int = 200, metrics: int = 4, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).random((count, metrics))


def searched(robot: Robot, worth: np.ndarray, explored: int, followed: int) -> list[int]:
    """The networks asked about, in order."""
    rng, asked = np.random.default_rng(1), []
    for i in range(explored + followed):
        chosen = robot.explore(rng) if i < explored else robot.follow()
        assert chosen is not None
        robot.tell(chosen, float(worth[chosen]))
        asked.append(chosen)
    return asked


@given(
    arrays.arrays(np.float64, st.tuples(st.integers(1, 12), st.integers(1, 4)), elements=NUMBERS)
)
def test_scores_are_finite_and_from_0_to_1_whatever_the_metrics_are(values):
    scores = normalised(values)
    assert scores.shape == values.shape
    assert np.isfinite(scores).all()
    assert scores.min() >= 0
    assert scores.max() <= 1


def test_a_metric_that_is_no_number_speaks_neither_for_nor_against_a_network():
    scores = normalised(np.array([[1.0], [math.nan], [3.0], [2.0], [math.inf]]))
    assert scores[:, 0].tolist() == [0.0, 0.5, 1.0, 0.5, 0.5]


def test_it_asks_about_no_network_twice():
    asked = searched(Robot(pool(30)), np.arange(30.0), 15, 15)
    assert len(set(asked)) == 30


def test_it_finds_better_networks_than_as_many_random_ones():
    gained = []
    for seed in range(5):
        robot = Robot(pool(seed=seed))
        worth = robot.scores @ np.array([1.0, -0.5, 0.0, 0.2])
        asked = searched(robot, worth, 10, 10)
        drawn = np.random.default_rng(seed).choice(len(worth), 20, replace=False)
        gained.append(worth[asked].max() - worth[drawn].max())
    assert np.mean(gained) > 0.1


def test_following_goes_down_the_ranking_of_the_best_weights():
    robot = Robot(pool(20, 2))
    robot.tried = [((1.0, 0.0), 3), ((0.0, 1.0), 7)]
    robot.tell(3, 0.4)
    robot.tell(7, 0.9)
    order = [i for i in np.argsort(-robot.scores[:, 1], kind="stable") if i not in (3, 7)]
    asked = [robot.follow()]
    robot.tell(asked[0], 0.0)
    assert [*asked, robot.follow()] == order[:2]


def test_metrics_that_tell_nothing_apart_still_leave_every_network_to_ask_about():
    robot = Robot(np.zeros((6, 3)))
    assert len(set(searched(robot, np.ones(6), 6, 0))) == 6


def test_a_pool_that_is_known_altogether_leaves_nothing_to_ask():
    robot = Robot(pool(4))
    searched(robot, np.ones(4), 4, 0)
    assert robot.explore(np.random.default_rng(0)) is None
    assert robot.follow() is None


def test_an_empty_pool_leaves_nothing_to_ask():
    robot = Robot(normalised(np.zeros((0, 3))))
    assert robot.explore(np.random.default_rng(0)) is None
    assert robot.follow() is None


def test_it_goes_on_after_a_checkpoint_as_if_never_stopped():
    worth = pool() @ np.ones(4)
    first = Robot(pool())
    searched(first, worth, 5, 0)
    second = Robot(pool())
    second.load(first.to_json())
    rngs = (np.random.default_rng(3), np.random.default_rng(3))
    assert first.explore(rngs[0]) == second.explore(rngs[1])


def test_a_gaussian_process_is_sure_of_what_it_was_told_and_of_nothing_far_away():
    x = np.array([[0.0, 0.0], [0.5, 0.5], [-0.5, 0.3]])
    y = np.array([0.2, 0.9, 0.4])
    mean, deviation = foreseen(x, y, np.concatenate([x, [[50.0, 50.0]]]))
    assert mean[:3] == pytest.approx(y, abs=0.01)
    assert deviation[:3].max() < 0.05 * deviation[3]
    assert mean[3] == pytest.approx(y.mean())
