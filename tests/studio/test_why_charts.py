"""Charts of effects and of conflicts as data: order, marks, words, and valid Vega-Lite."""

from __future__ import annotations

import altair
import pytest

from engine.events import Conflicts
from engine.explain.knobs import Knob
from engine.explain.regression import Estimate
from engine.explain.why import Effect
from studio.charts import cosines, effects
from tests.studio.test_charts import as_vega_lite

KNOB = Knob(0, "kernel", "mbconv", (3, 5))
NONE = Estimate(None, why="no evaluated network has it")


def effect(words: str, accuracy: Estimate, ms: Estimate = NONE) -> Effect:
    return Effect(KNOB, 5, 3, words, accuracy, ms, 7, 9)


def about(value: float, half: float = 0.001) -> Estimate:
    return Estimate(value, value - half, value + half)


GUESS = Estimate(0.3, why="too few")
UNSURE = about(0.02, 0.05)
TABLE = Conflicts(
    "stage1.2", ("skip", "k3e3", "k5e6"), ((1.0, 0.5, -0.31), (0.5, 1.0, 0.8), (-0.31, 0.8, 1.0))
)


def test_sure_effects_come_first_and_accuracy_and_latency_count_alike() -> None:
    small, fast = effect("small", about(0.01), about(0.001)), effect("fast", UNSURE, about(-0.02))
    both, large = effect("both", about(0.03), about(0.01)), effect("large", about(-0.04))
    told = effects.ordered([effect("guess", GUESS), small, fast, large, both])
    assert [e.words for e in told] == ["both", "large", "fast", "small", "guess"]


def test_without_a_sure_effect_the_largest_comes_first() -> None:
    told = effects.ordered([effect("less", UNSURE), effect("none", NONE), effect("more", GUESS)])
    assert [e.words for e in told] == ["more", "less", "none"]


@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (about(0.1), effects.SURE),
        (about(-0.1), effects.SURE),
        (UNSURE, effects.UNCERTAIN),
        (GUESS, effects.GUESS),
        (NONE, effects.NOTHING),
    ],
)
def test_what_is_known_of_an_effect_is_told_by_a_mark_of_its_own(
    found: Estimate, kind: str
) -> None:
    told = [effect("one", found)]
    assert effects.kind(found) == kind
    assert effects.rows(told)["accuracy_kind"] == [kind]
    mark = {effects.SURE: "●", effects.UNCERTAIN: "○", effects.GUESS: "✚"}.get(kind, "no mark")
    assert mark in effects.legend(told)


def test_accuracy_is_in_points_and_latency_in_ms() -> None:
    rows = effects.rows([effect("one", about(0.02, 0.01), about(0.004))])
    assert rows["accuracy"] == pytest.approx([2.0])
    assert rows["accuracy_low"] == pytest.approx([1.0])
    assert rows["accuracy_told"] == ["+2.0 (+1.0 to +3.0)"]
    assert rows["latency"] == [0.004]


def test_an_endless_interval_does_not_hide_the_others_and_is_said_to_go_on() -> None:
    wide = effect("wide", about(0.01, 5.0))
    told = [effect("usual", about(0.02)), wide]
    rows = effects.rows(told)
    assert rows["accuracy_high"] == pytest.approx([2.1, 6.0])
    assert "to +501" in rows["accuracy_told"][1]
    assert "goes on beyond it" in effects.legend(told)
    assert "goes on" not in effects.legend(told[:1])


def test_a_guess_has_a_dot_but_no_interval() -> None:
    rows = effects.rows([effect("one", GUESS)])
    assert (rows["accuracy"], rows["accuracy_low"]) == ([30.0], [None])
    assert rows["accuracy_told"] == ["+30, a guess: too few"]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("found", [[about(0.02), UNSURE, GUESS], [Estimate(0.0, 0.0, 0.0)]])
def test_the_picture_of_effects_is_vega_lite(found: list[Estimate], dark: bool) -> None:
    told = [effect(f"choice {i}", e, e) for i, e in enumerate(found)]
    altair.Chart.from_dict(as_vega_lite(effects.spec(told, dark=dark), effects.rows(told)))


def test_the_axis_says_which_accuracy_it_is() -> None:
    spec = effects.spec([effect("one", about(0.02))], dark=False)
    assert spec["layer"][0]["layer"][-1]["encoding"]["x"]["title"] == "proxy accuracy, points"


def test_zero_lies_within_both_axes() -> None:
    spec = effects.spec([effect("one", about(0.02), about(-0.004))], dark=False)
    for panel in spec["layer"][:2]:
        low, high = panel["layer"][0]["encoding"]["x"]["scale"]["domain"]
        assert low < 0 < high


def test_effects_are_told_in_words_too() -> None:
    told = [effect(f"choice {i}", about(0.02), about(0.004)) for i in range(7)]
    said = effects.alt(told)
    assert said.startswith("Effects of 7 choices, with intervals: choice 0: +0.004 ms")
    assert said.endswith("and 2 more.")
    assert "choice 5" not in said


def test_pairs_that_pull_furthest_apart_come_first() -> None:
    told = cosines.pairs([TABLE])
    assert [(p.one, p.other, p.cosine) for p in told] == [
        ("left out", "k5e6", -0.31),
        ("left out", "k3e3", 0.5),
        ("k3e3", "k5e6", 0.8),
    ]


def test_a_tied_stage_is_named_by_its_layers_and_their_choice() -> None:
    assert cosines.named("k3e3-k3e3-skip") == "2 × k3e3"
    assert cosines.named("skip-skip") == cosines.named("skip") == "left out"
    assert cosines.named("k3e3") == "k3e3"


def test_every_cell_has_its_number_and_a_choice_is_not_held_against_itself() -> None:
    rows = cosines.rows(TABLE)
    assert len(rows["cosine"]) == 6
    at = list(zip(rows["choice"], rows["against"], strict=True)).index(("left out", "k5e6"))
    assert (rows["written"][at], rows["says"][at]) == ("−0.31", "pull apart")
    assert all(a != b for a, b in zip(rows["choice"], rows["against"], strict=True))


def test_a_cosine_that_rounds_to_nothing_has_no_sign() -> None:
    assert cosines.written(-0.001) == "0.00"


@pytest.mark.parametrize("dark", [False, True])
def test_the_heat_map_of_conflicts_is_vega_lite_and_symmetric_around_zero(dark: bool) -> None:
    spec = cosines.spec(TABLE, dark=dark)
    altair.Chart.from_dict(as_vega_lite(spec, cosines.rows(TABLE)))
    assert spec["layer"][0]["encoding"]["color"]["scale"]["domain"] == [-1, 0, 1]


def test_conflicts_are_told_in_words_too() -> None:
    assert cosines.alt(TABLE) == (
        "Cosines between the gradients of 3 choices of stage1.2, each against each. Furthest apart:"
        " left out and k5e6, −0.31. Most alike: k3e3 and k5e6, 0.80."
    )
