"""What a run can say: a frozen dataclass per kind of fact. What they amount to is in `events`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


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
    `threshold_grads`: per slot, norm of the gradient of what decides (thresholds, logits).
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
    `onnx_bytes`: size of its file, 0 where no limit asks for it, since files take a while.
    """

    arch: str
    proxy_accuracy: float
    predicted_ms: float
    params: int
    macs: int
    peak_bytes: int = 0
    recipe: str = ""
    onnx_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Filtered:
    """How many networks were drawn so far, before any was moved; how many each limit refused."""

    asked: int
    refused: dict[str, int]


@dataclass(frozen=True, slots=True)
class Learned:
    """A predictor of proxy accuracy, as JSON coefficients, and its mean error on held-out ones."""

    predictor: dict[str, Any]
    error: float
    n: int


@dataclass(frozen=True, slots=True)
class Screened:
    """Training-free metrics over `n` networks: Kendall tau of each with params, MACs."""

    n: int
    correlations: dict[str, dict[str, float]]


@dataclass(frozen=True, slots=True)
class Conflicts:
    """Of one slot, or tied stage: cosines (n x n) between the gradients that each of its ops gives.

    On the weights outside the slot; -1 (they pull the shared weights apart) to 1.
    """

    slot: str
    ops: tuple[str, ...]
    cosine: tuple[tuple[float, ...], ...]


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
class StandAlone:
    """One architecture trained from scratch for a trust report; accuracy: architecture split."""

    arch: str
    seed: int
    accuracy: float
    epochs: int
    recipe: str


@dataclass(frozen=True, slots=True)
class Trusted:
    """How far a search can be trusted: figures, colour and sentences, as plain JSON (`trust`)."""

    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Part:
    """Run `run` of this workspace is a part of this one: `words` say what is done in it."""

    run: int
    words: str


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison of strategies came to: its table and its runs, plain JSON (`compare`)."""

    report: dict[str, Any]


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
    | Screened
    | Conflicts
    | Measured
    | Trained
    | StandAlone
    | Trusted
    | Part
    | Compared
    | Exported
    | Warned
    | Failed
    | Finished
)
