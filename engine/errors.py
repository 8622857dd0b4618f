"""The mistakes a user can make, each one sentence and a way out; not the faults of our own code."""

from __future__ import annotations


class StudioError(Exception):
    """A user's mistake: `message` says where, what is required and what was got.

    `hint` says what to do, in one sentence; it may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} {self.hint}".strip()


class SpaceError(StudioError, ValueError):
    """A search space or an architecture that cannot be built."""


class UnknownLayer(StudioError, KeyError):
    """A layer that the latency table of a device does not hold."""


class InfeasibleLimit(StudioError):
    """A limit that no architecture of the space can meet; the text names the tightest one."""


class DataError(StudioError, ValueError):
    """Images that cannot be read, split or trusted."""


class CheckpointError(StudioError):
    """A checkpoint that is damaged or belongs to another run."""


class ExportError(StudioError):
    """A model that could not be proved equal to what was trained."""


class RunError(StudioError):
    """A run that does not exist, is already running or is in no state for what was asked."""


class AccessDenied(StudioError):
    """A path, link or request that leaves what its owner may touch."""
