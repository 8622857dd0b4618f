"""How many rounds of judging a search has: the rule alone, which plans need without torch."""

from __future__ import annotations

GENERATIONS, PER_GENERATION = 10, 4  # the most; a short budget gets one for four epochs
FEWEST = 2


def rounds(epochs: int, most: int = GENERATIONS) -> int:
    """Rounds of judging after so many epochs of training, at most `most`."""
    return min(most, max(FEWEST, epochs // PER_GENERATION))
