"""Training shared weights: what is drawn moves, at the rate that the schedule says."""

from __future__ import annotations

import copy
import math
from itertools import cycle

import pytest
import torch

from engine.errors import RunError
from engine.events import EpochEnd
from engine.problem import evaluate
from engine.strategies.shared_training import SharedTraining
from tests.problems import toy_problem


def test_an_epoch_draws_once_for_every_batch_and_tells_their_mean_latency():
    problem = toy_problem()
    drawn = cycle([problem.space.largest(), problem.space.smallest()])
    training = SharedTraining(problem)
    (event,) = training.epoch(0, 2, draw=lambda: next(drawn), phase="here")
    assert isinstance(event, EpochEnd)
    assert (event.phase, event.epoch, event.gates) == ("here", 1, ())
    ends = (problem.latency.fastest_ms, problem.latency.slowest_ms)
    assert training.batches % 2 == 0
    assert event.modelled_ms == pytest.approx(sum(ends) / 2)


def test_what_the_drawn_network_does_not_use_stays_as_it_was():
    problem = toy_problem()
    space, supernet = problem.space, problem.supernet
    layer = next(i for i, op in enumerate(space.smallest().ops) if op == "skip")
    before = {name: p.clone() for name, p in supernet.slots[layer].named_parameters()}
    training = SharedTraining(problem)
    list(training.epoch(0, 1, draw=space.largest))
    moved = {name: p.clone() for name, p in supernet.slots[layer].named_parameters()}
    list(training.epoch(0, 1, draw=space.smallest))
    assert any(not torch.equal(moved[name], before[name]) for name in moved)
    for name, p in supernet.slots[layer].named_parameters():
        assert torch.equal(p, moved[name])


def test_the_learning_rate_falls_along_half_a_cosine_over_all_epochs():
    problem = toy_problem()
    training = SharedTraining(problem)
    list(training.epoch(0, 2, draw=problem.space.largest))
    last = (training.batches - 1) / training.batches
    expected = 0.5 * problem.recipe.lr * (1 + math.cos(math.pi * last / 2))
    assert training.optimizer.param_groups[0]["lr"] == pytest.approx(expected)


def test_a_few_epochs_make_networks_better_than_chance():
    problem = toy_problem()
    training = SharedTraining(problem)
    for i in range(6):
        list(training.epoch(i, 6, draw=problem.space.largest))
    assert evaluate(problem, problem.space.largest()).proxy_accuracy > 0.5


def test_a_loss_that_is_no_number_ends_the_search_with_a_sentence():
    problem = toy_problem()
    x, y = next(problem.splits["weights"].in_order(8))
    with pytest.raises(RunError, match="diverged"):
        SharedTraining(problem).update(x * math.nan, y, problem.space.largest())


def test_it_goes_on_after_a_checkpoint_as_if_never_stopped():
    problem = toy_problem()
    first = SharedTraining(problem)
    list(first.epoch(0, 3, draw=problem.space.largest))
    weights = {name: t.clone() for name, t in problem.supernet.state_dict().items()}
    state = copy.deepcopy(first.state_dict())
    generator = problem.generator.get_state()
    (whole,) = first.epoch(1, 3, draw=problem.space.largest)
    again = toy_problem()
    again.supernet.load_state_dict(weights)
    again.generator.set_state(generator)
    second = SharedTraining(again)
    second.load_state_dict(state)
    (resumed,) = second.epoch(1, 3, draw=again.space.largest)
    assert resumed == whole
