"""What makes a search space buildable: one check after the other, from input to head."""

from __future__ import annotations

from typing import Protocol

from engine.blocks import BLOCKS, Field, Value, parse_op
from engine.errors import SpaceError
from engine.layers import ACTS, out_side
from engine.stage import CLASSIFY, HEAD_NORMS, SKIP, Head, Input, Option, Stage, Stem, slots_of

MAX_SIDE, MAX_WIDTH, MAX_DEPTH, MAX_STAGES, MAX_CLASSES = 1024, 4096, 12, 64, 10_000
MAX_OPS, MAX_SLOTS = 400, 200


class Parts(Protocol):
    """What a search space is made of."""

    @property
    def input(self) -> Input: ...
    @property
    def classes(self) -> int: ...
    @property
    def stem(self) -> Stem: ...
    @property
    def stages(self) -> tuple[Stage, ...]: ...
    @property
    def head(self) -> Head: ...


def validate(space: Parts) -> None:
    """Raises SpaceError for the first thing in `space` that cannot be built, from input to head."""
    _within("input size", space.input.size, 4, MAX_SIDE)
    if space.input.channels not in (1, 3):
        raise SpaceError(f"input channels: must be 1 or 3, got {space.input.channels}.")
    _within("classes", space.classes, 2, MAX_CLASSES)
    _within("stem width", space.stem.width, 1, MAX_WIDTH)
    _kernel("stem", space.stem.kernel)
    _validate_stem(space.stem, space.input.size)
    _word("stem act", space.stem.act, ACTS)
    if not 1 <= len(space.stages) <= MAX_STAGES:
        raise SpaceError(f"stages: must be 1 to {MAX_STAGES}, got {len(space.stages)}.")
    width, side = space.stem.width, out_side(space.input.size, space.stem.shrinks)
    for number, stage in enumerate(space.stages, 1):
        _validate_stage(f"stage {number}", stage, width, side)
        width, side = stage.width, out_side(side, stage.stride)
    layers = sum(stage.depth[1] for stage in space.stages)
    if not 1 <= layers <= MAX_SLOTS:
        raise SpaceError(f"stages: must have 1 to {MAX_SLOTS} layers together, got {layers}.")
    _validate_head(space.head)


def _validate_stem(stem: Stem, side: int) -> None:
    _within("stem convs", stem.convs, 1, 4)
    for _ in range(stem.convs):
        _stride("stem", stem.stride, side)
        side = out_side(side, stem.stride)
    halved = 2 ** (stem.convs - 1)
    if stem.width % halved:
        raise SpaceError(
            f"stem width: must be a multiple of {halved} for {stem.convs} convolutions,"
            f" got {stem.width}."
        )


def _validate_head(head: Head) -> None:
    _word("head kind", head.kind, (CLASSIFY,))
    _within("head width", head.width, 0, MAX_WIDTH)
    _within("head hidden", head.hidden, 0, MAX_WIDTH)
    _word("head act", head.act, ACTS)
    _word("head norm", head.norm, HEAD_NORMS)
    if not 0 <= head.dropout < 1:
        raise SpaceError(f"head dropout: must be at least 0 and below 1, got {head.dropout}.")


def _validate_stage(where: str, stage: Stage, width: int, side: int) -> None:
    _within(f"{where} width", stage.width, 1, MAX_WIDTH)
    _stride(where, stage.stride, side)
    _validate_depth(where, stage, width)
    assert stage.options, where
    for option in stage.options:
        _validate_option(where, option)
    _validate_families(where, stage)
    ops = stage.ops()
    if len(ops) > MAX_OPS:
        raise SpaceError(
            f"{where}: must offer at most {MAX_OPS} ops per layer, got {len(ops)}.",
            "Switch some choices off.",
        )
    for slot in slots_of((stage,), width, side)[:2]:  # all later ones are like the second
        for op in slot.ops:
            why = parse_op(op).misfit(slot.place)
            if why:
                raise SpaceError(f"{where}: {why}.")


def _validate_families(where: str, stage: Stage) -> None:
    """Ops of one superkernel come from one list of values, so that all corners of it exist."""
    paths: dict[str, int] = {}
    for number, option in enumerate(stage.options):
        for op in option.ops():
            if paths.setdefault(parse_op(op).path, number) != number:
                raise SpaceError(
                    f"{where}: lists {option.block} twice with choices that share weights.",
                    "Put them into one list of choices.",
                )


def _validate_depth(where: str, stage: Stage, width: int) -> None:
    least, most = stage.depth
    _within(f"{where} depth", most, 1, MAX_DEPTH)
    first_may_go = stage.stride == 1 and stage.width == width
    floor = 0 if first_may_go else 1
    if not floor <= least <= most:
        why = (
            "" if first_may_go else " (its first layer changes width or side and cannot be skipped)"
        )
        raise SpaceError(
            f"{where}: depth must start between {floor} and {most}, got {least}{why}.",
            "" if least > most else f"Let it keep {floor} layer at least.",
        )


def _validate_option(where: str, option: Option) -> None:
    for field, values in zip(
        BLOCKS[option.block].fields, dict(option.choices).values(), strict=True
    ):
        if not values or not all(field.accepts(value) for value in values):
            raise SpaceError(
                f"{where}: {field.name} must be one or more of {_offered(field)},"
                f" got {_words(values)}."
            )
    assert option.block != SKIP, option


def _offered(field: Field) -> str:
    between = f", or any ratio up to {field.most:g}" if field.most else ""
    return _words(field.values) + between


def _within(what: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise SpaceError(f"{what}: must be {least} to {most}, got {value}.")


def _word(what: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        words = ", ".join(word or '""' for word in known)
        raise SpaceError(f"{what}: must be one of {words}, got {value[:40]!r}.")


def _kernel(where: str, kernel: int) -> None:
    if kernel not in (1, 3, 5, 7):
        raise SpaceError(f"{where}: kernel must be 1, 3, 5 or 7, got {kernel}.")


def _stride(where: str, stride: int, side: int) -> None:
    if stride not in (1, 2):
        raise SpaceError(f"{where}: stride must be 1 or 2, got {stride}.")
    if stride > side:
        raise SpaceError(
            f"{where}: stride {stride} would shrink a {side}x{side} map below 1x1.",
            "Use stride 1 here or in an earlier stage, or larger images.",
        )


def _words(values: tuple[Value, ...]) -> str:
    return ", ".join(map(str, values)) or "nothing"
