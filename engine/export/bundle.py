"""The archive: a zip that appears whole or not at all."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from engine.errors import ExportError


def write_archive(path: Path, files: dict[str, bytes]) -> None:
    """Writes `files` (name to content) as the zip `path`, replacing one that is there."""
    partial = path.with_suffix(".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise ExportError(
            f"export: {path.name} could not be written: {error.strerror}.", "Free some space."
        ) from error
