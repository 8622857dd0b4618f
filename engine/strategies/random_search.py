"""Random search on shared weights: what every other strategy must beat.

The weights are trained as in SPOS, one uniformly drawn network per batch. Then as many networks are
judged as the front phase of the other strategies judges: the fastest, the smallest and the largest
as there, the others drawn at random within the limits, evenly over latency. Nothing is learned from
what they are worth (the baseline of Li and Talwalkar 2019, arXiv:1902.07638). That draws spread
over latency differs from the published form, which is after one network; a front has fast ones too.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from engine.events import Event, Filtered
from engine.front import phase as front_phase
from engine.front.phase import FrontPhase
from engine.problem import Problem, evaluate
from engine.space import Arch
from engine.strategies.draw import drawn_evenly
from engine.strategies.shared_training import SharedTraining


class RandomSearch:
    """One random search; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.training = SharedTraining(problem)
        self.epochs = problem.spec.epochs
        self.rounds = FrontPhase(problem).steps
        self.seen: dict[Arch, None] = {}

    @property
    def steps(self) -> int:
        """The epochs, then as many rounds as a front phase has generations."""
        return self.epochs + self.rounds

    def phase(self, step: int) -> str:
        """`train` or `draw`."""
        return "train" if step < self.epochs else "draw"

    def weight(self, step: int) -> float:
        """Of a round relative to an epoch: as for the other strategies."""
        return 0.6 if step < self.epochs else 1.0

    def step(self, number: int) -> Iterator[Event]:
        """One epoch, or one round of random networks."""
        if number < self.epochs:
            yield from self.training.epoch(number, self.epochs, draw=self._draw)
        else:
            yield from self._round()

    def _draw(self) -> Arch:
        return self.problem.space.sample(self.problem.rng)

    def _round(self) -> Iterator[Event]:
        problem = self.problem
        ends = [] if self.seen else front_phase.within(problem, front_phase.ends(problem))
        count = front_phase.CHILDREN - len(ends)
        batch = [*ends, *drawn_evenly(problem, count, {**self.seen, **dict.fromkeys(ends)})]
        for i, arch in enumerate(batch, 1):
            self.seen[arch] = None
            yield evaluate(problem, arch)
            problem.tick(i / len(batch))
        yield Filtered(problem.filter.asked, dict(problem.filter.refused))
        problem.tick(1.0)

    def state_dict(self) -> dict[str, Any]:
        """The optimiser, what was judged, and the filter's counts."""
        kept = self.problem.filter
        return {
            "training": self.training.state_dict(),
            "seen": [str(arch) for arch in self.seen],
            "asked": kept.asked,
            "refused": dict(kept.refused),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.training.load_state_dict(state["training"])
        self.seen = {Arch.parse(arch): None for arch in state["seen"]}
        self.problem.filter.asked = state["asked"]
        self.problem.filter.refused = dict(state["refused"])
