"""Workspace folders: making, listing, and paths that try to leave."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import AccessDenied, RunError, SpaceError
from engine.spec import DataChoice
from engine.workspace import Workspace, create_workspace, list_workspaces, open_workspace, slug


def test_a_new_workspace_has_everything_a_search_needs(tmp_path: Path):
    store = create_workspace(tmp_path, "My digits").store
    assert store.document("about") == {"title": "My digits"}
    assert (store.document("space") or {})["name"] == "digits"
    assert store.document("data") == {"source": "digits", "path": ""}
    assert store.document("device") == {"name": "local", "threads": 1}


def test_a_preset_for_cifar_comes_with_cifar(tmp_path: Path):
    store = create_workspace(tmp_path, "Cifar", "single-path-cifar").store
    assert (store.document("data") or {})["source"] == "cifar10"


def test_chosen_data_is_kept(tmp_path: Path):
    store = create_workspace(tmp_path, "x", data=DataChoice("folder", "/pictures")).store
    assert store.document("data") == {"source": "folder", "path": "/pictures"}


def test_equal_titles_get_folders_of_their_own(tmp_path: Path):
    names = [create_workspace(tmp_path, "My digits").name for _ in range(3)]
    assert names == ["my-digits", "my-digits-2", "my-digits-3"]


def test_an_unknown_preset_is_refused(tmp_path: Path):
    with pytest.raises(SpaceError, match="preset: must be one of"):
        create_workspace(tmp_path, "x", "nope")


@pytest.mark.parametrize(
    ("title", "name"),
    [("Größe!", "gr-e"), ("../../etc", "etc"), ("日本", "workspace"), ("a" * 99, "a" * 50)],
)
def test_a_folder_name_has_only_harmless_characters(title: str, name: str):
    assert slug(title) == name


def test_workspaces_are_listed_by_name_and_nothing_else_is(tmp_path: Path):
    for title in ("beta", "alpha"):
        create_workspace(tmp_path, title)
    (tmp_path / "empty").mkdir()
    Workspace(tmp_path / "Capital").store.close()
    assert [workspace.name for workspace in list_workspaces(tmp_path)] == ["alpha", "beta"]


def test_an_existing_workspace_opens_with_its_title(tmp_path: Path):
    create_workspace(tmp_path, "My digits")
    assert open_workspace(tmp_path, "my-digits").title == "My digits"


def test_a_workspace_without_a_title_is_called_by_its_folder(tmp_path: Path):
    assert Workspace(tmp_path / "plain").title == "plain"


@pytest.mark.parametrize("name", ["nope", "..", "../x", "", "a/b", "A"])
def test_a_name_that_is_no_workspace_is_refused(tmp_path: Path, name: str):
    with pytest.raises(RunError, match="is not there"):
        open_workspace(tmp_path / "root", name)


def test_paths_inside_stay_inside(tmp_path: Path):
    workspace = Workspace(tmp_path / "w")
    assert workspace.inside("exports", "a.zip") == (tmp_path / "w/exports/a.zip").resolve()


@pytest.mark.parametrize(
    "parts", [("..",), ("a", "..", "..", "b"), ("/etc/passwd",), (".",), ("a\0",)]
)
def test_paths_that_leave_are_refused(tmp_path: Path, parts: tuple[str, ...]):
    with pytest.raises(AccessDenied, match="must stay inside workspace w"):
        Workspace(tmp_path / "w").inside(*parts)


def test_a_link_that_leads_out_is_refused(tmp_path: Path):
    (tmp_path / "w").mkdir()
    os.symlink(tmp_path, tmp_path / "w/out")
    with pytest.raises(AccessDenied):
        Workspace(tmp_path / "w").inside("out", "secret")
