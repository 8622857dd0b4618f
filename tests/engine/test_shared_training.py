"""Training shared weights: what is drawn moves, at the rate that the schedule says."""

from __future__ import annotations

import copy
import math
from itertools import cycle

import pytest
import torch
from torch import Tensor

from engine.errors import RunError
from engine.events import EpochEnd
from engine.problem import Problem, evaluate
from engine.recipe import OPTIMIZERS, Recipe, with_usual_lr
from engine.strategies.shared_training import SharedTraining
from engine.superkernel import SuperKernel
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


def moved_by_the_smallest(optimizer: str) -> tuple[Problem, dict[str, Tensor], dict[str, Tensor]]:
    """Weights by name when the largest network has learned, and after an epoch of the smallest."""
    problem = toy_problem()
    problem.recipe = Recipe(batch=32, **with_usual_lr({"optimizer": optimizer}))
    training = SharedTraining(problem)
    list(training.epoch(0, 2, draw=problem.space.largest))  # gives the optimiser a memory
    before = {name: p.detach().clone() for name, p in problem.supernet.named_parameters()}
    list(training.epoch(0, 2, draw=problem.space.smallest))
    return problem, before, dict(problem.supernet.named_parameters())


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_layers_that_the_drawn_network_leaves_out_stay_as_they_were(optimizer):
    problem, before, after = moved_by_the_smallest(optimizer)
    skipped = problem.space.smallest().ops.index("skip")
    inside = [name for name in before if name.startswith(f"slots.{skipped}.")]
    assert inside
    assert all(torch.equal(after[name], before[name]) for name in inside)
    assert not torch.equal(after["stem.0.conv.weight"], before["stem.0.conv.weight"])


def test_what_the_drawn_network_does_not_use_of_a_layer_stays_as_it_was():
    problem, before, after = moved_by_the_smallest("sgd")
    kernel = problem.supernet.kernels()[1]
    assert isinstance(kernel, SuperKernel)
    assert problem.space.smallest().ops[1] == "k3e3"
    narrow = kernel.mids[0]
    ring = torch.ones_like(kernel.depthwise, dtype=torch.bool)
    ring[:narrow, :, 1:-1, 1:-1] = False
    inside = before["slots.1.depthwise"], after["slots.1.depthwise"]
    assert torch.equal(inside[0][ring], inside[1][ring])
    assert not torch.equal(inside[0][~ring], inside[1][~ring])
    for name in ("expand", "bn_expand.weight", "bn_depthwise.bias"):
        name = f"slots.1.{name}"
        assert torch.equal(before[name][narrow:], after[name][narrow:])
        assert not torch.equal(before[name][:narrow], after[name][:narrow])


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
