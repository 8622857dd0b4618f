"""Charts as data: what is drawn, what is left out, and that all of it is valid Vega-Lite."""

from __future__ import annotations

import random
from typing import Any

import altair
import pytest

from engine import presets
from engine.events import Candidate, EpochEnd, Evaluated, Measured, View, fold
from engine.methods import METHODS
from studio import text
from studio.charts import gates, pareto, progress
from studio.parts import front_view
from tests.builders import small_space, stage
from tests.studio.fake_run import SPACE

LIMIT = 0.08


def view_of(count: int, *, measured: int = 0, seed: int = 1) -> View:
    rng = random.Random(seed)
    told: list[Any] = []
    for i in range(count):
        ms = rng.uniform(0.04, 0.16)
        accuracy = min(0.99, 0.7 + 2 * (ms - 0.04) + rng.gauss(0, 0.03))
        told.append(Evaluated(f"arch{i}", accuracy, ms, 1000 + i, 9000 + i))
    told += [measurement(e.arch, e.predicted_ms * 1.01) for e in told[:measured]]
    return fold(told)


def measurement(arch: str, ms: float) -> Measured:
    return Measured(arch, ms, ms * 1.1, ms * 1.4, 300, (ms, ms * 1.002))


def epoch(number: int, phase: str = "search", **changed: Any) -> EpochEnd:
    fields: dict[str, Any] = {
        "loss": 1.0,
        "modelled_ms": 0.1,
        "penalty": 0.0,
        "gates": ((1.0, 0.5, 1.0),) * 8,
        "threshold_grads": (0.1, 0.2),
    }
    return EpochEnd(phase=phase, epoch=number, **(fields | changed))


def as_vega_lite(spec: dict[str, Any], rows: dict[str, list[Any]]) -> dict[str, Any]:
    values = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
    return {"data": {"values": values}, **spec}


def front_layer(spec: dict[str, Any]) -> dict[str, Any]:
    return next(layer for layer in spec["layer"] if layer["mark"]["type"] == "line")


def test_the_line_goes_through_predictions_of_front_members_only() -> None:
    view = view_of(300, measured=40)
    shown = pareto.shown(view)
    rows = pareto.rows(shown, pareto.Highlights())
    assert front_layer(pareto.spec(shown, LIMIT, where="here", dark=False))["transform"] == [
        {"filter": "datum.front && !datum.measured"}
    ]
    through = [
        (ms, accuracy)
        for ms, accuracy, front, measured in zip(
            rows["ms"], rows["accuracy"], rows["front"], rows["measured"], strict=True
        )
        if front and not measured
    ]
    assert through == [(c.predicted_ms, c.proxy_accuracy) for c in view.front()]


def test_thinning_never_drops_a_front_member() -> None:
    view = view_of(10_000)
    drawn = pareto.rows(pareto.shown(view, keep=100), pareto.Highlights())["arch"]
    assert {c.arch for c in view.front()} <= set(drawn)


def test_thinning_never_drops_a_measured_network() -> None:
    view = view_of(5_000, measured=30)
    drawn = set(pareto.rows(pareto.shown(view, keep=100), pareto.Highlights())["arch"])
    assert {f"arch{i}" for i in range(30)} <= drawn


def test_a_hundred_thousand_candidates_are_drawn_as_few_rows() -> None:
    shown = pareto.shown(view_of(100_000))
    assert shown.total == 100_000
    assert len(shown.dominated) == pareto.DOMINATED
    rows = pareto.rows(shown, pareto.Highlights())
    assert len(rows["arch"]) == len(shown.front) + pareto.DOMINATED


def test_a_new_dominated_candidate_changes_at_most_one_that_is_drawn() -> None:
    view = view_of(4_000)
    before = {c.arch for c in pareto.shown(view).dominated}
    fold([Evaluated("late", 0.1, 0.3, 1, 1)], view)
    after = {c.arch for c in pareto.shown(view).dominated}
    assert len(before - after) <= 1


def test_a_measured_network_has_a_mark_at_its_prediction_and_one_where_it_was_measured() -> None:
    view = fold([Evaluated("a", 0.9, 0.07, 1, 1), measurement("a", 0.075)])
    rows = pareto.rows(pareto.shown(view), pareto.Highlights())
    assert rows["ms"] == [0.07, 0.075]
    assert rows["measured"] == [False, True]
    assert rows["predicted_ms"] == [0.07, 0.07]


def test_every_point_says_which_weights_its_accuracy_is_of() -> None:
    shown = pareto.shown(fold([Evaluated("a", 0.9, 0.07, 1, 1)]))
    for strategy, words in (
        ("one_shot", "shared weights"),
        ("zero_cost", "a short training alone"),
    ):
        marks = pareto.Highlights(weights=METHODS[strategy].weights)
        assert pareto.rows(shown, marks)["proxy"] == [f"90.0{text.THIN}% proxy, {words}"]


