"""How a search is made: strategy, front, further limits and recipe, in the form of Search."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.cost import network_cost
from engine.front import filter as filter_
from engine.methods import METHODS
from engine.recipe import recipe_for
from engine.space import Arch, SearchSpace
from engine.spec import RunSpec, Spec
from engine.workspace import Workspace
from studio import launch
from studio.parts import strategy_choice
from studio.parts.strategy_choice import Choice
from tests.studio import fake_run
from tests.studio.conftest import Opening, words
from tests.studio.fake_run import Fake


@pytest.fixture
def fake(root: Path) -> Fake:
    """A measured workspace in which nothing was searched."""
    return fake_run.make(root)


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[RunSpec]:
    """Specs of searches that a page created; no worker process starts."""
    specs: list[RunSpec] = []

    def spawn(workspace: Workspace, run_id: int) -> None:
        spec: Spec = workspace.store.run(run_id).spec
        assert isinstance(spec, RunSpec)
        specs.append(spec)

    monkeypatch.setattr(launch, "_spawn", spawn)
    return specs


def named(elements: Any, label: str) -> Any:
    return next(e for e in elements if e.label == label)


def search(at: AppTest) -> AppTest:
    return named(at.button, "Search").click().run()


def names_of_expanders(at: AppTest) -> list[str]:
    return [e.label for e in at.expander]


def test_the_form_is_quiet_until_an_expander_is_opened(fake: Fake, open_page: Opening) -> None:
    at = open_page("search", fake.workspace)
    assert names_of_expanders(at) == ["Strategy: Single-Path NAS", "Training recipe: usual"]
    assert not any(e.proto.expanded for e in at.expander)


def test_untouched_the_usual_search_is_started(
    fake: Fake, open_page: Opening, started: list[RunSpec]
) -> None:
    search(open_page("search", fake.workspace))
    (spec,) = started
    assert (spec.strategy, spec.mode, spec.recipe) == ("single_path", "stable", None)
    assert spec.limits.asked() == {}
    assert fake.store.document(strategy_choice.DOCUMENT) is None


@pytest.mark.parametrize("name", list(METHODS))
def test_every_strategy_can_be_chosen_and_says_what_it_does(
    fake: Fake, open_page: Opening, name: str
) -> None:
    at = open_page("search", fake.workspace)
    named(at.selectbox, "Strategy").set_value(name).run()
    method = METHODS[name]
    assert method.says in words(at)
    assert names_of_expanders(at)[0] == f"Strategy: {method.title}"
    assert named(at.get("button_group"), "Mode").value == next(iter(method.modes))


def test_what_is_chosen_is_what_is_started(
    fake: Fake, open_page: Opening, started: list[RunSpec]
) -> None:
    at = open_page("search", fake.workspace)
    named(at.selectbox, "Strategy").set_value("one_shot").run()
    named(at.get("button_group"), "Mode").set_value("fair").run()
    named(at.get("button_group"), "How the front is searched").set_value("linas").run()
    named(at.number_input, "Parameters").set_value(12_000).run()
    named(at.number_input, "Peak memory in kB").set_value(40).run()
    named(at.number_input, "Learning rate").set_value(0.05).run()
    assert names_of_expanders(at)[0] == "Strategy: One-shot · 2 more limits"
    search(at)
    (spec,) = started
    assert (spec.strategy, spec.mode, spec.front) == ("one_shot", "fair", "linas")
    assert spec.limits.asked() == {"params": 12_000, "peak_bytes": 40_000}
    assert spec.recipe is not None
    assert spec.recipe.lr == 0.05


def test_the_next_search_starts_from_what_was_chosen_last(
    fake: Fake, open_page: Opening, started: list[RunSpec]
) -> None:
    at = open_page("search", fake.workspace)
    named(at.selectbox, "Strategy").set_value("one_shot").run()
    named(at.number_input, "MACs").set_value(90_000).run()
    search(at)
    again = strategy_choice.earlier(fake.workspace)
    assert (again.strategy, again.limits) == ("one_shot", started[0].limits)
    assert names_of_expanders(open_page("search", fake.workspace))[1:] == [
        "Strategy: One-shot · 1 more limit",
        "Training recipe: usual",
    ]


def test_a_choice_that_is_no_longer_known_gives_way_to_the_usual_one(fake: Fake) -> None:
    fake.store.save(strategy_choice.DOCUMENT, {"strategy": "forgotten"})
    assert strategy_choice.earlier(fake.workspace) == Choice()


@pytest.mark.parametrize(
    ("label", "value", "said"),
    [
        ("Parameters", 0, "Parameters: must be a whole number above 0, got 0."),
        ("Parameters", 10, "the least that a network of this space has is"),
        ("MACs", 500, "Limit of MACs"),
        ("Learning rate", -1.0, "Learning rate: must be from 1e-12 to 10, got -1.0."),
        ("Batch", 1, "Batch: must be from 2 to 4096, got 1."),
        ("Drop path", 0.95, "Drop path: must be from 0 to 0.9, got 0.95."),
    ],
)
def test_what_cannot_be_is_said_beside_its_field_and_not_started(
    fake: Fake, open_page: Opening, started: list[RunSpec], label: str, value: float, said: str
) -> None:
    at = open_page("search", fake.workspace)
    named(at.number_input, label).set_value(value).run()
    assert [said in e.value for e in at.error] == [True]
    search(at)
    assert at.error[-1].value.startswith("Not started. ")
    assert [said in e.value for e in at.error] == [True, False]
    assert not started


def test_every_limit_says_what_its_figure_means(fake: Fake, open_page: Opening) -> None:
    at = open_page("search", fake.workspace)
    known = [label for label, _ in strategy_choice.FIELDS.values()]
    tips = {label: named(at.number_input, label).help for label in known}
    assert "four bytes per parameter" in tips["ONNX file in kB"]
    assert "weights do not count" in tips["Peak memory in kB"]
    assert all("at most" in tip for tip in tips.values())


def test_a_limit_of_the_file_is_held_against_its_real_size(
    fake: Fake, open_page: Opening, started: list[RunSpec]
) -> None:
    at = open_page("search", fake.workspace)
    named(at.number_input, "ONNX file in kB").set_value(10).run()
    assert "Limit of ONNX file 10 kB" in at.error[0].value
    named(at.number_input, "ONNX file in kB").set_value(40).run()
    assert not at.error
    search(at)
    assert started[0].limits.asked() == {"onnx_bytes": 40_000}


def test_few_files_are_written_while_a_limit_is_typed(
    fake: Fake, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    written: list[Arch] = []

    def size(space: SearchSpace, arch: Arch) -> int:
        written.append(arch)
        return 4 * network_cost(space, arch).params

    monkeypatch.setattr(filter_, "onnx_bytes", size)
    at = open_page("search", fake.workspace)
    named(at.number_input, "ONNX file in kB").set_value(41).run()
    assert not at.error
    asked = 2  # of the limit alone, and of it with that of latency
    assert len(set(written)) <= 1 + asked * filter_.WRITTEN


def test_a_recipe_as_usual_is_no_recipe_of_its_own(
    fake: Fake, open_page: Opening, started: list[RunSpec]
) -> None:
    at = open_page("search", fake.workspace)
    usual = recipe_for(1000)
    assert named(at.number_input, "Label smoothing").value == usual.smoothing
    named(at.number_input, "Mixup").set_value(0.2).run()
    assert "Training recipe: changed" in names_of_expanders(at.run())
    named(at.number_input, "Mixup").set_value(0.0).run()
    search(at)
    assert started[0].recipe is None
