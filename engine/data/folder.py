"""A folder or a zip of the user's own images in class folders; `layout.py` says how they lie."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.data import tree
from engine.data.archive import printable
from engine.data.source import Material
from engine.errors import DataError
from engine.space import Input
from engine.store import Progressing


@dataclass(frozen=True, slots=True)
class ImageFolder:
    """Images in class folders; the path is required."""

    about: str = "Your own images: a folder or a zip with one folder per class."

    def fingerprint(self, path: str) -> str:
        """Changes when the zip or the folders do."""
        return tree.fingerprint(path) if path else ""

    def open(
        self, path: str, shape: Input, *, downloads: Path, on_progress: Progressing
    ) -> Material:
        """The images at `path`."""
        del downloads
        if not path:
            raise DataError(
                "data: must be a folder or a .zip of images, got none.", "Choose one first."
            )
        on_progress(0.0, "looking for images")
        name = Path(path).name.removesuffix(".zip")
        return tree.read_tree(path, printable(name) or "images", shape)
