"""Thresholds: their gates, their gradients, and the form that dies in a naive port."""

from __future__ import annotations

import pytest
import torch

from engine import presets
from engine.superkernel import corner_table, decode, expected_ms
from engine.supernet import SuperNet
from engine.thresholds import (
    HIGHEST,
    LOWEST,
    SharedRMS,
    Thresholds,
    decisions,
    split,
    straight_through,
)
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_space


def fresh(stable: bool = True, space=None) -> tuple[SuperNet, Thresholds]:
    net = SuperNet(space or toy_space(), torch.Generator().manual_seed(0))
    return net, Thresholds(net, stable)


def ops(net: SuperNet, thresholds: Thresholds) -> tuple[str, ...]:
    gates = thresholds.gates(net)
    return tuple(decode(k, g) for k, g in zip(net.kernels(), gates, strict=True))


def excite_space():
    excite = {"attention": ["none", "se"], "expand": [2, 4], "width": 16}
    return small_space(stage(**excite), stage(**excite))


@pytest.mark.parametrize("stable", [True, False])
def test_thresholds_at_zero_keep_the_largest_network(stable) -> None:
    net, thresholds = fresh(stable)
    assert ops(net, thresholds) == net.space.largest().ops


def test_thresholds_at_infinity_leave_the_smallest_legal_network() -> None:
    net, thresholds = fresh()
    for t in thresholds.values:
        t.data.fill_(1e9)
    assert ops(net, thresholds) == net.space.smallest().ops


def test_thresholds_of_excitation_keep_it_at_zero_and_leave_it_out_above_every_norm() -> None:
    net, thresholds = fresh(space=excite_space())
    assert ops(net, thresholds) == net.space.largest().ops == ("k5e4_se",) * 4
    for kernel, t in zip(net.kernels(), thresholds.values, strict=True):
        split(kernel, t)[2].data.fill_(1e9)
    assert ops(net, thresholds) == ("k5e4",) * 4


def test_the_gate_of_excitation_follows_its_second_matrix_relative_to_fresh_weights() -> None:
    net, thresholds = fresh(space=excite_space())
    kernel, t = net.kernels()[1], thresholds.values[1]
    split(kernel, t)[2].data.fill_(0.7)  # fresh slices have a relative norm of 1
    assert ops(net, thresholds)[1] == "k5e4_se"
    kernel.excite.widen.weight.data *= 0.6
    assert ops(net, thresholds)[1] == "k5e4"


def test_straight_through_is_exactly_zero_or_one() -> None:
    x = torch.linspace(-30, 30, 2001)
    value = straight_through(x)
    assert torch.equal(value, (x >= 0).float())


def test_straight_through_has_the_slope_of_the_sigmoid() -> None:
    x = torch.linspace(-3, 3, 7, requires_grad=True)
    straight_through(x).sum().backward()
    soft = torch.sigmoid(x.detach())
    torch.testing.assert_close(x.grad, soft * (1 - soft))


def modelled(net: SuperNet, thresholds: Thresholds) -> torch.Tensor:
    tables = [
        corner_table(k, ms)
        for k, ms in zip(net.kernels(), macs_latency(net.space).slot_ms, strict=True)
    ]
    gates = thresholds.gates(net)
    return torch.stack([expected_ms(g, *t) for g, t in zip(gates, tables, strict=True)]).sum()


@pytest.mark.parametrize(
    "space",
    [toy_space(), presets.load("single-path-cifar"), excite_space()],
    ids=["toy", "cifar", "excite"],
)
def test_every_threshold_is_alive_at_the_first_step_and_latency_raises_it(space) -> None:
    net, thresholds = fresh(space=space)
    modelled(net, thresholds).backward()
    for kernel, t in zip(net.kernels(), thresholds.values, strict=True):
        assert t.numel() == decisions(kernel)
        assert (t.grad < 0).all(), kernel.slot.name  # descent on latency raises every threshold


def test_the_published_form_is_dead_in_wide_layers_and_the_stable_form_is_not() -> None:
    wide = small_space(stage(width=80, depth=[1, 1]), stage(width=80, depth=[0, 1]))
    for stable, alive in ((False, False), (True, True)):
        net, thresholds = fresh(stable, wide)
        modelled(net, thresholds).backward()
        assert bool((thresholds.values[1].grad != 0).all()) is alive


def test_a_slice_that_is_off_gets_gradient_only_through_its_gate() -> None:
    net, thresholds = fresh()
    thresholds.values[1].data.fill_(1e9)
    x = torch.randn(8, 1, 8, 8)
    net(x, thresholds.gates(net)).square().sum().backward()
    kernel = net.kernels()[1]
    ring = kernel.rings[1].bool()
    assert kernel.depthwise.grad[:, 0, ring].abs().sum() == 0  # the slope is 0 this far away
    assert kernel.depthwise.grad[:, 0, ~ring].abs().sum() > 0


def test_two_expansions_of_one_width_in_a_layer_leave_every_gradient_finite() -> None:
    space = small_space(stage(width=16, expand=[2, 2.1], depth=[2, 2], layers="same"))
    net, thresholds = fresh(space=space)
    assert net.kernels()[0].mids == (8, 8)  # and 32 and 34 in the layer after it
    gates = thresholds.gates(net)
    net(torch.randn(2, 1, 8, 8), gates).square().sum().backward()
    learned = [*net.parameters(), *thresholds.parameters()]
    assert all(p.grad.isfinite().all() for p in learned if p.grad is not None)


def test_decision_dropout_is_mean_preserving_in_the_published_form() -> None:
    net, thresholds = fresh()
    factors = [torch.full_like(t, 1 / 0.6) for t in thresholds.values]
    gates = thresholds.gates(net, factors)[0]
    assert gates.rings.tolist() == pytest.approx([1 / 0.6])
    assert gates.layer.item() == pytest.approx(1 / 0.6)


def test_thresholds_move_in_proportion_to_their_gradients() -> None:
    a, b = torch.zeros(1, requires_grad=True), torch.zeros(1, requires_grad=True)
    optimizer = SharedRMS([a, b], lr=0.1)
    (-10 * a - b).backward()
    optimizer.step()
    assert (a / b).item() == pytest.approx(10)
    assert (a * a + b * b).item() == pytest.approx(2 * 0.1**2)


def test_thresholds_stay_where_gates_can_come_back() -> None:
    t = torch.zeros(2, requires_grad=True)
    optimizer = SharedRMS([t], lr=5.0)
    (t * torch.tensor([1.0, -1.0])).sum().backward()
    optimizer.step()
    assert t.tolist() == [LOWEST, HIGHEST]