def test_predictions_are_held_against_what_this_search_has_measured() -> None:
    assert front_view._own_error(view_of(9)) == ""
    near = front_view._own_error(view_of(9, measured=3))
    assert near == f" For the 3 networks measured here: 1.0{text.THIN}%, at most 1.0{text.THIN}%."
    far = fold([Evaluated("a", 0.9, 0.05, 1, 1), measurement("a", 0.1)])
    assert front_view._own_error(far).endswith("kept the device busy: measure it again.")


def test_highlights_mark_their_architectures_and_no_other() -> None:
    rows = pareto.rows(
        pareto.shown(view_of(50)), pareto.Highlights("arch3", {"arch4"}, {"arch5", "arch6"})
    )
    for field, marked in (("best", {"arch3"}), ("exported", {"arch4"})):
        assert {a for a, on in zip(rows["arch"], rows[field], strict=True) if on} == marked
    assert sum(rows["chosen"]) == 2


@pytest.mark.parametrize(
    ("measured", "predicted", "said"),
    [
        (None, 0.07, "not measured"),
        (None, 0.09, "predicted over"),
        (0.079, 0.09, "within"),
        (0.081, 0.07, "over"),
    ],
)
def test_only_a_measurement_can_be_within_the_limit(
    measured: float | None, predicted: float, said: str
) -> None:
    proof = measurement("a", measured) if measured else None
    assert pareto.verdict(Candidate("a", 0.9, predicted, 1, 1, proof), LIMIT) == said


def test_one_slow_session_is_enough_to_be_over_the_limit() -> None:
    proof = Measured("a", 0.0799, 0.09, 0.1, 300, (0.0799, 0.0801))
    assert pareto.verdict(Candidate("a", 0.9, 0.07, 1, 1, proof), LIMIT) == "over"


def test_a_domain_holds_all_values_and_rests_while_points_arrive_inside_it() -> None:
    values = [0.043, 0.08, 0.131]
    low, high = pareto.domain(values)
    assert low < min(values)
    assert high > max(values)
    assert pareto.domain([*values, 0.05, 0.12]) == [low, high]
    assert pareto.domain([*values, 0.132]) == [low, high]


def test_a_domain_of_one_value_has_room_around_it() -> None:
    low, high = pareto.domain([0.9], 0.0, 1.0)
    assert low < 0.9 < high <= 1.0


@pytest.mark.parametrize("dark", [False, True])
def test_the_pareto_chart_is_valid_vega_lite(dark: bool) -> None:
    shown = pareto.shown(view_of(40, measured=5))
    spec = pareto.spec(shown, LIMIT, where="this computer", dark=dark)
    rows = pareto.rows(shown, pareto.Highlights())
    assert altair.LayerChart.from_dict(as_vega_lite(spec, rows)).layer
    assert {p["name"] for p in spec["params"]} == {"pick", "zoom"}


def test_the_wheel_alone_scrolls_the_page() -> None:
    spec = pareto.spec(pareto.shown(view_of(30)), LIMIT, where="here", dark=False)
    (zoom,) = [p for p in spec["params"] if p["name"] == "zoom"]
    assert zoom["select"]["zoom"] == "wheel![event.ctrlKey || event.metaKey]"
    xs = next(layer for layer in spec["layer"] if layer.get("name") == "points")["encoding"]["x"]
    assert xs["scale"]["domain"][0] >= 0


def test_only_the_front_and_the_best_are_bold_and_only_exports_have_a_ring() -> None:
    spec = pareto.spec(pareto.shown(view_of(30)), LIMIT, where="here", dark=False)
    points = next(layer for layer in spec["layer"] if layer.get("name") == "points")
    for channel in ("opacity", "stroke"):
        assert points["encoding"][channel]["condition"]["test"] == "datum.bold"
    rings = [m for m in spec["layer"] if m["mark"].get("shape") == "circle"]
    assert [m["transform"][0]["filter"] for m in rings] == ["datum.exported"]


def test_networks_of_earlier_weights_are_drawn_but_are_no_front() -> None:
    told: list[Any] = [Evaluated("a", 0.99, 0.05, 1, 1), epoch(1), Evaluated("b", 0.8, 0.06, 1, 1)]
    shown = pareto.shown(fold(told))
    assert [c.arch for c in shown.front] == ["b"]
    assert [c.arch for c in shown.dominated] == ["a"]


@pytest.mark.parametrize(("limit", "side"), [(0.02, "left"), (0.5, "right")])
def test_the_label_of_the_limit_stays_inside_the_chart(limit: float, side: str) -> None:
    spec = pareto.spec(pareto.shown(view_of(30)), limit, where="here", dark=False)
    (label,) = [m for m in spec["layer"] if m["mark"].get("text", "").startswith("limit")]
    assert label["mark"]["align"] == side


def test_the_words_for_the_chart_name_the_limit_and_both_ends_of_the_front() -> None:
    view = fold([Evaluated("a", 0.8, 0.05, 1, 1), Evaluated("b", 0.9, 0.1, 1, 1)])
    words = pareto.alt(pareto.shown(view), LIMIT, None)
    for part in ("0.0800", "0.0500", "0.100", "80.0", "90.0", "None has been measured"):
        assert part in words


