"""Refining a design: what the card offers, what its button starts, and where it says why not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine.events import Evaluated, Progress
from engine.space import Arch
from engine.spec import RunSpec, Spec, Start, TrainSpec
from studio import state
from studio.parts import refine_card
from tests.studio import fake_run
from tests.studio.conftest import Opening, labels, words
from tests.studio.fake_run import LIMIT_MS, Fake

NO_WEIGHTS = "has no weights to start from"


@pytest.fixture
def led(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """Queries of pages that a page led to."""
    queries: list[dict[str, str]] = []

    def switch(_page: object, *, query_params: dict[str, str]) -> None:
        queries.append(query_params)

    monkeypatch.setattr("studio.parts.refine_card.st.switch_page", switch)
    return queries


def best(fake: Fake) -> str:
    found = fake.store.view(1).best(LIMIT_MS)
    assert found is not None
    return found.arch


def alone(fake: Fake, strategy: str, *archs: str) -> int:
    """A search of a strategy that trains only what it evaluates: `archs`."""
    spec = fake.store.run(1).spec
    run_id = fake.store.create_run(replace(spec, strategy=strategy, mode=""))
    told = [Evaluated(a, 0.9, fake.ms(Arch.parse(a)), 1, 1) for a in archs]
    fake.store.append(run_id, *told, Progress(1, 2, "judge"))
    fake.store.set_state(run_id, "finished")
    return run_id


def limit_slider(at: AppTest) -> Any:
    return next(s for s in at.slider if s.label == "New latency limit in ms")


def refine(at: AppTest) -> AppTest:
    return next(b for b in at.button if b.label == "Refine").click().run()


def test_the_limits_on_offer_are_reachable_and_below_the_network(
    searched: Fake, open_page: Opening
) -> None:
    shown = limit_slider(open_page("model", searched.workspace, run=1))
    assert searched.model.fastest_ms <= shown.min < shown.max
    assert shown.max < searched.ms(Arch.parse(best(searched)))
    assert shown.min <= shown.value <= shown.max


def test_the_button_starts_a_search_from_this_network_and_leads_to_its_front(
    searched: Fake, open_page: Opening, started: list[Spec], led: list[dict[str, str]]
) -> None:
    at = open_page("model", searched.workspace, run=1)
    asked = limit_slider(at).min
    limit_slider(at).set_value(asked)
    next(n for n in at.number_input if (n.key or "").startswith("model.refine")).set_value(6)
    refine(at)
    (spec,) = started
    base = searched.store.run(1).spec
    assert isinstance(spec, RunSpec)
    assert isinstance(base, RunSpec)
    assert spec.start == Start(1, best(searched))
    assert (spec.strategy, spec.epochs) == ("netadapt", 6)
    assert spec.latency_limit_ms == pytest.approx(asked)
    same = (spec.space, spec.data, spec.device)
    assert same == (base.space, base.data, base.device)
    assert led == [{"ws": searched.workspace.name, "run": "2"}]


def test_the_search_keeps_the_space_of_the_network_whatever_is_composed_now(
    searched: Fake, open_page: Opening, started: list[Spec], led: list[dict[str, str]]
) -> None:
    at = open_page("model", searched.workspace, run=1)
    other = searched.space.to_json() | {"head": {"width": 16, "dropout": 0.0}}
    searched.workspace.store.save("space", other)
    refine(at)
    assert started[0].space == searched.space
    assert led


def test_while_another_run_goes_on_it_says_so_and_leads_nowhere(
    searched: Fake, open_page: Opening, started: list[Spec], led: list[dict[str, str]]
) -> None:
    fake_run.search(searched, "running")
    at = refine(open_page("model", searched.workspace, run=1))
    assert "still going on" in words(at)
    assert not started
    assert not led


def test_the_fastest_network_has_nothing_to_take_away(searched: Fake, open_page: Opening) -> None:
    fastest = str(searched.model.fastest(searched.space))
    at = open_page("model", searched.workspace, run=1, arch=fastest)
    assert "nothing left to take away" in words(at)
    assert "Refine" not in labels(at)


@pytest.mark.parametrize("strategy", ["zero_cost", "netadapt"])
def test_a_network_that_was_never_trained_is_not_refined(
    searched: Fake, open_page: Opening, strategy: str
) -> None:
    one, other = str(searched.space.largest()), best(searched)
    run_id = alone(searched, strategy, one)
    assert "Refine" in labels(open_page("model", searched.workspace, run=run_id, arch=one))
    at = open_page("model", searched.workspace, run=run_id, arch=other)
    assert NO_WEIGHTS in words(at)
    assert "Refine" not in labels(at)


def test_a_training_of_its_own_is_enough_to_start_from(searched: Fake, open_page: Opening) -> None:
    other = best(searched)
    run_id = alone(searched, "zero_cost", str(searched.space.largest()))
    fake_run.train(searched, run_id, other, mode="retrain")
    assert isinstance(searched.store.runs("train")[0].spec, TrainSpec)
    assert "Refine" in labels(open_page("model", searched.workspace, run=run_id, arch=other))


def test_without_a_latency_table_it_leads_to_measuring(
    searched: Fake, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refine_card.network_card, "model_of", lambda *_: None)
    at = open_page("model", searched.workspace, run=1)
    assert "To refine it to a lower limit" in words(at)
    assert "Refine" not in labels(at)


def test_where_every_network_was_trained_alone_the_front_says_why_nothing_is_judged(
    searched: Fake, open_page: Opening
) -> None:
    run_id = alone(searched, "zero_cost", str(searched.space.largest()))
    at = open_page("front", searched.workspace, run=run_id)
    assert words(at).count("there are no shared weights to judge") == 2
    assert not {"Judge this search", "Measure"} & set(labels(at))


def test_a_netadapt_of_few_networks_is_not_ranked(searched: Fake, open_page: Opening) -> None:
    run_id = alone(searched, "netadapt", str(searched.space.largest()))
    at = open_page("front", searched.workspace, run=run_id)
    assert "NetAdapt has trained only 1" in words(at)
    assert "Search with more epochs" in words(at)
    assert "its weights say nothing of others" in words(at)
    assert not {"Judge this search", "Measure"} & set(labels(at))


def test_epochs_start_from_those_of_the_workspace(searched: Fake, open_page: Opening) -> None:
    at = open_page("model", searched.workspace, run=1)
    shown = next(n for n in at.number_input if (n.key or "").startswith("model.refine"))
    assert shown.value == state.goal(searched.workspace).epochs
