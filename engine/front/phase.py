"""The last phase of every strategy with shared weights: searching the front on them.

One step is one generation: ask for architectures, evaluate each, tell what it is worth. Who asks is
chosen by the spec: evolution, or the LINAS loop over a learned predictor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import inf
from typing import Any

from engine.events import Event, Filtered
from engine.front.evolution import Evolution
from engine.front.linas import FIRST, Linas
from engine.front.predictor import FEWEST
from engine.front.rounds import GENERATIONS, rounds
from engine.problem import Problem, evaluate
from engine.space import Arch

CHILDREN = 24


class FrontPhase:
    """`steps` generations on the shared weights of `problem`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.steps = rounds(problem.spec.epochs, GENERATIONS)
        self.searcher = self._searcher()

    def _searcher(self) -> Linas | Evolution:
        if self.problem.spec.front != "linas":
            return Evolution(self.problem.filter)
        # a short search has to learn from fewer, or it would never come to propose anything
        half = self.steps * CHILDREN // 2
        return Linas(self.problem.filter, max(FEWEST, min(FIRST, half)))

    def step(self, seeds: Sequence[Arch] | None = None) -> Iterator[Event]:
        """One generation; `seeds` are evaluated first, in the first generation (None: later ones).

        The fastest, the smallest and the largest network are always among the first. All are moved
        into the limits beside that of latency, and left out where that does not succeed.
        """
        problem = self.problem
        batch = self._first(seeds) if seeds is not None else self._next(CHILDREN)
        for i, arch in enumerate(batch, 1):
            result = evaluate(problem, arch)
            self.searcher.tell(arch, result.proxy_accuracy)
            yield result
            problem.tick(i / len(batch))
        yield Filtered(problem.filter.asked, dict(problem.filter.refused))
        yield from self.searcher.foresee(problem.rng)
        problem.tick(1.0)

    def _first(self, seeds: Sequence[Arch]) -> list[Arch]:
        known = within(self.problem, [*seeds, *ends(self.problem)])
        # a network that is drawn may be one of these
        return list(dict.fromkeys([*known, *self._next(max(4, CHILDREN - len(known)))]))

    def _next(self, count: int) -> list[Arch]:
        return self.searcher.ask(count, self.problem.rng)

    def state_dict(self) -> dict[str, Any]:
        """What the searcher was told, in order."""
        told = [[str(arch), -value[1]] for arch, value in self.searcher.told.items()]
        kept = self.problem.filter
        return {"told": told, "asked": kept.asked, "refused": dict(kept.refused)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        for arch, value in state["told"]:
            self.searcher.tell(Arch.parse(arch), value)
        self.problem.filter.asked = state["asked"]
        self.problem.filter.refused = dict(state["refused"])


def ends(problem: Problem) -> list[Arch]:
    """The networks that every front begins with: the fastest, the smallest and the largest."""
    space = problem.space
    return [problem.latency.fastest(space), space.smallest(), space.largest()]


def within(problem: Problem, archs: Sequence[Arch]) -> list[Arch]:
    """`archs`, each once, moved into the limits beside that of latency; without what fails to."""
    kept = problem.filter
    moved = dict.fromkeys(kept.fit(arch, problem.rng) for arch in archs)
    return [arch for arch in moved if kept.keeps(arch, slack=inf)]
