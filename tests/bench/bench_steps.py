"""A supernet's training step against a step of its largest child.

`python -m tests.bench.bench_steps [--space PRESET] [--rounds N] [--threads N]`: forward, backward,
update, batch 128, all variants in turn within one run; ratios are medians over rounds, those of
uniform samples means over rounds, since every round draws another network. "Its own network" is the
network that was drawn, built on its own: what a sampled step would cost if sharing were free. The
last line is one JSON document. Images are random: a step's time does not depend on what they show.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable
from statistics import fmean, median

import torch
import torch.nn.functional as F

from engine import presets
from engine.batches import Split
from engine.build import build
from engine.epoch_log import EpochLog
from engine.front.filter import Filter
from engine.problem import Problem
from engine.recipe import Recipe
from engine.space import Arch
from engine.spec import DataChoice, DeviceChoice, RunSpec
from engine.strategies.one_shot import OneShot
from engine.strategies.single_path import SinglePath
from engine.supernet import SuperNet
from engine.train import optimizer_for
from tests.problems import macs_latency

BATCH = 128
DRAWN = ("sampled (uniform)", "its own network")


def main() -> None:
    """Times, prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--space", default="single-path-cifar")
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    problem = cifar_like(options.space)
    x, y = next(problem.splits["weights"].in_order(BATCH))
    drawn = Drawn(cifar_like(options.space, strategy="one_shot", mode="uniform"), x, y)
    steps = variants(problem, drawn, x, y)
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(options.rounds):
        drawn.draw()
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - begun)
    base = times["largest child"]
    ratios = {}
    for name, each in times.items():
        over = fmean if name in DRAWN else median
        ratios[name] = over(a / b for a, b in zip(each, base, strict=True))
    for name, ratio in ratios.items():
        print(f"{name:24} {ratio:5.2f}   ({median(times[name]) * 1e3:.0f} ms)")
    print(json.dumps(vars(options) | {"batch": BATCH} | ratios))


def variants(
    problem: Problem, drawn: Drawn, x: torch.Tensor, y: torch.Tensor
) -> dict[str, Callable[[], object]]:
    """The steps to compare, each a function that does one."""
    strategy = SinglePath(problem)
    strategy.target_ms = problem.limit_ms
    log = EpochLog(len(strategy.tables))

    return {
        "largest child": child(problem, x, y, problem.space.largest()),
        "differentiable": lambda: strategy.train_step("search", x, y, log),
        "sampled (warm-up)": lambda: strategy.train_step("warm-up", x, y, log),
        "sampled (uniform)": drawn.sampled,
        "its own network": drawn.alone,
    }


class Drawn:
    """A step of `one_shot` on one network drawn uniformly, then one of that network on its own."""

    def __init__(self, problem: Problem, x: torch.Tensor, y: torch.Tensor) -> None:
        self.problem, self.x, self.y = problem, x, y
        self.strategy = OneShot(problem)
        self.draw()

    def draw(self) -> None:
        """The next network, built before any clock runs; its first step warms up what it needs."""
        self.arch = self.problem.space.sample(self.problem.rng)
        self.alone_step = child(self.problem, self.x, self.y, self.arch)

    def sampled(self) -> None:
        """A step of the shared weights through the network."""
        self.strategy.train_step([self.arch], self.x, self.y)

    def alone(self) -> None:
        """A step of the network itself."""
        self.alone_step()


def child(problem: Problem, x: torch.Tensor, y: torch.Tensor, arch: Arch) -> Callable[[], object]:
    """A step of one network of the space, built on its own."""
    network = build(problem.space.layers(arch), torch.Generator().manual_seed(0)).train()
    optimizer = optimizer_for(network, problem.recipe)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()

    return step


def cifar_like(preset: str, **changes: str) -> Problem:
    """The CIFAR problem on random images; `changes` go into the spec."""
    space = presets.load(preset)
    latency = macs_latency(space)
    limit_ms = 0.6 * latency.slowest_ms
    spec = RunSpec(space, DataChoice("cifar10"), DeviceChoice(), limit_ms, **changes)
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (BATCH, 3, 32, 32), dtype=torch.uint8, generator=generator)
    labels = torch.randint(0, 10, (BATCH,), generator=generator)
    moments = (torch.full((3,), 0.5), torch.full((3,), 0.25))
    split = Split(images, labels, *moments, 4, True)
    return Problem(
        spec,
        space,
        {"weights": split, "architecture": split, "test": split},
        latency,
        SuperNet(space, generator),
        Recipe(batch=BATCH, smoothing=0.1),
        Filter(space, latency, limit_ms),
        random.Random(0),
        generator,
        lambda _: None,
    )


if __name__ == "__main__":
    main()
