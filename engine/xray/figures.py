"""The X-ray as frozen figures; how they are found stands in `report`."""

from __future__ import annotations

from dataclasses import dataclass

from engine.sanity import Sanity
from engine.space import Arch
from engine.xray.reach import Choice

ALWAYS, SOMETIMES, NEVER = "always", "sometimes", "never"
LATENCY, MACS = "latency", "macs"


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over a space: exact ends, and the middle one of the sampled `values`."""

    smallest: float
    median: float
    largest: float
    values: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Within:
    """What a limit leaves: `share` of the sample, 0..1; an exact `verdict` over the whole space.

    `verdict` says whether networks are within the limit `always`, `sometimes` or `never`;
    `tightest_ms` is the tightest limit that can be met. `dead` choices are in no network within
    the limit (exact); `unused` ones in no sampled one within it, though others make them so often
    that this is no accident. Both are empty where no network is within the limit.
    """

    limit_ms: float
    share: float
    verdict: str
    tightest_ms: float
    dead: tuple[Choice, ...] = ()
    unused: tuple[Choice, ...] = ()


@dataclass(frozen=True, slots=True)
class Card:
    """One part of a space: the stem (`stage` 0), a stage (its number, from 1), the head (0).

    Shares, 0..1, are those of the median network; `latency_share` is None without a model.
    `decisions` counts what a search decides per layer; `paths` the superkernels that a layer
    needs, `path_params` the parameters of all of them and `single_params` those of the largest
    alone, over all layers of the stage.
    """

    name: str
    stage: int
    side_in: int
    side_out: int
    cin: int
    cout: int
    params_share: float
    macs_share: float
    latency_share: float | None
    decisions: int = 0
    paths: int = 1
    path_params: int = 0
    single_params: int = 0

    @property
    def cost_of_paths(self) -> str:
        """What several paths cost, in one sentence; "" where one superkernel holds all choices."""
        if self.paths < 2:
            return ""
        return (
            f"Its choices do not share weights here: {self.paths} paths per layer with"
            f" {self.path_params:,} parameters to train together, where the largest path alone"
            f" has {self.single_params:,} ({self.path_params / self.single_params:.1f} times)."
        )


@dataclass(frozen=True, slots=True)
class XRay:
    """What a space amounts to. `size` is exact; `sampled` networks are behind the spreads.

    `complete` says that these are all there are. `smallest`, `median` (of the sampled ones) and
    `largest` are networks in the order of `by`: `latency` or, without a model, `macs`.
    `median_sanity` and `largest_sanity` are of the last two; `warnings` are sentences for people,
    the gravest first; `notes` are such as may be worth a look but are no fault.
    """

    size: int
    sampled: int
    complete: bool
    params: Spread
    macs: Spread
    peak_bytes: Spread
    latency_ms: Spread | None
    within: Within | None
    by: str
    smallest: Arch
    median: Arch
    largest: Arch
    cards: tuple[Card, ...]
    median_sanity: Sanity
    largest_sanity: Sanity
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
