"""A search space while it is edited: plain JSON in and out; it may not be buildable yet.

Nothing here checks: `SearchSpace.from_json` is the only judge of what can be built.
"""

from __future__ import annotations

import copy
import re
from typing import Any

from engine.blocks import BLOCKS

Document = dict[str, Any]


def added(document: Document) -> Document:
    """`document` with one more stage, like the last but keeping the map's side."""
    result = copy.deepcopy(document)
    stage = copy.deepcopy(result["stages"][-1]) if result["stages"] else first_stage()
    result["stages"].append(stage | {"stride": 1})
    return result


def first_stage() -> Document:
    """A stage to begin with."""
    family = next(name for name, block in BLOCKS.items() if block.choices)
    stage: Document = {"block": family, "width": 8, "depth": [1, 2], "stride": 1}
    return stage | {"kernel": [3, 5], "expand": [3, 6]}


def duplicated(document: Document, index: int) -> Document:
    """`document` with stage `index` twice; the copy keeps the map's side."""
    result = copy.deepcopy(document)
    stage = copy.deepcopy(result["stages"][index])
    result["stages"].insert(index + 1, stage | {"stride": 1})
    return result


def removed(document: Document, index: int) -> Document:
    """`document` without stage `index`."""
    result = copy.deepcopy(document)
    del result["stages"][index]
    return result


def moved(document: Document, index: int, by: int) -> Document:
    """`document` with stage `index` moved up (-1) or down (1); unchanged at the ends."""
    result = copy.deepcopy(document)
    stages, target = result["stages"], index + by
    if 0 <= target < len(stages):
        stages[index], stages[target] = stages[target], stages[index]
    return result


def changed(document: Document, path: tuple[str | int, ...], value: object) -> Document:
    """`document` with the value at `path` (`("stages", 0, "width")`) replaced."""
    result = copy.deepcopy(document)
    inner: Any = result
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    return result


def fewest_layers(document: Document, index: int) -> int:
    """0 where the first layer of stage `index` may be skipped, else 1."""
    stages = document["stages"]
    before = stages[index - 1]["width"] if index else document["stem"]["width"]
    stage = stages[index]
    return 0 if stage["stride"] == 1 and stage["width"] == before else 1


def place(message: str) -> str:
    """The card that an error speaks of: `stage 2`, `stem`, `head`, `input`, or "" for none."""
    match = re.match(r"(stage \d+|stem|head|input|classes)\b", message)
    if not match:
        return ""
    return "input" if match[1] == "classes" else match[1]


def told(message: str) -> str:
    """An error as people read it: where, and what to do; the engine's own words in other cases."""
    empty = re.match(r"(.+): (\w+) must be one or more of (.+), got nothing\.", message)
    if empty:
        where, field, legal = empty.groups()
        named = {"expand": "expansion"}.get(field, field)
        message = f"{where}: choose at least one {named} of {legal}."
    return message[:1].upper() + message[1:]
