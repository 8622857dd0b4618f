"""Home: empty, with cards, with a search going on, and the dialogs that make, rename and delete."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from engine import presets
from engine.events import Evaluated
from engine.spec import DataChoice, DeviceChoice, RunSpec
from engine.store import Status
from engine.workspace import Workspace, create_workspace, list_workspaces, open_workspace
from studio import state, trash
from studio.charts.thumbnail import staircase, thumbnail
from studio.pages import home
from studio.parts import preset_picker
from tests.studio.conftest import Opening, words


def button(at: AppTest, label: str) -> Any:
    return next(b for b in at.button if b.label == label)


def search_of(workspace: Workspace) -> int:
    """A search that has evaluated two networks."""
    space = state.drafted_space(workspace)
    spec = RunSpec(space, DataChoice("digits"), DeviceChoice(), latency_limit_ms=0.08)
    run_id = workspace.store.create_run(spec)
    small, large = str(space.smallest()), str(space.largest())
    workspace.store.append(
        run_id, Evaluated(small, 0.8, 0.05, 10, 10), Evaluated(large, 0.9, 0.1, 20, 20)
    )
    return run_id


def test_the_first_card_is_the_example_and_says_what_to_do(open_page: Opening, root: Path) -> None:
    create_workspace(root, "Another")
    create_workspace(root, "Digits example")
    at = open_page("home")
    assert not at.exception
    assert [b.label for b in at.button if b.label.startswith("Open")] == [
        "Open the example",
        "Open",
    ]
    told = "Open the example, measure this computer, press Search: first model in three minutes."
    assert told in words(at)


def test_a_card_shows_the_state_and_the_time_left_of_its_search(
    open_page: Opening, workspace: Workspace
) -> None:
    run_id = search_of(workspace)
    with workspace.store.hold(run_id):
        workspace.store.set_state(run_id, "running")
        workspace.store.report(run_id, Status("search", 0.43, 50.0, "epoch 12"))
        at = open_page("home")
    assert "running 43\u202f% · 50\u202fs left" in words(at)


def test_a_card_counts_its_searches_and_shows_the_last_front_there_is(
    open_page: Opening, workspace: Workspace
) -> None:
    assert "search" not in home._facts(workspace)
    first = search_of(workspace)
    workspace.store.set_state(first, "finished")
    at = open_page("home")
    pictured = [str(e.proto) for e in at.get("image")]
    assert "1 search" in words(at)
    space = state.drafted_space(workspace)
    spec = RunSpec(space, DataChoice("digits"), DeviceChoice(), latency_limit_ms=0.08)
    second = workspace.store.create_run(spec)
    workspace.store.set_state(second, "stopped")
    at = open_page("home")
    assert "2 searches" in words(at)
    assert "stopped" in words(at)
    assert [str(e.proto) for e in at.get("image")] == pictured


def test_a_card_of_a_search_that_died_says_so(open_page: Opening, workspace: Workspace) -> None:
    run_id = search_of(workspace)
    workspace.store.set_state(run_id, "running")
    assert "interrupted" in words(open_page("home"))


def test_a_name_in_other_scripts_and_with_markup_is_shown_as_it_is(
    open_page: Opening, root: Path
) -> None:
    create_workspace(root, "写真 <script>alert(1)</script> **x**")
    at = open_page("home")
    assert not at.exception
    assert "写真 \\<script\\>" in words(at)


def test_no_workspace_at_all_is_one_sentence_and_one_action(
    open_page: Opening, workspace: Workspace, root: Path
) -> None:
    open_page("home")
    trash.delete(root, workspace)  # after the first start, so no example is made again
    at = open_page("home")
    assert "Here will be your workspaces" in words(at)
    assert button(at, "Make the first workspace")
    assert [e.label for e in at.expander] == ["Trash (1)"]


def test_a_new_workspace_is_made_and_opened(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = preset_picker.SMALL_SPACES
    given = {
        home.TITLE: "Doorbell",
        f"{home.PRESET}.kind": kind,
        f"{home.PRESET}.{kind}": "single-path-cifar",
        home.SOURCE: "cifar10",
    }
    monkeypatch.setattr(home.st, "session_state", given)
    home._make()
    monkeypatch.undo()
    made = open_workspace(root, "doorbell")
    assert given[home.OPEN] == "doorbell"
    assert made.title == "Doorbell"
    assert made.store.document("space")["name"] == "single-path-cifar"
    assert made.store.document("data") == {"source": "cifar10", "path": ""}


def test_a_workspace_without_a_name_is_refused_in_words(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = {home.TITLE: "  ", home.SOURCE: "digits"}
    monkeypatch.setattr(home.st, "session_state", given)
    home._make()
    assert given[home.PROBLEM].startswith("Name: must not be empty")
    assert list_workspaces(root) == []


def test_the_dialog_offers_every_preset_with_its_description(
    open_page: Opening, workspace: Workspace
) -> None:
    del workspace
    at = open_page("home")
    button(at, "New workspace").click().run()
    assert at.radio[0].options[0] == "digits"
    assert "single-path-cifar" in at.radio[0].options
    shelves = preset_picker.shelves()
    assert sorted(name for shelf in shelves.values() for name in shelf) == presets.names()
    assert "spnasnet_100" in shelves[preset_picker.NETWORKS]
    assert "single-path" in shelves[preset_picker.LARGE_SPACES]


def test_a_restored_workspace_is_a_card_again(
    open_page: Opening, workspace: Workspace, root: Path
) -> None:
    open_page("home")
    trash.delete(root, workspace)
    at = open_page("home")
    next(b for b in at.button if b.label == "Restore").click().run()
    assert not at.exception
    assert [w.name for w in list_workspaces(root)] == [workspace.name]


# -- thumbnail -------------------------------------------------------------------------------------


def test_a_thumbnail_has_a_dot_per_network_and_a_line_for_the_limit() -> None:
    points = [(0.05, 0.8), (0.1, 0.9), (0.09, 0.7)]
    svg = thumbnail(points, points[:2], 0.08, dark=False)
    assert svg.count("<circle") == len(points) + 2
    assert svg.count("<line") == 1


@pytest.mark.parametrize("points", [[], [(0.1, 0.5)], [(0.1, 0.5), (0.1, 0.5)]])
def test_a_thumbnail_of_few_or_equal_points_is_a_picture(points: list[tuple[float, float]]) -> None:
    svg = thumbnail(points, points[:1], None, dark=True)
    assert svg.startswith("<svg")
    assert "nan" not in svg


def test_the_line_of_a_thumbnail_is_a_staircase() -> None:
    assert staircase([(1, 0.7), (2, 0.9), (4, 0.95)]) == [
        *[(1, 0.7), (2, 0.7), (2, 0.9)],
        *[(4, 0.9), (4, 0.95)],
    ]
    assert staircase([]) == []
