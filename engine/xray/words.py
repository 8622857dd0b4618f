"""What an X-ray warns about, in sentences for people; the figures themselves stand in `figures`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from engine.sanity import MOST_RHO
from engine.space import SearchSpace
from engine.xray.figures import NEVER, SOMETIMES, Within, XRay
from engine.xray.reach import Choice

FEW = 0.05
"""Share of a space within the limit below which most of a search is spent outside it."""
MOST_DECISIONS = 6
"""Decisions per layer beyond which measuring a layer's choices takes longest of all."""


def warnings(xray: XRay) -> Iterator[str]:
    """Sentences about `xray`, the gravest first."""
    if xray.within is not None:
        yield from _limit(xray.within, xray.sampled)
    for card in xray.cards:
        if card.decisions > MOST_DECISIONS:
            yield (
                f"{card.name.capitalize()}: {card.decisions} decisions per layer, more than"
                f" {MOST_DECISIONS}; measuring and training them all takes long."
            )


def _limit(within: Within, sampled: int) -> Iterator[str]:
    limit, tightest = f"{within.limit_ms:.3g} ms", f"{within.tightest_ms:.3g} ms"
    if within.verdict == NEVER:
        yield f"No network of this space is within {limit}: the fastest needs {tightest}."
    elif within.verdict == SOMETIMES and within.share == 0:
        yield (
            f"None of {sampled:,} sampled networks is within {limit}, though the fastest,"
            f" at {tightest}, is."
        )
    elif within.verdict == SOMETIMES and within.share < FEW:
        yield f"Only {within.share:.1%} of the space is within {limit}: a search sees few that fit."
    for stage, choices in groupby(within.dead, key=lambda choice: choice.stage):
        yield f"Stage {stage}: no network within {limit} uses {_listed(list(choices))}."
    for stage, choices in groupby(within.unused, key=lambda choice: choice.stage):
        yield f"Stage {stage}: no sampled network within {limit} uses {_listed(list(choices))}."


def _listed(choices: Sequence[Choice]) -> str:
    # The same value of two families is two choices.
    several = len({choice.block for choice in choices if choice.block}) > 1
    names = [choice.told(with_block=several) for choice in choices]
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def equals(space: SearchSpace) -> Iterator[str]:
    """Sentences about stages in which several choices come to the same layer."""
    for number, stage in enumerate(space.stages, 1):
        slots = [slot for slot in space.slots() if slot.stage == number]
        count = len(stage.ops())
        if any(len(slot.ops) - slot.skippable < count for slot in slots):
            yield (
                f"Stage {number}: some choices come to the same layer there, and count once; switch"
                " one of them off."
            )


def notes(xray: XRay) -> Iterator[str]:
    """What may be worth a look but is no fault.

    One sentence at most: what holds for the median network need not be told twice.
    """
    for name, sane in (("median", xray.median_sanity), ("largest", xray.largest_sanity)):
        if sane.too_deep:
            about = "about " if sane.branched else ""
            yield (
                f"The {name} network is too deep for its width: effectiveness ρ is {about}"
                f"{sane.rho:.2f}, DeepMAD advises at most {MOST_RHO} (MobileNetV2 has 0.94)."
            )
            return
