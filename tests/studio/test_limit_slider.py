"""New fronts from an old search on the Front page: limits, held layers, "more like this"."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.events import Evaluated, Foreseen, Learned
from engine.front.predictor import FEWEST
from engine.space import SearchSpace
from studio.parts import front_view, limit_slider
from tests.studio import fake_run
from tests.studio.conftest import Opening, labels, words
from tests.studio.fake_run import LIMIT_MS, Fake

LOOSER = 0.09


@pytest.fixture
def searched(root: Path) -> Fake:
    """A workspace with one finished search of 240 networks."""
    fake = fake_run.make(root)
    fake_run.search(fake)
    return fake


def slide(at: AppTest, limit_ms: float) -> AppTest:
    return at.slider[0].set_value(limit_ms).run()


def press(at: AppTest, label: str) -> AppTest:
    return next(b for b in at.button if b.label == label).click().run()


def drawn(at: AppTest) -> dict[str, Any]:
    return dict(json.loads(at.get("vega_lite_chart")[0].proto.spec))


def test_the_slider_starts_at_the_limit_of_the_search_and_spans_the_space(
    searched: Fake, open_page: Opening
) -> None:
    slider = open_page("front", searched.workspace).slider[0]
    model = searched.model
    assert slider.value == pytest.approx(LIMIT_MS)
    assert model.fastest_ms <= slider.min <= model.fastest_ms + slider.step
    assert model.slowest_ms <= slider.max <= model.slowest_ms + slider.step


def test_as_searched_nothing_is_computed_and_nothing_can_be_reset(
    searched: Fake, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise AssertionError("a new front was computed")

    monkeypatch.setattr(limit_slider, "new_front", refused)
    at = open_page("front", searched.workspace)
    assert next(b for b in at.button if b.label == "As searched").disabled
    assert "New front" not in words(at)
    assert not at.error


def test_another_limit_gives_a_front_within_it_of_evaluated_and_foreseen_networks(
    searched: Fake, open_page: Opening
) -> None:
    at = slide(open_page("front", searched.workspace), LOOSER)
    assert all(ms <= LOOSER for ms in at.dataframe[0].value["predicted ms"])
    said = words(at)
    assert "New front under 0.0900\u202fms" in said
    assert "nothing was trained" in said
    assert "Foreseen after 240 networks, mean error ±" in said
    assert "foreseen, not evaluated (mean error ±" in said
    assert "limit 0.0900" in at.get("vega_lite_chart")[0].proto.alt


def test_the_best_within_the_new_limit_is_named_and_picked(
    searched: Fake, open_page: Opening
) -> None:
    inside = [c for c in searched.store.view(1).fresh() if c.predicted_ms <= LOOSER]
    best = max(inside, key=lambda c: (c.proxy_accuracy, -c.predicted_ms, c.arch))
    at = slide(open_page("front", searched.workspace), LOOSER)
    assert f"**Best within the limit** `{best.arch}`" in words(at)
    assert [c.value for c in at.code] == [best.arch]


def test_a_prediction_within_a_new_limit_is_not_called_measured(
    searched: Fake, open_page: Opening
) -> None:
    best = searched.store.view(1).best(LIMIT_MS)
    assert best is not None
    better = "skip-skip-k5e6-skip-skip-k5e6-skip-skip"
    searched.store.append(1, Evaluated(better, 0.999, LOOSER * 0.99, 9000, 60_000))
    at = slide(open_page("front", searched.workspace), LOOSER)
    assert f"`{better}` 99.9\u202f% · 0.0891\u202fms predicted" in words(at)
    assert "predicted within the limit of 0.0900\u202fms, not measured yet" in words(at)
    assert "**Picked**" in [m.value for m in at.markdown]
    assert "None has been measured within the limit" in at.get("vega_lite_chart")[0].proto.alt


def test_as_searched_takes_everything_back(searched: Fake, open_page: Opening) -> None:
    at = open_page("front", searched.workspace)
    before = list(at.dataframe[0].value["architecture"])
    press(slide(at, LOOSER), "More like this")
    press(at, "As searched")
    assert at.slider[0].value == pytest.approx(LIMIT_MS)
    assert list(at.dataframe[0].value["architecture"]) == before
    assert "New front" not in words(at)


def test_the_limit_of_the_search_slid_to_by_hand_is_the_search_itself(
    searched: Fake, open_page: Opening
) -> None:
    at = slide(slide(open_page("front", searched.workspace), LOOSER), LIMIT_MS)
    assert next(b for b in at.button if b.label == "As searched").disabled


def test_a_layer_that_is_held_has_only_what_it_keeps(searched: Fake, open_page: Opening) -> None:
    at = open_page("front", searched.workspace)
    keeps = at.get("button_group")[0]
    assert keeps.label == "It keeps"
    assert "Take a choice away to ban it here; leave one alone" in words(at)
    keeps.set_value(["skip", "k3e3"]).run()
    first = {arch.split("-")[0] for arch in at.dataframe[0].value["architecture"]}
    assert first <= {"skip", "k3e3"}
    assert "stage1\\.1 keeps skip, k3e3" in words(at)
    assert "New front" in words(at)


def test_where_nothing_keeps_the_limit_the_page_says_what_to_do(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running", share=0.1)
    fake.store.append(run, Evaluated(str(fake.space.largest()), 0.9, 0.2, 1, 1))
    at = slide(open_page("front", fake.workspace), LOOSER)
    kept = "No network that was evaluated keeps to it."
    assert f"{kept} Raise the limit, or search again with this limit." in words(at)
    at.get("button_group")[0].set_value(["k3e3"]).run()
    assert f"{kept} Raise the limit, take back what is held, or" in words(at)


def test_a_layer_that_keeps_nothing_is_refused_in_a_sentence(
    searched: Fake, open_page: Opening
) -> None:
    at = open_page("front", searched.workspace)
    at.get("button_group")[0].set_value([]).run()
    assert "must keep at least one choice" in at.error[0].value
    assert at.dataframe[0].value is not None


def test_more_like_this_means_the_network_that_is_shown(searched: Fake, open_page: Opening) -> None:
    at = slide(open_page("front", searched.workspace), LOOSER)
    (shown,) = [c.value for c in at.code]
    press(at, "More like this")
    assert f"like `{shown}`" in words(at)
    near = [arch.split("-") for arch in at.dataframe[0].value["architecture"]]
    wanted = shown.split("-")
    assert all(sum(a != b for a, b in zip(arch, wanted, strict=True)) <= 2 for arch in near)
    press(at, "Not only like it")
    assert "like `" not in words(at)


def test_a_repeated_question_is_answered_from_memory(
    searched: Fake, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = slide(open_page("front", searched.workspace), LOOSER)
    slide(at, 0.1)
    monkeypatch.delattr(limit_slider, "new_front")
    assert "New front under 0.0900\u202fms" in words(slide(at, LOOSER))


def test_too_few_networks_to_learn_from_are_said_to_be(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running", share=0.1)
    told = [Evaluated(str(fake.space.smallest()), 0.5, 0.04, 1, 1)]
    fake.store.append(run, *told)
    assert len(told) < FEWEST
    assert "too few to learn from" in words(slide(open_page("front", fake.workspace), LOOSER))


def test_without_a_latency_table_the_page_says_what_to_do(
    searched: Fake, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limit_slider.network_card, "model_of", lambda *_: None)
    at = open_page("front", searched.workspace)
    assert "its latency table is not there. Measure it on Search." in words(at)
    assert not at.slider
    assert "More like this" not in labels(at)
    assert at.get("vega_lite_chart")


def test_a_foreseen_network_that_is_picked_says_that_nobody_evaluated_it(
    searched: Fake, open_page: Opening
) -> None:
    ghost = "skip-skip-k5e6-skip-skip-k5e6-skip-skip"
    learned = {"kind": "ridge", "intercept": 0.9, "coef": [], "support": []}
    foreseen = ({"arch": ghost, "proxy_accuracy": 0.95, "predicted_ms": 0.06},)
    searched.store.append(1, Learned(learned, 0.012, 240), Foreseen(foreseen))
    at = open_page("front", searched.workspace, arch=ghost)
    assert "Foreseen, not evaluated" in words(at)
    assert [c.value for c in at.code] == [ghost]
    assert "what a predictor thinks, ±1.2 percentage points on average" in words(at)


def test_the_front_of_another_search_stands_beside_and_is_never_joined(
    searched: Fake, open_page: Opening
) -> None:
    other = fake_run.search(searched, seed=5, candidates=100)
    at = open_page("front", searched.workspace, run=1)
    chosen = next(m for m in at.multiselect if m.label == "Fronts of other searches")
    chosen.set_value([other]).run()
    lines = [m for m in drawn(at)["layer"] if m["mark"]["type"] == "line"]
    beside = [m["data"]["values"] for m in lines if "data" in m]
    assert [{v["search"] for v in values} for values in beside] == [
        {f"search {other}, Single-Path NAS"}
    ]
    assert "never joined with it. Their latencies are predictions." in words(at)
    assert f"search {other}" in at.get("vega_lite_chart")[0].proto.alt


def test_another_recipe_beside_a_front_is_said(searched: Fake, open_page: Opening) -> None:
    other = fake_run.search(searched, seed=5, candidates=50)
    arch = "skip-skip-k5e6-skip-skip-k5e6-skip-skip"
    searched.store.append(other, Evaluated(arch, 0.9, 0.07, 1, 1, 0, "another"))
    at = open_page("front", searched.workspace, run=1)
    at.multiselect[0].set_value([other]).run()
    assert f"Search {other} was trained by another recipe" in words(at)


def test_a_search_of_another_space_is_not_offered_beside_it(
    searched: Fake, open_page: Opening
) -> None:
    wider = fake_run.SPACE.to_json() | {"head": {"width": 64, "dropout": 0.2}}
    fake_run.search(Fake(searched.workspace, SearchSpace.from_json(wider)))
    assert not open_page("front", searched.workspace, run=1).multiselect


def test_trained_networks_are_marks_of_their_own_and_said_so(
    searched: Fake, open_page: Opening
) -> None:
    best = searched.store.view(1).best(LIMIT_MS)
    assert best is not None
    fake_run.train(searched, 1, best.arch)
    at = open_page("front", searched.workspace)
    assert "△ finetuned" in words(at)
    assert "▽ retrained" not in words(at)
    assert "1 network with weights of their own" in at.get("vega_lite_chart")[0].proto.alt


def test_of_several_trainings_the_best_of_each_kind_is_drawn(searched: Fake) -> None:
    best = searched.store.view(1).best(LIMIT_MS)
    assert best is not None
    for accuracy in (0.95, 0.99, 0.97):
        fake_run.train(searched, 1, best.arch, accuracy=accuracy)
    shown = front_view.read(searched.workspace, searched.store.run(1)).shown
    assert [(point.how, point.accuracy) for point in shown.trained] == [("finetune", 0.99)]
