"""Deleted workspaces: moved to a hidden folder beside the others, from where they can come back."""

from __future__ import annotations

from pathlib import Path

from engine.errors import RunError
from engine.workspace import Workspace, list_workspaces, open_workspace
from studio import launch

FOLDER = ".trash"


def delete(root: Path, workspace: Workspace) -> None:
    """Moves the workspace to the trash; RunError while one of its runs is going on."""
    run = launch.active(workspace)
    if run is not None:
        raise RunError(f"run {run.id} of this workspace is still going on.", "Stop it first.")
    trash = root / FOLDER
    trash.mkdir(exist_ok=True)
    workspace.folder.rename(_free(trash, workspace.name))


def deleted(root: Path) -> list[Workspace]:
    """What lies in the trash, by name."""
    return list_workspaces(root / FOLDER)


def restore(root: Path, name: str) -> str:
    """Brings a workspace back; the name it has from now on."""
    workspace = open_workspace(root / FOLDER, name)
    target = _free(root, name)
    workspace.folder.rename(target)
    return target.name


def _free(folder: Path, name: str) -> Path:
    """`name` in `folder`, with a number behind it where that is taken."""
    path, number = folder / name, 1
    while path.exists():
        number += 1
        path = folder / f"{name[:50]}-{number}"
    return path
