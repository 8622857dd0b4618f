"""Means over the batches of one epoch of a search, for its event; nothing outlives it."""

from __future__ import annotations

import torch

from engine.events import EpochEnd
from engine.superkernel import Gates


class EpochLog:
    """Sums over the batches of one epoch, for its event."""

    def __init__(self, slots: int) -> None:
        self.losses: list[float] = []
        self.penalties: list[float] = []
        self.ms: list[float] = []
        self.grad_sum = [0.0] * slots
        self.grad_count = 0
        self.gate_sum: list[list[float]] = []

    def gates(self, gates: Gates, modelled_ms: float) -> None:
        """Adds one batch's gates and the latency that they model; an op's text has none."""
        flat: list[list[float]] = [
            []
            if isinstance(part, str)
            else torch.cat([*part[:-1], part.layer[None]]).detach().tolist()
            for part in gates
        ]
        if not self.gate_sum:
            self.gate_sum = [[0.0] * len(row) for row in flat]
        for total, row in zip(self.gate_sum, flat, strict=True):
            for i, value in enumerate(row):
                total[i] += value
        self.ms.append(modelled_ms)

    def grads(self, norms: tuple[float, ...]) -> None:
        """Adds one batch's gradient norms of the thresholds."""
        self.grad_sum = [a + b for a, b in zip(self.grad_sum, norms, strict=True)]
        self.grad_count += 1

    def event(self, phase: str, epoch: int) -> EpochEnd:
        """The epoch in means."""
        count = max(1, len(self.ms))
        return EpochEnd(
            phase,
            epoch,
            _mean(self.losses),
            _mean(self.ms),
            _mean(self.penalties),
            tuple(tuple(v / count for v in row) for row in self.gate_sum),
            tuple(g / max(1, self.grad_count) for g in self.grad_sum),
        )


def _mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else 0.0
