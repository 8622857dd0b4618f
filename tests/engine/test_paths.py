"""Slots whose ops are no gated superkernel: slices of shared weights, and paths side by side."""

from __future__ import annotations

import random

import pytest
import torch

from engine.paths import Paths
from engine.space import SKIP, SearchSpace
from engine.superkernel import SuperKernel
from engine.supernet import SuperNet
from tests.builders import small_space, stage
from tests.networks import shaken

STEM = {"width": 8, "kernel": 3, "stride": 1}
SHAPE = {"width": 8, "depth": [0, 2], "stride": 1}
MIXED = {
    **SHAPE,
    "blocks": [
        {"block": "mbconv", "kernel": [3, 5], "expand": [1, 3, 6], "act": ["relu", "hswish"]},
        {"block": "fused", "kernel": [3, 5], "expand": [2, 4]},
    ],
}


def mixed_space() -> SearchSpace:
    return small_space(MIXED, stem=STEM)


def net_of(space: SearchSpace) -> SuperNet:
    return shaken(SuperNet(space, torch.Generator().manual_seed(1)))


def test_ops_that_are_slices_of_each_other_share_a_path_and_others_do_not():
    (slot, _) = mixed_space().slots()
    assert sorted(map(sorted, slot.paths.values())) == [
        ["fk3e2", "fk3e4", "fk5e2", "fk5e4"],
        ["k3e1", "k5e1"],
        ["k3e1_hswish", "k5e1_hswish"],
        ["k3e3", "k3e6", "k5e3", "k5e6"],
        ["k3e3_hswish", "k3e6_hswish", "k5e3_hswish", "k5e6_hswish"],
    ]


def test_one_path_of_mbconvs_is_a_superkernel_with_gates_and_anything_else_is_paths():
    searched = small_space(
        stage(act=["hswish"], attention=["se"]),
        stage(attention=["none", "sein"]),
        stage(attention=["se", "sein"]),
        stage(attention=["none", "se", "sein"]),
        stage(attention=["none", "eca"]),
        stage(attention=["none", "se"], act=["relu", "hswish"]),
        stage(attention=["none", "se"], expand=[1, 3]),
        MIXED,
    )
    kinds = [type(kernel) for kernel in SuperNet(searched, torch.Generator()).kernels()]
    assert kinds == [SuperKernel] * 4 + [Paths] * 12


def test_two_lists_of_choices_are_gated_only_if_together_they_are_every_corner():
    corners = [{"kernel": [3, 5], "expand": [3], "attention": [kind]} for kind in ("none", "se")]
    ragged = [corners[0], {**corners[1], "kernel": [3]}]
    acts = [{"kernel": [3], "expand": [3]}, {"kernel": [5], "expand": [3], "act": ["hswish"]}]
    kinds = []
    for blocks in (corners, ragged, acts):
        mixed = {**SHAPE, "blocks": [{"block": "mbconv", **block} for block in blocks]}
        net = net_of(small_space(mixed, stem=STEM)).train()
        kinds.append({type(kernel) for kernel in net.kernels()})
        assert net(torch.randn(2, 1, 8, 8), net.space.largest()).isfinite().all()
    assert kinds == [{SuperKernel}, {Paths}, {Paths}]


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
def test_every_op_computes_what_its_own_network_does(training: bool):
    net = net_of(mixed_space()).train(training)
    rng = random.Random(0)
    x = torch.randn(4, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    fresh = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    with torch.no_grad():
        for _ in range(40):
            arch = net.space.sample(rng)
            child = net.subnet(arch)(x)
            torch.testing.assert_close(net(x, arch), child, atol=1e-5, rtol=1e-5)
            net.load_state_dict(fresh)


def test_a_training_step_moves_the_statistics_and_gradients_of_its_own_slices_only():
    net = net_of(mixed_space()).train()
    arch = type(net.space.smallest())(("fk3e2", SKIP))
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    net(torch.randn(4, 1, 8, 8), arch).square().sum().backward()
    first, second = net.kernels()
    assert isinstance(first, Paths)
    assert all(p.grad is None for p in second.parameters())
    used, other = first.path("fk3e2"), first.path("k3e3")
    assert all(p.grad is None for p in other.parameters())
    widened = used.whole[0].body[0]
    assert widened.conv.weight.grad[16:].abs().sum() == 0
    assert widened.conv.weight.grad[:16, :, 1:4, 1:4].abs().sum() > 0
    ring = widened.conv.weight.grad.clone()
    ring[:, :, 1:4, 1:4] = 0
    assert ring.abs().sum() == 0
    moved = [n for n, t in net.state_dict().items() if not torch.equal(t, before[n])]
    assert moved
    assert not any(name.startswith("slots.1") for name in moved)
    mean = f"slots.0.paths.{first.number['fk3e2']}.whole.0.body.0.bn.running_mean"
    after = net.state_dict()[mean]
    assert not torch.equal(after[:16], before[mean][:16])
    assert torch.equal(after[16:], before[mean][16:])


def test_weights_of_paths_are_saved_and_come_back():
    net, other = net_of(mixed_space()), SuperNet(mixed_space(), torch.Generator().manual_seed(9))
    other.load_state_dict(net.state_dict())
    arch, x = net.space.largest(), torch.randn(2, 1, 8, 8)
    with torch.no_grad():
        torch.testing.assert_close(other.eval()(x, arch), net.eval()(x, arch))
