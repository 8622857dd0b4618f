"""One-shot training: BigNAS's, SPOS's, ElasticViT's and FairNAS's rules."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import pytest
import torch
from torch import Tensor, nn

from engine.events import EpochEnd
from engine.problem import evaluate
from engine.space import Arch
from engine.strategies.one_shot import (
    LEVELS,
    SMALLEST_EVERY,
    TOP,
    Decks,
    OneShot,
    zero_last_norms,
)
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_problem, toy_space


def opened(mode: str = "", **changes) -> OneShot:
    return OneShot(toy_problem(strategy="one_shot", mode=mode, **changes))


def batch(search: OneShot) -> tuple[Tensor, Tensor]:
    return next(search.problem.splits["weights"].in_order(32))


def watched(search: OneShot, monkeypatch: pytest.MonkeyPatch) -> list[Arch]:
    """Architectures that the supernet is run with from now on."""
    seen: list[Arch] = []
    forward = type(search.problem.supernet).forward

    def watching(self, x, how):
        seen.append(how)
        return forward(self, x, how)

    monkeypatch.setattr(type(search.problem.supernet), "forward", watching)
    return seen


# -- BigNAS ----------------------------------------------------------------------------------------


def test_bignas_at_first_all_children_without_downsampling_give_the_same_logits():
    flat = small_space(stage(width=4, depth=[0, 3]))
    search = opened(space=flat)
    supernet = search.problem.supernet.eval()
    x, _ = batch(search)
    rng = random.Random(0)
    with torch.no_grad():
        answers = [supernet(x, flat.sample(rng)) for _ in range(8)]
    for one in answers[1:]:
        torch.testing.assert_close(one, answers[0])


def test_bignas_without_the_zeros_they_differ():
    flat = small_space(stage(width=4, depth=[0, 3]))
    supernet = toy_problem(space=flat).supernet.eval()
    x = torch.randn(8, 1, 8, 8)
    with torch.no_grad():
        gap = supernet(x, flat.largest()) - supernet(x, flat.smallest())
    assert gap.abs().max() > 1e-3


def test_bignas_the_largest_and_the_smallest_are_trained_in_every_step(monkeypatch):
    search = opened("sandwich")
    seen = watched(search, monkeypatch)
    for _ in range(3):
        archs = search.draw()
        search.train_step(archs, *batch(search))
        assert seen[:2] == [search.largest, search.smallest]
        assert len(seen) == 4
        seen.clear()


def test_bignas_the_teachers_answers_carry_no_gradient(monkeypatch):
    """With the children's part alone, what only the largest uses must get no gradient from them."""
    search = opened("sandwich")
    space = search.problem.space
    kernel = search.problem.supernet.kernels()[1]
    zeroed = [n for n in search.problem.supernet.modules() if isinstance(n, nn.BatchNorm2d)]
    for norm in zeroed:
        nn.init.ones_(norm.weight)
    x, y = batch(search)
    small = space.smallest()
    monkeypatch.setattr(search.optimizer, "step", lambda: None)
    search.train_step([search.largest], x, y)
    alone = kernel.depthwise.grad.clone()
    search.train_step([search.largest, small], x, y)
    assert small.ops[1] == "k3e3"
    outside = torch.ones_like(alone, dtype=torch.bool)
    outside[: kernel.mids[0], :, 1:-1, 1:-1] = False
    torch.testing.assert_close(kernel.depthwise.grad[outside], alone[outside])


def test_bignas_dropout_acts_on_the_largest_only(monkeypatch):
    space = small_space(stage(), head={"width": 8, "dropout": 0.5})
    search = opened("sandwich", space=space)
    modes: list[tuple[Arch, bool]] = []
    drop = next(m for m in search.problem.supernet.modules() if isinstance(m, nn.Dropout))
    forward = type(search.problem.supernet).forward

    def watching(self, x, how):
        modes.append((how, drop.training))
        return forward(self, x, how)

    monkeypatch.setattr(type(search.problem.supernet), "forward", watching)
    search.train_step([search.largest, search.smallest], *batch(search))
    assert modes == [(search.largest, True), (search.smallest, False)]


def test_bignas_a_step_makes_one_update_of_four_gradients(monkeypatch):
    search = opened("sandwich")
    calls: Counter[str] = Counter()
    backward, step = torch.autograd.backward, search.optimizer.step
    monkeypatch.setattr(
        torch.autograd, "backward", lambda *a: (calls.update(["backward"]), backward(*a))
    )
    monkeypatch.setattr(search.optimizer, "step", lambda: (calls.update(["step"]), step()))
    search.train_step(search.draw(), *batch(search))
    assert calls == {"backward": 4, "step": 1}


# -- SPOS ------------------------------------------------------------------------------------------


def test_spos_every_value_of_a_gene_is_drawn_as_often():
    search = opened("uniform")
    space = search.problem.space
    drawn = [search.draw()[0] for _ in range(2000)]
    for number, gene in enumerate(space.genes()):
        counts = Counter(space.parts(arch)[number] for arch in drawn)
        expected = 2000 / len(gene.values)
        chi = sum((counts[value] - expected) ** 2 / expected for value in gene.values)
        assert chi < 3.5 * len(gene.values) + 10, counts


