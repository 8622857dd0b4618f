"""Image files on disk or in a zip, as names and bytes alike, and their pictures decoded in order.

Not which class or split a name stands for: that is `layout.py`.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from engine.data import archive
from engine.data.layout import Layout, arrange
from engine.data.pictures import KINDS, REPAIR, decode
from engine.data.source import Material, Picture
from engine.errors import DataError
from engine.space import Input

MAX_FILES, MAX_FOLDERS_DEEP = 2_000_000, 8
THREADS, BATCH, AHEAD = 2, 32, 8  # Pillow decodes outside the interpreter's lock
NAMED = 3

Read = Callable[[str], bytes]


def read_tree(path: str, name: str, shape: Input) -> Material:
    """The images below `path`, a folder or a zip; DataError for any that is neither, or unsafe."""
    with _opened(path) as (names, _):
        found = arrange(names(), archive.printable(Path(path).name))
    return Material(
        name=name,
        classes=found.classes,
        labels=np.asarray(found.labels, dtype=np.int64),
        given=found.given,
        names=[archive.printable(image) for image in found.names],
        pictures=lambda: _pictures(path, found, shape),
        notes=found.notes,
    )


def sample(path: str, count: int, shape: Input) -> list[Picture]:
    """At most `count` pictures from all over `path`; DataError as for `read_tree`."""
    with _opened(path) as (names, read):
        found = sorted(arrange(names(), archive.printable(Path(path).name)).names)
        chosen = found[:: max(1, -(-len(found) // count))]
        return [decode(read(name), archive.printable(name), shape) for name in chosen]


def fingerprint(path: str) -> str:
    """Changes when the zip does, or when a file comes to or leaves the folder or its subfolders.

    A file rewritten in place under its old name is not noticed: that would mean reading them all.
    """
    root = Path(path)
    try:
        if not os.path.isdir(path):
            stat = root.stat()
            return f"{stat.st_size}-{stat.st_mtime_ns}"
        text = "\n".join(f"{name} {mtime}" for name, mtime in sorted(_folders(root, 3)))
    except (OSError, ValueError):  # the latter for a path that can be none
        return ""
    return hashlib.sha256(os.fsencode(text)).hexdigest()[:16]


def _folders(root: Path, deep: int) -> Iterator[tuple[str, int]]:
    yield root.name, root.stat().st_mtime_ns
    if deep:
        with os.scandir(root) as entries:
            below = [entry.path for entry in entries if entry.is_dir() and not _hidden(entry)]
        for path in below:
            yield from _folders(Path(path), deep - 1)


def _hidden(entry: os.DirEntry[str]) -> bool:
    return entry.name.startswith(".")


@contextmanager
def _opened(path: str) -> Iterator[tuple[Callable[[], Sequence[str]], Read]]:
    """How to list all files below `path`, relative with `/`, and how to read one of them."""
    root = Path(path)
    if os.path.isdir(path):
        yield lambda: _files(root), lambda name: _read_file(root / name, name)
    elif os.path.isfile(path):
        with archive.open_zip(path) as opened:
            infos = archive.members(opened, archive.printable(root.name))
            yield lambda: list(infos), lambda name: archive.read(opened, infos[name])
    else:
        raise DataError(
            f"data: must be a folder or a .zip of images, got {path!r}, which is not there.",
            "Check the path.",
        )


def _files(root: Path) -> list[str]:
    """Relative names of all files, links followed; hidden folders and those too deep left out."""
    names: list[str] = []
    waiting = [("", 0)]
    while waiting:
        prefix, deep = waiting.pop()
        folders, files = _entries(root / prefix)
        names += [prefix + name for name in files]
        if deep < MAX_FOLDERS_DEEP:
            waiting += [(f"{prefix}{name}/", deep + 1) for name in folders]
        if len(names) > MAX_FILES:
            raise DataError(f"{root.name}: must hold at most {MAX_FILES:,} files, got more.")
    return names


def _entries(folder: Path) -> tuple[list[str], list[str]]:
    """Names of the visible folders and of the files right below `folder`."""
    try:
        with os.scandir(folder) as scan:
            entries = list(scan)
        folders = [
            entry.name
            for entry in entries
            if entry.is_dir() and not _hidden(entry) and not _loops(entry, folder)
        ]
        return folders, [entry.name for entry in entries if entry.is_file()]
    except OSError as error:
        raise DataError(
            f"{archive.printable(str(folder))}: must be readable, but {error.strerror}.",
            "Change its permissions.",
        ) from error


def _loops(entry: os.DirEntry[str], folder: Path) -> bool:
    """Whether a link in `folder` leads back to it or to a folder around it."""
    return entry.is_symlink() and folder.resolve().is_relative_to(Path(entry.path).resolve())


def _read_file(path: Path, name: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(archive.MAX_MEMBER_BYTES + 1)
    except OSError as error:
        raise DataError(
            f"{archive.printable(name)}: must be {KINDS}, but {error.strerror}.", REPAIR
        ) from error
    if len(content) > archive.MAX_MEMBER_BYTES:
        raise DataError(f"{archive.printable(name)}: must have at most 128 MiB, got more.", REPAIR)
    return content


def _pictures(path: str, found: Layout, shape: Input) -> Generator[Picture]:
    """The pictures in order, decoded a few batches ahead.

    Unreadable images do not end the reading: one DataError at the end names the first of them all.
    """
    bad: list[DataError] = []
    with _opened(path) as (_, read), ThreadPoolExecutor(THREADS) as pool:
        batches = (found.names[i : i + BATCH] for i in range(0, len(found.names), BATCH))
        waiting: deque[Future[list[Picture | DataError]]] = deque()
        try:
            for batch in batches:
                waiting.append(pool.submit(_decode_batch, batch, read, shape))
                if len(waiting) > AHEAD:
                    yield from _good(waiting.popleft().result(), bad)
            while waiting:
                yield from _good(waiting.popleft().result(), bad)
        finally:
            pool.shutdown(cancel_futures=True)
    if bad:
        raise _together(bad)


def _decode_batch(names: Sequence[str], read: Read, shape: Input) -> list[Picture | DataError]:
    results: list[Picture | DataError] = []
    for name in names:
        try:
            results.append(decode(read(name), archive.printable(name), shape))
        except DataError as error:
            results.append(error)
    return results


def _good(results: Sequence[Picture | DataError], bad: list[DataError]) -> Iterator[Picture]:
    for result in results:
        if isinstance(result, DataError):
            bad.append(result)
        else:
            yield result


def _together(bad: Sequence[DataError]) -> DataError:
    """One sentence for all unreadable images: the first one's reason, more names, the count."""
    first = bad[0]
    if len(bad) == 1:
        return first
    others = ", ".join(error.message.split(": must", 1)[0] for error in bad[1:NAMED])
    more = f" and {len(bad) - NAMED:,} more" if len(bad) > NAMED else ""
    return DataError(
        f"{first.message.rstrip('.')} (the same holds for {others}{more}).",
        "Remove them or save them anew, then read the images again.",
    )
