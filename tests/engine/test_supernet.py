"""The supernet against separately built subnets, and its gates."""

from __future__ import annotations

import copy
import random

import pytest
import torch

from engine.build import build, build_layer, initialize
from engine.space import SKIP, Arch, SearchSpace
from engine.superkernel import (
    SlotGates,
    SuperKernel,
    corner_table,
    decode,
    expected_ms,
    hard_gates,
    nested,
)
from engine.supernet import SuperNet
from tests.builders import small_space
from tests.networks import shaken


def space(kernel: tuple[int, ...] = (3, 5), expand: tuple[int, ...] = (3, 6)) -> SearchSpace:
    stage = {"kernel": list(kernel), "expand": list(expand)}
    return SearchSpace.from_json(
        {
            "input": {"size": 9, "channels": 1},
            "classes": 3,
            "stem": {"width": 4, "kernel": 3, "stride": 1},
            "stages": [
                {"width": 4, "depth": [0, 1], "stride": 1, **stage},
                {"width": 6, "depth": [1, 2], "stride": 2, **stage},
            ],
            "head": {"width": 8, "dropout": 0},
        }
    )


def trained_like(space: SearchSpace) -> SuperNet:
    """A supernet whose batch norms are far from their fresh state, which would hide leaks."""
    generator = torch.Generator().manual_seed(1)
    net = SuperNet(space, generator)
    for name, tensor in net.state_dict().items():
        if "bn" in name and tensor.is_floating_point():
            tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            if name.endswith("bias"):
                tensor.sub_(1.0)
    return net


