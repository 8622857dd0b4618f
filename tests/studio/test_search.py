"""The Search page: measuring first, asking, watching, steering, and what goes wrong."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import streamlit as st
from streamlit.runtime.scriptrunner import get_script_run_ctx
from streamlit.testing.v1 import AppTest

from engine.events import EpochEnd, View, fold
from engine.spec import ProfileSpec, RunSpec, Spec
from engine.store import Run
from studio import text
from studio.parts import launch_form, runs
from studio.parts.journal import journal
from tests.builders import small_space, stage
from tests.studio import fake_run
from tests.studio.conftest import Opening, labels, words
from tests.studio.fake_run import LIMIT_MS


def button(at: AppTest, label: str) -> Any:
    found = [b for b in at.button if b.label == label]
    assert len(found) == 1, [b.label for b in at.button]
    return found[0]


def test_before_anything_the_page_offers_to_measure_this_computer(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root, profiled=False)
    at = open_page("search", fake.workspace)
    assert labels(at) == ["Measure this computer"]
    assert "A limit in milliseconds needs to know this computer" in words(at)
    assert not at.slider


def test_measuring_starts_a_profile_run_of_the_space_and_the_device(
    root: Path, open_page: Opening, started: list[Spec]
) -> None:
    fake = fake_run.make(root, profiled=False)
    at = open_page("search", fake.workspace)
    button(at, "Measure this computer").click().run()
    assert [type(s) for s in started] == [ProfileSpec]
    assert started[0].space == fake.space
    assert "Measure this computer" not in labels(at)


def test_while_it_measures_the_page_shows_progress_and_time_left(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root, profiled=False)
    fake_run.profile(fake)
    at = open_page("search", fake.workspace)
    assert at.get("progress")[0].proto.value == 40
    assert "11\u202fs left" in at.get("progress")[0].proto.text
    assert "Layer 23 of 61" in words(at)


def test_a_crashed_measuring_goes_on_where_it_was(
    root: Path, open_page: Opening, started: list[Spec]
) -> None:
    fake = fake_run.make(root, profiled=False)
    run = fake_run.profile(fake, "crashed")
    at = open_page("search", fake.workspace)
    assert "interrupted" in words(at)
    button(at, "Resume measuring").click().run()
    assert len(started) == 1
    assert [r.id for r in fake.store.runs("profile")] == [run]


def test_the_limit_can_be_chosen_between_the_fastest_and_the_slowest_network(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    at = open_page("search", fake.workspace)
    model = fake.model
    slider = at.slider[0]
    assert model.fastest_ms <= slider.min <= model.fastest_ms + slider.step
    assert model.slowest_ms <= slider.max <= model.slowest_ms + slider.step
    assert slider.value == pytest.approx(LIMIT_MS)
    assert "within ±10" in words(at)


def test_a_limit_is_typed_or_slid_and_both_show_it(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    at = open_page("search", fake.workspace)
    number = next(n for n in at.number_input if n.label == "Limit as a number")
    number.set_value(0.0913).run()
    assert at.slider[0].value == pytest.approx(0.0913)
    assert fake.store.document("goal")["limit_ms"] == 0.0913
    at.slider[0].set_value(0.1).run()
    assert at.number_input[0].value == pytest.approx(0.1)
    assert "the median (p50) of every measuring session" in words(at)


def test_a_limit_that_no_network_reaches_is_refused_in_a_sentence(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    at = open_page("search", fake.workspace)
    at.number_input[0].set_value(5.0).run()
    assert "Limit: must be from" in at.error[0].value
    assert at.number_input[0].value == at.slider[0].value == pytest.approx(LIMIT_MS)
    at.number_input[0].set_value(0.09).run()
    assert not at.error


def test_a_busy_computer_is_told_before_a_limit_is_chosen(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    assert "busy" not in words(open_page("search", fake.workspace))
    busy = replace(fake.model, device=fake.model.device | {"busy": True})
    fake.store.put_calibration(busy.device_key, busy.space_digest, busy.to_json())
    assert "busy with other work" in words(open_page("search", fake.workspace))


def test_launch_starts_the_search_that_is_asked_for_and_saves_the_goal(
    root: Path, open_page: Opening, started: list[Spec]
) -> None:
    fake = fake_run.make(root)
    at = open_page("search", fake.workspace)
    at.slider[0].set_value(0.1)
    asked = {n.label: n for n in at.number_input}
    asked["Epochs"].set_value(12)
    asked["Seed"].set_value(5)
    button(at, "Search").click().run()
    spec = started[0]
    assert isinstance(spec, RunSpec)
    assert (spec.latency_limit_ms, spec.epochs, spec.seed, spec.mode) == (0.1, 12, 5, "stable")
    assert fake.store.document("goal") == {"limit_ms": 0.1, "epochs": 12, "seed": 5}
    assert at.query_params["run"] == "1"


def test_a_second_launch_while_one_runs_says_so_and_loses_nothing(
    root: Path, open_page: Opening, started: list[Spec]
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running")
    at = open_page("search", fake.workspace)
    button(at, "Search").click().run()
    assert at.error[0].value.startswith(f"Search {run} of this workspace is still going on")
    assert not started
    assert fake.store.run(run).state == "running"


def test_a_search_that_was_made_before_is_remarked_on(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    at = open_page("search", fake.workspace)
    assert f"Search {run} has asked for just this" in words(at)
    next(n for n in at.number_input if n.label == "Seed").set_value(8).run()
    assert "has asked for just this" not in words(at)


def test_another_number_of_threads_is_another_device_that_was_not_measured(
    root: Path, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch_form, "cores", lambda: 4)
    fake = fake_run.make(root)
    at = open_page("search", fake.workspace)
    at.selectbox[0].select_index(1).run()
    assert fake.store.document("device") == {"name": "local", "threads": 2}
    assert "Measure this computer" in labels(at)


def test_a_running_search_shows_where_it_is_and_can_be_paused_and_stopped(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "running")
    at = open_page("search", fake.workspace)
    assert "48\u202fs left" in at.get("progress")[0].proto.text
    button(at, "Pause").click().run()
    assert fake.store.wanted(run) == "paused"
    button(at, "Resume").click().run()
    assert fake.store.wanted(run) == "running"
    button(at, "Stop").click().run()
    assert fake.store.wanted(run) == "stopped"
    assert button(at, "Stop").disabled


def test_only_a_live_search_asks_for_news(
    root: Path, open_page: Opening, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float | None] = []
    fragment = st.fragment

    def noted(function: Any, *, run_every: float | None = None) -> Any:
        asked.append(run_every)
        return fragment(function, run_every=run_every)

    monkeypatch.setattr(st, "fragment", noted)
    fake = fake_run.make(root)
    fake_run.search(fake, "running")
    open_page("search", fake.workspace)
    assert asked == [runs.REFRESH_S]
    done = fake_run.make(root, "Done")
    fake_run.search(done)
    open_page("search", done.workspace)
    assert asked == [runs.REFRESH_S, None]


def test_a_crashed_search_says_so_and_goes_on_from_its_checkpoint(
    root: Path, open_page: Opening, started: list[Spec]
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake, "crashed")
    at = open_page("search", fake.workspace)
    step = fake.store.view(run).step
    assert "interrupted: its process is gone" in words(at)
    assert f"Resume goes on from the checkpoint after step {step}" in words(at)
    button(at, "Resume").click().run()
    assert started == [fake.store.run(run).spec]
    assert fake.store.run(run).state == "waiting"


def test_a_failed_search_says_why_what_to_do_and_offers_resume(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "failed")
    at = open_page("search", fake.workspace)
    assert "got a damaged copy" in words(at)
    assert "Open Data and read it again" in words(at)
    assert not button(at, "Resume").disabled


def test_a_finished_search_has_nothing_to_pause_stop_or_resume(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake)
    at = open_page("search", fake.workspace)
    assert button(at, "Pause").disabled
    assert button(at, "Stop").disabled
    assert "240 networks evaluated" in words(at)
    assert not at.error


def test_dead_thresholds_are_said_in_red(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, dead=True)
    assert (
        "No threshold of any layer gets a gradient"
        in open_page("search", fake.workspace).error[0].value
    )


def test_warnings_of_the_engine_are_shown(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake)
    at = open_page("search", fake.workspace)
    assert "The device was busy" in at.warning[0].value


def test_before_the_first_network_the_page_says_what_will_be_here(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    fake_run.search(fake, "running", share=0.1)
    at = open_page("search", fake.workspace)
    assert "The front will be here" in words(at)
    assert not at.exception


def test_a_search_that_stopped_before_its_first_network_leads_to_one_with_networks(
    root: Path, open_page: Opening
) -> None:
    fake = fake_run.make(root)
    earlier = fake_run.search(fake)
    fake_run.search(fake, "stopped", share=0.1)
    at = open_page("search", fake.workspace)
    assert "No network was evaluated before this search ended" in words(at)
    assert "The front will be here" not in words(at)
    offered = [p.proto.label for p in at.get("page_link")]
    assert f"Open search {earlier}, the last with networks" in offered


def test_an_earlier_search_is_picked_from_the_list(root: Path, open_page: Opening) -> None:
    fake = fake_run.make(root)
    first, second = fake_run.search(fake), fake_run.search(fake, seed=3)
    at = open_page("search", fake.workspace)
    assert [s.value for s in at.subheader] == [f"Search {second}"]
    picker = next(s for s in at.selectbox if s.label == "Search")
    picker.set_value(first).run()
    assert [s.value for s in at.subheader] == [f"Search {first}"]
    assert at.query_params["run"] == str(first)


@pytest.mark.parametrize("picked", [1, 2])
def test_the_pick_of_a_search_survives_labels_that_change(
    root: Path, open_page: Opening, monkeypatch: pytest.MonkeyPatch, picked: int
) -> None:
    fake = fake_run.make(root)
    assert (fake_run.search(fake), fake_run.search(fake, seed=3)) == (1, 2)
    at = open_page("search", fake.workspace, run=1, arch="k3e3")
    old = runs.label

    def changed(run: Run) -> str:
        """Another label for the server; the browser, outside a script, still sends the old one."""
        inside = get_script_run_ctx(suppress_warning=True) is not None
        return f"Search {run.id} · later" if inside else old(run)

    def picker() -> Any:
        return next(s for s in at.selectbox if s.label == "Search")

    shown = picker().options
    monkeypatch.setattr(runs, "label", changed)
    at.run()
    picker().options.extend(shown)  # a browser keeps what it holds when only labels change
    picker().set_value(picked).run()
    assert [s.value for s in at.subheader] == [f"Search {picked}"]
    assert at.query_params["run"] in (str(picked), [str(picked)])
    assert ("arch" in at.query_params) == (picked == 1)


def test_the_label_of_a_search_is_the_same_whatever_its_state(root: Path) -> None:
    fake = fake_run.make(root)
    run = fake.store.run(fake_run.search(fake, "running"))
    before = runs.label(run)
    fake.store.set_state(run.id, "finished")
    assert runs.label(fake.store.run(run.id)) == before


@pytest.mark.parametrize("page", ["search", "front", "model"])
def test_a_search_that_is_not_there_is_said_so_and_the_newest_is_offered(
    root: Path, open_page: Opening, page: str
) -> None:
    fake = fake_run.make(root)
    run = fake_run.search(fake)
    at = open_page(page, fake.workspace, run=99)
    assert "This workspace has no search 99" in words(at)
    assert f"Open search {run}, the newest" in [p.proto.label for p in at.get("page_link")]
    assert not at.subheader


def ended(number: int, gates: tuple[tuple[float, ...], ...], phase: str = "search") -> EpochEnd:
    return EpochEnd(phase, number, 1.0, 0.1, 0.0, gates, (0.1,))


def said(root: Path, *epochs: EpochEnd) -> list[str]:
    fake = fake_run.make(root)
    return journal(fold(epochs), fake.space, LIMIT_MS, fake.model)


OPEN = ((1.0, 1.0, 1.0),) * 8


def test_a_dropped_ring_is_told_with_what_it_saves(root: Path) -> None:
    fake = fake_run.make(root, "Times")
    table = fake.model.slot_ms[2]
    changed = (*OPEN[:2], (0.0, 1.0, 1.0), *OPEN[3:])
    (line,) = said(root, ended(1, OPEN), ended(2, changed))
    assert line.startswith("Epoch 2: stage2.1 dropped its 5×5 ring, −")
    assert text.ms(table["k5e6"] - table["k3e6"]) in line


def test_a_layer_that_is_left_out_and_comes_back_is_told(root: Path) -> None:
    out = ((1.0, 1.0, 0.0), *OPEN[1:])
    lines = said(root, ended(1, OPEN), ended(2, out), ended(3, OPEN))
    assert "Epoch 2: stage1.1 was left out, −" in lines[1]
    assert "Epoch 3: stage1.1 came back, +" in lines[0]


def test_dropped_excitation_is_told_with_what_it_saves(root: Path) -> None:
    space = small_space(stage(attention=["none", "se"], expand=[2, 2.5], depth=[1, 1]))
    (slot,) = space.slots()
    table = {op: 0.01 * i for i, op in enumerate(slot.ops)}
    model = replace(fake_run.make(root).model, slot_ms=(table,))
    told = fold([ended(1, ((1.0,) * 4,)), ended(2, ((1.0, 1.0, 0.0, 1.0),))])
    saved = text.ms(table["k5e2.5_se"] - table["k5e2.5"])
    assert journal(told, space, LIMIT_MS, model) == [f"Epoch 2: {slot.name} dropped SE, −{saved}."]


def test_random_gates_of_the_warm_up_are_no_decisions(root: Path) -> None:
    changed = ((0.0, 0.0, 0.0), *OPEN[1:])
    assert said(root, ended(1, OPEN, "warm-up"), ended(2, changed)) == []


def test_the_journal_of_nothing_is_empty(root: Path) -> None:
    fake = fake_run.make(root)
    assert journal(View(), fake.space, LIMIT_MS, None) == []
