"""A controller that learns which networks to draw: one categorical distribution per gene.

Policy gradient (REINFORCE) with a moving baseline, Adam on the logits and an entropy bonus that
fades, as TuNAS does it (Bender et al. 2020, arXiv:2008.06120); MnasNet's recurrent controller is
left out. Genes are independent given the logits.
"""

from __future__ import annotations

import random
from typing import Any

import torch
from torch import Tensor

from engine.space import Arch, SearchSpace

MEMORY = 0.95  # of the baseline: b <- 0.95 b + 0.05 r


class Controller:
    """Logits of every value of every gene of `space`; ask with `draw`, tell with `learn`."""

    def __init__(self, space: SearchSpace, lr: float = 5e-3) -> None:
        self.space = space
        self.sizes = [len(gene.values) for gene in space.genes()]
        self.logits = torch.zeros(len(self.sizes), max(self.sizes), requires_grad=True)
        self.absent = torch.tensor(
            [[k >= size for k in range(max(self.sizes))] for size in self.sizes]
        )
        self.optimizer = torch.optim.Adam([self.logits], lr=lr)
        self.baseline: float | None = None

    def log_p(self) -> Tensor:
        """Logarithms of all probabilities, (genes, most values); -inf where a gene has fewer."""
        return self.logits.masked_fill(self.absent, -torch.inf).log_softmax(1)

    def probabilities(self) -> list[list[float]]:
        """Of every value, gene by gene."""
        rows = self.log_p().detach().exp().tolist()
        return [row[:size] for row, size in zip(rows, self.sizes, strict=True)]

    def entropy(self) -> float:
        """Mean over the genes that have a choice of entropy / ln(values): 1 uniform, 0 decided."""
        return float(self._entropy().detach())

    def _entropy(self) -> Tensor:
        log_p = self.log_p().masked_fill(self.absent, 0.0)
        each = -(log_p.exp().masked_fill(self.absent, 0.0) * log_p).sum(1)
        most = torch.tensor([float(size) for size in self.sizes]).log()
        free = most > 0
        return (each[free] / most[free]).mean() if bool(free.any()) else each.sum()

    def draw(self, rng: random.Random) -> Arch:
        """A network, each gene by its probabilities."""
        rows = zip(self.space.genes(), self.probabilities(), strict=True)
        parts = [rng.choices(gene.values, row)[0] for gene, row in rows]
        return Arch(tuple(op for part in parts for op in part))

    def learn(self, arch: Arch, reward: float, bonus: float = 0.0) -> None:
        """One step for `arch` of that reward; `bonus` is what entropy is worth beside it."""
        baseline = reward if self.baseline is None else self.baseline
        self.baseline = MEMORY * baseline + (1 - MEMORY) * reward
        at = [
            gene.values.index(part)
            for gene, part in zip(self.space.genes(), self.space.parts(arch), strict=True)
        ]
        chosen = self.log_p()[torch.arange(len(at)), torch.tensor(at)].sum()
        self.optimizer.zero_grad()
        torch.autograd.backward(-(reward - baseline) * chosen - bonus * self._entropy())
        self.optimizer.step()

    def likeliest(self, count: int) -> list[Arch]:
        """The `count` most probable networks, most probable first, exactly (fewer in small spaces).

        Genes are independent, so the best of any first genes are among the best so far.
        """
        best: list[tuple[float, tuple[str, ...]]] = [(0.0, ())]
        for gene, row in zip(self.space.genes(), self.log_p().detach().tolist(), strict=True):
            values = list(zip(gene.values, row, strict=False))
            grown = [(total + p, ops + value) for total, ops in best for value, p in values]
            best = sorted(grown, key=lambda pair: (-pair[0], pair[1]))[:count]
        return [Arch(ops) for _, ops in best]

    def state_dict(self) -> dict[str, Any]:
        """Logits, optimiser and baseline."""
        return {
            "logits": self.logits.detach().clone(),
            "optimizer": self.optimizer.state_dict(),
            "baseline": self.baseline,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        with torch.no_grad():
            self.logits.copy_(state["logits"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.baseline = state["baseline"]
