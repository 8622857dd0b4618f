"""A search's events in plain words, newest first; sentences only, nothing is drawn here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from engine.blocks.mbconv import Corners, MBConv
from engine.events import (
    Calibrated,
    DataReady,
    EpochEnd,
    Event,
    Failed,
    Finished,
    Measured,
    Resumed,
    View,
)
from engine.latency import LatencyModel
from engine.space import SKIP, SearchSpace
from studio import text
from studio.charts.gates import Gate, decisions

OPEN = 0.5
"""A gate above this keeps its part."""


def journal(
    view: View, space: SearchSpace, limit_ms: float, model: LatencyModel | None
) -> list[str]:
    """Markdown sentences about what happened, newest first."""
    gates = decisions(space)
    told: list[str] = []
    last: EpochEnd | None = None
    for event in view.kept:
        if isinstance(event, EpochEnd):
            told += _changes(last, event, gates, space, model)
            last = event
        else:
            told += _sentence(event, limit_ms)
    return told[::-1]


def _sentence(event: Event, limit_ms: float) -> list[str]:
    match event:
        case Resumed(step) if step:
            return [f"Went on from the checkpoint after step {step}."]
        case DataReady(name, _, classes, splits):
            images = text.plural(sum(splits.values()), "image")
            return [f"Read {images} of {len(classes)} classes ({text.plain(name)})."]
        case Calibrated(_, prediction, fastest, _, slowest):
            span = f"{text.ms(fastest)} to {text.ms(slowest)}"
            return [f"This space runs in {span} here, {text.prediction(prediction)}."]
        case Measured(arch, p50):
            verdict = "within" if event.worst_ms <= limit_ms else "over"
            worst = f"slowest session {text.ms(event.worst_ms)}"
            return [f"Measured `{arch}`: {text.ms(p50)}, {worst}, {verdict} the limit."]
        case Finished(reason, seconds):
            return [f"Finished ({text.plain(reason)}) after {text.duration(seconds)}."]
        case Failed(message):
            return [f"Ended in an error: {text.plain(message)}"]
    return []


def _changes(
    before: EpochEnd | None,
    after: EpochEnd,
    gates: Sequence[Gate],
    space: SearchSpace,
    model: LatencyModel | None,
) -> Iterable[str]:
    """One sentence per layer whose decisions changed sides in this epoch, with what that saves."""
    if before is None or before.phase == "warm-up" or not (before.gates and after.gates):
        return
    for number, slot in enumerate(space.slots()):
        own = [g for g in gates if g.slot == number]
        old, new = (_kept(own, e.gates[number]) for e in (before, after))
        if old == new:
            continue
        saved = ""
        if model is not None:
            ops = [_op(slot.ops, own, kept) for kept in (old, new)]
            delta = model.slot_ms[number][ops[1]] - model.slot_ms[number][ops[0]]
            saved = f", {'+' if delta > 0 else '−'}{text.ms(abs(delta))}"
        yield f"Epoch {after.epoch}: {slot.name} {_words(own, old, new)}{saved}."


def _kept(gates: Sequence[Gate], values: Sequence[float]) -> frozenset[str]:
    return frozenset(g.part for g in gates if values[g.index] > OPEN)


def _words(gates: Sequence[Gate], old: frozenset[str], new: frozenset[str]) -> str:
    parts = [g.part for g in gates]
    if "layer" in old ^ new:
        return "came back" if "layer" in new else "was left out"
    dropped = [_named(p) for p in parts if p in old - new]
    taken = [_named(p) for p in parts if p in new - old]
    said = [f"dropped {' and '.join(dropped)}"] if dropped else []
    said += [f"took {' and '.join(taken)}"] if taken else []
    return " and ".join(said)


def _named(part: str) -> str:
    return f"its {part} ring" if "×" in part else part


def _op(ops: Sequence[str], gates: Sequence[Gate], kept: frozenset[str]) -> str:
    """The op that hard gates choose: rings and bands count only while all inside them are kept."""
    if SKIP in ops and "layer" not in kept:
        return SKIP
    held = [op for op in map(MBConv.parse, ops) if op]
    corners = Corners.of(held)

    def level(mark: str) -> int:
        steps = [g.part in kept for g in gates if mark in g.part]
        return next((i for i, on in enumerate(steps) if not on), len(steps))

    kernel, expand = corners.kernels[level("×")], corners.expands[level("expand")]
    return str(MBConv(kernel, expand, corners.attentions[level("SE")], held[0].act))
