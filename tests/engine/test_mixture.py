"""Choices with weights of their own: latency under shares, mixtures of ops, latency's price."""

from __future__ import annotations

import pytest
import torch

from engine import presets
from engine.paths import Mixture
from engine.space import SKIP, Arch, SearchSpace
from engine.strategies.mixture import Choices, Multiplier, side_by_side
from engine.superkernel import SlotGates
from engine.supernet import SuperNet
from tests.builders import small_space, stage
from tests.networks import shaken
from tests.problems import macs_latency, toy_space

MIXED = {
    "blocks": [
        {"block": "mbconv", "kernel": [3, 5], "expand": [3, 6]},
        {"block": "fused", "kernel": [3], "expand": [2, 4]},
    ],
    "width": 8,
    "depth": [1, 2],
    "stride": 1,
}
SPACES = {
    "toy": toy_space,
    "families": lambda: small_space(MIXED),
    "tied": lambda: small_space(stage(layers="same", depth=[0, 3], width=4), stage()),
}


@pytest.fixture(params=SPACES)
def space(request: pytest.FixtureRequest) -> SearchSpace:
    return SPACES[request.param]()


def choices_of(space: SearchSpace, spread: float = 1.0, seed: int = 0) -> Choices:
    generator = torch.Generator().manual_seed(seed)
    return Choices(space, macs_latency(space), generator=generator, spread=spread)


def one_hot(space: SearchSpace, arch: Arch) -> list[torch.Tensor]:
    pairs = zip(space.genes(), space.parts(arch), strict=True)
    return [torch.tensor([float(v == part) for v in gene.values]) for gene, part in pairs]


def test_one_hot_shares_expect_the_latency_of_their_network(space: SearchSpace) -> None:
    choices, latency = choices_of(space), macs_latency(space)
    for seed in range(10):
        arch = choices.draw(torch.Generator().manual_seed(seed))
        found = float(choices.expected_ms(one_hot(space, arch)))
        assert found == pytest.approx(latency.predict(arch))


def test_expected_latency_is_the_mean_over_drawn_networks(space: SearchSpace) -> None:
    choices, latency = choices_of(space), macs_latency(space)
    generator = torch.Generator().manual_seed(1)
    drawn = [latency.predict(choices.draw(generator)) for _ in range(3000)]
    assert choices.level_ms() == pytest.approx(sum(drawn) / len(drawn), rel=0.03)


def test_the_gradient_of_expected_latency_has_its_closed_form(space: SearchSpace) -> None:
    choices = choices_of(space)
    choices.expected_ms(choices.probabilities()).backward()
    for logit, p, ms in zip(choices.logits, choices.probabilities(), choices.ms, strict=True):
        torch.testing.assert_close(logit.grad, p * (ms - (p * ms).sum()))
        assert (logit.grad != 0).any()


def test_one_hot_mixtures_compute_what_their_network_does(space: SearchSpace) -> None:
    supernet = shaken(SuperNet(space, torch.Generator().manual_seed(1), separate=True)).eval()
    choices = choices_of(space)
    x = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        for seed in range(5):
            arch = choices.draw(torch.Generator().manual_seed(seed))
            mixed = supernet(x, choices.mixtures(one_hot(space, arch)))
            torch.testing.assert_close(mixed, supernet(x, arch))


def test_a_mixture_is_the_sum_of_its_ops_with_skip_as_the_identity() -> None:
    supernet = shaken(SuperNet(toy_space(), torch.Generator().manual_seed(1), separate=True)).eval()
    kernel = next(k for k in supernet.kernels() if k.slot.skippable and k.slot.stage == 2)
    x = torch.randn(2, kernel.slot.cin, 4, 4, generator=torch.Generator().manual_seed(2))
    with torch.no_grad():
        told = Mixture({SKIP: torch.tensor(0.25), "k3e3": torch.tensor(0.75)})
        torch.testing.assert_close(kernel(x, told), 0.25 * x + 0.75 * kernel(x, "k3e3"))


