"""What a search says of its front while it grows: curves, choices, limits, metrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import altair
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.events import Evaluated, Event, Filtered, Screened, fold
from engine.front.limits import Limits
from engine.pareto import hypervolume as area_of
from studio.charts import front_marks, hypervolume, overlay, pareto, usage
from studio.charts.theme import LIGHT
from studio.parts.usage import acceptance, columns
from tests.builders import small_space, stage
from tests.studio import fake_run
from tests.studio.conftest import Opening, words
from tests.studio.test_charts import LIMIT, as_vega_lite, epoch, view_of

SLOWEST, CLASSES = 0.2, 10


def grown(events: list[Event]) -> list[hypervolume.Growth]:
    return hypervolume.growth(events, slowest_ms=SLOWEST, classes=CLASSES, limit_ms=LIMIT)


def one(number: int, ms: float, accuracy: float) -> Evaluated:
    return Evaluated(f"arch{number}", accuracy, ms, 1, 1)


@given(st.lists(st.tuples(st.floats(0.01, 0.3), st.floats(0, 1)), min_size=1, max_size=60))
def test_while_weights_rest_neither_curve_falls(points: list[tuple[float, float]]) -> None:
    told = grown([one(i, ms, accuracy) for i, (ms, accuracy) in enumerate(points)])
    shares = [g.share for g in told]
    known = [g.best for g in told if g.best is not None]
    assert shares == sorted(shares)
    assert known == sorted(known)
    assert 0 <= shares[-1] <= 1


def test_the_last_share_is_that_of_the_whole_front_and_of_the_fixed_reference() -> None:
    view = view_of(503)
    points = [(c.predicted_ms, 1 - c.proxy_accuracy) for c in view.front()]
    reference = (SLOWEST, 1 - 1 / CLASSES)
    told = grown(view.kept)
    share = area_of(points, reference) / (reference[0] * reference[1])
    assert told[-1].share == pytest.approx(share)
    assert told[-1].evaluations == 503
    assert len(told) <= hypervolume.COLUMNS + 1


def test_only_what_is_predicted_within_the_limit_is_best_within_it() -> None:
    told = grown([one(0, 0.09, 0.99), one(1, 0.07, 0.8), one(2, 0.075, 0.7)])
    assert [g.best for g in told] == [None, 0.8, 0.8]


def test_what_breaks_another_limit_counts_as_evaluated_and_adds_nothing() -> None:
    events = [
        Evaluated("light", 0.7, 0.07, 10, 1),
        Evaluated("heavy", 0.9, 0.06, 11, 1),
    ]
    at = {"slowest_ms": SLOWEST, "classes": CLASSES, "limit_ms": LIMIT}
    told = hypervolume.growth(events, limits=Limits(params=10), **at)
    assert [g.evaluations for g in told] == [1, 2]
    assert told[0].share == told[1].share == grown(events[:1])[0].share
    assert [g.best for g in told] == [0.7, 0.7]
    assert grown(events)[1].best == 0.9


def test_training_on_begins_the_curves_anew() -> None:
    told = grown([one(0, 0.07, 0.9), epoch(1), epoch(2), one(1, 0.07, 0.6)])
    assert [(g.best, g.part) for g in told] == [(0.9, 0), (0.6, 1)]


@pytest.mark.parametrize("field", ["share", "best"])
def test_the_curves_are_valid_vega_lite(field: str) -> None:
    rows = hypervolume.rows(grown(view_of(40).kept))
    spec = hypervolume.spec(field, "Growth", dark=True)
    assert altair.LayerChart.from_dict(as_vega_lite(spec, rows)).layer


def test_choices_on_the_front_are_shares_per_layer_and_op() -> None:
    space = small_space(stage(width=4, depth=[0, 1]))
    rows = usage.rows(space, ["k3e3", "k3e3", "skip", "k5e6"])
    table = dict(zip(rows["op"], rows["share"], strict=True))
    assert (table["k3e3"], table["k5e6"], table[usage.LEFT_OUT]) == (0.5, 0.25, 0.25)
    assert sum(rows["share"]) == pytest.approx(1)
    assert rows["of"][rows["op"].index("k3e3")] == "2 of 4 networks"
    assert usage.columns(space)[-1] == usage.LEFT_OUT
    assert "k3e3 in 2" in usage.alt(space, ["k3e3", "k3e3", "skip", "k5e6"])
    drawn = as_vega_lite(usage.spec(space, dark=False), rows)
    assert altair.LayerChart.from_dict(drawn).to_dict()["layer"][0]["mark"]["type"] == "rect"


def test_what_no_network_has_is_told_apart_from_what_a_layer_cannot_have() -> None:
    space = small_space(stage(width=4, depth=[0, 1]))
    rows = usage.rows(space, ["k3e3"])
    cell, dot = usage.spec(space, dark=False)["layer"]
    assert "transform" not in cell
    assert dot["transform"] == [{"filter": "datum.share === 0"}]
    assert dot["mark"]["type"] == "point"
    assert 0 in rows["share"]


def test_a_curve_of_one_point_is_a_dot() -> None:
    layers = hypervolume.spec("best", "Growth", dark=False)["layer"]
    (dot,) = [layer for layer in layers if layer["mark"].get("filled")]
    assert {"filter": "datum.of === 1"} in dot["transform"]


def test_the_line_of_the_limits_says_what_became_of_what_did_not_keep_them() -> None:
    assert acceptance(Filtered(4120, {"latency_ms": 900, "params": 612})) == (
        "63\u202f% of 4\u202f120 networks kept all limits as drawn; the others (over in latency"
        " 900, parameters 612) were moved into the limits before any evaluation."
    )
    assert acceptance(Filtered(10, {})) == "100\u202f% of 10 networks kept all limits as drawn."


def test_metrics_are_told_with_their_correlations() -> None:
    found = Screened(64, {"snip": {"params": 0.5, "macs": -0.25}})
    assert columns(found) == {"metric": ["snip"], "parameters": ["+0.50"], "MACs": ["−0.25"]}


def test_a_search_shows_how_its_front_grew_and_of_what_it_is_made(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    fake.store.append(
        run,
        Filtered(100, {"latency_ms": 20}),
        Screened(64, {"snip": {"params": 0.5, "macs": 0.4}}),
    )
    at = open_page("search", fake.workspace)
    told = " ".join(chart.proto.alt for chart in at.get("vega_lite_chart"))
    for part in ("Hypervolume of the front, now", "within the limit, now", "Most used: stage1.1"):
        assert part in told
    assert "80\u202f% of 100 networks kept all limits as drawn; the others (over in" in words(at)
    assert "A dot: none of them has it. Blank: a layer has no such choice." in words(at)
    assert "Kendall's tau over 64 untrained networks" in words(at)


def test_the_curves_count_evaluations(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake)
    charts = open_page("search", fake.workspace).get("vega_lite_chart")
    curves = [c.proto for c in charts if "after 240 evaluations." in c.proto.alt]
    assert len(curves) == 2
    assert all("by evaluations" in curve.spec for curve in curves)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ("finished", "within by prediction. What this page calls best was measured"),
        ("running", "within by prediction: nothing is measured until the end."),
        ("stopped", "within by prediction: nothing was measured in this search."),
    ],
)
def test_the_best_of_the_curve_goes_by_prediction_and_is_said_to(
    root: Path, open_page: Opening, state: str, said: str
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, state, share=1.0 if state == "finished" else 0.8)
    assert said in words(open_page("search", fake.workspace))


def test_without_a_network_predicted_within_there_is_a_sentence_and_no_empty_chart(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, limit_ms=0.022)
    at = open_page("search", fake.workspace)
    assert "No network that was evaluated is predicted within every limit." in words(at)
    told = [chart.proto.alt for chart in at.get("vega_lite_chart")]
    assert any(alt.startswith("Hypervolume") for alt in told)
    assert not any(alt.startswith("Most accurate") for alt in told)


def test_before_the_second_network_there_are_no_curves(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "running", share=0.1)
    at = open_page("search", fake.workspace)
    assert "Hypervolume" not in " ".join(c.proto.alt for c in at.get("vega_lite_chart"))


def kinds(rows: dict[str, list[Any]], field: str) -> dict[str, Any]:
    return dict(zip(rows["kind"], rows[field], strict=True))


def test_every_mark_says_what_its_accuracy_is() -> None:
    view = fold([one(0, 0.07, 0.9), epoch(1), one(1, 0.05, 0.8), one(2, 0.07, 0.9)])
    known = view.candidates["arch2"]
    ghost = pareto.Ghost("ghost", 0.95, 0.08)
    trained = tuple(pareto.TrainedPoint(known, how, 0.92) for how in ("finetune", "retrain"))
    shown = pareto.Shown((known,), (), 1, (ghost,), trained)
    said = kinds(pareto.rows(shown, pareto.Highlights()), "proxy")
    assert said["evaluated"] == "90.0\u202f% proxy, shared weights"
    assert said["foreseen"] == "95.0\u202f% foreseen, not evaluated"
    assert said["finetune"] == "92.0\u202f% finetuned, weights of its own"
    assert said["retrain"] == "92.0\u202f% retrained, weights of its own"


def test_only_evaluated_members_are_on_the_line_of_the_front() -> None:
    known = view_of(1).front()[0]
    ghost = pareto.Ghost("ghost", 0.95, 0.08)
    shown = pareto.Shown((known,), (), 1, (ghost,), (pareto.TrainedPoint(known, "retrain", 0.9),))
    rows = pareto.rows(shown, pareto.Highlights())
    assert [kind for kind, on in zip(rows["kind"], rows["front"], strict=True) if on] == [
        "evaluated"
    ]
    assert "1 network foreseen, not evaluated." in pareto.alt(shown, LIMIT, None)


@pytest.mark.parametrize("dark", [False, True])
def test_a_chart_with_everything_in_it_is_valid_and_holds_all_of_it(dark: bool) -> None:
    view = view_of(30)
    known = view.front()[0]
    ghost = pareto.Ghost("ghost", 0.2, 0.3)
    others = (overlay.Other("search 3", ((0.5, 0.6),), ("k3",)),)
    shown = pareto.around(view, view.front(), [ghost])
    spec = pareto.spec(shown, LIMIT, where="here", dark=dark, others=others)
    rows = pareto.rows(shown, pareto.Highlights())
    assert altair.LayerChart.from_dict(as_vega_lite(spec, rows)).layer
    points = next(layer for layer in spec["layer"] if layer.get("name") == "points")
    (low, high), (least, _) = (points["encoding"][axis]["scale"]["domain"] for axis in ("x", "y"))
    assert low <= known.predicted_ms <= 0.5 <= high
    assert least <= 0.2


def test_fronts_of_other_searches_differ_by_dash_and_shape() -> None:
    others = [overlay.Other(f"search {i}", ((0.1, 0.5),), ("k3",)) for i in range(6)]
    drawn = overlay.layers(others, LIGHT)
    dashes = [str(m["mark"]["strokeDash"]) for m in drawn if m["mark"]["type"] == "line"]
    shapes = [m["mark"]["shape"] for m in drawn if m["mark"]["type"] == "point"]
    assert len(set(dashes)) == len(set(shapes)) == overlay.MOST


def test_names_of_other_fronts_lie_in_the_order_of_their_ends() -> None:
    others = [overlay.Other(f"{a}", ((0.1, a),), ("k3",)) for a in (0.5, 0.7, 0.6)]
    marks = [layer["mark"] for layer in overlay.names(others, LIGHT)]
    below = {mark["text"]: mark["dy"] for mark in marks}
    assert sorted(below, key=lambda name: below[name]) == ["0.7", "0.6", "0.5"]
    assert overlay.names([overlay.Other("empty", (), ())], LIGHT)


def test_shapes_of_other_fronts_mean_nothing_else_on_the_chart() -> None:
    taken = {*front_marks.SHAPES.values(), "square"}
    assert not taken & set(overlay.SHAPES)
    assert not any(shape.startswith("triangle") for shape in overlay.SHAPES)
