"""A search space while it is edited: plain JSON in and out; it may not be buildable yet.

Nothing here checks: `SearchSpace.from_json` is the only judge of what can be built.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from engine.blocks import BLOCKS
from studio import text

Document = dict[str, Any]
NOTHING = "Nothing to choose from yet: drag a block onto the canvas, or press one."
STEM: Document = {"act": "relu", "convs": 1}
HEAD: Document = {
    "kind": "classify",
    "hidden": 0,
    "act": "relu",
    "norm": "none",
    "distilled": False,
}


def place(message: str) -> str:
    """The card that an error speaks of: `stage 2`, `stem`, `head`, `input`, or "" for none."""
    match = re.match(r"(stage \d+|stem|head|input|classes)\b", message)
    if not match:
        return ""
    return "input" if match[1] == "classes" else match[1]


def told(message: str) -> str:
    """An error as people read it: where, and what to do; the engine's own words in other cases."""
    if re.match(r"stages: must be 1 to \d+, got 0", message):
        return NOTHING
    empty = re.match(r"(.+): (\w+) must be one or more of (.+), got nothing\.", message)
    if empty:
        where, field, legal = empty.groups()
        named = {"expand": "expansion"}.get(field, field)
        message = f"{where}: choose at least one {named} of {legal}."
    return grouped(message[:1].upper() + message[1:])


def grouped(sentence: str) -> str:
    """A sentence of the engine with its numbers as pages write them: `4 096`, `3×3`."""
    joined = re.sub(r"(?<=\d),(?=\d{3}(?!\d))", "", sentence)
    apart = re.sub(r"(?<![\w.:/-])\d{4,}(?![\w/-]|\.\d)", _apart, joined)
    return re.sub(r"(?<=\d)x(?=\d)", "×", apart)


def _apart(digits: re.Match[str]) -> str:
    return re.sub(r"\B(?=(?:\d{3})+$)", text.THIN, digits[0])


def whole(document: Document) -> Document:
    """A space's JSON with nothing left out: every stage with `blocks`, every field of a family."""
    result = copy.deepcopy(document)
    result["stem"] = STEM | result["stem"]
    result["head"] = HEAD | result["head"]
    result["stages"] = [_whole_stage(stage) for stage in result["stages"]]
    return result


def _whole_stage(stage: Document) -> Document:
    shape = {key: stage[key] for key in ("width", "depth", "stride")}
    inside = stage.get("blocks") or [{k: v for k, v in stage.items() if k not in shape}]
    blocks = [{k: v for k, v in _whole_option(o).items() if k != "layers"} for o in inside]
    return shape | {"layers": stage.get("layers", "own"), "blocks": blocks}


def _whole_option(option: Document) -> Document:
    known = BLOCKS.get(option["block"])  # a revision may be older than a family's name
    usual = {f.name: [f.usual] for f in known.fields if f.usual is not None} if known else {}
    return usual | option
