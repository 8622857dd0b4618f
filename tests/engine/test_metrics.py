"""Training-free metrics: each against a network small enough to know the answer by hand."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from engine.presets import load
from engine.space import Arch, SearchSpace
from engine.strategies.metrics import METRICS, jacob_cov, naswot, synflow, training_free
from engine.supernet import SuperNet
from tests.problems import toy_problem


class Linear(nn.Module):
    """(N, 2) to (N, 2), no activation: every figure follows from its weight."""

    def __init__(self, weight: list[list[float]]) -> None:
        super().__init__()
        self.inside = nn.Linear(2, 2, bias=False)
        self.inside.weight.data = torch.tensor(weight)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inside(x)


def figures(space: SearchSpace | None = None, arch: Arch | None = None) -> dict[str, float]:
    problem = toy_problem(space)
    x, y = next(problem.splits["weights"].in_order(16))
    return training_free(problem.supernet.subnet(arch or problem.space.largest()), x, y)


def test_every_metric_of_a_usual_network_is_a_finite_number():
    found = figures()
    assert set(found) == set(METRICS)
    assert all(math.isfinite(value) for value in found.values())


@pytest.mark.parametrize("name", ["efficientvit-m2", "efficientformer-l1", "digits"])
def test_networks_of_other_blocks_have_metrics_too(name):
    space = load(name)
    supernet = SuperNet(space, torch.Generator().manual_seed(0))
    side = space.input.size
    x = torch.randn(2, space.input.channels, side, side, generator=torch.Generator().manual_seed(1))
    found = training_free(supernet.subnet(space.smallest()), x, torch.tensor([0, 1]))
    assert all(math.isfinite(found[name]) for name in ("grad_norm", "snip", "synflow", "l2_norm"))


def test_gradient_norm_and_snip_follow_from_the_gradient():
    weight = torch.tensor([[1.0, 2.0], [3.0, -1.0]], requires_grad=True)
    x, y = torch.tensor([[1.0, 0.0], [0.0, 2.0], [1.0, 1.0]]), torch.tensor([0, 1, 1])
    (grad,) = torch.autograd.grad(nn.functional.cross_entropy(x @ weight.T, y), weight)
    weight = weight.detach()
    found = training_free(Linear(weight.tolist()), x, y)
    assert found["grad_norm"] == pytest.approx(float(grad.norm()))
    assert found["snip"] == pytest.approx(float((weight * grad).abs().sum()))
    assert found["l2_norm"] == pytest.approx(float(weight.norm()))


def test_synflow_is_the_log_of_the_sum_of_all_paths():
    assert synflow(Linear([[1.0, -2.0], [3.0, -1.0]]), torch.zeros(1, 2)) == pytest.approx(
        math.log(7)
    )


def test_synflow_stays_finite_where_products_leave_single_precision():
    deep = nn.Sequential(*[Linear([[1e6, -1e6], [1e6, 1e6]]) for _ in range(12)])
    assert math.isfinite(synflow(deep, torch.zeros(1, 2)))


def test_images_that_are_switched_unlike_have_the_greater_determinant():
    unlike = torch.tensor([[1.0, 0, 0, 1], [0, 1, 0, 1], [0, 0, 1, 0]])
    alike = torch.tensor([[1.0, 0, 0, 1], [1, 0, 0, 0], [1, 0, 1, 1]])
    assert naswot([unlike]) > naswot([alike])
    assert naswot([alike[:1].repeat(3, 1)]) == -math.inf
    assert math.isnan(naswot([]))


def test_input_gradients_that_correlate_less_score_higher():
    generator = torch.Generator().manual_seed(0)
    unlike = torch.randn(6, 40, generator=generator)
    alike = unlike[:1] + 0.1 * unlike
    assert jacob_cov(unlike) > jacob_cov(alike)
    assert math.isnan(jacob_cov(torch.zeros(3, 4)))


def test_a_network_with_more_layers_and_channels_flows_more():
    space = toy_problem().space
    large, small = figures(arch=space.largest()), figures(arch=space.smallest())
    assert all(large[name] > small[name] for name in ("synflow", "l2_norm", "naswot"))


def test_dropout_does_not_change_what_is_found():
    problem = toy_problem()
    x, y = next(problem.splits["weights"].in_order(16))
    network = problem.supernet.subnet(problem.space.largest())
    network.append(nn.Dropout(0.5))
    assert training_free(network, x, y)["snip"] == pytest.approx(figures()["snip"])


def test_the_batch_that_other_metrics_saw_does_not_change_synflow():
    problem = toy_problem()
    x, _ = next(problem.splits["weights"].in_order(1))
    alone = synflow(problem.supernet.subnet(problem.space.largest()), x)
    assert figures()["synflow"] == pytest.approx(alone, rel=1e-9)
