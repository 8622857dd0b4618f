"""RMSProp as TensorFlow 1 has it: every step against the formula, written out in plain numbers."""

from __future__ import annotations

import math

import pytest
import torch

from engine.rmsprop import TFRMSProp

LR, DECAY, MOMENTUM, EPS = 0.1, 0.9, 0.9, 1e-3


def stepped(weight: float, gradients: list[float], lr: float = LR) -> list[float]:
    """The weight after every step."""
    p = torch.nn.Parameter(torch.tensor([weight], dtype=torch.float64))
    optimizer = TFRMSProp([p], lr=lr)
    weights = []
    for gradient in gradients:
        p.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
        weights.append(float(p.detach()))
    return weights


def test_the_first_step_divides_by_the_root_of_an_accumulator_that_began_at_one() -> None:
    square = DECAY * 1.0 + (1 - DECAY) * 2.0**2
    assert stepped(5.0, [2.0]) == pytest.approx([5.0 - LR * 2.0 / math.sqrt(square + EPS)])


def test_two_steps_carry_the_accumulator_and_the_momentum() -> None:
    first_square = DECAY + (1 - DECAY) * 2.0**2
    first = LR * 2.0 / math.sqrt(first_square + EPS)
    second_square = DECAY * first_square + (1 - DECAY) * 3.0**2
    second = MOMENTUM * first - LR * 3.0 / math.sqrt(second_square + EPS)
    assert stepped(5.0, [2.0, -3.0]) == pytest.approx([5.0 - first, 5.0 - first - second])


def test_epsilon_is_inside_the_root() -> None:
    gradients = [0.0] * 200 + [1e-6]  # the accumulator is forgotten: only epsilon is left
    square = DECAY**201
    moved = 5.0 - stepped(5.0, gradients)[-1]
    assert moved == pytest.approx(LR * 1e-6 / math.sqrt(square + EPS), rel=1e-6)
    assert moved < LR * 1e-6 / EPS / 10  # what epsilon outside the root would allow


def test_without_a_gradient_momentum_alone_moves_the_weight() -> None:
    first, second, third = stepped(0.0, [1.0, 0.0, 0.0])
    assert second - first == pytest.approx(MOMENTUM * first)
    assert third - second == pytest.approx(MOMENTUM**2 * first)


def test_every_entry_has_an_accumulator_of_its_own() -> None:
    p = torch.nn.Parameter(torch.zeros(2, dtype=torch.float64))
    p.grad = torch.tensor([1.0, 10.0], dtype=torch.float64)
    TFRMSProp([p], lr=LR).step()
    assert p.detach().tolist() == pytest.approx([*stepped(0.0, [1.0]), *stepped(0.0, [10.0])])


def test_parameters_without_a_gradient_stay_and_get_no_state() -> None:
    still, moved = torch.nn.Parameter(torch.ones(2)), torch.nn.Parameter(torch.ones(2))
    moved.grad = torch.ones(2)
    optimizer = TFRMSProp([still, moved], lr=LR)
    optimizer.step()
    assert still.detach().tolist() == [1.0, 1.0]
    assert (moved.detach() < 1).all()
    assert still not in optimizer.state


def test_a_saved_state_goes_on_as_if_never_saved() -> None:
    gradients = [2.0, -3.0, 0.5]
    first = torch.nn.Parameter(torch.tensor([5.0], dtype=torch.float64))
    optimizer = TFRMSProp([first], lr=LR)
    for gradient in gradients[:2]:
        first.grad = torch.tensor([gradient], dtype=torch.float64)
        optimizer.step()
    second = torch.nn.Parameter(first.detach().clone())
    resumed = TFRMSProp([second], lr=99.0)
    resumed.load_state_dict(optimizer.state_dict())
    second.grad = torch.tensor([gradients[2]], dtype=torch.float64)
    resumed.step()
    assert float(second.detach()) == pytest.approx(stepped(5.0, gradients)[-1])