def test_the_table_holds_the_front_and_both_kinds_of_latency() -> None:
    view = view_of(200, measured=200)
    table = pareto.table(pareto.shown(view), LIMIT, pareto.Highlights(best=view.front()[2].arch))
    assert table["architecture"] == [c.arch for c in view.front()]
    assert table[""][2] == "best"
    assert all(m > p for m, p in zip(table["measured ms"], table["predicted ms"], strict=True))


def test_the_average_of_the_modelled_latency_starts_after_the_warm_up() -> None:
    told = [epoch(1, "warm-up", modelled_ms=9.0), epoch(2, modelled_ms=0.2), epoch(3)]
    rows = progress.latency_rows(told)
    assert rows["average"][0] is None
    assert rows["average"][1:] == pytest.approx([0.2, 0.8 * 0.2 + 0.2 * 0.1])
    assert rows["value"] == [9.0, 0.2, 0.1]


def test_a_moving_average_starts_at_the_first_value() -> None:
    assert progress.smooth([2.0, 4.0], 0.75) == [2.0, 2.5]
    assert progress.smooth([], 0.75) == []


def test_thresholds_are_dead_only_if_every_one_is_in_the_newest_search_epoch() -> None:
    dead, alive = (0.0, 0.0), (0.0, 1e-7)
    warm = epoch(1, "warm-up", threshold_grads=dead)
    assert not progress.all_dead([])
    assert not progress.all_dead([warm])
    assert progress.all_dead([warm, epoch(2, threshold_grads=dead)])
    assert not progress.all_dead([warm, epoch(2, threshold_grads=alive)])
    assert progress.all_dead([epoch(2, threshold_grads=dead), epoch(3, "settle")])


def test_gradients_of_zero_are_drawn_at_the_foot_of_the_logarithmic_axis() -> None:
    rows = progress.gradient_rows([epoch(1, "warm-up"), epoch(2, threshold_grads=(0.0, 0.1, 0.3))])
    assert rows == {"epoch": [2], "low": [progress.NO_GRADIENT], "average": [0.1], "high": [0.3]}


def test_every_curve_is_valid_vega_lite() -> None:
    told = [epoch(1, "warm-up"), epoch(2, accuracy=0.9), epoch(3, accuracy=0.92)]
    pairs = [
        (progress.loss_spec(dark=False), progress.loss_rows(told)),
        (progress.latency_spec(told, LIMIT, dark=False), progress.latency_rows(told)),
        (progress.gradient_spec(dark=True), progress.gradient_rows(told)),
        (progress.accuracy_spec(dark=True), progress.accuracy_rows(told)),
    ]
    for spec, rows in pairs:
        assert altair.LayerChart.from_dict(as_vega_lite(spec, rows)).layer


def test_gates_that_cannot_move_are_no_decision() -> None:
    labels = [g.label for g in gates.decisions(SPACE)]
    assert labels[:3] == ["stage1.1  5×5", "stage1.1  expand 6", "stage1.1  layer"]
    assert "stage2.1  layer" not in labels
    assert "stage2.1  5×5" in labels
    assert not gates.decisions(presets.load("spnasnet_100"))
    assert not gates.decisions(presets.load("spos-cifar"))  # its ops are drawn, not gated


def test_the_gate_of_excitation_stands_before_that_of_the_layer() -> None:
    searched = {"attention": ["none", "se"], "expand": [2, 3.5, 4], "depth": [1, 2]}
    made = gates.decisions(small_space(stage(**searched)))
    labels = ["5×5", "expand 3.5", "expand 4", "SE"]
    assert [(g.part, g.index) for g in made if g.slot == 0] == list(
        zip(labels, range(4), strict=True)
    )
    assert [g.part for g in made if g.slot == 1] == [*labels, "layer"]


def test_every_decision_finds_its_own_gate() -> None:
    values = tuple((i + 0.1, i + 0.2, i + 0.3) for i in range(len(SPACE.slots())))
    rows = gates.rows([epoch(1, gates=values)], gates.decisions(SPACE))
    found = dict(zip(rows["decision"], rows["gate"], strict=True))
    assert found["stage1.2  expand 6"] == pytest.approx(1.2)
    assert found["stage3.3  layer"] == pytest.approx(7.3)


def test_a_long_search_is_a_heat_map_of_bounded_width() -> None:
    told = [epoch(i + 1, gates=((i % 2, 0.0, 1.0),) * 8) for i in range(1000)]
    made = gates.decisions(SPACE)
    rows = gates.rows(told, made)
    assert len(rows["gate"]) <= gates.COLUMNS * len(made)
    assert rows["from"][0] == 0.5
    assert max(rows["to"]) == 1000.5
    assert rows["gate"][0] == pytest.approx(0.5, abs=0.06)


def test_the_heat_map_is_valid_vega_lite_and_says_what_is_dropped() -> None:
    made = gates.decisions(SPACE)
    told = [epoch(1, gates=((1.0, 1.0, 1.0),) * 7 + ((0.0, 1.0, 1.0),))]
    chart = as_vega_lite(gates.spec(made, dark=False), gates.rows(told, made))
    assert altair.Chart.from_dict(chart).mark
    assert gates.alt(told, made).endswith("dropped: stage3.3  5×5.")
