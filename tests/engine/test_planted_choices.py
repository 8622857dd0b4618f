"""What the strategies that learn choices choose by themselves, before any front is searched."""

from __future__ import annotations

from statistics import mean

import numpy as np
import pytest

from engine.problem import Problem
from engine.space import Arch
from engine.strategies import STRATEGIES
from engine.strategies.fbnet import FBNet
from engine.strategies.mnasnet import MnasNet
from engine.strategies.proxyless import Proxyless
from engine.strategies.single_path import SinglePath
from tests.planted_search import everything, planted_problem, shortfall, worth
from tests.problems import toy_space

TOYS = 3
ALIKE = 0.03  # latencies that differ by less count as the same


def chosen(name: str, mode: str, *, epochs: int) -> list[tuple[Problem, Arch]]:
    """The problem and the choice on every toy; no front is searched."""
    found = []
    for seed in range(TOYS):
        problem = planted_problem(toy_space(), strategy=name, mode=mode, seed=seed, epochs=epochs)
        search = STRATEGIES[name](problem)
        assert isinstance(search, SinglePath | Proxyless | FBNet | MnasNet)
        for step in range(search.epochs):
            list(search.step(step))
        choice = search.seeds()[0] if isinstance(search, MnasNet) else search.chosen
        assert choice is not None
        found.append((problem, choice))
    return found


@pytest.mark.parametrize(
    ("name", "mode", "epochs", "near"),
    [
        ("proxyless", "two", 12, 0.05),
        ("proxyless", "full", 12, 0.05),
        ("fbnet", "", 12, 0.05),
        ("mnasnet", "hard", 24, 0.12),
    ],
)
def test_what_is_learned_of_choices_leads_near_the_best_network(name, mode, epochs, near) -> None:
    assert mean(shortfall(*pair) for pair in chosen(name, mode, epochs=epochs)) <= near


def test_single_path_12_the_found_network_beats_random_ones_of_the_same_latency() -> None:
    """Every network counts by its own planted accuracy, so all of them are judged alike."""
    beaten = []
    for problem, choice in chosen("single_path", "stable", epochs=40):
        ms, worths = everything(problem)
        rivals = worths[abs(ms / problem.latency.predict(choice) - 1) <= ALIKE]
        assert len(rivals) >= 50
        assert worth(problem, choice) > rivals.mean()
        beaten.append(np.mean(rivals < worth(problem, choice)))
    assert mean(beaten) >= 0.85
