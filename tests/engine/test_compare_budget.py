"""What searches cost and how many epochs a budget buys: sums over logs, lines through pilots."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.contest.budget import FEWEST, MOST, Cost, Price, cost_of, price_by, price_of
from engine.events import Calibrated, DataReady, Evaluated, Progress, Resumed, Warned
from engine.front.phase import FrontPhase
from engine.front.rounds import rounds
from engine.methods import METHODS
from tests.fake_contest import plan
from tests.problems import toy_problem

READY = DataReady("toy", "0", ("a", "b", "c"), {})


def progress(step: int, phase: str = "train") -> Progress:
    return Progress(step, 9, phase)


@pytest.mark.parametrize("epochs", [3, 8, 11, 12, 39, 40, 100])
def test_rounds_are_as_many_as_the_front_phase_has(epochs):
    assert rounds(epochs) == FrontPhase(toy_problem(epochs=epochs)).steps


@pytest.mark.parametrize("strategy", METHODS)
def test_rounds_are_found_under_the_names_that_strategies_give_them(strategy):
    log = [(0.0, Resumed(0))]
    names = plan(strategy, 13)
    log += [(float(i), progress(i, phase)) for i, phase in enumerate(names, 1)]
    found = cost_of(log)
    assert found.seconds == len(names)
    assert found.rounds in (rounds(13), 0)
    assert found.rounds or strategy in ("netadapt", "zero_cost")


def test_the_cost_is_all_but_what_comes_before_and_the_measuring_after():
    log = [
        (0.0, Resumed(0)),
        (5.0, READY),
        (8.0, Calibrated({}, {}, 1.0, 2.0, 3.0)),
        (9.0, Warned("busy")),
        (10.0, progress(1, "warm-up")),
        (11.0, Evaluated("skip", 0.5, 1.0, 1, 1)),
        (14.0, progress(2, "judge")),
        (17.0, progress(3, "front")),
        (18.0, progress(4, "draw")),
        (60.0, progress(5, "measure")),
    ]
    assert cost_of(log) == Cost(2.0 + 4.0, 3.0 + 1.0, 2)


def test_steps_that_a_crash_had_done_again_count_once():
    log = [
        (0.0, Resumed(0)),
        (2.0, READY),
        (4.0, progress(1)),
        (6.0, progress(2)),  # then it died before the checkpoint of step 2
        (90.0, Resumed(1)),
        (93.0, progress(2)),
        (94.0, progress(3, "front")),
        (200.0, Resumed(2)),
        (204.0, progress(3, "front")),
        (205.0, progress(4, "front")),
    ]
    assert cost_of(log) == Cost(2.0 + 3.0, 4.0 + 1.0, 2)


def test_a_start_from_the_beginning_forgets_everything_before():
    log = [(0.0, Resumed(0)), (1.0, progress(1)), (2.0, progress(2))]
    log += [(5.0, Resumed(0)), (8.0, READY)]
    assert cost_of([*log, (9.5, progress(1))]) == Cost(1.5, 0.0, 0)
    assert cost_of([]) == Cost(0.0, 0.0, 0)


def test_a_budget_buys_the_most_epochs_that_fit():
    price = Price(2.0, 0.5, 1.0)
    assert price.seconds(100) == 2.0 + 50.0 + 10.0
    assert price.epochs(62.0) == 100
    assert price.epochs(61.9) == 99
    assert price.epochs(0.1) == FEWEST
    assert Price(0.0, 0.0, 0.0).epochs(1.0) == MOST


@given(
    st.floats(-1, 20), st.floats(0.01, 9), st.floats(0, 9), st.integers(8, 999), st.floats(1, 999)
)
def test_two_pilots_give_back_the_price_they_were_made_with(fixed, each, per_round, long, budget):
    price = Price(fixed, each, per_round)
    costs = [Cost(fixed + each * n, per_round * rounds(n), rounds(n)) for n in (4, long)]
    found = price_by((4, costs[0]), (long, costs[1]))
    assert found.seconds(50) == pytest.approx(price.seconds(50), abs=1e-6)
    assert FEWEST <= found.epochs(budget) <= MOST


def test_a_longer_pilot_that_was_cheaper_counts_alone():
    found = price_by((4, Cost(9.0, 2.0, 2)), (20, Cost(8.0, 5.0, 5)))
    assert found == price_of(20, Cost(8.0, 5.0, 5)) == Price(0.0, 0.4, 1.0)
