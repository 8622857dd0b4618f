"""ProxylessNAS by its definition: gates, pairs, latency, and what a step may touch."""

from __future__ import annotations

import pytest
import torch

from engine.epoch_log import EpochLog
from engine.events import EpochEnd, Evaluated
from engine.front import phase as front_phase
from engine.run import freeze, restore
from engine.space import SKIP, Arch
from engine.strategies.proxyless import Proxyless, keep_mass, through_softmax
from engine.train import loss_of
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_problem, toy_space

MODES = pytest.mark.parametrize("mode", ["two", "full"])
TWO_OPS = stage(kernel=[3], expand=[3, 6], depth=[1, 1])
FAMILIES = {
    "blocks": [
        {"block": "mbconv", "kernel": [3, 5], "expand": [3]},
        {"block": "fused", "kernel": [3], "expand": [2]},
    ],
    "width": 4,
    "depth": [1, 2],
    "stride": 1,
}


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two generations of six: enough to see that they work."""
    monkeypatch.setattr(front_phase, "GENERATIONS", 2)
    monkeypatch.setattr(front_phase, "CHILDREN", 6)


def opened(mode: str = "two", space: object = None, **changes: object) -> Proxyless:
    return Proxyless(toy_problem(space, strategy="proxyless", mode=mode, **changes))


def batch(strategy: Proxyless, count: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    return next(strategy.training.in_order(count))


def log_of(strategy: Proxyless) -> EpochLog:
    return EpochLog(len(strategy.problem.space.slots()))


def run(strategy: Proxyless, steps: int) -> list[object]:
    return [event for i in range(steps) for event in strategy.step(i)]


def silent(strategy: Proxyless, monkeypatch: pytest.MonkeyPatch) -> None:
    """Switches the cross-entropy off."""

    def nothing(*_: object) -> tuple[torch.Tensor, ...]:
        return tuple(torch.zeros_like(logit) for logit in strategy.choices.logits)

    monkeypatch.setattr(strategy, "gate_gradients", nothing)


def test_latency_alone_has_the_closed_form_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    strategy = opened("full", latency_limit_ms=0.05)
    silent(strategy, monkeypatch)
    seen: list[list[torch.Tensor]] = []
    monkeypatch.setattr(strategy, "update_choices", lambda pulls, _: seen.append(pulls))
    level, limit = strategy.choices.level_ms(), strategy.price.limit_ms
    price = strategy.price.price(level)
    strategy.choice_step(*batch(strategy), log_of(strategy))
    assert price > 0
    for logit, pull, ms in zip(strategy.choices.logits, seen[0], strategy.choices.ms, strict=True):
        p = logit.detach().softmax(0)
        torch.testing.assert_close(pull, price / limit * p * (ms - (p * ms).sum()))
        assert (pull != 0).any()


def test_the_latency_gradient_is_that_of_finite_differences() -> None:
    choices = opened("full").choices
    choices.expected_ms(choices.probabilities()).backward()
    logit, step = choices.logits[0], 1e-2
    for i in range(len(logit)):
        ends = []
        for sign in (1, -1):
            with torch.no_grad():
                logit[i] += sign * step
                ends.append(choices.level_ms())
                logit[i] -= sign * step
        assert float(logit.grad[i]) == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=0.02)


def test_one_hot_probabilities_expect_the_table_sum_of_the_derived_network() -> None:
    strategy = opened()
    with torch.no_grad():
        for logit in strategy.choices.logits:
            logit[-1] = 100.0
    derived = strategy.choices.best()
    expected = strategy.problem.latency.predict(derived)
    assert strategy.choices.level_ms() == pytest.approx(expected)


def test_gradients_of_gates_are_those_of_the_loss_itself() -> None:
    """Each gate moved a little, everything computed in full."""
    strategy = opened("full", small_space(FAMILIES))
    x, y = batch(strategy)
    supernet = strategy.problem.supernet
    genes = strategy.problem.space.genes()
    every = [list(range(len(gene.values))) for gene in genes]
    active = [1] * len(genes)
    supernet.double()
    x = x.double()
    found = strategy.gate_gradients(x, y, every, active)
    for g, values in enumerate(every):
        for value in values:
            ends = []
            for step in (1e-4, -1e-4):
                gates = [torch.eye(len(v), dtype=torch.double)[1] for v in every]
                gates[g][value] += step
                with torch.no_grad():
                    told = strategy.choices.mixtures(gates)
                    ends.append(float(loss_of(supernet(x, told), y, 0.0)))
            slope = (ends[0] - ends[1]) / 2e-4
            assert float(found[g][value]) == pytest.approx(slope, rel=1e-3, abs=1e-5)


def test_with_two_values_both_modes_and_the_brute_force_agree() -> None:
    """dL/da_1 = p1 p2 (dL/dg_1 - dL/dg_2), whatever else may be in a mode."""
    pulls = {}
    for mode in ("two", "full"):
        strategy = opened(mode, small_space(TWO_OPS), latency_limit_ms=1e9)
        x, y = batch(strategy)
        seen: list[list[torch.Tensor]] = []
        strategy.update_choices = lambda pull, _, seen=seen: seen.append(pull)  # type: ignore
        strategy.problem.generator.manual_seed(5)
        strategy.choice_step(x, y, log_of(strategy))
        pulls[mode] = seen[0][0]
        p = strategy.choices.probabilities()[0].detach()
    gates = []
    for active in (0, 1):
        (gradient,) = strategy.gate_gradients(x, y, [[0, 1]], [active])
        gates.append(p[0] * p[1] * (gradient[0] - gradient[1]))
    torch.testing.assert_close(pulls["two"], pulls["full"])
    assert any(torch.allclose(pulls["full"][0], g, rtol=1e-4) for g in gates)
    torch.testing.assert_close(pulls["full"][0], -pulls["full"][1])


def test_a_two_path_update_leaves_the_other_probabilities_unchanged() -> None:
    strategy = opened("two", latency_limit_ms=0.05)
    moved = 0
    for _ in range(5):
        before = [p.detach().clone() for p in strategy.choices.probabilities()]
        strategy.choice_step(*batch(strategy), log_of(strategy))
        for old, new in zip(before, strategy.choices.probabilities(), strict=True):
            changed = ((new - old).abs() > 1e-6).sum()
            assert changed in (0, 2)
            moved += int(changed)
    assert moved > 0


def test_a_pair_keeps_its_mass() -> None:
    before = torch.tensor([0.3, -1.0, 2.0, 0.1])
    logit = before.clone()
    logit[1] += 0.7
    logit[2] -= 0.4
    keep_mass(logit, before, [1, 2])
    old, new = before.softmax(0), logit.softmax(0)
    torch.testing.assert_close(new[[0, 3]], old[[0, 3]], rtol=0, atol=1e-6)
    assert new[1] > old[1]


def test_the_chain_through_softmax_is_that_of_autograd() -> None:
    a = torch.tensor([0.3, -1.0, 2.0], requires_grad=True)
    g = torch.tensor([1.0, 2.0, -0.5])
    (a.softmax(0) * g).sum().backward()
    torch.testing.assert_close(through_softmax(g, a.detach().softmax(0)), a.grad)


def test_a_weight_step_gives_gradients_to_the_drawn_ops_only() -> None:
    strategy = opened()
    arch = Arch(("k5e3", "k3e6", SKIP, "k5e6", SKIP))
    elsewhere = iter([Arch(("k3e6", "k5e3", "k3e3", "k3e3", "k3e3")), arch])
    strategy.choices.draw = lambda _: next(elsewhere)  # type: ignore
    strategy.weight_step(*batch(strategy), log_of(strategy))
    before = {n: p.detach().clone() for n, p in strategy.problem.supernet.named_parameters()}
    strategy.weight_step(*batch(strategy), log_of(strategy))
    for kernel, op in zip(strategy.problem.supernet.kernels(), arch.ops, strict=True):
        for other in kernel.slot.ops:
            if other != SKIP:
                grads = [p.grad is not None for p in kernel.path(other).parameters()]
                assert all(grads) if other == op else not any(grads)
    for name, p in strategy.problem.supernet.named_parameters():
        if p.grad is None:
            assert torch.equal(p, before[name])  # neither decay nor momentum
    assert all(logit.grad is None for logit in strategy.choices.logits)


@MODES
def test_a_choice_step_moves_no_weight(mode: str) -> None:
    strategy = opened(mode, latency_limit_ms=0.05)
    before = {n: p.detach().clone() for n, p in strategy.problem.supernet.named_parameters()}
    strategy.choice_step(*batch(strategy), log_of(strategy))
    after = dict(strategy.problem.supernet.named_parameters())
    assert all(torch.equal(after[n], p) and after[n].grad is None for n, p in before.items())


@MODES
def test_one_candidate_per_layer_is_plain_training(mode: str) -> None:
    space = small_space(stage(kernel=[3], expand=[3], depth=[1, 1]))
    strategy = opened(mode, space, epochs=3)
    strategy.choice_step(*batch(strategy), log_of(strategy))
    assert all(p.tolist() == [1.0] for p in strategy.choices.probabilities())
    events = run(strategy, strategy.steps)
    assert {e.arch for e in events if isinstance(e, Evaluated)} == {"k3e3"}


@MODES
def test_a_skip_that_is_drawn_still_learns_from_loss_and_latency(mode: str) -> None:
    space = small_space(stage(kernel=[3], expand=[3], width=4, depth=[0, 1]), stage())
    strategy = opened(mode, space)
    gene = space.genes()[0]
    assert gene.values == ((SKIP,), ("k3e3",))
    used = [list(range(len(g.values))) for g in space.genes()]
    gradients = strategy.gate_gradients(*batch(strategy), used, [0] * len(used))
    assert (gradients[0] != 0).all()


def test_the_derived_network_is_the_same_each_time_and_has_no_layer_where_zero_won() -> None:
    strategy = opened()
    slots = strategy.problem.space.slots()
    number = next(i for i, slot in enumerate(slots) if slot.skippable)
    with torch.no_grad():
        strategy.choices.logits[number][slots[number].ops.index(SKIP)] = 9.0
    first, again = strategy.choices.best(), strategy.choices.best()
    assert first == again
    assert first.ops[number] == SKIP
    names = [layer.name for layer in strategy.problem.space.layers(first)]
    assert slots[number].name not in names


def test_choices_learn_on_images_that_no_weight_and_no_judgement_sees() -> None:
    strategy = opened()
    whole = strategy.problem.splits["weights"]
    train, held = strategy.training, strategy.held_out
    assert (len(train), len(held)) == (154, 38)
    assert torch.equal(torch.cat([train.images, held.images]), whole.images)
    drawn = list(strategy.held_out_batches(5))
    assert len(drawn) == 5


def limit(share: float) -> float:
    latency = macs_latency(toy_space())
    return latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)


@MODES
@pytest.mark.parametrize("share", [0.2, 0.6])
def test_the_expected_latency_hits_the_limit(mode: str, share: float) -> None:
    strategy = opened(mode, latency_limit_ms=limit(share), epochs=20)
    run(strategy, strategy.warm_up + strategy.search)
    assert 0.9 <= strategy.choices.level_ms() / limit(share) <= 1.06


def test_a_most_probable_network_above_the_limit_is_made_cheaper_and_said() -> None:
    strategy = opened(latency_limit_ms=limit(0.3))
    with torch.no_grad():
        for logit, ms in zip(strategy.choices.logits, strategy.choices.ms, strict=True):
            logit[ms.argmax()] = 9.0
    (warned,) = strategy._choose()
    assert "made cheaper" in warned.message
    assert strategy.problem.latency.predict(strategy.chosen) <= limit(0.3)


@MODES
def test_the_chosen_network_is_within_the_limit(mode: str) -> None:
    strategy = opened(mode, latency_limit_ms=limit(0.1), epochs=4)
    events = run(strategy, strategy.epochs)
    assert strategy.problem.latency.predict(strategy.chosen) <= limit(0.1)
    epochs = [e for e in events if isinstance(e, EpochEnd)]
    assert [e.phase for e in epochs] == ["warm-up", "search", "search", "settle"]
    assert all(len(e.gates) == len(strategy.problem.space.slots()) for e in epochs)


@MODES
@pytest.mark.parametrize(
    "stages",
    [
        pytest.param([{**FAMILIES, "layers": "same"}, stage(width=4)], id="tied families"),
        pytest.param([stage(layers="same", depth=[0, 3], width=4)], id="tied"),
    ],
)
def test_tied_stages_of_several_families_are_searched_and_resumed(mode: str, stages: list) -> None:
    space = small_space(*stages)
    expected = run(opened(mode, space, epochs=3), 4)
    first, second = (opened(mode, space, epochs=3) for _ in range(2))
    begun = run(first, 2)
    restore(freeze(first.problem, first, step=2, seconds=0.0), second.problem, second)
    assert begun + [e for i in (2, 3) for e in second.step(i)] == expected
    archs = [Arch.parse(e.arch) for e in expected if isinstance(e, Evaluated)]
    assert all(arch in space for arch in archs)