@pytest.mark.parametrize("mode", ["uniform", "complexity"])
def test_spos_weights_that_a_step_does_not_use_stay_bit_for_bit(mode):
    search = opened(mode)
    space = search.problem.space
    x, y = batch(search)
    search.train_step([search.largest], x, y)  # momentum for everything
    before = {n: p.detach().clone() for n, p in search.problem.supernet.named_parameters()}
    search.train_step([search.smallest], x, y)
    kernel = search.problem.supernet.kernels()[1]
    name = "slots.1.depthwise"
    assert search.smallest.ops[1] == "k3e3"
    after = dict(search.problem.supernet.named_parameters())[name].detach()
    ring = torch.ones_like(after, dtype=torch.bool)
    ring[: kernel.mids[0], :, 1:-1, 1:-1] = False
    assert torch.equal(after[ring], before[name][ring])
    assert not torch.equal(after[~ring], before[name][~ring])
    skipped = [i for i, op in enumerate(search.smallest.ops) if op == "skip"]
    assert skipped
    assert space.largest().ops[skipped[0]] != "skip"
    for other, value in before.items():
        if other.startswith(f"slots.{skipped[0]}."):
            assert torch.equal(dict(search.problem.supernet.named_parameters())[other], value)


def test_spos_statistics_of_a_candidate_owe_nothing_to_the_one_before():
    search = opened("uniform", epochs=3)
    list(search.step(0))
    problem = search.problem
    a, b = problem.space.largest(), problem.space.sample(random.Random(3))
    alone = evaluate(problem, b)
    evaluate(problem, a)
    assert evaluate(problem, b) == alone


def test_spos_no_candidate_is_evaluated_twice():
    search = opened("uniform", epochs=8)
    for i in range(search.epochs):
        list(search.step(i))
    seen = [
        event.arch
        for i in range(search.epochs, search.steps)
        for event in search.step(i)
        if hasattr(event, "proxy_accuracy")
    ]
    assert len(seen) == len(set(seen)) > 20


# -- sampling around the limit, fairly -------------------------------------------------------------


def levels_drawn(search: OneShot, count: int) -> list[tuple[int, float]]:
    """The level of each draw but the smallest, and the drawn latency in levels above the lowest."""
    problem = search.problem
    low, high = problem.latency.fastest_ms, min(problem.latency.slowest_ms, TOP * problem.limit_ms)
    drawn = []
    while len(drawn) < count:
        arch = search.draw()[0]
        if search.drawn % SMALLEST_EVERY:
            ms = problem.latency.predict(arch)
            drawn.append((search.level, (ms - low) / (high - low) * LEVELS))
    return drawn


@pytest.mark.parametrize("share", [0.3, 0.5, 1.0])
def test_elasticvit_what_is_drawn_lies_in_its_level(share):
    latency = macs_latency(toy_space())
    limit = latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)
    drawn = levels_drawn(opened("complexity", latency_limit_ms=limit), 600)
    assert all(at <= level + 1 + 1e-9 for level, at in drawn)
    inside = sum(at >= level - 1e-9 for level, at in drawn)
    assert inside >= 0.98 * len(drawn)


def test_elasticvit_the_trained_latencies_are_spread_evenly_over_the_levels():
    drawn = levels_drawn(opened("complexity"), 1200)
    counts = Counter(min(LEVELS - 1, int(at + 1e-9)) for _, at in drawn)
    assert set(counts) == set(range(LEVELS))
    assert max(counts.values()) < 3 * min(counts.values())


def test_elasticvit_latency_changes_by_two_levels_at_most_from_draw_to_draw():
    drawn = levels_drawn(opened("complexity"), 300)
    assert all(abs(a - b) <= 2 for (_, a), (_, b) in itertools.pairwise(drawn))
    assert {abs(a - b) for (a, _), (b, _) in itertools.pairwise(drawn)} == {0, 1}


def test_elasticvit_the_smallest_is_never_far_away():
    search = opened("complexity")
    drawn = [search.draw()[0] for _ in range(40)]
    assert drawn[3::4] == [search.smallest] * 10


def test_fairnas_all_values_of_a_gene_are_dealt_equally_often():
    space = toy_space()
    decks = Decks(space, random.Random(0))
    hands = [arch for _ in range(50) for arch in decks.deal()]
    for number, gene in enumerate(space.genes()):
        counts = Counter(space.parts(arch)[number] for arch in hands)
        assert set(counts) == set(gene.values)
        assert max(counts.values()) - min(counts.values()) <= 1


def test_fairnas_a_step_averages_the_gradients_of_its_hand(monkeypatch):
    search = opened("fair")
    monkeypatch.setattr(search.optimizer, "step", lambda: None)
    x, y = batch(search)
    hand = search.draw()
    assert len(hand) == max(len(g.values) for g in search.problem.space.genes())
    search.train_step(hand, x, y)
    together = search.problem.supernet.stem[0].conv.weight.grad.clone()
    parts = []
    for arch in hand:
        search.train_step([arch], x, y)
        parts.append(search.problem.supernet.stem[0].conv.weight.grad.clone())
    torch.testing.assert_close(together, torch.stack(parts).mean(0), rtol=1e-4, atol=1e-6)


def test_zeroing_touches_residual_branches_only():
    problem = toy_problem()
    zero_last_norms(problem.supernet)
    for kernel in problem.supernet.kernels():
        scale = kernel.bn_project.weight
        assert (scale == 0).all() == kernel.residual


def test_every_mode_says_its_loss_and_the_mean_latency_it_trained():
    for mode in ("sandwich", "uniform", "complexity", "fair"):
        search = opened(mode, epochs=3)
        events = list(search.step(0))
        end = events[-1]
        assert isinstance(end, EpochEnd)
        assert end.loss > 0
        latency = search.problem.latency
        assert latency.fastest_ms <= end.modelled_ms <= latency.slowest_ms