def all_archs(space: SearchSpace) -> list[Arch]:
    """Every op of every slot at least once, with skips and without."""
    rng = random.Random(0)
    return [space.smallest(), space.largest(), *(space.sample(rng) for _ in range(40))]


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("kernel", [(3, 5), (3, 5, 7), (5,)], ids=str)
@pytest.mark.parametrize("expand", [(3, 6), (2, 3, 4), (1,)], ids=str)
def test_hard_gates_slices_and_the_built_subnet_agree(kernel, expand, training) -> None:
    net = trained_like(space(kernel, expand)).train(training)
    x = torch.randn(5, 1, 9, 9, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for arch in all_archs(net.space):
            gates = [hard_gates(k, op) for k, op in zip(net.kernels(), arch.ops, strict=True)]
            child = net.subnet(arch)(x)
            torch.testing.assert_close(net(x, gates), child, atol=1e-5, rtol=1e-5)
            net.load_state_dict(trained_like(net.space).state_dict())
            torch.testing.assert_close(net(x, arch), child, atol=1e-5, rtol=1e-5)
            net.load_state_dict(trained_like(net.space).state_dict())


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("attention", ["se", "sein"])
def test_hard_gates_slices_and_the_built_subnet_agree_with_attention(attention, training) -> None:
    wide = {"width": 8, "stride": 1, "kernel": [3, 5], "expand": [2, 4, 6], "act": ["hswish"]}
    searched = {"attention": [attention], "depth": [0, 2], **wide}
    net = trained_like(small_space(searched, stem={"width": 8, "kernel": 3, "stride": 1}))
    net.train(training)
    fresh = copy.deepcopy(net.state_dict())
    x = torch.randn(5, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for arch in all_archs(net.space):
            gates = [hard_gates(k, op) for k, op in zip(net.kernels(), arch.ops, strict=True)]
            child = net.subnet(arch)(x)
            torch.testing.assert_close(net(x, gates), child, atol=1e-5, rtol=1e-5)
            net.load_state_dict(fresh)
            torch.testing.assert_close(net(x, arch), child, atol=1e-5, rtol=1e-5)
            net.load_state_dict(fresh)


def excite_kernel(kinds: list[str]) -> SuperKernel:
    """Three kernels, three expansions, a choice of `kinds`; nothing about it is fresh."""
    varied = {"kernel": [3, 5, 7], "expand": [2, 4, 6], "attention": kinds, "act": ["hswish"]}
    wide = {"width": 8, "stride": 1, "depth": [0, 1], **varied}
    slot = small_space(wide, stem={"width": 8, "kernel": 3, "stride": 1}).slots()[0]
    kernel, generator = SuperKernel(slot), torch.Generator().manual_seed(1)
    initialize(kernel, generator)
    kernel.draw(generator)
    return shaken(kernel)


@pytest.mark.parametrize("training", [True, False], ids=["train", "eval"])
@pytest.mark.parametrize("kind", ["se", "sein"])
def test_gates_switch_squeeze_and_excitation_exactly_at_every_corner(kind, training) -> None:
    kernel = excite_kernel(["none", kind]).train(training)
    assert len(kernel.slot.ops) == 1 + 3 * 3 * 2
    fresh = copy.deepcopy(kernel.state_dict())
    x = torch.randn(5, 8, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for op in kernel.slot.ops[1:]:
            built = build_layer(kernel.slot.layer(op)).train(training)
            kernel.copy_into(built, op)
            child = built(x)
            torch.testing.assert_close(kernel(x, op), child, atol=1e-5, rtol=1e-5)
            kernel.load_state_dict(fresh)
            torch.testing.assert_close(
                kernel(x, hard_gates(kernel, op)), child, atol=1e-5, rtol=1e-5
            )
            kernel.load_state_dict(fresh)
        assert torch.equal(kernel(x, hard_gates(kernel, SKIP)), x)


def test_gates_of_a_choice_of_excitation_decode_and_expect_latency_exactly() -> None:
    kernel = excite_kernel(["none", "sein"])
    ms = {op: 1.0 + i * 0.37 for i, op in enumerate(kernel.slot.ops)}
    for op in kernel.slot.ops:
        gates = hard_gates(kernel, op)
        assert decode(kernel, gates) == op
        assert expected_ms(gates, *corner_table(kernel, ms)).item() == pytest.approx(ms[op])


def test_expected_latency_is_linear_in_the_gate_of_excitation() -> None:
    kernel = excite_kernel(["none", "se"])
    table = corner_table(kernel, {op: float(i) for i, op in enumerate(kernel.slot.ops)})
    on, off = hard_gates(kernel, "k5e4_hswish"), hard_gates(kernel, "k5e4_se_hswish")
    half = on._replace(excite=torch.tensor([0.5]))
    ends = expected_ms(on, *table) + expected_ms(off, *table)
    assert expected_ms(half, *table).item() == pytest.approx(ends.item() / 2)


def test_without_a_choice_of_excitation_there_is_no_gate_for_it() -> None:
    for kinds in (["none"], ["se"]):
        kernel = excite_kernel(kinds)
        assert all(hard_gates(kernel, op).excite.shape == (0,) for op in kernel.slot.ops)


def test_the_published_kernel_only_gates_leak() -> None:
    net = trained_like(space()).eval()
    net.leaky = True
    arch = Arch(("skip", "k3e3", "skip"))
    x = torch.randn(4, 1, 9, 9)
    gates = [hard_gates(k, op) for k, op in zip(net.kernels(), arch.ops, strict=True)]
    with torch.no_grad():
        assert (net(x, gates) - net.subnet(arch)(x)).abs().max() > 1e-2


def test_weights_outside_the_active_subnet_get_no_gradient() -> None:
    net = trained_like(space()).train()
    arch = Arch(("skip", "k3e3", "k5e3"))
    net(torch.randn(4, 1, 9, 9), arch).square().sum().backward()
    skipped, small, wide = net.kernels()
    assert all(p.grad is None for p in skipped.parameters())
    ring = small.rings[1].bool()
    assert small.depthwise.grad[:, 0, ring].abs().sum() == 0
    assert small.depthwise.grad[: 4 * 3].abs().sum() > 0
    assert wide.expand.grad[6 * 3 :].abs().sum() == 0
    assert wide.depthwise.grad[: 6 * 3, 0][:, ring].abs().sum() > 0


def test_decoding_hard_gates_gives_the_op_back() -> None:
    net = trained_like(space((3, 5, 7), (2, 3, 6)))
    for kernel in net.kernels():
        for op in kernel.slot.ops:
            assert decode(kernel, hard_gates(kernel, op)) == op


def test_a_layer_that_may_not_be_skipped_never_is() -> None:
    kernel = trained_like(space()).kernels()[1]
    gates = SlotGates(torch.zeros(1), torch.zeros(1), torch.zeros(0), torch.tensor(0.0))
    assert decode(kernel, gates) == "k3e3"


def test_expected_latency_is_exact_at_every_corner() -> None:
    net = trained_like(space((3, 5, 7), (3, 6)))
    for kernel in net.kernels():
        ms = {op: 1.0 + i * 0.37 for i, op in enumerate(kernel.slot.ops)}
        table = corner_table(kernel, ms)
        for op in kernel.slot.ops:
            assert expected_ms(hard_gates(kernel, op), *table).item() == pytest.approx(ms[op])


def test_expected_latency_rises_with_every_gate_and_matches_finite_differences() -> None:
    kernel = trained_like(space()).kernels()[0]
    table = corner_table(kernel, {SKIP: 0.1, "k3e3": 1.0, "k3e6": 1.7, "k5e3": 1.2, "k5e6": 2.4})
    parts = [torch.full((1,), 0.6), torch.full((1,), 0.3), torch.tensor(0.8)]
    inputs = [p.double().requires_grad_() for p in parts]
    value = (table[0].double(), table[1])

    def expected(rings: torch.Tensor, bands: torch.Tensor, layer: torch.Tensor) -> torch.Tensor:
        return expected_ms(SlotGates(rings, bands, rings.new_zeros(0), layer), *value)

    assert torch.autograd.gradcheck(expected, inputs)
    expected(*inputs).backward()
    assert all(p.grad.min() > 0 for p in inputs)


def test_nested_switches_need_those_inside_them() -> None:
    assert nested(torch.tensor([0.0, 1.0])).tolist() == [1.0, 0.0, 0.0]


def test_a_subnet_is_a_copy() -> None:
    net = trained_like(space())
    child = net.subnet(net.space.largest())
    before = net.stem[0].conv.weight.clone()
    with torch.no_grad():
        for p in child.parameters():
            p.zero_()
    assert torch.equal(net.stem[0].conv.weight, before)


def test_a_skipped_layer_is_not_built() -> None:
    layers = space().layers(Arch(("skip", "k3e3", "skip")))
    assert [name for name, _ in build(layers).named_children()] == ["stem", "stage2_1", "head"]
