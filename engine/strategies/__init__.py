"""How to search: the contract of a strategy, and the table of those that exist.

To add one: a file beside this one, one line in `STRATEGIES`, and its words in `methods.METHODS`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Protocol

from engine.events import Event
from engine.problem import Problem
from engine.strategies.fbnet import FBNet
from engine.strategies.mnasnet import MnasNet
from engine.strategies.netadapt import NetAdapt
from engine.strategies.one_shot import OneShot
from engine.strategies.proxyless import Proxyless
from engine.strategies.random_search import RandomSearch
from engine.strategies.single_path import SinglePath
from engine.strategies.zero_cost import ZeroCost


class Strategy(Protocol):
    """One search, cut into steps. The run loop owns budget, pausing, checkpoints and storage.

    A step may take as long as an epoch; it calls `problem.tick` with the share of itself that is
    done. Whatever is not rebuilt from the problem belongs into `state_dict` (tensors, numbers,
    texts, lists, dicts), the shared weights and the problem's randomness excepted.
    """

    @property
    def steps(self) -> int:
        """How many steps the search has."""

    def phase(self, step: int) -> str:
        """Name of the phase that step number `step` (from 0) belongs to."""

    def weight(self, step: int) -> float:
        """Guess of the step's duration relative to the others, until its phase has been timed."""

    def step(self, number: int) -> Iterator[Event]:
        """Does step `number` (from 0) and yields what there is to say."""

    def state_dict(self) -> dict[str, Any]:
        """Everything that the next step needs."""

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Takes up where `state_dict` was called."""


STRATEGIES: dict[str, Callable[[Problem], Strategy]] = {
    "single_path": SinglePath,
    "one_shot": OneShot,
    "proxyless": Proxyless,
    "fbnet": FBNet,
    "mnasnet": MnasNet,
    "netadapt": NetAdapt,
    "random_search": RandomSearch,
    "zero_cost": ZeroCost,
}

ALL = 1000  # more choices than any layer has
SEPARATE = {"proxyless": 2, "fbnet": ALL}
"""Strategies whose candidates have weights of their own, as published, and how many candidates of a
layer answer at once; those of the others share."""
