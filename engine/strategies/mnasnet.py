"""MnasNet's search (Tan et al. 2019, arXiv:1807.11626) on shared weights, as TuNAS has it.

A controller draws networks and is rewarded by accuracy · (latency / limit)^w. The published search
trains each of some 8,000 networks for five epochs; here one set of weights serves all of them
(TuNAS, Bender et al. 2020, arXiv:2008.06120): every batch trains the weights of a drawn network,
and another drawn one is rewarded for its accuracy on images held out of the weights split. For the
first quarter draws are uniform and the controller learns nothing, since nothing is worth anything
yet. What the controller likes best within the limits then seeds a front phase.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice
from typing import Any

import torch

from engine.batches import Split
from engine.events import Event
from engine.front.phase import FrontPhase
from engine.problem import Problem
from engine.space import Arch
from engine.strategies.controller import Controller
from engine.strategies.shared_training import SharedTraining

SOFT, HARD = (-0.07, -0.07), (0.0, -1.0)  # exponent within the limit, exponent above it
HELD_OUT, MOST_HELD_OUT = 0.2, 2048  # share of the weights split that only rewards, images at most
WARM_UP = 0.25  # share of the epochs before the controller learns
BONUS = 0.01  # what a full unit of entropy is worth when learning begins
SEEDS, LIKELY = 6, 512  # networks given to the front; most probable ones that they are taken from


def reward(accuracy: float, ms: float, limit_ms: float, exponents: tuple[float, float]) -> float:
    """accuracy · (ms / limit)^w, with one exponent within the limit and another above it."""
    within, above = exponents
    return float(accuracy * (ms / limit_ms) ** (within if ms <= limit_ms else above))


class MnasNet:
    """One search by a controller; see the module's text."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.exponents = HARD if problem.spec.mode == "hard" else SOFT
        self.epochs = problem.spec.epochs
        self.warm_up = max(1, round(WARM_UP * self.epochs))
        trained, self.rewarding = held_out(problem.splits["weights"])
        self.training = SharedTraining(problem, trained)
        self.updates = (self.epochs - self.warm_up) * self.training.batches
        # Adam moves a logit by about lr per update: a short search needs larger steps to decide
        self.controller = Controller(problem.space, min(5e-2, max(5e-3, 8 / self.updates)))
        self.learned = 0
        self.front = FrontPhase(problem)

    @property
    def steps(self) -> int:
        """The epochs, then generations of the front."""
        return self.epochs + self.front.steps

    def phase(self, step: int) -> str:
        """`warm-up`, `learn` or `front`."""
        if step < self.warm_up:
            return "warm-up"
        return "learn" if step < self.epochs else "front"

    def weight(self, step: int) -> float:
        """Steps of a phase relative to a full-width epoch."""
        return {"warm-up": 0.6, "learn": 0.9, "front": 1.0}[self.phase(step)]

    def step(self, number: int) -> Iterator[Event]:
        """One epoch or one generation."""
        phase = self.phase(number)
        if phase == "front":
            yield from self.front.step(self.seeds() if number == self.epochs else None)
            return
        draw = self._uniform if phase == "warm-up" else self._learned
        yield from self.training.epoch(number, self.epochs, draw=draw, phase=phase)

    def _uniform(self) -> Arch:
        return self.problem.space.sample(self.problem.rng)

    def _learned(self) -> Arch:
        """What the controller draws after it has learned from one more drawn network."""
        problem = self.problem
        arch = self.controller.draw(problem.rng)
        worth = reward(
            self.accuracy(arch), problem.latency.predict(arch), problem.limit_ms, self.exponents
        )
        left = max(0.0, 1 - self.learned / self.updates)
        self.controller.learn(arch, worth, BONUS * left)
        self.learned += 1
        return self.controller.draw(problem.rng)

    @torch.no_grad()
    def accuracy(self, arch: Arch) -> float:
        """Share that `arch` labels rightly of a random batch that its weights never saw.

        Batch norm uses the batch's own statistics, since running ones belong to no network.
        """
        supernet, held = self.problem.supernet, self.rewarding
        size = min(len(held), max(64, self.problem.recipe.batch), held.most)
        chosen = torch.randperm(len(held), generator=self.problem.generator)[:size]
        supernet.train()
        supernet.head.eval()  # no dropout: rewards must be compared on equal terms
        answers = supernet(held.ready(held.images[chosen]), arch).argmax(1)
        supernet.head.train()
        return float((answers == held.labels[chosen]).float().mean())

    def seeds(self) -> list[Arch]:
        """What the controller likes best within the limits; moved there if it likes nothing so."""
        kept = self.problem.filter
        likely = self.controller.likeliest(LIKELY)
        inside = list(islice((arch for arch in likely if kept.keeps(arch)), SEEDS))
        return inside or [kept.toward(likely[0], self.problem.rng)]

    def state_dict(self) -> dict[str, Any]:
        """Optimiser, controller, how often it learned, and what the front phase was told."""
        return {
            "training": self.training.state_dict(),
            "controller": self.controller.state_dict(),
            "learned": self.learned,
            "front": self.front.state_dict(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""
        self.training.load_state_dict(state["training"])
        self.controller.load_state_dict(state["controller"])
        self.learned = state["learned"]
        self.front.load_state_dict(state["front"])


def held_out(split: Split) -> tuple[Split, Split]:
    """The images that weights are trained on and those that only reward, its last ones.

    A split is stored in random order, so any part of it holds all classes.
    """
    count = max(1, min(round(HELD_OUT * len(split)), MOST_HELD_OUT))
    cut = len(split) - count
    first = replace(split, images=split.images[:cut], labels=split.labels[:cut])
    return first, replace(split, images=split.images[cut:], labels=split.labels[cut:])
