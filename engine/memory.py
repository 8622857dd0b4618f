"""How much memory training and judging networks of a space take, by arithmetic alone.

Estimates, good to a factor of two: enough to choose how many images go through at once, and to
refuse a space that would only be ended by the operating system.
"""

from __future__ import annotations

import os

from engine.cost import FLOAT_BYTES, layer_cost
from engine.errors import RunError
from engine.layers import Attend, Layer
from engine.space import SearchSpace, all_layers

AT_ONCE_BYTES = 2**30
"""What the largest step of a forward may take; fixed, so that results are the same anywhere."""
KEPT_TIMES = 2.0
"""How often training keeps what a word gives: before and after its batch norm."""
PER_PARAMETER = 16
"""Bytes per weight while training: the weight, its gradient, its momentum, a saved copy."""


def images_at_once(space: SearchSpace) -> int:
    """How many images may be judged at once, whatever the architecture."""
    peak = max(layer_cost(layer).peak_bytes for layer in all_layers(space))
    return max(2, AT_ONCE_BYTES // max(1, peak))


def training_bytes(space: SearchSpace, batch: int, separate: int = 0) -> tuple[int, str]:
    """What training on batches takes at most, and the stage (or stem, head) that takes most.

    `separate`: 0 if choices share weights and one of each layer answers at a time; else so many of
    a layer's choices answer at once, and each has weights of its own.
    """
    kept: dict[str, list[int]] = {}
    params: dict[str, list[int]] = {}
    for layer in all_layers(space):
        kept.setdefault(layer.name, []).append(kept_numbers(layer))
        params.setdefault(layer.name, []).append(layer_cost(layer).params)
    largest = {name: sum(sorted(n)[-max(1, separate) :]) for name, n in kept.items()}
    weights = {name: sum(n) if separate else max(n) for name, n in params.items()}
    per_image = int(KEPT_TIMES * FLOAT_BYTES * sum(largest.values()))
    greedy = max(largest, key=lambda name: batch * largest[name] + weights[name])
    stage = greedy.partition(".")[0].replace("stage", "stage ")
    return batch * per_image + PER_PARAMETER * sum(weights.values()), stage


def require_memory(
    space: SearchSpace, batch: int, *, separate: int = 0, there: int | None = None
) -> None:
    """Raises RunError if training needs more memory than there is (bytes; all of this computer)."""
    needed, stage = training_bytes(space, batch, separate)
    there = there or os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    if needed > there:
        told = ", as each choice has weights of its own" if separate else ""
        raise RunError(
            f"search: training on batches of {batch} needs about {needed / 1e9:.3g} GB of memory"
            f"{told}; this computer has {there / 1e9:.3g} GB; most of it goes to {stage}.",
            "Make that narrower or its maps smaller, or offer less of it.",
        )


def kept_numbers(layer: Layer) -> int:
    """Numbers per image that a layer's words give, scores of attention included."""
    total = 0
    for leaf, _, out in layer.walk():
        total += out.numbers
        if isinstance(leaf, Attend):
            total += 2 * leaf.scores
    return total
