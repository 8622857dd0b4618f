"""How far a run is, how long it will take, and whether it should go on; no events, no computing."""

from __future__ import annotations

import time
from collections.abc import Callable

from engine.store import Status, Store

INTERVAL_S = 0.4  # between two writes of the status, and two looks at what the studio wants

OnStatus = Callable[[Status], None]


class Stopped(BaseException):
    """Raised in the middle of a step once the studio wants the run stopped; not an error."""


class Clock:
    """Tells the store, and `on_status`, what a run is doing; blocks while paused, raises Stopped.

    Work is measured in seconds where a phase has been timed, else in the weights it was planned
    with; `seconds` counts computing only.
    """

    def __init__(self, store: Store, run_id: int, on_status: OnStatus | None = None) -> None:
        self.store, self.run_id, self.on_status = store, run_id, on_status
        self.paused_s = 0.0
        self.started = time.monotonic()
        self.last_write = 0.0
        self.phase = ""
        self.phase_started = self.started
        self.later_s = 0.0

    def seconds(self) -> float:
        """Seconds of computing since the start of this process's work."""
        return time.monotonic() - self.started - self.paused_s

    def enter(self, phase: str, later_s: float = 0.0) -> None:
        """Starts a phase whose own share is told to `tick`; `later_s`: what is to follow it."""
        self.phase, self.later_s, self.last_write = phase, later_s, 0.0
        self.phase_started = self.seconds()
        self.tick(0.0, "")

    def tick(self, share: float, detail: str = "") -> None:
        """`share` (0..1) of the phase is done; time left follows from the time it took."""
        spent = self.seconds() - self.phase_started
        left = spent / share * (1 - share) + self.later_s if share > 0.02 else None
        self.tell(Status(self.phase, min(1.0, share), left, detail))

    def due(self) -> bool:
        """Whether the last status was stored so long ago that another is worth storing."""
        return time.monotonic() - self.last_write >= INTERVAL_S

    def tell(self, status: Status, *, force: bool = False) -> None:
        """Stores `status` unless one was stored a moment ago; pauses or stops if that is wanted."""
        if not force and not self.due() and status.done < 1.0:
            return
        now = time.monotonic()
        self.last_write = now
        self.store.report(self.run_id, status)
        if self.on_status:
            self.on_status(status)
        if self.store.wait_while_paused(self.run_id) == "stopped":
            raise Stopped
        self.paused_s += max(0.0, time.monotonic() - now - 0.1)


class Plan:
    """Time left of a search cut into steps: measured seconds per phase, else planned weights."""

    def __init__(self, phases: list[str], weights: list[float]) -> None:
        self.phases, self.weights = phases, weights
        self.timed: dict[str, list[float]] = {}
        self.rate = 1.0  # seconds per unit of weight

    def done(self, step: int, seconds: float) -> None:
        """Records that `step` took so many seconds."""
        self.timed.setdefault(self.phases[step], []).append(seconds)
        pairs = [(sum(t), len(t) * self._weight_of(phase)) for phase, t in self.timed.items()]
        self.rate = sum(p[0] for p in pairs) / sum(p[1] for p in pairs)

    def expected(self, step: int) -> float:
        """Expected seconds of one step (in weights, if nothing has been timed yet)."""
        known = self.timed.get(self.phases[step])
        return sum(known) / len(known) if known else self.weights[step] * self.rate

    def status(self, step: int, share: float, spent: float) -> Status:
        """Where `step`, done by `share` after `spent` seconds, stands in the whole."""
        if not self.timed and share > 0.1:
            self.rate = spent / share / self.weights[step]
        current = self.expected(step)
        before = sum(self.expected(i) for i in range(step))
        after = sum(self.expected(i) for i in range(step + 1, len(self.phases)))
        total = before + current + after
        left = current * (1 - share) + after if self.timed or share > 0.1 else None
        words = f"step {step + 1} of {len(self.phases)}"
        return Status(self.phases[step], (before + current * share) / total, left, words)

    def _weight_of(self, phase: str) -> float:
        return self.weights[self.phases.index(phase)]
