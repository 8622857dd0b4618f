"""What a device must offer: the contract and its words; no device itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from engine.store import Progressing

BUSY_SPREAD, BUSY_SHARE = 0.15, 0.25


@dataclass(frozen=True, slots=True)
class Effort:
    """How much to measure: `sessions` separated in time; each is spread over several turns.

    Per session a model runs at most `runs` timed runs or `seconds`, whichever ends first, but at
    least once per turn, and every turn begins with up to `warmup` untimed runs.
    """

    sessions: int
    runs: int
    warmup: int
    seconds: float


QUICK = Effort(sessions=3, runs=200, warmup=5, seconds=0.1)
"""A first look; good to a few percent on a quiet computer."""

STANDARD = Effort(sessions=5, runs=800, warmup=10, seconds=0.4)
"""What a verdict against a limit rests on."""


@dataclass(frozen=True, slots=True)
class Samples:
    """Wall time of one forward, batch 1, in ms: percentiles over all runs, p50 of each session.

    `p50_ms` is the median of the sessions' medians, so one disturbed session does not move it.
    `disturbed`: share of the runs, 0..1, during which other work slowed the device down.
    `yardstick_ns`: what a fixed computation took at its quietest during this measurement (0: not
    told); on a device that is slow as a whole it is longer than on another day.
    """

    p50_ms: float
    p90_ms: float
    p99_ms: float
    p10_ms: float
    runs: int
    sessions: tuple[float, ...]
    disturbed: float = 0.0
    yardstick_ns: float = 0.0

    @property
    def spread(self) -> float:
        """How far the sessions disagree: slowest over fastest, minus 1."""
        return max(self.sessions) / min(self.sessions) - 1

    @property
    def busy(self) -> bool:
        """Whether other work disturbed so much that the figures should be taken again."""
        return self.disturbed > BUSY_SHARE or self.spread > BUSY_SPREAD


class Device(Protocol):
    """Where a latency comes from."""

    @property
    def key(self) -> str:
        """Names device, runtime with its version, and threads: equal keys may share tables."""

    @property
    def name(self) -> str:
        """What people call it."""

    def provenance(self) -> dict[str, Any]:
        """Everything that a latency must be shown with, as plain JSON; see PROVENANCE."""

    def measure(
        self, models: Sequence[bytes], effort: Effort, on_progress: Progressing
    ) -> list[Samples]:
        """One Samples per ONNX file, measured in turns; StudioError if the device cannot."""


PROVENANCE = (
    *("device", "cpu", "cores", "os", "runtime", "runtime_version", "provider", "threads"),
    *("batch", "date", "load_average"),
)
"""Keys that every `Device.provenance()` has."""
