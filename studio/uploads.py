"""Files that people upload: saved below the workspace under a name of our own making."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path, PurePosixPath
from typing import IO

from engine.workspace import Workspace

CHUNK = 1 << 20


def save_archive(workspace: Workspace, name: str, content: IO[bytes]) -> Path:
    """Path of the uploaded archive: its name in safe letters, and a hash of its content."""
    digest = hashlib.sha256()
    content.seek(0)
    while chunk := content.read(CHUNK):
        digest.update(chunk)
    path = workspace.inside("uploads", f"{safe_stem(name)}-{digest.hexdigest()[:8]}.zip")
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".part")
    content.seek(0)
    with partial.open("wb") as file:
        while chunk := content.read(CHUNK):
            file.write(chunk)
    partial.replace(path)  # a full disk must not leave half an archive under the final name
    return path


def safe_stem(name: str) -> str:
    """A file's name without folder and suffix, in letters, digits and dashes."""
    stem = PurePosixPath(name.replace("\\", "/")).stem
    return re.sub(r"[^A-Za-z0-9]+", "-", stem).strip("-")[:60] or "images"


def shown_name(name: str) -> str:
    """The file's own name for people: without folders and what cannot be printed."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[:80]
