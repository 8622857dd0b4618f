"""RoBoT: training-free metrics joined into one ranking by few real accuracies; numpy only.

Each metric is scaled to 0..1 over the pool, a network's score is their sum under weights from -1 to
1. Bayesian optimisation looks for weights whose best-scored network is really accurate; then the
ranking of the best weights is followed downwards (He et al. 2024, arXiv:2403.07591). The Gaussian
process is a small one of our own: some dozens of points in six dimensions need no more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LENGTHS = (0.3, 0.6, 1.2, 2.4)  # of the kernel; the likeliest is taken
NOISE = 1e-4  # variance of an accuracy, of which 1 is that of all accuracies
CURIOSITY = 2.0  # standard deviations added to the mean: the upper confidence bound
CANDIDATES = 512  # weights looked at before each choice
MAX_TRIES = 12  # weights in a row that choose networks already known
MOST_KNOWN = 200  # weights that are learned from, the newest: time grows with their cube


def normalised(values: Floats) -> Floats:
    """Every column of (n, metrics) from 0 (least of the pool) to 1.

    What is no finite number counts as the column's median, so it neither speaks for nor against a
    network; a column that tells nothing apart is 0.
    """
    columns = []
    for column in values.T:
        good = np.isfinite(column)
        if not good.any():
            columns.append(np.zeros(len(column)))
            continue
        kept = np.where(good, column, np.median(column[good]))
        least, span = kept.min(), np.ptp(kept)
        columns.append((kept - least) / span if span > 0 else np.zeros(len(column)))
    return np.stack(columns, axis=1)


@dataclass(slots=True)
class Robot:
    """State of one search over a pool: `scores` (n, metrics) from 0 to 1.

    `tried`: weights looked at, with the network that each scores best; `values`: real accuracies.
    """

    scores: Floats
    tried: list[tuple[tuple[float, ...], int]] = field(default_factory=list)
    values: dict[int, float] = field(default_factory=dict)

    def explore(self, rng: np.random.Generator) -> int | None:
        """A network that nobody knows, scored best by promising weights; None if all are known."""
        if len(self.values) == len(self.scores):
            return None
        for _ in range(MAX_TRIES):
            weights = self._promising(rng)
            chosen = int(np.argmax(self.scores @ weights))
            self.tried.append((tuple(float(w) for w in weights), chosen))
            if chosen not in self.values:
                return chosen
        return self.follow()

    def follow(self) -> int | None:
        """The first network down the ranking of the best weights that nobody knows."""
        order = np.argsort(-(self.scores @ self.best_weights()), kind="stable")
        return next((int(i) for i in order if int(i) not in self.values), None)

    def tell(self, network: int, accuracy: float) -> None:
        """Records what a network is really worth."""
        self.values[network] = accuracy

    def best_weights(self) -> Floats:
        """Those whose best-scored network is the most accurate; of equal ones the oldest."""
        known = [(w, self.values[i]) for w, i in self.tried if i in self.values]
        if not known:
            return np.ones(self.scores.shape[1])
        return np.array(max(known, key=lambda pair: pair[1])[0])

    def _promising(self, rng: np.random.Generator) -> Floats:
        """Of random weights, half of them near the best ones, that of the greatest upper bound."""
        width = self.scores.shape[1]
        candidates = rng.uniform(-1, 1, (CANDIDATES, width))
        known = [(w, self.values[i]) for w, i in self.tried if i in self.values][-MOST_KNOWN:]
        if not known:
            return np.asarray(candidates[0])
        half = CANDIDATES // 2
        near = self.best_weights() + rng.normal(0.0, 0.2, (half, width))
        candidates[:half] = np.clip(near, -1, 1)
        x, y = np.array([w for w, _ in known]), np.array([v for _, v in known])
        mean, deviation = foreseen(x, y, candidates)
        return np.asarray(candidates[int(np.argmax(mean + CURIOSITY * deviation))])

    def to_json(self) -> dict[str, Any]:
        """What was tried and told, as plain values; the scores are the caller's."""
        return {
            "tried": [[list(w), i] for w, i in self.tried],
            "values": [[i, v] for i, v in self.values.items()],
        }

    def load(self, document: dict[str, Any]) -> None:
        """Takes up where `to_json` was called."""
        self.tried = [(tuple(w), int(i)) for w, i in document["tried"]]
        self.values = {int(i): float(v) for i, v in document["values"]}


def foreseen(x: Floats, y: Floats, at: Floats) -> tuple[Floats, Floats]:
    """Mean and standard deviation, each (m,), that a Gaussian process expects of values at (m, d).

    It was told values `y` (n,) at `x` (n, d); kernel exp(-|a - b|² / 2 l²), l of the greatest
    likelihood of all LENGTHS.
    """
    shift, scale = float(y.mean()), float(y.std()) or 1.0
    told = (y - shift) / scale
    fits = [_fit(x, told, length) for length in LENGTHS]
    best = int(np.argmax([fit[0] for fit in fits]))
    _, lower, dual = fits[best]
    cross = _kernel(at, x, LENGTHS[best])
    spread = np.linalg.solve(lower, cross.T)
    variance = np.maximum(1.0 - (spread**2).sum(0), 0.0)
    return shift + scale * (cross @ dual), scale * np.sqrt(variance)


def _fit(x: Floats, y: Floats, length: float) -> tuple[float, Floats, Floats]:
    """Log likelihood (but for a constant), Cholesky factor of the kernel, and kernel⁻¹ · y."""
    lower = np.linalg.cholesky(_kernel(x, x, length) + NOISE * np.eye(len(x)))
    dual = np.linalg.solve(lower.T, np.linalg.solve(lower, y))
    likelihood = -0.5 * float(y @ dual) - float(np.log(np.diag(lower)).sum())
    return likelihood, np.asarray(lower, float), np.asarray(dual, float)


def _kernel(a: Floats, b: Floats, length: float) -> Floats:
    squares = ((a[:, None, :] - b[None, :, :]) ** 2).sum(-1)
    return np.asarray(np.exp(-0.5 * squares / length**2))
