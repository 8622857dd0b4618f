"""A smaller search space from what a search has taught: which values go, and why; nothing is saved.

A value goes only if it is useless wherever its stage could use it: no network of the front's better
half has it, and every op with it is confidently less accurate than one that stays and that is no
slower on the device. Leaving a layer out is always faster, so depths stay as they are; so do the
slots, and with them the texts of architectures and the latency model.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from engine.blocks import BLOCKS, Value
from engine.errors import SpaceError
from engine.events import Candidate
from engine.explain.knobs import label, word
from engine.explain.why import POINTS, Why
from engine.latency import LatencyModel
from engine.pareto import front
from engine.space import Arch, SearchSpace
from engine.stage import SKIP, Option, Stage


@dataclass(frozen=True, slots=True)
class Shrunk:
    """The proposed space, a sentence for everything that goes, and the sizes before and after."""

    space: SearchSpace
    gone: tuple[str, ...]
    size_before: int
    size_after: int


def shrink(why: Why, latency: LatencyModel, *, keep: Sequence[Arch] = ()) -> Shrunk:
    """The space of `why` without what is useless in it; the same space where nothing is.

    Every architecture of `keep` lies in the new space, as does the better half of the front.
    """
    space, gone = why.space, []
    kept = [*keep, *better_half(list(why.known.values()))]
    for arch in kept:
        why.space.require(arch)
    for number, stage in enumerate(why.space.stages, 1):
        for words, goes in _groups(stage):
            smaller = _without(space, number - 1, goes)
            if smaller is None or not all(arch in smaller for arch in kept):
                continue
            losses = _losses(why, latency, space, smaller)
            if losses:
                space = smaller
                gone.append(f"stage {number}: {words} goes. {_reason(losses)}")
    return Shrunk(space, tuple(gone), why.space.size(), space.size())


def better_half(candidates: Sequence[Candidate]) -> list[Arch]:
    """The more accurate half of the front, its middle one included."""
    members = front(candidates, lambda c: (c.predicted_ms, -c.proxy_accuracy))
    members.sort(key=lambda c: (c.proxy_accuracy, -c.predicted_ms, c.arch))
    return [Arch(tuple(c.arch.split("-"))) for c in members[len(members) // 2 :]]


Goes = tuple[str, str, Value]
"""A family, one of its fields or "" for all of it, and the value of the field."""


def _groups(stage: Stage) -> Iterator[tuple[str, Goes]]:
    """What could go from a stage, in words and as data: families first, then single values."""
    several = len(stage.options) > 1
    for option in stage.options:
        title = BLOCKS[option.block].title
        if several:
            yield title, (option.block, "", "")
    for option in stage.options:
        of = f"{BLOCKS[option.block].title} " if several else ""
        for field, values in option.choices:
            for value in values if len(values) > 1 else ():
                words = f"{of}{label(field, option.block)} {word(value)}"
                yield words, (option.block, field, value)


def _without(space: SearchSpace, index: int, goes: Goes) -> SearchSpace | None:
    """The space without that part of one stage; None where nothing would be left of it.

    None as well where an op would come up that the old space knew under another name, since nothing
    is known of it.
    """
    stage = space.stages[index]
    options = tuple(o for o in (_cut(option, goes) for option in stage.options) if o is not None)
    if not options or options == stage.options:
        return None
    stages = (*space.stages[:index], replace(stage, options=options), *space.stages[index + 1 :])
    try:
        smaller = replace(space, stages=stages)
    except SpaceError:
        return None
    before, after = space.slots(), smaller.slots()
    known = all(set(b.ops) <= set(a.ops) for a, b in zip(before, after, strict=True))
    return smaller if known and smaller.size() < space.size() else None


def _cut(option: Option, goes: Goes) -> Option | None:
    block, field, gone = goes
    if option.block != block:
        return option
    if not field:
        return None
    choices = [
        (name, tuple(v for v in values if v != gone) if name == field else values)
        for name, values in option.choices
    ]
    left = all(values for _, values in choices)
    return Option(block, tuple(choices)) if left else option


def _losses(
    why: Why, latency: LatencyModel, old: SearchSpace, new: SearchSpace
) -> list[float] | None:
    """What each op that goes costs in accuracy against the best that stays; None if one is useful.

    The gains are looked up in the regression's space, of which old and new are parts.
    """
    losses = []
    for number, (gene, left) in enumerate(zip(old.genes(), new.genes(), strict=True)):
        stays = {value for value in left.values if set(value) != {SKIP}}
        for value in set(gene.values) - set(left.values):
            loss = _loss(why, latency, number, value, stays)
            if loss is None:
                return None
            losses.append(loss)
    return losses


def _loss(
    why: Why,
    latency: LatencyModel,
    number: int,
    value: tuple[str, ...],
    stays: set[tuple[str, ...]],
) -> float | None:
    """The largest sure loss of a gene's value against one that stays and is no slower, as found."""
    own = _ms(why, latency, number, value)
    found = []
    for other in stays:
        if _ms(why, latency, number, other) <= own:
            estimate = why.swap(number, other, value)
            if estimate.sign < 0 and estimate.value is not None:
                found.append(-estimate.value)
    return max(found, default=None)


def _ms(why: Why, latency: LatencyModel, number: int, value: tuple[str, ...]) -> float:
    slots = why.space.genes()[number].slots
    return sum(latency.slot_ms[i][op] for i, op in zip(slots, value, strict=True))


def _reason(losses: Sequence[float]) -> str:
    least, most = (f"{POINTS * end:.1f}" for end in (min(losses), max(losses)))
    span = least if least == most else f"{least} to {most}"
    return (
        f"The front's better half does without it, and something no slower that stays "
        f"is {span} points better in every layer."
    )
