"""How weights are trained, as frozen data: what it is named by, not how it is done (`train`)."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import asdict, dataclass
from typing import Any

from engine.errors import RunError

OPTIMIZERS = ("sgd", "adamw", "rmsprop")
USUAL_LR = {"sgd": 0.1, "adamw": 0.002, "rmsprop": 0.01}  # starting points, not tuned
AUGMENTS = ("none", "shift", "shift+cutout")

RANGES: dict[str, tuple[float, float]] = {
    "lr": (1e-12, 10.0),
    "weight_decay": (0.0, 1.0),
    "smoothing": (0.0, 0.5),
    "mixup": (0.0, 2.0),
    "ema": (0.0, 0.99999),
    "distill": (0.0, 1.0),
    "drop_path": (0.0, 0.9),
}


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything about training but the network, the images, the epochs and the seed.

    lr: at the start, falling to zero along half a cosine. smoothing: of labels. mixup: alpha of
    its beta distribution, 0 for none. augment: how training images are moved; "none" leaves
    them as they are, else they are also mirrored where the data allows. ema: decay of the
    moving average of weights that is judged, 0 for none. distill: share of the loss that
    follows the largest network's answers, where there is one. drop_path: probability that the
    last residual branch is left out at the end, rising linearly with time and with depth
    (ScheduledDropPath). The shared weights of a search follow optimizer, lr, batch, weight
    decay, smoothing, mixup and augment; the rest is for networks that are trained alone.
    """

    lr: float = 0.1
    batch: int = 64
    weight_decay: float = 5e-4
    smoothing: float = 0.0
    optimizer: str = "sgd"
    mixup: float = 0.0
    augment: str = "shift"
    ema: float = 0.0
    distill: float = 0.0
    drop_path: float = 0.0

    def __post_init__(self) -> None:
        for name, (least, most) in RANGES.items():
            value = getattr(self, name)
            if not (_number(value) and least <= value <= most):
                raise RunError(f"recipe: {name} must be from {least:g} to {most:g}, got {value!r}.")
        if isinstance(self.batch, bool) or not isinstance(self.batch, int):
            raise RunError(f"recipe: batch must be a whole number, got {self.batch!r}.")
        if not 2 <= self.batch <= 4096:
            raise RunError(f"recipe: batch must be from 2 to 4096, got {self.batch}.")
        for name, known in (("optimizer", OPTIMIZERS), ("augment", AUGMENTS)):
            if getattr(self, name) not in known:
                got = getattr(self, name)
                raise RunError(f"recipe: {name} must be one of {', '.join(known)}, got {got!r}.")

    def digest(self) -> str:
        """A short name of all its values: figures of different recipes are never joined."""
        text = json.dumps(asdict(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def to_json(self) -> dict[str, Any]:
        """Plain JSON; `Recipe(**document)` is its inverse."""
        return asdict(self)


def with_usual_lr(asked: dict[str, Any]) -> dict[str, Any]:
    """`asked`, with the learning rate usual for its optimiser where none is said."""
    usual = USUAL_LR.get(asked.get("optimizer", "sgd"), USUAL_LR["sgd"])
    return {"lr": usual, **asked}


def recipe_for(images: int) -> Recipe:
    """The usual recipe for a training split of so many images."""
    if images >= 10_000:
        return Recipe(batch=128, smoothing=0.1)
    return Recipe(batch=64 if images >= 600 else 32, smoothing=0.05)


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
