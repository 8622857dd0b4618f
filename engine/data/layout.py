"""Class and split of an image from its name: `<class>/…` or `train|val|test/<class>/…`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.data.archive import printable
from engine.data.pictures import SUFFIXES
from engine.errors import DataError

SPLIT_NAMES = {
    "train": "weights",
    "training": "weights",
    "val": "architecture",
    "valid": "architecture",
    "validation": "architecture",
    "test": "test",
    "testing": "test",
}
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".7z", ".rar", ".bz2", ".xz")
EXPECTED = (
    "Expected is one folder per class, or train/, val/ and test/ with one folder per class each."
)


@dataclass(frozen=True, slots=True)
class Layout:
    """Images in a fixed order: full name, label and given split; notes on what was left out."""

    classes: tuple[str, ...]
    names: tuple[str, ...]
    labels: tuple[int, ...]
    given: tuple[str, ...]
    notes: tuple[str, ...]


def arrange(names: Sequence[str], where: str) -> Layout:
    """The images among `names` (relative, with `/`); DataError if they lie in no class folders."""
    seen = sorted(name for name in names if not _junk(name))
    images = [name for name in seen if name.lower().endswith(SUFFIXES)]
    parts = {name: tuple(printable(name).split("/")) for name in images}
    _check_any(images, seen, where)
    start = _wrapping(list(parts.values()))
    inner = {name: path[start:] for name, path in parts.items()}
    if any(len(path) > 2 and path[0].lower() in SPLIT_NAMES for path in inner.values()):
        placed = _by_split(inner, where)
    else:
        placed = {n: ("weights", path[0]) for n, path in inner.items() if len(path) > 1}
    if not placed:
        raise DataError(f"{where}: images must stand in class folders, got none there.", EXPECTED)
    classes = tuple(sorted({name for _, name in placed.values()}))
    number = {name: label for label, name in enumerate(classes)}
    _check_trained(classes, placed, where)
    return Layout(
        classes=classes,
        names=tuple(placed),
        labels=tuple(number[name] for _, name in placed.values()),
        given=tuple(group for group, _ in placed.values()),
        notes=_notes(seen, images, placed),
    )


def _junk(name: str) -> bool:
    return any(
        part.startswith(".") or part in ("__MACOSX", "Thumbs.db") for part in name.split("/")
    )


def _check_any(images: Sequence[str], seen: Sequence[str], where: str) -> None:
    if images:
        return
    if any(name.lower().endswith(ARCHIVES) for name in seen):
        raise DataError(
            f"{where}: must hold images, got an archive inside it.",
            "Unpack the inner archive and give that.",
        )
    raise DataError(
        f"{where}: must hold PNG, JPEG, BMP or WebP images, got {len(seen):,} other files.",
        EXPECTED,
    )


def _wrapping(paths: Sequence[tuple[str, ...]]) -> int:
    """How many folders wrap everything: shared by all images and not a split's folder."""
    start = 0
    while True:
        tops = {path[start] for path in paths}
        if len(tops) > 1 or any(len(path) < start + 3 for path in paths):
            return start
        if next(iter(tops)).lower() in SPLIT_NAMES:
            return start
        start += 1


def _by_split(inner: dict[str, tuple[str, ...]], where: str) -> dict[str, tuple[str, str]]:
    placed = {}
    for name, path in inner.items():
        group = SPLIT_NAMES.get(path[0].lower())
        if group is None and len(path) > 1:
            raise DataError(
                f"{where}: must hold nothing beside train/, val/ and test/, got {path[0]}/.",
                EXPECTED,
            )
        if group is not None and len(path) > 2:
            placed[name] = (group, path[1])
    return placed


def _check_trained(classes: Sequence[str], placed: dict[str, tuple[str, str]], where: str) -> None:
    trained = {name for group, name in placed.values() if group == "weights"}
    for name in classes:
        if name not in trained:
            raise DataError(
                f"{where}: class {name} must have images in train/, got none.", EXPECTED
            )


def _notes(
    seen: Sequence[str], images: Sequence[str], placed: dict[str, tuple[str, str]]
) -> tuple[str, ...]:
    notes = []
    known = set(images)
    others = [name for name in seen if name not in known]
    if others:
        notes.append(f"Left out, not PNG, JPEG, BMP or WebP: {_some(others)}.")
    loose = [name for name in images if name not in placed]
    if loose:
        notes.append(f"Left out, in no class folder: {_some(loose)}.")
    return tuple(notes)


def _some(names: Sequence[str]) -> str:
    count = f"{len(names):,} files such as " if len(names) > 1 else ""
    return count + printable(names[0])
