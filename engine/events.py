"""What a run says while it goes on: a frozen dataclass per kind of fact, and the view they fold to.

Events are appended and never changed. `fold` is pure: the same events give the same view, whether
they are read in one go or as they come. Crash rule: `Resumed(step)` makes the view forget every
event after `Progress(step)`, so work that is done again is not counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from engine.facts import (
    Calibrated,
    Compared,
    Conflicts,
    DataReady,
    EpochEnd,
    Evaluated,
    Event,
    Exported,
    Failed,
    Filtered,
    Finished,
    Foreseen,
    Ghost,
    Learned,
    Measured,
    Part,
    Progress,
    Resumed,
    Screened,
    StandAlone,
    Trained,
    Trusted,
    Warned,
)
from engine.front.limits import Limits, kept
from engine.pareto import front

__all__ = [
    "KINDS",
    "Calibrated",
    "Candidate",
    "Compared",
    "Conflicts",
    "DataReady",
    "EpochEnd",
    "Evaluated",
    "Event",
    "Exported",
    "Failed",
    "Filtered",
    "Finished",
    "Foreseen",
    "Ghost",
    "Learned",
    "Measured",
    "Part",
    "Progress",
    "Resumed",
    "Screened",
    "StandAlone",
    "Trained",
    "Trusted",
    "View",
    "Warned",
    "fold",
    "from_payload",
    "to_payload",
]

KINDS: dict[str, type[Event]] = {
    cls.__name__: cls
    for cls in (
        Resumed,
        Progress,
        DataReady,
        Calibrated,
        EpochEnd,
        Evaluated,
        Filtered,
        Learned,
        Foreseen,
        Screened,
        Conflicts,
        Measured,
        Trained,
        StandAlone,
        Trusted,
        Part,
        Compared,
        Exported,
        Warned,
        Failed,
        Finished,
    )
}


LATEST: dict[type[Event], str] = {
    DataReady: "data",
    Calibrated: "calibrated",
    Failed: "failed",
    Finished: "finished",
    Filtered: "filtered",
    Learned: "learned",
    Foreseen: "foreseen",
    Trusted: "trusted",
    Compared: "compared",
    Screened: "screened",
}
"""Kinds of which a view keeps the latest, and where."""

LISTED: dict[type[Event], str] = {
    Trained: "trained",
    StandAlone: "stand_alone",
    Exported: "exported",
}
"""Kinds of which a view keeps all, and where."""


KEYED: dict[type[Event], str] = {Conflicts: "conflicts", Part: "parts"}
"""Kinds of which a view keeps the latest for each slot or run, and where."""


def to_payload(event: Event) -> dict[str, Any]:
    """The event's fields as plain JSON values."""
    return asdict(event)


def from_payload(kind: str, payload: dict[str, Any]) -> Event:
    """The event that `to_payload` described; JSON's lists come back as the tuples they were."""
    return KINDS[kind](**{k: _tuples(v) for k, v in payload.items()})


def _tuples(value: Any) -> Any:
    return tuple(_tuples(v) for v in value) if isinstance(value, list) else value


@dataclass(frozen=True, slots=True)
class Candidate:
    """An evaluated architecture with its objectives; `measured` once its ONNX file ran.

    `stale`: the shared weights were trained on after its proxy accuracy was taken, which therefore
    compares with no later one.
    """

    arch: str
    proxy_accuracy: float
    predicted_ms: float
    params: int
    macs: int
    measured: Measured | None = None
    stale: bool = False
    peak_bytes: int = 0
    recipe: str = ""
    onnx_bytes: int = 0

    @property
    def latency_ms(self) -> float:
        """Measured p50 where there is one, else the prediction; `latency_source` tells which."""
        return self.measured.p50_ms if self.measured else self.predicted_ms

    @property
    def latency_source(self) -> str:
        """`measured` or `predicted`."""
        return "measured" if self.measured else "predicted"

    def within(self, limit_ms: float) -> bool:
        """Whether every measuring session met the limit; a prediction alone never counts."""
        return self.measured is not None and self.measured.worst_ms <= limit_ms


