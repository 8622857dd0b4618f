"""A workspace: a folder with database, runs, data and exports; outside names become paths here."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine import presets
from engine.errors import AccessDenied, RunError
from engine.spec import DataChoice, DeviceChoice
from engine.store import Store

NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True)
class Workspace:
    """One workspace folder; opening makes what is missing."""

    folder: Path

    @cached_property
    def store(self) -> Store:
        """The workspace's database, opened once."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return Store(self.folder / "studio.db")

    @property
    def name(self) -> str:
        """Folder name, unique beside its siblings."""
        return self.folder.name

    @property
    def title(self) -> str:
        """What people call it."""
        return str((self.store.document("about") or {}).get("title", self.name))

    @property
    def data_folder(self) -> Path:
        """Prepared data sets, one folder each."""
        return self.folder / "data"

    @property
    def uploads_folder(self) -> Path:
        """Archives that were uploaded."""
        return self.folder / "uploads"

    @property
    def exports_folder(self) -> Path:
        """Finished archives."""
        return self.folder / "exports"

    def inside(self, *parts: str) -> Path:
        """The path of `parts` below this workspace; AccessDenied for any that leaves it."""
        root = self.folder.resolve()
        path = root if "\0" in "".join(parts) else root.joinpath(*parts).resolve()
        if not path.is_relative_to(root) or path == root:
            raise AccessDenied(
                f"path: must stay inside workspace {self.name}, got {'/'.join(parts)!r}."
            )
        return path


def slug(title: str) -> str:
    """A folder name for `title`: lower-case letters, digits, dashes; `workspace` if none left."""
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")[:50] or "workspace"


def open_workspace(root: Path, name: str) -> Workspace:
    """The existing workspace `name` below `root`; RunError if there is none."""
    if not NAME.fullmatch(name) or not (root / name / "studio.db").is_file():
        raise RunError(f"workspace: {name!r} is not there.", "Pick one on Home, or make a new one.")
    return Workspace(root / name)


def list_workspaces(root: Path) -> list[Workspace]:
    """All workspaces below `root`, by name."""
    return [
        Workspace(path.parent)
        for path in sorted(root.glob("*/studio.db"))
        if NAME.fullmatch(path.parent.name)
    ]


def create_workspace(
    root: Path, title: str, preset: str = "digits", data: DataChoice | None = None
) -> Workspace:
    """A new workspace named after `title`: a preset's space, data, and this computer as device."""
    root.mkdir(parents=True, exist_ok=True)
    workspace = Workspace(_new_folder(root, slug(title)))
    name = workspace.name
    store = workspace.store
    store.save("about", {"title": title.strip()[:80] or name})
    store.save("space", presets.load(preset).to_json())
    choice = data or DataChoice("cifar10" if "cifar" in preset else "digits")
    store.save("data", {"source": choice.source, "path": choice.path})
    device = DeviceChoice()
    store.save("device", {"name": device.name, "threads": device.threads})
    return workspace


def _new_folder(root: Path, base: str) -> Path:
    """A folder `base`, `base-2`, … that this very call made; several may ask at once."""
    folder, number = root / base, 1
    while True:  # ends: each turn means one more existing folder
        try:
            folder.mkdir()
        except FileExistsError:
            number += 1
            folder = root / f"{base}-{number}"
        else:
            return folder
