"""FBNet by its definition: masks that sharpen, one noise for all, alternating updates."""

from __future__ import annotations

import math

import pytest
import torch

from engine import presets
from engine.epoch_log import EpochLog
from engine.events import Evaluated
from engine.front import phase as front_phase
from engine.problem import evaluate
from engine.run import freeze, restore
from engine.space import SKIP, Arch
from engine.strategies import fbnet
from engine.strategies.fbnet import FBNet, gumbel_softmax
from engine.strategies.mixture import Choices
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_problem, toy_space

GROUPS = {"block": "fbnet", "kernel": [3, 5], "expand": [1], "groups": [1, 2]}
SKIPPING = {"blocks": [GROUPS, {"block": "conv", "kernel": [1]}], "width": 8, "depth": [1, 2]}


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two generations of six: enough to see that they work."""
    monkeypatch.setattr(front_phase, "GENERATIONS", 2)
    monkeypatch.setattr(front_phase, "CHILDREN", 6)


def opened(space: object = None, **changes: object) -> FBNet:
    return FBNet(toy_problem(space, strategy="fbnet", **changes))


def batch(strategy: FBNet) -> tuple[torch.Tensor, torch.Tensor]:
    return next(strategy.training.in_order(32))


def log_of(strategy: FBNet) -> EpochLog:
    return EpochLog(len(strategy.problem.space.slots()))


def run(strategy: FBNet, steps: int) -> list[object]:
    return [event for i in range(steps) for event in strategy.step(i)]


def spread(strategy: FBNet) -> None:
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for logit in strategy.choices.logits:
            logit.copy_(torch.randn(len(logit), generator=generator))


def test_masks_are_one_hot_as_the_temperature_falls_and_on_average_the_probabilities() -> None:
    strategy = opened()
    spread(strategy)
    logit = strategy.choices.logits[0].detach()
    masks = [gumbel_softmax(logit, strategy._noise(len(logit)), 1e-4) for _ in range(4000)]
    assert all(float(mask.max()) > 0.999 for mask in masks[:100])
    mean = torch.stack(masks).mean(0)
    torch.testing.assert_close(mean, logit.softmax(0), atol=0.03, rtol=0)


def test_a_one_hot_mask_has_the_table_sum_of_the_derived_network() -> None:
    strategy = opened()
    spread(strategy)
    strategy.problem.generator.manual_seed(1)
    mask = strategy.mask(1e-6)
    arch = strategy.choices.arch([int(m.argmax()) for m in mask])
    found = float(strategy.choices.expected_ms(mask).detach())
    assert found == pytest.approx(strategy.problem.latency.predict(arch), rel=1e-3)


def test_the_same_noise_object_feeds_output_and_latency(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = opened()
    seen: dict[str, object] = {}
    mixtures, expected_ms = Choices.mixtures, Choices.expected_ms

    def output(self: Choices, shares: list[torch.Tensor]) -> object:
        seen["output"] = shares
        return mixtures(self, shares)

    def latency(self: Choices, shares: list[torch.Tensor]) -> torch.Tensor:
        if shares[0].requires_grad and torch.is_grad_enabled():
            seen["latency"] = shares
        return expected_ms(self, shares)

    monkeypatch.setattr(Choices, "mixtures", output)
    monkeypatch.setattr(Choices, "expected_ms", latency)
    strategy.choice_step(*batch(strategy), 5.0, log_of(strategy))
    assert seen["output"] is seen["latency"]


def test_latency_alone_has_the_closed_form_gradient() -> None:
    strategy = opened(latency_limit_ms=0.05)
    spread(strategy)
    tau, price = 0.7, strategy.price
    mask = strategy.mask(tau)
    level = strategy.choices.level_ms()
    loss = price.penalty(strategy.choices.expected_ms(mask), level)
    gradients = torch.autograd.grad(loss, list(strategy.choices.logits))
    outer = price.price(level) / price.limit_ms
    assert outer > 0
    for gradient, m, ms in zip(gradients, mask, strategy.choices.ms, strict=True):
        m = m.detach()
        torch.testing.assert_close(gradient, outer / tau * m * (ms - (m * ms).sum()))


def test_a_skip_that_changes_the_shape_has_its_latency() -> None:
    space = small_space({**SKIPPING, "stride": 2})
    strategy = opened(space, epochs=3)
    first = space.slots()[0]
    assert SKIP not in first.ops
    (skip,) = [op for op in first.ops if first.layer(op).family == "conv"]
    assert strategy.problem.latency.slot_ms[0][skip] > 0
    value = space.genes()[0].values.index((skip,))
    expected = strategy.problem.latency.slot_ms[0][skip]
    assert float(strategy.choices.ms[0][value]) == pytest.approx(expected)


def test_the_macro_table_ends_in_352_channels_of_7_by_7() -> None:
    space = presets.load("fbnet")
    last = space.slots()[-1]
    assert (last.cout, -(-last.side // last.stride)) == (352, 7)
    assert len(space.slots()) == 22


def test_the_temperature_falls_from_5_to_that_of_80_published_epochs() -> None:
    strategy = opened(epochs=30)
    assert strategy.tau(0, 0.5) == 5.0
    assert strategy.tau(strategy.warm_up, 0.0) == 5.0
    end = strategy.tau(strategy.warm_up + strategy.search - 1, 1.0)
    assert end == pytest.approx(5.0 * math.exp(-0.045) ** 80)
    assert end == pytest.approx(0.137, abs=0.001)


def test_weights_learn_first_and_logits_stay_then_logits_learn_and_weights_stay() -> None:
    strategy = opened()
    x, y = batch(strategy)
    supernet, choices = strategy.problem.supernet, strategy.choices

    def state(module: torch.nn.Module) -> list[torch.Tensor]:
        return [p.detach().clone() for p in module.parameters()]

    def same(before: list[torch.Tensor], module: torch.nn.Module) -> bool:
        return all(torch.equal(a, b) for a, b in zip(before, module.parameters(), strict=True))

    weights, logits = state(supernet), state(choices)
    strategy.weight_step(x, y, 5.0, log_of(strategy))
    assert same(logits, choices)
    assert all(logit.grad is None for logit in choices.logits)
    assert not same(weights, supernet)
    weights = state(supernet)
    strategy.problem.supernet.zero_grad()
    strategy.choice_step(x, y, 5.0, log_of(strategy))
    assert same(weights, supernet)
    assert all(p.grad is None for p in supernet.parameters())
    assert not same(logits, choices)


def test_no_noise_is_left_when_a_network_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = opened(epochs=3)
    run(strategy, 2)
    masks: list[float] = []
    monkeypatch.setattr(strategy, "mask", lambda tau: masks.append(tau))
    state = strategy.problem.generator.get_state()
    first, again = (evaluate(strategy.problem, strategy.choices.best()) for _ in range(2))
    assert first == again
    assert masks == []
    assert torch.equal(state, strategy.problem.generator.get_state())


def test_the_first_epochs_leave_the_logits_equal() -> None:
    strategy = opened(epochs=18)
    run(strategy, strategy.warm_up)
    assert strategy.warm_up == 2
    assert all(not logit.any() for logit in strategy.choices.logits)


def limit(share: float) -> float:
    latency = macs_latency(toy_space())
    return latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_expected_latency_hits_the_limit(share: float) -> None:
    strategy = opened(latency_limit_ms=limit(share), epochs=12)
    run(strategy, strategy.warm_up + strategy.search)
    assert 0.9 <= strategy.choices.level_ms() / limit(share) <= 1.06


def test_networks_drawn_at_the_end_are_within_the_limit() -> None:
    strategy = opened(latency_limit_ms=limit(0.2), epochs=3)
    run(strategy, strategy.epochs)
    seeds = strategy.seeds()
    assert seeds[0] == strategy.chosen
    assert len(seeds) == 7
    assert all(strategy.problem.latency.predict(arch) <= limit(0.2) for arch in seeds)


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param([{**SKIPPING, "stride": 1, "layers": "same"}, stage()], id="tied families"),
        pytest.param([stage(layers="same", depth=[0, 3], width=4)], id="tied"),
    ],
)
def test_tied_stages_of_several_families_are_searched_and_resumed(stages: list) -> None:
    space = small_space(*stages)
    expected = run(opened(space, epochs=3), 4)
    first, second = (opened(space, epochs=3) for _ in range(2))
    begun = run(first, 2)
    restore(freeze(first.problem, first, step=2, seconds=0.0), second.problem, second)
    assert begun + [e for i in (2, 3) for e in second.step(i)] == expected
    archs = [Arch.parse(e.arch) for e in expected if isinstance(e, Evaluated)]
    assert all(arch in space for arch in archs)


def test_the_published_figures_are_in_use() -> None:
    assert (fbnet.HOTTEST, fbnet.COOLING, fbnet.DECAYS) == (5.0, 0.045, 80)
