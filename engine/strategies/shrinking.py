"""What a network costs against all of its limits, and its single changes that cost less; no torch.

Costs are counted in the tightest limit, 1 being just within all of them, so that a limit of
parameters, MACs or memory leads the way where it binds.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.front.filter import Filter
from engine.space import Arch

TINY = 1e-9  # costs are sums; equal ones differ by less


@dataclass(frozen=True, slots=True)
class Proposal:
    """A network with what it `saved`, in limits; `accuracy` and `loss` once it was judged."""

    arch: Arch
    saved: float
    accuracy: float = 0.0
    loss: float = 0.0


@dataclass(frozen=True, slots=True)
class Shrinking:
    """Costs and proposals under the limits of `filter` and a latency limit."""

    filter: Filter
    limit_ms: float

    def cost(self, arch: Arch) -> float:
        """What `arch` costs in the tightest of the limits."""
        limits = {"latency_ms": self.limit_ms, **self.filter.limits.asked()}
        return max(self._figure(name, arch) / most for name, most in limits.items())

    def _figure(self, name: str, arch: Arch) -> float:
        if name == "onnx_bytes":  # files take long to write: by tables, some bytes off
            return self.filter.moves.total(name, arch)
        return self.filter.figure(name, arch)

    def proposals(self, arch: Arch, least: float) -> list[Proposal]:
        """Of every gene the change that saves least but enough; of none, those that save most."""
        space, here = self.filter.space, self.cost(arch)
        parts = space.parts(arch)
        enough: list[Proposal] = []
        most: list[Proposal] = []
        for i, gene in enumerate(space.genes()):
            found = []
            for value in gene.values:
                changed = (*parts[:i], value, *parts[i + 1 :])
                other = Arch(tuple(op for part in changed for op in part))
                saved = here - self.cost(other)
                if saved > TINY:
                    found.append(Proposal(other, saved))
            found.sort(key=lambda p: (p.saved, p.arch))
            enough += [p for p in found if p.saved >= least][:1]
            most += found[-1:]
        return enough or most


def best_of(proposals: list[Proposal], before: float, *, by_accuracy: bool) -> Proposal:
    """The most accurate, or that of the greatest change of accuracy for what it saves.

    `before` is the accuracy without any change; among equals the one of the least loss.
    """

    def worth(proposal: Proposal) -> tuple[float, float]:
        change = proposal.accuracy - before
        return (change if by_accuracy else change / proposal.saved), -proposal.loss

    return max(proposals, key=worth)
