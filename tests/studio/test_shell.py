"""The studio's shell: state, launching, words and numbers, the sentence, the theme's contrast."""

from __future__ import annotations

import os
import threading
import time
import tomllib
from pathlib import Path

import pytest

from engine.data import prepare
from engine.errors import RunError
from engine.events import Evaluated, Progress, Resumed
from engine.spec import DataChoice, DataSpec
from engine.store import GRACE_S
from engine.workspace import Workspace
from studio import keys, launch, main, sentence, state, text, trash
from tests.studio.conftest import Opening, words

SPEC = DataSpec(DataChoice("digits"), 16, 1)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def no_worker(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Run ids for which a worker would have been started."""
    started: list[int] = []
    monkeypatch.setattr(launch, "_spawn", lambda _, run_id: started.append(run_id))
    return started


@pytest.fixture
def old_run(workspace: Workspace) -> int:
    """A run that was started so long ago that its worker must be there."""
    run_id = workspace.store.create_run(SPEC)
    with workspace.store._write() as db:
        db.execute("update runs set heartbeat_at = ?", (time.time() - 2 * GRACE_S,))
    return run_id


# -- launch ----------------------------------------------------------------------------------------


def test_a_run_that_was_just_created_is_waiting(workspace: Workspace) -> None:
    run_id = workspace.store.create_run(SPEC)
    assert launch.state_of(workspace, workspace.store.run(run_id)) == "waiting"


def test_a_run_whose_lock_nobody_holds_has_crashed(workspace: Workspace, old_run: int) -> None:
    assert launch.state_of(workspace, workspace.store.run(old_run)) == "crashed"


@pytest.mark.parametrize("name", ["running", "paused"])
def test_a_run_whose_lock_is_held_is_what_its_row_says(
    workspace: Workspace, old_run: int, name: str
) -> None:
    with workspace.store.hold(old_run):
        workspace.store.set_state(old_run, name)
        assert launch.state_of(workspace, workspace.store.run(old_run)) == name


@pytest.mark.parametrize("name", ["finished", "stopped", "failed"])
def test_an_ended_run_needs_no_lock(workspace: Workspace, old_run: int, name: str) -> None:
    workspace.store.set_state(old_run, name)
    assert launch.state_of(workspace, workspace.store.run(old_run)) == name


def test_a_run_that_ends_while_it_is_looked_at_has_not_crashed(
    workspace: Workspace, old_run: int
) -> None:
    seen = workspace.store.run(old_run)
    workspace.store.set_state(old_run, "finished")
    assert launch.state_of(workspace, seen) == "finished"


def test_start_makes_a_run_and_sends_a_worker(workspace: Workspace, no_worker: list[int]) -> None:
    run_id = launch.start(workspace, SPEC)
    assert no_worker == [run_id]
    assert workspace.store.run(run_id).spec == SPEC


def test_a_second_start_is_refused_while_one_is_alive(
    workspace: Workspace, no_worker: list[int]
) -> None:
    first = launch.start(workspace, SPEC)
    with pytest.raises(RunError, match=f"run {first}"):
        launch.start(workspace, SPEC)
    assert no_worker == [first]


def test_resume_sends_a_worker_to_a_crashed_run(
    workspace: Workspace, old_run: int, no_worker: list[int]
) -> None:
    workspace.store.want(old_run, "stopped")
    launch.resume(workspace, old_run)
    assert no_worker == [old_run]
    assert workspace.store.wanted(old_run) == "running"
    assert launch.state_of(workspace, workspace.store.run(old_run)) == "waiting"


def test_resume_is_refused_while_another_run_is_alive(
    workspace: Workspace, old_run: int, no_worker: list[int]
) -> None:
    other = workspace.store.create_run(SPEC)
    with pytest.raises(RunError, match=f"run {other}"):
        launch.resume(workspace, old_run)
    assert no_worker == []


def test_resume_is_refused_while_a_worker_is_at_it(
    workspace: Workspace, old_run: int, no_worker: list[int]
) -> None:
    with workspace.store.hold(old_run), pytest.raises(RunError):
        launch.resume(workspace, old_run)
    assert no_worker == []


def test_pause_and_unpause_are_wishes_only(workspace: Workspace) -> None:
    run_id = workspace.store.create_run(SPEC)
    launch.pause(workspace, run_id)
    assert workspace.store.wanted(run_id) == "paused"
    launch.unpause(workspace, run_id)
    assert workspace.store.wanted(run_id) == "running"
    assert workspace.store.run(run_id).state == "waiting"


def test_stopping_a_crashed_run_marks_it_as_stopped(workspace: Workspace, old_run: int) -> None:
    launch.stop(workspace, old_run)
    assert workspace.store.run(old_run).state == "stopped"


def test_stopping_a_living_run_leaves_its_state_to_the_worker(
    workspace: Workspace, old_run: int
) -> None:
    with workspace.store.hold(old_run):
        workspace.store.set_state(old_run, "running")
        launch.stop(workspace, old_run)
        assert workspace.store.run(old_run).state == "running"
        assert workspace.store.wanted(old_run) == "stopped"


def test_a_worker_that_is_started_writes_to_the_log_of_its_run(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    script = tmp_path / "fake-python"
    script.write_text('#!/bin/sh\necho "$OMP_NUM_THREADS $@"\n')
    script.chmod(0o755)
    monkeypatch.setattr(launch.sys, "executable", str(script))
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    run_id = launch.start(workspace, SPEC)
    for thread in threading.enumerate():
        if thread.name == f"worker-{run_id}":
            thread.join(10)
    log = (workspace.store.run_folder(run_id) / "worker.log").read_text()
    assert log.strip() == f"3 -m engine.worker {workspace.store.path.resolve()} {run_id}"


# -- run_view --------------------------------------------------------------------------------------


def test_a_view_grows_with_the_events_and_older_ones_stay_as_they_are(
    workspace: Workspace,
) -> None:
    run_id = workspace.store.create_run(SPEC)
    workspace.store.append(run_id, Evaluated("k3e3", 0.5, 1.0, 10, 100))
    before = state.run_view(workspace, run_id)
    workspace.store.append(run_id, Evaluated("k5e6", 0.6, 2.0, 20, 200))
    assert list(state.run_view(workspace, run_id).candidates) == ["k3e3", "k5e6"]
    assert list(before.candidates) == ["k3e3"]


def test_a_view_forgets_what_was_done_after_the_checkpoint(workspace: Workspace) -> None:
    run_id = workspace.store.create_run(SPEC)
    workspace.store.append(run_id, Progress(1, 5, "search"), Evaluated("k3e3", 0.5, 1.0, 1, 1))
    state.run_view(workspace, run_id)
    workspace.store.append(run_id, Resumed(1))
    assert state.run_view(workspace, run_id).candidates == {}


def test_a_view_that_did_not_change_is_the_same_object(workspace: Workspace) -> None:
    run_id = workspace.store.create_run(SPEC)
    workspace.store.append(run_id, Evaluated("k3e3", 0.5, 1.0, 10, 100))
    assert state.run_view(workspace, run_id) is state.run_view(workspace, run_id)


# -- pages without a workspace, and faults ---------------------------------------------------------


@pytest.mark.parametrize("name", ["compose", "data", "search", "front", "model"])
def test_a_page_without_a_workspace_leads_home(open_page: Opening, name: str) -> None:
    at = open_page(name)
    assert not at.exception
    assert "No workspace is open" in words(at)
    assert "its device and any number of searches." in words(at)


def test_an_unknown_workspace_is_a_sentence(open_page: Opening, workspace: Workspace) -> None:
    at = open_page("compose", None, ws=f"{workspace.name}-gone")
    assert "is not there" in words(at)
    assert not at.exception


@pytest.mark.parametrize("name", ["compose", "data", "search", "front", "compare", "model"])
def test_a_workspace_that_a_command_line_left_empty_can_be_gone_on_with(
    root: Path, open_page: Opening, name: str
) -> None:
    empty = Workspace(root / "left-empty")
    at = open_page(name, empty)
    assert not at.error
    assert "must be a JSON object" not in words(at)


def test_a_fault_is_told_without_its_traceback(
    open_page: Opening, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(_: Workspace) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(sentence, "draw", fault)
    at = open_page("compose", workspace)
    assert not at.exception
    assert at.error[0].value.startswith("Something went wrong")
    assert "secret" not in words(at)


def test_no_folder_of_pages_lies_beside_the_script() -> None:
    assert main.SCRIPT.is_file()
    assert not (main.SCRIPT.parent / "pages").exists()


def test_a_digit_leads_to_its_page_and_keeps_the_workspace(
    open_page: Opening, workspace: Workspace
) -> None:
    at = open_page("compose", workspace)
    at.button(key="keys.front").click().run()
    assert "No front yet" in words(at)
    assert at.query_params["ws"] == workspace.name


def test_the_list_of_shortcuts_names_those_that_buttons_have(
    open_page: Opening, workspace: Workspace
) -> None:
    at = open_page("home")
    at.button(key="keys.list").click().run()
    listed = {key.lower() for keys_ in keys.SHORTCUTS.values() for key in keys_}
    assert "`7` Model" in words(at)
    pages = [open_page(name, workspace) for name in ("home", "compose", "data", "search", "model")]
    shown = [b for page in pages for b in page.button]
    shortcuts = {b.proto.shortcut.replace("+", " ") for b in shown if b.proto.shortcut}
    assert {s for s in shortcuts if not s.isdigit()} <= listed


def test_the_first_start_makes_the_example(open_page: Opening, root: Path) -> None:
    open_page("home")
    assert (root / "digits-example" / "studio.db").is_file()


def test_the_sentence_prompts_for_what_is_missing(open_page: Opening, workspace: Workspace) -> None:
    open_page("compose", workspace)
    said = sentence.plain_sentence(workspace)
    size = text.networks(state.space(workspace).size())
    assert said.startswith(f"Find the most accurate network of digits · rev 1 · {size} for digits")
    assert "not read yet" in said
    assert "choose a limit" in said
    assert "not measured yet" in said


def test_images_that_were_just_read_are_known_at_once(workspace: Workspace) -> None:
    folder, shape = workspace.data_folder, state.drafted_space(workspace).input
    half = folder / ".digits.preparing"
    half.mkdir(parents=True)
    assert "not read yet" in sentence.plain_sentence(workspace)
    prepare(DataChoice("digits"), folder, shape, lambda *_: None)
    at = half.stat().st_mtime_ns
    half.rmdir()
    for read in folder.iterdir():
        os.utime(read, ns=(at, at))
    assert "images" in sentence.plain_sentence(workspace)


def test_the_sentence_states_the_limit(workspace: Workspace) -> None:
    workspace.store.save("goal", {"limit_ms": 0.08, "epochs": 40, "seed": 0})
    assert "that runs within 0.0800\u202fms on" in sentence.plain_sentence(workspace)


# -- trash -----------------------------------------------------------------------------------------


def test_a_deleted_workspace_can_be_restored(root: Path, workspace: Workspace) -> None:
    trash.delete(root, workspace)
    assert not workspace.folder.exists()
    assert [w.name for w in trash.deleted(root)] == [workspace.name]
    assert trash.restore(root, workspace.name) == workspace.name
    assert workspace.folder.exists()


def test_a_workspace_with_a_living_run_is_not_deleted(root: Path, workspace: Workspace) -> None:
    workspace.store.create_run(SPEC)
    with pytest.raises(RunError, match="still going on"):
        trash.delete(root, workspace)
    assert workspace.folder.exists()


# -- theme -----------------------------------------------------------------------------------------


def luminance(color: str) -> float:
    parts = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["light", "dark"])
def test_texts_of_the_theme_can_be_read(name: str) -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    theme = settings["theme"][name]
    pairs = [
        (theme[k], theme["backgroundColor"]) for k in ("textColor", "linkColor", "primaryColor")
    ]
    for color in ("green", "orange", "yellow", "red", "gray"):
        pairs.append((theme[f"{color}TextColor"], theme[f"{color}BackgroundColor"]))
        pairs.append((theme[f"{color}TextColor"], theme["backgroundColor"]))
    assert [p for p in pairs if contrast(*p) < 4.5] == []
    label = "#ffffff" if name == "light" else "#04110f"  # assets/studio-dark.css
    assert contrast(label, theme["primaryColor"]) >= 4.5


def test_the_server_is_local_and_quiet() -> None:
    settings = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text())
    assert settings["server"]["address"] == "127.0.0.1"
    assert settings["browser"]["gatherUsageStats"] is False
    assert settings["client"]["showErrorDetails"] == "none"
    assert settings["runner"]["postScriptGC"] is False
