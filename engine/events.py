"""What a run says while it goes on: a frozen dataclass per kind of fact, and the view they fold to.

Events are appended and never changed. `fold` is pure: the same events give the same view, whether
they are read in one go or as they come. Crash rule: `Resumed(step)` makes the view forget every
event after `Progress(step)`, so work that is done again is not counted twice.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from engine.pareto import front


@dataclass(frozen=True, slots=True)
class Resumed:
    """The worker starts, or starts again, from the checkpoint of `step` (0: from the beginning)."""

    step: int


@dataclass(frozen=True, slots=True)
class Progress:
    """Step `step` of `steps` is complete; written by the run loop only, before the checkpoint."""

    step: int
    steps: int
    phase: str


@dataclass(frozen=True, slots=True)
class DataReady:
    """The images are read and split; `hash` covers images, labels and splits, `splits` sizes."""

    name: str
    hash: str
    classes: tuple[str, ...]
    splits: dict[str, int]


@dataclass(frozen=True, slots=True)
class Calibrated:
    """The device's table and calibration are there: provenance, held-out error, range in ms."""

    device: dict[str, Any]
    prediction: dict[str, Any]
    fastest_ms: float
    median_ms: float
    slowest_ms: float


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """One pass over the weights split.

    `gates`: per slot (kernel…, expand…, excitation where it is a choice, layer), 0..1;
    `modelled_ms`: expected latency under the gates; `penalty`: the latency term of the loss;
    `threshold_grads`: per slot, norm of the gradient of its thresholds.
    """

    phase: str
    epoch: int
    loss: float
    modelled_ms: float
    penalty: float
    gates: tuple[tuple[float, ...], ...]
    threshold_grads: tuple[float, ...]
    accuracy: float | None = None


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An architecture with shared weights: accuracy on the architecture split, predicted ms.

    `recipe` is the digest of how the weights were trained; only figures of one recipe compare.
    """

    arch: str
    proxy_accuracy: float
    predicted_ms: float
    params: int
    macs: int
    peak_bytes: int = 0
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Filtered:
    """How many networks the limits were asked about so far, and how many each of them refused."""

    asked: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class Learned:
    """A predictor of proxy accuracy, as JSON coefficients, and its mean error on held-out ones."""

    predictor: dict[str, Any]
    error: float
    n: int


@dataclass(frozen=True, slots=True)
class Ghost:
    """An architecture that a predictor thinks well of and that nobody has evaluated."""

    arch: str
    proxy_accuracy: float
    predicted_ms: float


@dataclass(frozen=True, slots=True)
class Foreseen:
    """The front that the predictor sees now; takes the place of what it saw before."""

    ghosts: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """An architecture's ONNX file on the device: percentiles of all runs, p50 of every session."""

    arch: str
    p50_ms: float
    p90_ms: float
    p99_ms: float
    runs: int
    sessions: tuple[float, ...]

    @property
    def worst_ms(self) -> float:
        """The slowest session's p50: what a limit is held against."""
        return max(self.sessions)


@dataclass(frozen=True, slots=True)
class Trained:
    """One architecture with weights of its own.

    `accuracy`: architecture split; `test_accuracy`: test split, used once per training.
    """

    arch: str
    mode: str
    proxy_accuracy: float | None
    accuracy: float
    test_accuracy: float
    seconds: float
    recipe: str = ""


@dataclass(frozen=True, slots=True)
class Exported:
    """An archive is written, at `archive` below the workspace; `report` is its report.json."""

    arch: str
    archive: str
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Warned:
    """Something the user should know: what is done less well than asked, and why."""

    message: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The run ended in an error; `trace` is for the log, never for the page."""

    message: str
    hint: str = ""
    trace: str = ""


@dataclass(frozen=True, slots=True)
class Finished:
    """The run ended as it should; `seconds` counts computing, pauses and crashes not included."""

    reason: str
    seconds: float


Event = (
    Resumed
    | Progress
    | DataReady
    | Calibrated
    | EpochEnd
    | Evaluated
    | Filtered
    | Learned
    | Foreseen
    | Measured
    | Trained
    | Exported
    | Warned
    | Failed
    | Finished
)

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
        Measured,
        Trained,
        Exported,
        Warned,
        Failed,
        Finished,
    )
}


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
    """What a run's events amount to. Grow it with `fold`; read it, never write it."""

    kept: list[Event] = field(default_factory=list)
    step: int = 0
    steps: int = 0
    phase: str = ""
    data: DataReady | None = None
    calibrated: Calibrated | None = None
    epochs: list[EpochEnd] = field(default_factory=list)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    trained: list[Trained] = field(default_factory=list)
    exported: list[Exported] = field(default_factory=list)
    filtered: Filtered | None = None
    learned: Learned | None = None
    foreseen: Foreseen | None = None
    warnings: list[str] = field(default_factory=list)
    failed: Failed | None = None
    finished: Finished | None = None

    def fresh(self) -> list[Candidate]:
        """Candidates whose proxy accuracy is that of the shared weights as they are now."""
        return [c for c in self.candidates.values() if not c.stale]

    def front(self) -> list[Candidate]:
        """Non-dominated in predicted latency and proxy accuracy, fastest first.

        Membership goes by prediction for all, since a front through mixed kinds would be none,
        and since predictions repeat with the seed while measurements do not.
        """
        pool = sorted(self.fresh(), key=lambda c: c.arch)
        return front(pool, lambda c: (c.predicted_ms, -c.proxy_accuracy))

    def ghosts(self) -> list[Ghost]:
        """What the predictor thinks well of and nobody has evaluated since."""
        seen = self.foreseen.ghosts if self.foreseen else ()
        known = {c.arch for c in self.fresh()}
        return [Ghost(**ghost) for ghost in seen if ghost["arch"] not in known]

    def best(self, limit_ms: float) -> Candidate | None:
        """Highest proxy accuracy measured within the limit (faster if equal), None if none is."""
        inside = [c for c in self.fresh() if c.within(limit_ms)]
        return max(inside, key=lambda c: (c.proxy_accuracy, -c.latency_ms, c.arch), default=None)


def fold(events: Iterable[Event], view: View | None = None) -> View:
    """`view` (a new one if None) grown by `events` in order; returns it."""
    view = view or View()
    for event in events:
        if isinstance(event, Resumed):
            view = _rebuild(_surviving(view.kept, event))
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


def _rebuild(kept: list[Event]) -> View:
    view = View(kept=kept)
    for event in kept:
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
            )
        case Measured(arch):
            view.candidates[arch] = replace(view.candidates[arch], measured=event)
        case Trained():
            view.trained.append(event)
        case Exported():
            view.exported.append(event)
        case Warned(message):
            view.warnings.append(message)
        case _:
            _keep_latest(view, event)


def _keep_latest(view: View, event: Event) -> None:
    match event:
        case DataReady():
            view.data = event
        case Calibrated():
            view.calibrated = event
        case Failed():
            view.failed = event
        case Finished():
            view.finished = event
        case Filtered():
            view.filtered = event
        case Learned():
            view.learned = event
        case Foreseen():
            view.foreseen = event
