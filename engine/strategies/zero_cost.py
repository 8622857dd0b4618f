"""A zero-cost screen: many untrained networks judged by metrics, a few trained (RoBoT).

He et al. 2024, arXiv:2403.07591. Every network of a pool is cut out of one supernet of random
weights and gets six training-free metrics on one batch of the weights split. Bayesian optimisation
over the metrics' weights then chooses networks to be trained for real, half of the budget; the
other half follows the ranking of the best weights downwards. Each queried network is trained alone
for a few epochs, from the same random weights, and its accuracy is that after these few epochs:
nothing is shared. Each keeps the weights that its accuracy was taken with, so that no later
training makes it stale; the supernet is only the bench on which one after the other is trained.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from engine.cost import network_cost
from engine.events import Event, Filtered, Screened, Warned
from engine.problem import Problem, evaluate
from engine.space import Arch
from engine.strategies.draw import drawn_within
from engine.strategies.metrics import METRICS, training_free
from engine.strategies.robot import Floats, Robot, normalised
from engine.strategies.shared_training import SharedTraining
from engine.trust.figures import kendall

PER_EPOCH, MOST = 16, 2000  # networks screened for every epoch of the budget, and at most
ADVISED = 500  # that a pool should have, as published; a short budget affords fewer, and says so
AT_ONCE = 64  # networks screened in one step
IMAGES = 32  # that the metrics look at


class ZeroCost:
    """One screen with its trainings; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        budget = problem.spec.epochs
        self.wanted = min(MOST, PER_EPOCH * budget, problem.space.size())
        self.screens = -(-self.wanted // AT_ONCE)
        self.epochs = max(1, round(0.6 * math.sqrt(budget)))  # 4 of 40, for 10 networks
        self.queries = budget // self.epochs
        self.pool: list[Arch] = []
        self.rows: list[list[float]] = []
        self.robot: Robot | None = None
        self.current: int | None = None
        self.training = SharedTraining(problem)
        self.fresh = _copied(problem)
        self.own: dict[str, dict[str, Tensor]] = {}  # of each queried network, by architecture

    @property
    def steps(self) -> int:
        """Parts of the screen, then every epoch of every queried network."""
        return self.screens + self.queries * self.epochs

    def phase(self, step: int) -> str:
        """`screen`, `explore` (weights are looked for) or `follow` (the best are followed)."""
        if step < self.screens:
            return "screen"
        query = (step - self.screens) // self.epochs
        return "explore" if 2 * query < self.queries else "follow"

    def weight(self, step: int) -> float:
        """Steps relative to an epoch: a network is screened in about the time of four batches."""
        return 1.0 if step >= self.screens else 4 * AT_ONCE / self.training.batches

    def step(self, number: int) -> Iterator[Event]:
        """A part of the screen, or one epoch of one network."""
        if number < self.screens:
            yield from self._screen(number)
            return
        epoch = (number - self.screens) % self.epochs
        if epoch == 0:
            self._query(self.phase(number))
        if self.current is not None:
            yield from self._epoch(epoch)
        self.problem.tick(1.0)

    # -- the screen ---------------------------------------------------------------------------

    def _screen(self, number: int) -> Iterator[Event]:
        problem = self.problem
        if number == 0:
            self.pool = drawn_within(problem, self.wanted)
            if self.wanted < min(ADVISED, problem.space.size()):
                yield Warned(
                    f"{self.wanted} networks are screened, {PER_EPOCH} for every epoch; the"
                    f" published screen has at least {ADVISED}, which need"
                    f" {-(-ADVISED // PER_EPOCH)} epochs."
                )
        x, y = next(problem.splits["weights"].in_order(IMAGES))
        part = self.pool[number * AT_ONCE : (number + 1) * AT_ONCE]
        for i, arch in enumerate(part, 1):
            found = training_free(problem.supernet.subnet(arch), x, y)
            self.rows.append([found[name] for name in METRICS])
            problem.tick(i / len(part))
        if number == self.screens - 1:
            self.robot = Robot(self._scores())
            kept = problem.filter
            yield Filtered(kept.asked, dict(kept.refused))
            yield Screened(len(self.pool), self.correlations())
        problem.tick(1.0)

    def correlations(self) -> dict[str, dict[str, float]]:
        """Kendall's tau of each metric over the pool with parameters and with MACs."""
        costs = [network_cost(self.problem.space, arch) for arch in self.pool]
        free = {
            "params": np.array([float(cost.params) for cost in costs]),
            "macs": np.array([float(cost.macs) for cost in costs]),
        }
        scores = self._scores()
        return {
            name: {what: float(kendall(scores[:, k], known)) for what, known in free.items()}
            for k, name in enumerate(METRICS)
        }

    def _scores(self) -> Floats:
        return normalised(np.array(self.rows).reshape(-1, len(METRICS)))

    # -- trainings ----------------------------------------------------------------------------

    def _query(self, phase: str) -> None:
        """Chooses the next network, and gives the supernet back its random values."""
        assert self.robot is not None, "a query before the screen"
        rng = np.random.default_rng(self.problem.rng.getrandbits(32))
        explore = phase == "explore"
        self.current = self.robot.explore(rng) if explore else self.robot.follow()
        self.problem.supernet.load_state_dict(self.fresh)
        self.training = SharedTraining(self.problem)

    def _epoch(self, epoch: int) -> Iterator[Event]:
        assert self.robot is not None
        assert self.current is not None
        arch = self.pool[self.current]
        # No event of this epoch is passed on: it would make the accuracies before it look stale,
        # which belong to weights of their own, kept below.
        for _ in self.training.epoch(epoch, self.epochs, draw=lambda: arch):
            pass
        if epoch < self.epochs - 1:
            return
        result = evaluate(self.problem, arch)
        self.robot.tell(self.current, result.proxy_accuracy)
        self.own[str(arch)] = self.problem.supernet.subnet(arch).state_dict()
        yield result

    # -- checkpoints --------------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """Pool and metrics, what RoBoT knows, the training under way, and all weights.

        `own` is read by whoever goes on with one of the networks.
        """
        kept = self.problem.filter
        return {
            "pool": [str(arch) for arch in self.pool],
            "rows": self.rows,
            "robot": self.robot.to_json() if self.robot else {},
            "current": self.current,
            "training": self.training.state_dict(),
            "fresh": self.fresh,
            "own": self.own,
            "asked": kept.asked,
            "refused": dict(kept.refused),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.pool = [Arch.parse(arch) for arch in state["pool"]]
        self.rows = state["rows"]
        if state["robot"]:
            self.robot = Robot(self._scores())
            self.robot.load(state["robot"])
        self.current = state["current"]
        self.training.load_state_dict(state["training"])
        self.fresh, self.own = state["fresh"], state["own"]
        self.problem.filter.asked = state["asked"]
        self.problem.filter.refused = dict(state["refused"])


def _copied(problem: Problem) -> dict[str, Tensor]:
    with torch.no_grad():
        return {name: t.clone() for name, t in problem.supernet.state_dict().items()}
