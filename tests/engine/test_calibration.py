"""The fit of a table to whole networks: additive, never negative, true where the truth is."""

from __future__ import annotations

import random

from engine import presets
from engine.calibration import choose, fit, units
from engine.cost import layer_cost
from engine.latency import distinct_layers
from engine.space import SKIP, Arch, SearchSpace
from tests.builders import small_space, stage

CALL_MS = 0.003


def alone_ms(layer) -> float:
    """What a layer takes alone: its work, and the cost of calling a file at all."""
    return CALL_MS + layer_cost(layer).macs / 1e6


def rows(space: SearchSpace) -> dict[str, float]:
    return {layer.key: alone_ms(layer) for layer in distinct_layers(space)}


def whole_ms(space: SearchSpace, arch: Arch, rng: random.Random, noise: float) -> float:
    """A network whose stages are faster or slower than their layers alone, measured with noise."""
    ms = CALL_MS
    for layer in space.layers(arch):
        factor = {"stage1": 0.9, "stage2": 1.15}.get(layer.name.split(".")[0], 1.0)
        ms += factor * layer_cost(layer).macs / 1e6
    return ms * rng.gauss(1, noise)


def errors(space: SearchSpace, noise: float) -> list[float]:
    fitted_on, held_out = choose(space)
    rng = random.Random(0)
    networks = [(arch, whole_ms(space, arch, rng, noise)) for arch in fitted_on]
    fitted = fit(space, rows(space), networks)
    found = []
    for arch in held_out:
        ops = zip(space.slots(), arch.ops, strict=True)
        ms = fitted.base_ms + sum(fitted.op_ms(slot, op) for slot, op in ops)
        found.append(abs(ms / whole_ms(space, arch, rng, 0.0) - 1))
    return found


def test_networks_that_no_fit_has_seen_are_predicted():
    space = small_space(
        stage(width=4, depth=[0, 2]),
        stage(width=8, depth=[1, 3], stride=2),
        stage(width=12, depth=[1, 3], stride=2),
        input={"size": 16, "channels": 1},
    )
    assert max(errors(space, noise=0.0)) < 0.01


def test_noise_in_the_measurements_does_not_come_back_larger():
    found = errors(presets.load("digits"), noise=0.02)
    assert sum(found) / len(found) < 0.02


def test_no_layer_ever_takes_less_than_nothing():
    space = presets.load("digits")
    fitted_on, _ = choose(space)
    rng = random.Random(1)
    nonsense = [(arch, rng.uniform(0.01, 0.1)) for arch in fitted_on]
    fitted = fit(space, rows(space), nonsense)
    assert min(fitted.unit_ms.values()) >= 0
    assert fitted.base_ms >= 0


def test_a_skip_takes_nothing():
    space = presets.load("digits")
    fitted = fit(space, rows(space), [(space.largest(), 0.1)])
    assert fitted.op_ms(space.slots()[0], SKIP) == 0.0


def test_one_network_is_enough_to_meet_its_own_time():
    space = small_space(stage(depth=[1, 1], kernel=[3], expand=[3]))
    arch = space.largest()
    fitted = fit(space, rows(space), [(arch, 0.5)])
    ms = fitted.base_ms + fitted.op_ms(space.slots()[0], arch.ops[0])
    assert abs(ms / 0.5 - 1) < 0.01


def test_chosen_networks_are_different_and_repeat_with_the_seed():
    space = presets.load("digits")
    fitted_on, held_out = choose(space)
    assert (len(fitted_on), len(held_out)) == (20, 32)
    assert len({*fitted_on, *held_out}) == 52
    assert fitted_on[:2] == [space.smallest(), space.largest()]
    assert choose(space) == (fitted_on, held_out)
    assert choose(space, seed=1) != (fitted_on, held_out)


def test_a_small_space_is_shared_out_without_repeats():
    space = small_space(stage(depth=[1, 1]))  # four architectures
    fitted_on, held_out = choose(space)
    assert len(fitted_on) == 2
    assert len({*fitted_on, *held_out}) == 4


def test_a_space_of_one_network_has_nothing_to_hold_out():
    space = small_space(stage(depth=[1, 1], kernel=[3], expand=[3]))
    assert choose(space) == ([space.largest()], [])


def test_units_are_the_kept_layers():
    space = small_space()
    arch = Arch.parse("k3e3-skip")
    assert units(space, arch) == [(1, space.slots()[0].layer("k3e3").key)]
