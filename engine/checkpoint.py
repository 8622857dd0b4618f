"""Checkpoints: one file whose first 32 bytes prove the rest; the one before is kept.

Read without unpickling anything but tensors and plain values. A damaged file is noticed by its
hash, and the previous one is used: the run then does one step again.
"""

from __future__ import annotations

import hashlib
import io
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch

from engine.errors import CheckpointError

NAME, PREVIOUS, PARTIAL = "checkpoint.pt", "checkpoint.previous.pt", "checkpoint.partial"
HASH_BYTES = 32


def save_checkpoint(folder: Path, state: dict[str, Any]) -> None:
    """Writes `state` under a temporary name, flushes, renames; the last one is kept."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    payload = buffer.getvalue()
    partial = folder / PARTIAL
    try:
        with partial.open("wb") as file:
            file.write(hashlib.sha256(payload).digest() + payload)
            file.flush()
            os.fsync(file.fileno())
        if _payload(folder / NAME) is not None:  # a damaged one must not push out a whole one
            os.replace(folder / NAME, folder / PREVIOUS)
        os.replace(partial, folder / NAME)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(
            f"checkpoint: {len(payload) / 1e6:.1f} MB could not be written to {folder.name}: "
            f"{error.strerror}.",
            "Free some space, then resume: the checkpoint before is intact.",
        ) from error


def load_checkpoint(folder: Path, written: Collection[int]) -> tuple[dict[str, Any] | None, str]:
    """The newest checkpoint to go on from (None: begin anew), and a warning ("" if all is well).

    It must be whole, and its step must be in `written`, the steps whose `Progress` the log holds:
    after a power cut the database may have lost what was written last.
    """
    warning = ""
    for name in (NAME, PREVIOUS):
        path = folder / name
        if not path.exists():
            continue
        state = _read(path)
        if state is not None and state["step"] in written:
            return state, warning
        warning = "The newest checkpoint cannot be used: the run goes on from the one before it."
    if warning:
        warning = "No checkpoint can be used: the run begins anew."
    return None, warning


def _read(path: Path) -> dict[str, Any] | None:
    payload = _payload(path)
    if payload is None:
        return None
    state: dict[str, Any] = torch.load(io.BytesIO(payload), weights_only=True)
    return state


def _payload(path: Path) -> bytes | None:
    """The file's content behind its hash; None if there is no file or the hash differs."""
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return None
    digest, payload = content[:HASH_BYTES], content[HASH_BYTES:]
    return payload if hashlib.sha256(payload).digest() == digest else None
