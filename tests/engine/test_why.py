"""Why this model: planted effects are found, what cannot be told is said, counterfactuals hold."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import replace

import pytest

from engine.cli import why as cli_why
from engine.cost import network_cost
from engine.devices import open_device
from engine.errors import RunError, SpaceError
from engine.events import Candidate, EpochEnd, Evaluated
from engine.explain.knobs import change
from engine.explain.why import Why, signed
from engine.space import Arch, SearchSpace
from engine.spec import DeviceChoice
from tests.builders import search_spec, small_space, stage
from tests.made_latency import drawn_model, macs_model
from tests.planted import NOISE, Truth, bred, candidate, judged, planted, sampled, varied_space

SEEDS, NETWORKS = 20, 120
CLEAR = 2 * NOISE


@pytest.mark.parametrize("found", [sampled, bred])
def test_nine_of_ten_planted_effects_lie_in_their_interval_and_clear_ones_have_the_right_sign(
    found: Callable[[Truth, random.Random, int], list[Candidate]],
):
    inside = told = 0
    for seed in range(SEEDS):
        rng = random.Random(seed)
        truth = planted(varied_space(), rng)
        why = Why(truth.space, found(truth, rng, NETWORKS))
        for effect in why.effects():
            true, seen = truth.effect(why, effect), effect.accuracy
            assert seen.value is not None
            assert abs(true) < CLEAR or (true > 0) == (seen.value > 0), effect.sentence
            if seen.low is not None and seen.high is not None:
                told += 1
                inside += seen.low <= true <= seen.high
    assert told >= 0.9 * SEEDS * len(Why(varied_space(), found(truth, rng, 60)).effects())
    assert 0.90 <= inside / told <= 0.99  # above: the intervals would be wider than they say


def test_nothing_planted_is_seldom_found():
    found = total = 0
    for seed in range(SEEDS):
        rng = random.Random(seed)
        truth = planted(varied_space(), rng, size=0.0)
        effects = Why(truth.space, sampled(truth, rng, NETWORKS)).effects()
        found += sum(effect.accuracy.sign != 0 for effect in effects)
        total += len(effects)
    assert found <= 0.1 * total


def test_an_effect_on_latency_that_adds_up_is_exact():
    space = small_space(stage(expand=[3]), stage(expand=[3]))
    truth = planted(space, random.Random(0))
    why = Why(space, sampled(truth, random.Random(0), 20))
    latency = drawn_model(space, 0)
    for effect in why.effects():
        if effect.knob.name == "kernel":
            table = latency.slot_ms[effect.knob.gene]
            expected = table[f"k{effect.value}e3"] - table[f"k{effect.usual}e3"]
            assert effect.latency_ms.value == pytest.approx(expected, abs=1e-9)
            assert effect.latency_ms.high == pytest.approx(expected, abs=1e-6)


def with_ops(space: SearchSpace, keep: Callable[[Arch], bool], count: int) -> list[Candidate]:
    truth, rng = planted(space, random.Random(1)), random.Random(1)
    archs = {space.sample(rng) for _ in range(400)}
    return judged(truth, [a for a in sorted(archs) if keep(a)][:count], rng)


def test_a_value_that_nothing_evaluated_has_cannot_be_told():
    space = small_space()
    why = Why(space, with_ops(space, lambda a: not a.ops[0].startswith("k5"), 10))
    effect = next(e for e in why.effects() if (e.knob.gene, e.knob.name) == (0, "kernel"))
    assert (effect.accuracy.value, effect.accuracy.why) == (None, "no evaluated network has it")
    assert effect.sentence == (
        "kernel 5 instead of 3 in layer 1: latency cannot be told, "
        "accuracy cannot be told: no evaluated network has it"
    )


def test_values_that_only_change_together_are_guessed_without_an_interval():
    space = small_space(stage(depth=[1, 1]), stage(depth=[1, 1]))
    together = with_ops(space, lambda a: a.ops[0][:2] == a.ops[1][:2], 8)
    found = {(e.knob.gene, e.knob.name): e.accuracy for e in Why(space, together).effects()}
    for gene in (0, 1):
        kernel = found[gene, "kernel"]
        assert kernel.value is not None
        assert (kernel.low, kernel.why) == (
            None,
            "it only ever changed together with other choices",
        )
        assert found[gene, "expand"].low is not None


def test_too_few_networks_give_no_interval():
    why = Why(
        varied_space(), sampled(planted(varied_space(), random.Random(0)), random.Random(0), 9)
    )
    assert {e.accuracy.low for e in why.effects()} == {None}
    assert why.effects()[0].accuracy.why == "9 networks are too few for 19 effects"


def test_one_network_tells_nothing():
    space = small_space()
    with pytest.raises(RunError, match="at least 2 evaluated networks, got 1"):
        Why(space, [candidate(space.largest(), 0.9, macs_model(space))])


def test_networks_of_another_space_do_not_count():
    space = small_space()
    inside = sampled(planted(space, random.Random(0)), random.Random(0), 6)
    strange = replace(inside[0], arch="k7e6-k7e6")
    assert Why(space, [*inside, strange]).n == 6


def test_the_order_of_the_networks_changes_nothing():
    found = sampled(planted(varied_space(), random.Random(0)), random.Random(0), 60)
    assert Why(varied_space(), found).effects() == Why(varied_space(), found[::-1]).effects()


def test_what_a_layer_is_compared_with_is_the_commonest_there():
    space = small_space()
    found = with_ops(space, lambda a: a.ops[1] != "skip", 16)
    rare = [c for c in found if c.arch.startswith("k3")][:2]
    common = [c for c in found if c.arch.startswith("k5")]
    effects = Why(space, [*rare, *common]).effects()
    assert next(e.usual for e in effects if (e.knob.gene, e.knob.name) == (0, "kernel")) == 5


# -- counterfactuals ------------------------------------------------------------------------------


def test_every_network_one_gene_away_is_told_with_exact_costs():
    space = varied_space()
    latency, rng = macs_model(space), random.Random(4)
    arch = space.sample(rng)
    why = Why(space, sampled(planted(space, rng), rng, 80))
    changes = why.changes(arch, latency)
    assert len({c.arch for c in changes}) == sum(len(g.values) - 1 for g in space.genes())
    before = network_cost(space, arch)
    for made in changes:
        other = Arch.parse(made.arch)
        after = network_cost(space, other)
        assert made.ms == pytest.approx(latency.predict(other) - latency.predict(arch))
        assert (made.params, made.macs) == (after.params - before.params, after.macs - before.macs)
        differs = [a != b for a, b in zip(space.parts(arch), space.parts(other), strict=True)]
        assert sum(differs) == 1


def test_a_change_to_a_network_that_was_evaluated_is_told_by_its_figure():
    space = small_space()
    latency = replace(macs_model(space), slot_ms=_flat(space, k3=0.50, k5=0.54))
    pairs = {"k5e3-k3e3": 0.900, "k3e3-k3e3": 0.897, "k5e6-k3e3": 0.91}
    why = Why(space, [candidate(Arch.parse(a), x, latency) for a, x in pairs.items()])
    found = {c.arch: c for c in why.changes(Arch.parse("k5e3-k3e3"), latency)}
    assert found["k3e3-k3e3"].sentence == (
        "kernel 5→3 in layer 1: −0.04 ms, −0.3 points (evaluated)"
    )
    assert not found["k5e3-k5e3"].evaluated


def _flat(space: SearchSpace, **ms: float) -> tuple[dict[str, float], ...]:
    return tuple({op: ms.get(op[:2], 0.0) for op in slot.ops} for slot in space.slots())


def test_a_change_that_was_not_evaluated_is_told_by_the_regression_with_its_interval():
    rng = random.Random(2)
    truth = planted(small_space(stage(), stage()), rng, size=5 * NOISE)
    why = Why(truth.space, sampled(truth, rng, 60))
    known = set(why.known)
    arch = next(a for a in map(Arch.parse, sorted(known)) if _lonely(truth.space, a, known))
    for made in why.changes(arch, drawn_model(truth.space, 0)):
        if not made.evaluated:
            true = truth.accuracy(Arch.parse(made.arch)) - truth.accuracy(arch)
            assert made.accuracy.low is not None
            assert made.accuracy.value == pytest.approx(true, abs=4 * NOISE)
            assert made.sentence.endswith(")")
            assert " to " in made.sentence


def _lonely(space: SearchSpace, arch: Arch, known: set[str]) -> bool:
    """Whether the network has a neighbour that was not evaluated."""
    others = Why(
        space, [candidate(a, 0.5, drawn_model(space, 0)) for a in (arch, space.smallest())]
    )
    return any(c.arch not in known for c in others.changes(arch, drawn_model(space, 0)))


def test_a_change_to_what_nothing_evaluated_has_says_so():
    space = small_space()
    latency = macs_model(space)
    why = Why(space, with_ops(space, lambda a: not a.ops[0].startswith("k5"), 10))
    made = {c.arch: c for c in why.changes(Arch.parse("k3e3-skip"), latency)}["k5e3-skip"]
    assert made.accuracy.value is None
    assert made.sentence.endswith("accuracy cannot be told: no evaluated network has kernel 5")


def test_a_network_of_another_space_has_no_changes_here():
    space = small_space()
    why = Why(space, sampled(planted(space, random.Random(0)), random.Random(0), 8))
    with pytest.raises(SpaceError, match=r"stage1\.1: must be one of"):
        why.changes(Arch(("k7e3", "skip")), macs_model(space))


@pytest.mark.parametrize(
    ("gene", "old", "new", "words"),
    [
        (0, ("k5e3",), ("k3e3",), "kernel 5→3 in layer 1"),
        (0, ("k5e3",), ("skip",), "layer 1 left out"),
        (0, ("skip",), ("k7e3",), "k7e3 added as layer 1"),
        (2, ("k3e6",), ("k5e3",), "kernel 3→5 and expansion 6→3 in layer 3"),
        (2, ("k3e6",), ("fk3e4",), "k3e6→fk3e4 in layer 3"),
        (4, ("k3e3", "skip", "skip"), ("k3e3", "k3e3", "skip"), "1→2 layers in stage 3"),
        (
            4,
            ("k3e3", "k3e3", "skip"),
            ("k5e3", "skip", "skip"),
            "2→1 layers and kernel 3→5 in stage 3",
        ),
    ],
)
def test_a_change_reads_well(gene: int, old: tuple[str, ...], new: tuple[str, ...], words: str):
    assert old in varied_space().genes()[gene].values
    assert new in varied_space().genes()[gene].values
    assert change(varied_space(), gene, old, new) == words


def test_words_of_effects_name_place_and_usual_value():
    why = Why(
        varied_space(), sampled(planted(varied_space(), random.Random(0)), random.Random(0), 60)
    )
    words = {effect.words.partition(" instead")[0] for effect in why.effects()}
    assert {"MBConv kernel 3", "MBConv kernel 5"} & words
    assert {"layer 1 left out", "layer 1 kept"} & words
    assert any(effect.words.endswith("layers in stage 3") for effect in why.effects())


def test_a_figure_has_a_true_minus_and_a_nought_no_sign():
    assert [signed(x, 2) for x in (-0.041, 0.3, -0.001)] == ["−0.04", "+0.30", "0.00"]


# -- the command ----------------------------------------------------------------------------------


Told = tuple[int, list[Candidate]]


@pytest.fixture
def told(store) -> Told:
    """A search of the small space with every network but one evaluated, the first of them stale."""
    spec = search_spec(space=small_space())
    run = store.create_run(spec)
    found = sampled(planted(spec.space, random.Random(0)), random.Random(0), 19)
    stale, *fresh = [Evaluated(c.arch, c.proxy_accuracy, c.predicted_ms, 1, 1) for c in found]
    store.append(run, stale, EpochEnd("search", 1, 1.0, 1.0, 0.0, (), ()), *fresh)
    return run, found


@pytest.fixture
def measured(told: Told, store) -> Told:
    """The same with a latency table."""
    key, space = open_device(DeviceChoice()).key, small_space()
    store.put_calibration(key, space.digest(), macs_model(space).to_json())
    return told


def called(*arguments: object) -> None:
    cli_why.why.main([str(a) for a in arguments], standalone_mode=False)


def test_the_command_prints_effects_changes_and_what_may_go(measured: Told, store, capsys):
    run, found = measured
    called(run, "--workspace", store.folder, "--arch", found[3].arch, "--json")
    document = json.loads(capsys.readouterr().out)
    assert document["networks"] == 18  # the stale one does not count
    assert len(document["effects"]) == 5
    assert document["effects"][0]["slots"] == ["stage1.1"]
    assert len(document["changes"]) == 3 + 4
    shrunk = document["shrink"]
    assert SearchSpace.from_json(shrunk["space"]).size() == shrunk["size_after"]


def test_the_command_prints_words_and_its_caveat(measured: Told, store, capsys):
    run, found = measured
    called(run, "--workspace", store.folder, "--arch", found[3].arch)
    printed = capsys.readouterr().out
    assert "They are no random sample" in printed
    assert f"{found[3].arch}, were it different\nexpansion 3→6 in layer 1: " in printed


def test_effects_need_no_latency_table(told: Told, store, capsys):
    called(told[0], "--workspace", store.folder)
    assert "18 networks." in capsys.readouterr().out


def test_changes_without_a_latency_table_say_how_to_measure_one(told: Told, store):
    with pytest.raises(RunError, match="no latency table of run 1"):
        called(told[0], "--workspace", store.folder, "--arch", told[1][3].arch)
