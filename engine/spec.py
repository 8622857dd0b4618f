"""Everything needed to repeat a run, as frozen data with JSON in and out; nothing here executes.

One dataclass per kind of run; `SPECS` names them. Construction validates (RunError, one sentence).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, ClassVar

from engine import __version__
from engine.errors import RunError
from engine.front.limits import Limits, limits_from
from engine.methods import (
    DEFAULT,
    DEFAULT_FRONT,
    FRONTS,
    METHODS,
    require_method,
    require_starting,
)
from engine.recipe import Recipe
from engine.space import Arch, SearchSpace

MAX_EPOCHS, MAX_THREADS, MAX_SEED = 10_000, 256, 2**31 - 1
MAX_BATCHES = 1000
MAX_RUN = 2**31 - 1
MAX_SUBNETS, MAX_SEEDS = 100, 10  # a trust report trains every network with every seed
MAX_BUDGET_S, MAX_CONTEST_SEEDS = 7 * 86400.0, 100


@dataclass(frozen=True, slots=True)
class DataChoice:
    """Where images come from: `source` is a name in DATASETS, `path` a local copy ("" for none)."""

    source: str
    path: str = ""

    def __str__(self) -> str:
        return f"{self.source}={self.path}" if self.path else self.source


@dataclass(frozen=True, slots=True)
class DeviceChoice:
    """A device by its name in DEVICES, with the number of threads it computes on."""

    name: str = "local"
    threads: int = 1

    def __post_init__(self) -> None:
        _whole("threads", self.threads, 1, MAX_THREADS)


@dataclass(frozen=True, slots=True)
class Start:
    """A trained network to start from: one architecture of search `run`."""

    run: int
    arch: str

    def __post_init__(self) -> None:
        _whole("start: run", self.run, 1, MAX_RUN)
        if not isinstance(self.arch, str):
            raise RunError(f"start: arch must be an architecture, got {self.arch!r}.")


@dataclass(frozen=True, slots=True)
class RunSpec:
    """A search: space, data, device and limit, strategy and its budget, seed, and our version.

    `mode` "" is the strategy's usual one; `front` says how the front is searched on the shared
    weights; without a `recipe`, the usual one for so many images is taken. `limits` come beside
    that of latency. `start`: the network that a strategy which shrinks starts from.
    """

    kind: ClassVar[str] = "search"

    space: SearchSpace
    data: DataChoice
    device: DeviceChoice
    latency_limit_ms: float
    strategy: str = DEFAULT
    mode: str = ""
    epochs: int = 40
    seed: int = 0
    limits: Limits = field(default_factory=Limits)
    recipe: Recipe | None = None
    front: str = DEFAULT_FRONT
    start: Start | None = None
    version: str = __version__

    def __post_init__(self) -> None:
        _whole("epochs", self.epochs, 3, MAX_EPOCHS)
        _whole("seed", self.seed, 0, MAX_SEED)
        if not (math.isfinite(self.latency_limit_ms) and self.latency_limit_ms > 0):
            raise RunError(f"latency limit: must be above 0 ms, got {self.latency_limit_ms}.")
        object.__setattr__(self, "mode", require_method(self.strategy, self.mode))
        if self.front not in FRONTS:
            known = " or ".join(FRONTS)
            raise RunError(f"search of the front: must be {known}, got {self.front!r}.")
        if self.start is not None:
            require_starting(self.strategy)
            self.space.require(Arch.parse(self.start.arch))


@dataclass(frozen=True, slots=True)
class ProfileSpec:
    """A latency table and its calibration for one space on one device; `fresh` measures again."""

    kind: ClassVar[str] = "profile"

    space: SearchSpace
    device: DeviceChoice
    fresh: bool = False
    version: str = __version__


@dataclass(frozen=True, slots=True)
class DataSpec:
    """Reading, checking and splitting images at the size and channels a space wants."""

    kind: ClassVar[str] = "data"

    data: DataChoice
    size: int
    channels: int
    version: str = __version__


@dataclass(frozen=True, slots=True)
class TrainSpec:
    """Training one architecture of search `run`: `finetune` shared weights, or `retrain`."""

    kind: ClassVar[str] = "train"

    run: int
    arch: str
    mode: str = "finetune"
    epochs: int = 20
    seed: int = 0
    version: str = __version__

    def __post_init__(self) -> None:
        _whole("epochs", self.epochs, 1, MAX_EPOCHS)
        _whole("seed", self.seed, 0, MAX_SEED)
        if self.mode not in ("finetune", "retrain"):
            raise RunError(f"mode: must be finetune or retrain, got {self.mode!r}.")


@dataclass(frozen=True, slots=True)
class ExportSpec:
    """One archive of one architecture of search `run`."""

    kind: ClassVar[str] = "export"

    run: int
    arch: str
    version: str = __version__


@dataclass(frozen=True, slots=True)
class ConflictSpec:
    """Looking for gradient conflicts in the shared weights of search `run`, over `batches`."""

    kind: ClassVar[str] = "conflicts"

    run: int
    batches: int = 8
    seed: int = 0
    version: str = __version__

    def __post_init__(self) -> None:
        _whole("batches", self.batches, 1, MAX_BATCHES)
        _whole("seed", self.seed, 0, MAX_SEED)


@dataclass(frozen=True, slots=True)
class TrustSpec:
    """How far search `run` can be trusted: `subnets` networks are trained alone, from scratch.

    Each with two disjoint sets of `seeds` seeds, which begin at `seed`.
    """

    kind: ClassVar[str] = "trust"

    run: int
    subnets: int = 8
    seeds: int = 2
    epochs: int = 20
    seed: int = 0
    version: str = __version__

    def __post_init__(self) -> None:
        _whole("networks", self.subnets, 8, MAX_SUBNETS)
        _whole("seeds per set", self.seeds, 1, MAX_SEEDS)
        _whole("epochs", self.epochs, 1, MAX_EPOCHS)
        _whole("seed", self.seed, 0, MAX_SEED)


@dataclass(frozen=True, slots=True)
class CompareSpec:
    """Strategies side by side: `seeds` searches of each, of `budget_s` seconds, under one limit.

    `epochs` are those of every training after: each pick's, and each random network's.
    """

    kind: ClassVar[str] = "compare"

    space: SearchSpace
    data: DataChoice
    device: DeviceChoice
    latency_limit_ms: float
    strategies: tuple[str, ...] = tuple(METHODS)
    seeds: int = 3
    budget_s: float = 60.0
    epochs: int = 20
    version: str = __version__

    def __post_init__(self) -> None:
        for name in self.strategies:
            if name not in METHODS:
                known = ", ".join(METHODS)
                raise RunError(f"strategies: must be all or among {known}, got {name!r}.")
        if not self.strategies or len(set(self.strategies)) < len(self.strategies):
            got = ", ".join(self.strategies) or "none"
            raise RunError(f"strategies: must be at least one, each named once, got {got}.")
        _whole("seeds", self.seeds, 1, MAX_CONTEST_SEEDS)
        if not 0 < self.budget_s <= MAX_BUDGET_S:
            most = f"at most {MAX_BUDGET_S:.0f}"
            raise RunError(f"seconds per search: must be above 0, {most}, got {self.budget_s:g}.")
        _whole("epochs", self.epochs, 1, MAX_EPOCHS)
        if not (math.isfinite(self.latency_limit_ms) and self.latency_limit_ms > 0):
            raise RunError(f"latency limit: must be above 0 ms, got {self.latency_limit_ms}.")


Spec = (
    RunSpec
    | ProfileSpec
    | DataSpec
    | TrainSpec
    | ExportSpec
    | ConflictSpec
    | TrustSpec
    | CompareSpec
)

SPECS: dict[str, type[Spec]] = {
    cls.kind: cls
    for cls in (
        RunSpec,
        ProfileSpec,
        DataSpec,
        TrainSpec,
        ExportSpec,
        ConflictSpec,
        TrustSpec,
        CompareSpec,
    )
}


OPTIONAL: dict[str, type[Recipe | Start]] = {"recipe": Recipe, "start": Start}
"""Parts of specs that may be null."""


def to_json(spec: Spec) -> dict[str, Any]:
    """Plain JSON of any spec; `from_json(spec.kind, …)` is its inverse."""
    document = {f.name: getattr(spec, f.name) for f in fields(spec)}
    for name, value in document.items():
        if isinstance(value, SearchSpace):
            document[name] = value.to_json()
        elif isinstance(value, DataChoice | DeviceChoice | Limits | Recipe | Start):
            document[name] = asdict(value)
    return document


def from_json(kind: str, document: object) -> Spec:
    """The spec of `kind` in `document`; RunError or SpaceError for anything that is none."""
    if kind not in SPECS:
        raise RunError(f"kind of run: must be one of {', '.join(SPECS)}, got {kind!r}.")
    if not isinstance(document, Mapping):
        raise RunError(f"{kind} spec: must be a JSON object, got {type(document).__name__}.")
    parts: dict[str, Any] = dict(document)
    try:
        if "space" in parts:
            parts["space"] = SearchSpace.from_json(parts["space"])
        if "data" in parts:
            parts["data"] = DataChoice(**parts["data"])
        if "device" in parts:
            parts["device"] = DeviceChoice(**parts["device"])
        if "limits" in parts:
            parts["limits"] = limits_from(parts["limits"])
        if "strategies" in parts:
            parts["strategies"] = tuple(parts["strategies"])
        parts |= {n: part(**parts[n]) for n, part in OPTIONAL.items() if parts.get(n) is not None}
        return SPECS[kind](**parts)
    except (TypeError, OverflowError) as error:
        raise RunError(f"{kind} spec: {error}.") from error


def _whole(what: str, value: int, least: int, most: int) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        raise RunError(f"{what}: must be a whole number from {least} to {most}, got {value!r}.")
