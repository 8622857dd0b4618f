"""ScheduledDropPath: which branches are left out, how often, and that nothing else changes."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from engine.build import build
from engine.droppath import DropPath, thinned
from engine.modules import ResidualBody
from tests.problems import toy_space


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network() -> nn.Sequential:
    space = toy_space()
    return build(space.layers(space.largest()), seeded())


@given(most=st.floats(0.01, 0.9), share=st.floats(0, 3))
def test_keep_is_one_at_step_zero_and_falls_with_time_and_with_depth(most, share) -> None:
    drop = DropPath(nn.Sequential(*(ResidualBody(nn.Identity()) for _ in range(5))), most, seeded())
    assert [drop.keep(i) for i in range(5)] == [1.0] * 5
    drop.share = share
    expected = [1 - (i + 1) / 5 * min(1, share) * most for i in range(5)]
    assert [drop.keep(i) for i in range(5)] == pytest.approx(expected)
    drop.share = 1.0
    assert drop.keep(4) == pytest.approx(1 - most)  # the last branch at the end


@pytest.mark.parametrize("shape", [(4000, 3), (4000, 3, 2, 2)])
def test_a_branch_is_left_out_image_by_image_and_keeps_its_mean(shape) -> None:
    y = torch.rand(shape, generator=seeded()) + 1
    out = thinned(y, 0.7, seeded(1))
    gone = (out == 0).flatten(1).all(1)
    assert torch.allclose(out[~gone], y[~gone] / 0.7)
    assert float(gone.float().mean()) == pytest.approx(0.3, abs=0.03)


def test_branches_are_thinned_in_training_alone_and_nothing_is_left_behind() -> None:
    net, x = network(), torch.rand(16, 1, 8, 8, generator=seeded())
    usual = [copy.deepcopy(net).train(mode)(x) for mode in (True, False)]
    generator = seeded(1)
    with DropPath(net, 0.9, generator) as drop:
        assert torch.equal(copy.deepcopy(net).train()(x), usual[0])  # nothing is done yet
        drop.share, start = 1.0, generator.get_state()
        assert torch.equal(net.eval()(x), usual[1])
        assert torch.equal(generator.get_state(), start)
        assert not torch.equal(copy.deepcopy(net).train()(x), usual[0])
    assert torch.equal(net.train()(x), usual[0])
    assert all(not module._forward_hooks for module in net.modules())


def test_the_input_of_a_branch_that_is_left_out_passes_untouched() -> None:
    body = nn.Conv2d(2, 2, 1)
    x = torch.rand(200, 2, 3, 3, generator=seeded())
    with DropPath(net := ResidualBody(body), 0.5, seeded()) as drop:
        drop.share = 1.0
        added = net.train()(x) - x
    gone = (added == 0).flatten(1).all(1)
    assert 60 < int(gone.sum()) < 140
    assert torch.allclose(added[~gone], 2 * body(x)[~gone], atol=1e-5)