@dataclass(slots=True)
class View:
    """What a run's events amount to. Grow it with `fold`; read it, never write it.

    `limits` are those of the search, from its spec: no network above them is on a front or best.
    """

    limits: Limits = field(default_factory=Limits)
    kept: list[Event] = field(default_factory=list)
    step: int = 0
    steps: int = 0
    phase: str = ""
    data: DataReady | None = None
    calibrated: Calibrated | None = None
    epochs: list[EpochEnd] = field(default_factory=list)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    trained: list[Trained] = field(default_factory=list)
    stand_alone: list[StandAlone] = field(default_factory=list)
    trusted: Trusted | None = None
    compared: Compared | None = None
    parts: dict[int, Part] = field(default_factory=dict)
    exported: list[Exported] = field(default_factory=list)
    filtered: Filtered | None = None
    learned: Learned | None = None
    foreseen: Foreseen | None = None
    screened: Screened | None = None
    conflicts: dict[str, Conflicts] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    failed: Failed | None = None
    finished: Finished | None = None

    def fresh(self) -> list[Candidate]:
        """Candidates whose proxy accuracy is that of the shared weights as they are now."""
        return [c for c in self.candidates.values() if not c.stale]

    def admitted(self) -> list[Candidate]:
        """Fresh candidates that keep the limits beside that of latency: all that may be chosen."""
        return [c for c in self.fresh() if kept(c, self.limits)]

    def front(self) -> list[Candidate]:
        """Of the admitted, non-dominated in predicted latency and proxy accuracy, fastest first.

        Membership goes by prediction for all, since a front through mixed kinds would be none,
        and since predictions repeat with the seed while measurements do not.
        """
        pool = sorted(self.admitted(), key=lambda c: c.arch)
        return front(pool, lambda c: (c.predicted_ms, -c.proxy_accuracy))

    def ghosts(self) -> list[Ghost]:
        """What the predictor thinks well of and nobody has evaluated since."""
        seen = self.foreseen.ghosts if self.foreseen else ()
        known = {c.arch for c in self.fresh()}
        return [Ghost(**ghost) for ghost in seen if ghost["arch"] not in known]

    def best(self, limit_ms: float) -> Candidate | None:
        """Highest proxy accuracy measured within the limit (faster if equal), None if none is.

        The other limits are kept as well.
        """
        inside = [c for c in self.admitted() if c.within(limit_ms)]
        return max(inside, key=lambda c: (c.proxy_accuracy, -c.latency_ms, c.arch), default=None)


def fold(events: Iterable[Event], view: View | None = None) -> View:
    """`view` (a new one if None) grown by `events` in order; returns it."""
    view = view or View()
    for event in events:
        if isinstance(event, Resumed):
            view = _rebuild(_surviving(view.kept, event), view.limits)
        else:
            view.kept.append(event)
            _apply(view, event)
    return view


def _surviving(kept: list[Event], resumed: Resumed) -> list[Event]:
    """Events up to `Progress(resumed.step)` (for step 0: none of them), and the Resumed itself."""
    end = 0
    for i, event in enumerate(kept, 1):
        if isinstance(event, Progress) and event.step == resumed.step:
            end = i
    return [*kept[:end], resumed]


def _rebuild(surviving: list[Event], limits: Limits) -> View:
    view = View(limits, surviving)
    for event in surviving:
        _apply(view, event)
    return view


def _apply(view: View, event: Event) -> None:
    match event:
        case Progress(step, steps, phase):
            view.step, view.steps, view.phase = step, steps, phase
        case EpochEnd():
            view.epochs.append(event)
            for c in view.fresh():
                view.candidates[c.arch] = replace(c, stale=True)
        case Evaluated(arch, accuracy, ms, params, macs):
            known = view.candidates.get(arch)
            view.candidates[arch] = Candidate(
                arch,
                accuracy,
                ms,
                params,
                macs,
                known.measured if known else None,
                peak_bytes=event.peak_bytes,
                recipe=event.recipe,
                onnx_bytes=event.onnx_bytes,
            )
        case Measured(arch):
            view.candidates[arch] = replace(view.candidates[arch], measured=event)
        case Warned(message):
            view.warnings.append(message)
        case Conflicts(key) | Part(key):
            getattr(view, KEYED[type(event)])[key] = event
        case _ if type(event) in LISTED:
            getattr(view, LISTED[type(event)]).append(event)
        case _ if type(event) in LATEST:
            setattr(view, LATEST[type(event)], event)
