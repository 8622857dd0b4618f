"""What a block family looks like: its colour and the outline of its picture; the words are its own.

Colours are those of Okabe and Ito, so they repeat; outlines do not. An outline is a polygon between
-1 and 1, wide where the block has many channels.
"""

from __future__ import annotations

Outline = tuple[tuple[float, float], ...]

BLUE, GREEN, ORANGE, SKY = "#0072B2", "#009E73", "#E69F00", "#56B4E9"
RED, PURPLE, GREY = "#D55E00", "#CC79A7", "#8A8F98"

LOOKS: dict[str, tuple[str, tuple[tuple[float, float], ...]]] = {
    "mbconv": (GREEN, ((0.35, -1), (1, -0.45), (1, 0.45), (0.35, 1))),
    "fused": (ORANGE, ((0.35, -1), (1, -0.9), (1, 0), (0.35, 1))),
    "separable": (SKY, ((0.5, -1), (0.5, -0.1), (0.9, 0.1), (0.9, 1))),
    "conv": (BLUE, ((0.7, -0.9), (0.7, 0.9))),
    "tucker": (BLUE, ((0.9, -1), (0.3, -0.4), (0.6, 0.4), (0.9, 1))),
    "fbnet": (GREEN, ((0.35, -1), (0.8, -0.6), (0.8, 0.6), (0.6, 0.6), (0.35, 1))),
    "ghost": (PURPLE, ((0.35, -1), (1, -1), (1, -0.3), (0.5, 0.3), (0.5, 1))),
    "ghostv2": (PURPLE, ((0.35, -1), (1, -1), (1, -0.3), (0.5, 0), (0.8, 0.5), (0.5, 1))),
    "shuffle": (RED, ((0.8, -1), (0.2, -0.3), (0.8, 0.3), (0.8, 1))),
    "osa": (BLUE, ((0.3, -1), (0.5, -0.3), (0.7, 0.3), (1, 0.6), (0.4, 1))),
    "ibn": (RED, ((0.9, -1), (0.5, -0.6), (0.5, 0.6), (0.9, 1))),
    "e2gc": (GREEN, ((0.3, -1), (0.9, -1), (0.9, -0.2), (0.6, 0.2), (0.6, 1))),
    "vanilla": (ORANGE, ((0.6, -1), (0.9, 0), (0.6, 1))),
    "replk": (SKY, ((1, -0.8), (1, 0.8))),
    "inception": (RED, ((0.9, -1), (1, -0.5), (0.4, 0), (1, 0.5), (0.9, 1))),
    "ulsam": (PURPLE, ((0.9, -1), (0.4, 0), (0.9, 1))),
    "poolformer": (SKY, ((0.8, -1), (0.8, -0.2), (1, 0), (0.8, 0.2), (0.8, 1))),
    "tokens": (ORANGE, ((0.5, -1), (1, 0), (0.5, 1))),
    "cga": (ORANGE, ((1, -1), (0.8, -0.3), (0.6, 0.3), (0.4, 1))),
    "shsa": (ORANGE, ((0.8, -1), (0.8, -0.2), (0.4, 0.2), (0.8, 1))),
    "moat": (RED, ((0.35, -1), (1, -0.6), (0.35, -0.2), (0.9, 0.4), (0.35, 1))),
    "emo": (PURPLE, ((0.35, -1), (1, -0.2), (1, 0.2), (0.35, 1))),
    "head": (PURPLE, ((1, -0.9), (0.3, 0.9))),
}
PLAIN = (GREY, ((0.6, -0.9), (0.6, 0.9)))


def color(family: str) -> str:
    """The colour of a family; grey for one that has none yet."""
    return LOOKS.get(family, PLAIN)[0]


def outline(family: str) -> Outline:
    """The polygon of a family, from the top left down and back: points (x, y)."""
    right = LOOKS.get(family, PLAIN)[1]
    return tuple((-x, y) for x, y in right) + right[::-1]
