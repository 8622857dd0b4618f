"""How long the X-ray of a space takes: `python -m tests.bench.bench_xray [--repeat N]`.

Cold (nothing known), warm (the same space again) and after an edit (one stage as wide as it never
was), each from JSON, with a latency model and a limit. Prints a table; the last line is one JSON
document.
"""

from __future__ import annotations

import argparse
import gc
import itertools
import json
import math
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from engine import presets
from engine import space as spaces
from engine.blocks import parse_op
from engine.cost import layer_cost
from engine.space import SearchSpace
from engine.xray import examine, tables
from tests.made_latency import drawn_model

TARGET_MS = 300.0
EDITED = "twenty"
"""The space that the target is for."""
OF_SPACES = (spaces._slots, spaces._genes, spaces._legal)


def main() -> None:
    """Prints the table and the JSON document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=30, help="edits of each space")
    options = parser.parse_args()
    print(
        f"{'space':16}{'slots':>6}{'ops':>5}{'cold ms':>9}{'warm ms':>9}{'edit ms':>9}{'p95 ms':>9}"
    )
    found = {name: measure(space, options.repeat) for name, space in examples().items()}
    for name, row in found.items():
        print(
            f"{name:16}{row['slots']:6}{row['ops']:5}{row['cold_ms']:9.1f}{row['warm_ms']:9.1f}"
            f"{row['edit_median_ms']:9.1f}{row['edit_p95_ms']:9.1f}"
        )
    met = found[EDITED]["edit_p95_ms"] <= TARGET_MS
    print(json.dumps({"bench": "xray", "target_ms": TARGET_MS, "target_met": met, **found}))


def examples() -> dict[str, SearchSpace]:
    """From the example to the largest space that can be built."""
    return {
        "digits": presets.load("digits"),
        "single-path": presets.load("single-path"),
        EDITED: made(stages=5, depth=4, ops=16),
        "twenty-wide": made(stages=5, depth=4, ops=400),
        "largest": made(stages=50, depth=4, ops=400),
    }


def made(*, stages: int, depth: int, ops: int) -> SearchSpace:
    """A space of `stages` stages whose widths all differ, with `ops` ops per layer."""
    expands = min(25, ops // 4)
    one = {
        "block": "mbconv",
        "kernel": [3, 5],
        "attention": ["none", "se"],
        "expand": [round(1.1 + i / 50, 2) for i in range(expands)],
        "act": ["relu", "relu6", "hswish", "swish"][: ops // (4 * expands)],
    }
    return SearchSpace.from_json(
        {
            "name": "made",
            "input": {"size": 224, "channels": 3},
            "classes": 1000,
            "stem": {"width": 16, "kernel": 3, "stride": 2},
            "stages": [
                {**one, "width": 24 + 8 * i, "depth": [1, depth], "stride": 1 + (i < 4)}
                for i in range(stages)
            ],
            "head": {"width": 256, "dropout": 0.2},
        }
    )


def measure(space: SearchSpace, repeat: int) -> dict[str, Any]:
    """Milliseconds of one X-ray: cold, warm, and after each of `repeat` edits."""
    forget()
    cold = timed(space)
    warm = statistics.median(timed(space) for _ in range(5))
    edits = sorted(timed(edit) for edit in itertools.islice(edited(space), repeat))
    return {
        "slots": len(space.slots()),
        "ops": max(len(slot.ops) for slot in space.slots()),
        "cold_ms": round(cold, 2),
        "warm_ms": round(warm, 2),
        "edit_median_ms": round(statistics.median(edits), 2),
        "edit_p95_ms": round(edits[math.ceil(0.95 * len(edits)) - 1], 2),
    }


def timed(space: SearchSpace) -> float:
    """Milliseconds from the JSON of a space to its X-ray, with a limit in the middle."""
    document, model = space.to_json(), drawn_model(space, 0)
    limit = (model.fastest_ms + model.slowest_ms) / 2
    for cached in OF_SPACES:
        cached.cache_clear()  # a page has not seen the edited space before
    gc.collect()
    started = time.perf_counter()
    examine(SearchSpace.from_json(document), latency=model, limit_ms=limit)
    return 1000 * (time.perf_counter() - started)


def forget() -> None:
    """Empties what is kept of ops and places."""
    for cached in (parse_op, layer_cost, tables.slot_costs):
        cached.cache_clear()
    for name in ("stage_ops", "_kinds", "_op_cost", "_path_numbers"):
        getattr(tables, name).cache_clear()


def edited(space: SearchSpace) -> Iterator[SearchSpace]:
    """The space with one stage after the other as wide as it never was."""
    for i in itertools.count():
        at = i % len(space.stages)
        stage = space.stages[at]
        least = max(1, stage.depth[0])  # a first layer that changes the width must stay
        wider = replace(stage, width=stage.width + 8 * (60 + i), depth=(least, stage.depth[1]))
        stages = [*space.stages]
        stages[at] = wider
        if at + 1 < len(stages):
            following = stages[at + 1]
            depth = (max(1, following.depth[0]), following.depth[1])
            stages[at + 1] = replace(following, depth=depth)
        yield replace(space, stages=tuple(stages))


if __name__ == "__main__":
    main()
