"""Search spaces as JSON and back; what can be built is judged by `rules`.

All of it, in one example; what every key means stands at the classes in `stage`:

    {"name": "digits", "input": {"size": 16, "channels": 1}, "classes": 10,
     "stem": {"width": 8, "kernel": 3, "stride": 2},
     "stages": [{"block": "mbconv", "width": 8, "depth": [1, 2], "stride": 1,
                 "kernel": [3, 5], "expand": [3, 6]},
                {"blocks": [{"block": "mbconv", "kernel": [3], "expand": [4]},
                            {"block": "fused", "kernel": [3], "expand": [2, 4]}],
                 "width": 16, "depth": [2, 2], "stride": 2, "layers": "same"}],
     "head": {"width": 64, "dropout": 0.2}}

A field that is left out has its usual value, and usual values are left out when written.
"""

from __future__ import annotations

from dataclasses import fields
from typing import Any

from engine.blocks import BLOCKS, SEARCHED, Field, Value
from engine.errors import SpaceError
from engine.reader import Reader
from engine.stage import CLASSIFY, Head, Input, Option, Stage, Stem

OWN, SAME = "own", "same"
SHAPE = ("width", "depth", "stride", "layers")
MAX_OPTIONS = 8


def read_stage(reader: Reader) -> Stage:
    """The stage that a JSON object describes."""
    depth = reader.wholes("depth")
    if len(depth) != 2:
        raise SpaceError(
            f"{reader.where}: depth must be two numbers, least and most, got {len(depth)}."
        )
    layers = reader.text("layers", OWN)
    if layers not in (OWN, SAME):
        raise SpaceError(f"{reader.where}: layers must be own or same, got {layers[:40]!r}.")
    options = _options(reader)
    shape = (reader.whole("width"), (depth[0], depth[1]), reader.whole("stride"))
    return Stage(*shape, options, layers == SAME)


def _options(reader: Reader) -> tuple[Option, ...]:
    """The families of a stage: a list under `blocks`, or the only one beside the stage's shape."""
    if "blocks" not in reader.document:
        return (_option(reader, SHAPE),)
    reader.only(*SHAPE, "blocks")
    items = reader.items("blocks")
    if not 1 <= len(items) <= MAX_OPTIONS:
        raise SpaceError(
            f"{reader.where}: must offer 1 to {MAX_OPTIONS} block families, got {len(items)}."
        )
    return tuple(_option(reader.below(item), ()) for item in items)


def _option(reader: Reader, beside: tuple[str, ...]) -> Option:
    block = reader.text("block", "mbconv")
    if block not in SEARCHED:
        names = ", ".join(SEARCHED)
        raise SpaceError(f"{reader.where}: block must be one of {names}, got {block[:40]!r}.")
    known = BLOCKS[block].fields
    reader.only("block", *beside, *(f.name for f in known))
    return Option(block, tuple((f.name, _values(reader, f)) for f in known))


def _values(reader: Reader, field: Field) -> tuple[Value, ...]:
    """Values of one field: numbers ascending, words in the order in which they are offered."""
    if field.usual is not None and field.name not in reader.document:
        return (field.usual,)
    if not isinstance(field.values[0], str):
        return tuple(sorted(set(reader.numbers(field.name))))
    words = set(reader.words(field.name))
    unknown = sorted(words - set(field.values))
    if unknown:
        known = ", ".join(map(str, field.values))
        raise SpaceError(
            f"{reader.where}: {field.name} must be one or more of {known}, got {unknown[0][:40]!r}."
        )
    return tuple(value for value in field.values if value in words)


def stage_json(stage: Stage) -> dict[str, Any]:
    """A stage as JSON."""
    shape = {"width": stage.width, "depth": list(stage.depth), "stride": stage.stride}
    tied = {"layers": SAME} if stage.tied else {}
    options = [_option_json(option) for option in stage.options]
    inside = options[0] if len(options) == 1 else {"blocks": options}
    return inside | shape | tied


def _option_json(option: Option) -> dict[str, Any]:
    usual = {f.name: (f.usual,) for f in BLOCKS[option.block].fields if f.usual is not None}
    kept = {f: list(v) for f, v in option.choices if v != usual.get(f)}
    return {"block": option.block, **kept}


def read_input(top: Reader) -> Input:
    """Shape of the images."""
    image = top.child("input")
    image.only("size", "channels")
    return Input(image.whole("size"), image.whole("channels"))


def read_stem(top: Reader) -> Stem:
    """The stem."""
    stem = top.child("stem")
    stem.only(*(field.name for field in fields(Stem)))
    sizes = stem.whole("width"), stem.whole("kernel"), stem.whole("stride")
    more = stem.text("act", "relu"), stem.whole("convs", 1), stem.flag("bias")
    return Stem(*sizes, *more)


def read_head(top: Reader) -> Head:
    """The head."""
    head = top.child("head")
    head.only(*(field.name for field in fields(Head)))
    return Head(
        head.whole("width"),
        head.number("dropout", 0.2),
        head.text("act", "relu"),
        head.whole("hidden", 0),
        head.text("norm", "none"),
        head.flag("distilled"),
        head.text("kind", CLASSIFY),
    )


def stem_json(stem: Stem) -> dict[str, Any]:
    """The stem as JSON."""
    return _kept(stem, Stem(stem.width), ("width", "kernel", "stride"), ("act", "convs", "bias"))


def head_json(head: Head) -> dict[str, Any]:
    """The head as JSON."""
    more = ("act", "hidden", "norm", "distilled", "kind")
    return _kept(head, Head(head.width), ("width", "dropout"), more)


def _kept(
    part: Stem | Head, usual: Stem | Head, always: tuple[str, ...], more: tuple[str, ...]
) -> dict[str, Any]:
    """Fields of a part as JSON: `always`, and of `more` those that are not as usual."""
    other = tuple(f for f in more if getattr(part, f) != getattr(usual, f))
    return {f: getattr(part, f) for f in always + other}
