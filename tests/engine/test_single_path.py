"""Single-Path NAS on a toy: limits are reached, the published formulas are kept."""

from __future__ import annotations

from functools import cache

import pytest
import torch

from engine.epoch_log import EpochLog
from engine.errors import StudioError
from engine.events import EpochEnd, Evaluated, Warned, fold
from engine.front import phase as front_phase
from engine.repair import repaired
from engine.run import freeze, restore
from engine.space import Arch
from engine.strategies.single_path import AIM, SinglePath
from engine.superkernel import Gates, decode
from engine.supernet import SuperNet
from tests.builders import small_space, stage
from tests.problems import macs_latency, toy_problem, toy_space


@pytest.fixture(autouse=True)
def a_short_front(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three generations of eight: enough to see that they work."""
    monkeypatch.setattr(front_phase, "GENERATIONS", 3)
    monkeypatch.setattr(front_phase, "CHILDREN", 8)


def run(strategy: SinglePath, steps: int | None = None) -> list[object]:
    stop = strategy.steps if steps is None else steps
    return [event for i in range(stop) for event in strategy.step(i)]


def limit(share: float) -> float:
    latency = macs_latency(toy_space())
    return latency.fastest_ms + share * (latency.slowest_ms - latency.fastest_ms)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_the_chosen_network_is_within_the_limit(share) -> None:
    strategy = SinglePath(toy_problem(latency_limit_ms=limit(share), epochs=10))
    run(strategy, strategy.epochs)
    assert strategy.chosen in strategy.problem.space
    assert strategy.problem.latency.predict(strategy.chosen) <= limit(share)


@cache  # seconds each; read only
def searched(share: float) -> tuple[SinglePath, list[float]]:
    """A strategy at the end of its search phase, nothing frozen or repaired, and R per epoch."""
    strategy = SinglePath(toy_problem(latency_limit_ms=limit(share), epochs=30))
    events = run(strategy, strategy.warm_up + strategy.search)
    return strategy, [e.modelled_ms for e in events if isinstance(e, EpochEnd)][strategy.warm_up :]


@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_gates_alone_reach_the_limit(share) -> None:
    _, modelled = searched(share)
    late = sum(modelled[-3:]) / 3
    assert 0.75 * limit(share) <= late <= 1.02 * limit(share)


def test_a_tighter_limit_gives_a_lower_modelled_latency() -> None:
    late = [sum(searched(share)[1][-3:]) for share in (0.2, 0.5, 0.8)]
    assert late == sorted(late)


def test_a_limit_that_nothing_meets_leaves_the_smallest_network() -> None:
    strategy, _ = searched(-0.1)
    assert strategy.decoded() == strategy.problem.space.smallest()


@pytest.mark.parametrize("epochs", [3, 4, 6, 10, 41])
def test_the_phases_come_in_order_and_fill_the_steps(epochs) -> None:
    strategy = SinglePath(toy_problem(epochs=epochs))
    phases = [strategy.phase(i) for i in range(strategy.steps)]
    assert list(dict.fromkeys(phases)) == ["warm-up", "search", "settle", "front"]
    assert sum(p != "front" for p in phases) == epochs


def test_a_limit_that_excludes_nothing_is_no_pressure() -> None:
    problem = toy_problem(latency_limit_ms=limit(2.0), epochs=8)
    strategy = SinglePath(problem)
    events = run(strategy, strategy.epochs)
    assert all(e.penalty == 0 for e in events if isinstance(e, EpochEnd))


def test_the_target_falls_to_its_share_of_the_limit_and_stays() -> None:
    strategy = SinglePath(toy_problem(latency_limit_ms=limit(0.3)))
    targets = [strategy._target(share / 10) for share in range(11)]
    assert targets[0] == pytest.approx(0.98 * strategy.problem.latency.slowest_ms)
    assert targets == sorted(targets, reverse=True)
    assert targets[7:] == pytest.approx([AIM * limit(0.3)] * 4)


def test_every_threshold_has_a_gradient_at_the_first_step_of_the_search() -> None:
    problem = toy_problem(latency_limit_ms=limit(0.3))
    strategy = SinglePath(problem)
    run(strategy, strategy.warm_up)
    strategy.target_ms = strategy._target(0.0)
    strategy._penalty(strategy.modelled_ms(strategy.thresholds.gates(problem.supernet))).backward()
    assert all((t.grad < 0).all() for t in strategy.thresholds.values)  # latency raises them all
    x, y = next(problem.splits["weights"].in_order(32))
    strategy.train_step("search", x, y, EpochLog(len(strategy.tables)))
    assert all((t.grad != 0).all() for t in strategy.thresholds.values)


def test_repair_reaches_the_limit_one_slot_at_a_time() -> None:
    problem = toy_problem(latency_limit_ms=limit(0.2))
    small = repaired(problem, problem.space.largest())
    assert problem.latency.predict(small) <= problem.limit_ms
    assert small in problem.space


def test_no_snapshot_within_the_limit_is_repaired_and_said() -> None:
    strategy = SinglePath(toy_problem(latency_limit_ms=limit(0.05)))
    events = list(strategy._freeze())
    assert [type(e) for e in events] == [Warned]
    assert strategy.problem.latency.predict(strategy.chosen) <= strategy.problem.limit_ms


def test_every_evaluation_is_one_event_of_a_network_in_the_space() -> None:
    strategy = SinglePath(toy_problem())
    events = [e for e in run(strategy) if isinstance(e, Evaluated)]
    assert all(Arch.parse(e.arch) in strategy.problem.space for e in events)
    assert all(0 <= e.proxy_accuracy <= 1 for e in events)
    view = fold(events)
    assert view.front()[0].predicted_ms == pytest.approx(strategy.problem.latency.fastest_ms)


def test_training_lifts_the_shared_weights_above_chance() -> None:
    strategy = SinglePath(toy_problem(epochs=12))
    evaluated = [e for e in run(strategy) if isinstance(e, Evaluated)]
    assert max(e.proxy_accuracy for e in evaluated) > 0.8


def test_the_same_seed_finds_the_same_and_another_does_not() -> None:
    first, again, other = (run(SinglePath(toy_problem(seed=s, epochs=4))) for s in (1, 1, 2))
    assert first == again
    assert first != other


@pytest.mark.parametrize("mode", ["stable", "reference"])
def test_half_way_saved_and_loaded_equals_straight_through(mode) -> None:
    straight = SinglePath(toy_problem(epochs=5, mode=mode))
    expected = run(straight)
    for cut in (1, 4, 6):
        first = SinglePath(toy_problem(epochs=5, mode=mode))
        begun = [e for i in range(cut) for e in first.step(i)]
        state = freeze(first.problem, first, step=cut, seconds=0.0)
        second = SinglePath(toy_problem(epochs=5, mode=mode))
        restore(state, second.problem, second)
        rest = [e for i in range(cut, second.steps) for e in second.step(i)]
        assert begun + rest == expected, cut


def test_the_reference_mode_models_the_full_network_in_warm_up_on_average() -> None:
    problem = toy_problem(mode="reference", epochs=60)
    strategy = SinglePath(problem)
    gates = [strategy.thresholds.gates(problem.supernet, strategy._dropout()) for _ in range(800)]
    mean = sum(float(strategy.modelled_ms(g).detach()) for g in gates) / len(gates)
    assert mean == pytest.approx(problem.latency.slowest_ms, rel=0.06)


def test_the_reference_mode_leaves_its_thresholds_nearly_where_they_were() -> None:
    strategy = SinglePath(toy_problem(mode="reference", epochs=8))
    run(strategy, strategy.warm_up + strategy.search)
    assert strategy.decoded() == strategy.problem.space.largest()


def test_an_unknown_mode_is_refused_in_words() -> None:
    with pytest.raises(StudioError, match="stable, reference for single_path, got 'fast'"):
        toy_problem(mode="fast")


MIXED = {
    "blocks": [
        {"block": "mbconv", "kernel": [3, 5], "expand": [3, 6]},
        {"block": "fused", "kernel": [3], "expand": [2, 4]},
    ],
    "width": 8,
    "stride": 1,
}


@pytest.mark.parametrize(
    "stages",
    [
        pytest.param([stage(layers="same", depth=[0, 3], width=4)], id="tied"),
        pytest.param([stage(attention=["none", "se"], layers="same"), stage()], id="excite"),
        pytest.param([{**MIXED, "depth": [1, 3]}], id="paths"),
        pytest.param([{**MIXED, "depth": [1, 3], "layers": "same"}, stage()], id="tied paths"),
    ],
)
def test_tied_stages_and_choices_without_gates_are_searched(stages) -> None:
    strategy = SinglePath(toy_problem(small_space(*stages), epochs=6))
    seen = [event for i in range(strategy.steps) for event in strategy.step(i)]
    archs = [Arch.parse(event.arch) for event in seen if isinstance(event, Evaluated)]
    assert len(set(archs)) > 3
    assert all(arch in strategy.problem.space for arch in archs)


TIED_FUSED = {"block": "fused", "kernel": [3, 5], "expand": [2, 4], "layers": "same"}


def test_every_network_that_is_trained_lies_in_the_space() -> None:
    tied = {**TIED_FUSED, "width": 4, "depth": [0, 3], "stride": 1}
    strategy = SinglePath(toy_problem(small_space(tied, stage()), epochs=6))
    supernet, trained = strategy.problem.supernet, []
    supernet.register_forward_pre_hook(lambda _, args: trained.append(args[1]))
    for number in range(strategy.epochs):
        trained.clear()
        assert list(strategy.step(number))
        archs = [how if isinstance(how, Arch) else op_by_op(supernet, how) for how in trained]
        assert len(archs) >= strategy.batches
        assert all(arch in strategy.problem.space for arch in archs), strategy.phase(number)


def op_by_op(supernet: SuperNet, gates: Gates) -> Arch:
    """What hard gates compute, each slot for itself."""
    pairs = zip(supernet.kernels(), gates, strict=True)
    return Arch(tuple(g if isinstance(g, str) else decode(kernel, g) for kernel, g in pairs))


def test_layers_without_gates_are_counted_once_at_the_first_step() -> None:
    fixed = {**TIED_FUSED, "kernel": [3], "expand": [2], "width": 4, "depth": [1, 1], "stride": 1}
    drawn = {**fixed, "expand": [2, 4], "depth": [2, 2]}
    strategy = SinglePath(toy_problem(small_space(fixed, drawn, stage()), epochs=4))
    warned = [e for e in run(strategy) if isinstance(e, Warned)]
    assert warned[0].message == (
        "2 of 5 layers are decided by evolution, not by thresholds: their choices do not share one"
        " gated superkernel."
    )
    assert sum("evolution" in w.message for w in warned) == 1


def test_a_search_whose_layers_all_have_gates_warns_of_nothing() -> None:
    assert not [e for e in run(SinglePath(toy_problem()), 1) if isinstance(e, Warned)]


@pytest.mark.parametrize("mode", ["stable", "reference"])
def test_a_choice_of_excitation_is_drawn_gated_and_logged(mode) -> None:
    space = small_space(stage(attention=["none", "sein"], width=16))
    strategy = SinglePath(toy_problem(space, epochs=5, mode=mode))
    assert {"sein" in op for _ in range(40) for op in strategy._draw().ops} == {True, False}
    epochs = [e for e in run(strategy, strategy.epochs) if isinstance(e, EpochEnd)]
    assert [len(row) for row in epochs[-1].gates] == [4, 4]  # ring, band, excite, layer
    for arch in (space.largest(), space.smallest(), strategy.decoded()):
        modelled = float(strategy.modelled_ms(strategy._hard(arch)))
        assert modelled == pytest.approx(strategy.problem.latency.predict(arch))


def test_gates_of_a_tied_stage_are_one_choice_and_leave_out_the_end() -> None:
    strategy = SinglePath(toy_problem(small_space(stage(layers="same", depth=[0, 3], width=4))))
    rng = torch.Generator().manual_seed(0)
    for _ in range(20):
        for t in strategy.thresholds.values:
            t.data = 2 * torch.rand(t.shape, generator=rng)
        assert strategy.decoded() in strategy.problem.space
    with torch.no_grad():
        gates = strategy.thresholds.gates(strategy.problem.supernet)
        total = float(strategy.modelled_ms(gates))
    assert total == pytest.approx(strategy.problem.latency.predict(strategy.decoded()))
