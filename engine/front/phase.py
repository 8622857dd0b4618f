"""The last phase of every strategy with shared weights: searching the front on them.

One step is one generation: ask for architectures, evaluate each, tell what it is worth. Who asks is
chosen by the spec: evolution, or the LINAS loop over a learned predictor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from engine.events import Event, Filtered
from engine.front.evolution import Evolution
from engine.front.linas import Linas
from engine.problem import Problem, evaluate
from engine.space import Arch

GENERATIONS, CHILDREN = 10, 24  # the most; a short budget gets a generation for four epochs


class FrontPhase:
    """`steps` generations on the shared weights of `problem`."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.steps = min(GENERATIONS, max(2, problem.spec.epochs // 4))
        kind = Linas if problem.spec.front == "linas" else Evolution
        self.searcher: Linas | Evolution = kind(problem.filter)

    def step(self, seeds: Sequence[Arch] | None = None) -> Iterator[Event]:
        """One generation; `seeds` are evaluated first, in the first generation (None: later ones).

        The fastest, the smallest and the largest network are always among the first.
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
        space = self.problem.space
        ends = [self.problem.latency.fastest(space), space.smallest(), space.largest()]
        known = list(dict.fromkeys([*seeds, *ends]))
        return [*known, *self._next(max(4, CHILDREN - len(known)))]

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