def test_quiet_ops_answer_but_keep_nothing() -> None:
    supernet = SuperNet(toy_space(), torch.Generator().manual_seed(1), separate=True)
    kernel = supernet.kernels()[0]
    x = torch.randn(2, kernel.slot.cin, 8, 8, generator=torch.Generator().manual_seed(2))
    shares = {op: torch.tensor(0.5, requires_grad=True) for op in ("k3e3", "k5e6")}
    kernel(x, Mixture(shares, frozenset({"k5e6"}))).square().sum().backward()
    assert all(p.grad is None for p in kernel.path("k5e6").parameters())
    assert all(p.grad is not None for p in kernel.path("k3e3").parameters())
    assert all(share.grad != 0 for share in shares.values())


def test_a_tied_stage_is_one_choice_whose_marginals_its_slots_are_told() -> None:
    space = small_space(stage(layers="same", depth=[0, 2], width=4, kernel=[3], expand=[3, 6]))
    choices = choices_of(space)
    (p,) = [share.detach() for share in choices.probabilities()]
    first, second = choices.mixtures([p])
    values = space.genes()[0].values
    assert values[0] == (SKIP, SKIP)
    for op in ("k3e3", "k3e6"):
        alone, both = values.index((op, SKIP)), values.index((op, op))
        torch.testing.assert_close(first.shares[op], p[alone] + p[both])
        torch.testing.assert_close(second.shares[op], p[both])
    for mixture in (first, second):
        assert float(sum(mixture.shares.values())) == pytest.approx(1.0)


def test_the_best_network_is_the_most_probable_and_the_same_each_time(space: SearchSpace) -> None:
    choices = choices_of(space)
    torch.manual_seed(0)
    assert len({choices.best() for _ in range(5)}) == 1
    parts = zip(space.genes(), space.parts(choices.best()), choices.logits, strict=True)
    assert all(logit[gene.values.index(part)] == logit.max() for gene, part, logit in parts)


def test_shares_read_as_gates_are_those_of_the_network_when_one_hot() -> None:
    space = toy_space()
    choices = choices_of(space)
    arch = Arch(("k5e3", "k3e6", SKIP, "k5e6", SKIP))
    assert arch in space
    gates = choices.gates(one_hot(space, arch))
    flat = [torch.cat([*part[:-1], part.layer[None]]).tolist() for part in gates]
    assert flat == [[1, 0, 1], [0, 1, 1], [0, 0, 0], [1, 1, 1], [0, 0, 0]]
    soft = choices.gates(choices.probabilities())
    assert all(isinstance(g, SlotGates) and float(g.layer) >= float(g.rings[0]) for g in soft)


def test_slots_of_several_families_have_no_gates_to_show() -> None:
    choices = choices_of(small_space(MIXED))
    assert choices.gates(choices.probabilities()) == ["", ""]


def test_the_price_rises_above_the_limit_falls_below_and_its_value_is_never_negative() -> None:
    price = Multiplier(limit_ms=2.0, rate=1.0)
    price.learn(3.0)
    assert price.value == pytest.approx(0.5)
    price.learn(2.0)
    assert price.value == pytest.approx(0.5)
    price.learn(0.2)
    assert price.value == 0.0
    assert price.price(3.0) > 0 > price.price(1.0)


def test_a_limit_that_excludes_nothing_costs_nothing() -> None:
    price = Multiplier(limit_ms=2.0, rate=1.0, idle=True)
    assert float(price.penalty(torch.tensor(1.0), 1.0)) == 0.0


def test_uncertainty_is_the_entropy_of_all_choices() -> None:
    space = toy_space()
    even = choices_of(space, spread=0.0)
    expected = sum(torch.tensor(float(len(g.values))).log() for g in space.genes())
    torch.testing.assert_close(even.uncertainty().detach(), expected)
    assert float(choices_of(space, spread=50.0).uncertainty().detach()) < 0.5


def test_large_spaces_go_through_in_smaller_batches() -> None:
    assert side_by_side(toy_space(), 64) == 64
    assert 2 <= side_by_side(presets.load("fbnet-cifar"), 128) < 128
