"""A supernet's training step against a step of its largest child, on `single-path-cifar`.

`python -m tests.bench.bench_steps [--rounds N] [--threads N]`: forward, backward, update, batch
128, all variants in turn within one run; ratios are medians over rounds. The last line is one JSON
document. Images are random: a step's time does not depend on what they show.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import time
from collections.abc import Callable
from statistics import median

import torch
import torch.nn.functional as F

from engine import presets
from engine.batches import Split
from engine.build import build
from engine.epoch_log import EpochLog
from engine.problem import Problem
from engine.recipe import Recipe
from engine.spec import DataChoice, DeviceChoice, RunSpec
from engine.strategies.single_path import SinglePath
from engine.supernet import SuperNet
from engine.train import optimizer_for
from tests.problems import macs_latency

BATCH = 128


def main() -> None:
    """Times, prints a table and the JSON line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    steps = variants()
    times: dict[str, list[float]] = {name: [] for name in steps}
    for step in steps.values():
        step()
    for _ in range(options.rounds):
        for name, step in steps.items():
            begun = time.perf_counter()
            step()
            times[name].append(time.perf_counter() - begun)
    base = times["largest child"]
    ratios = {
        name: median(a / b for a, b in zip(each, base, strict=True)) for name, each in times.items()
    }
    for name, ratio in ratios.items():
        print(f"{name:24} {ratio:5.2f}   ({median(times[name]) * 1e3:.0f} ms)")
    print(json.dumps({"threads": options.threads, "batch": BATCH} | ratios))


def variants() -> dict[str, Callable[[], object]]:
    """The steps to compare, each a function that does one."""
    problem = cifar_like()
    strategy = SinglePath(problem)
    strategy.target_ms = problem.limit_ms
    x, y = next(problem.splits["weights"].in_order(BATCH))
    log = EpochLog(len(strategy.tables))
    uniform = optimizer_for(problem.supernet, problem.recipe)
    space = problem.space

    def sampled_uniformly() -> None:
        uniform.zero_grad()
        F.cross_entropy(problem.supernet(x, space.sample(problem.rng)), y).backward()
        uniform.step()

    return {
        "largest child": child(problem, x, y),
        "differentiable": lambda: strategy.train_step("search", x, y, log),
        "sampled (warm-up)": lambda: strategy.train_step("warm-up", x, y, log),
        "sampled (uniform)": sampled_uniformly,
    }


def child(problem: Problem, x: torch.Tensor, y: torch.Tensor) -> Callable[[], object]:
    """A step of the largest network of the space, built on its own."""
    layers = problem.space.layers(problem.space.largest())
    network = build(layers, torch.Generator().manual_seed(0)).train()
    optimizer = optimizer_for(network, problem.recipe)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(network(x), y).backward()
        optimizer.step()

    return step


def cifar_like() -> Problem:
    """The CIFAR problem on random images."""
    space = presets.load("single-path-cifar")
    latency = macs_latency(space)
    spec = RunSpec(space, DataChoice("cifar10"), DeviceChoice(), 0.6 * latency.slowest_ms)
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
        random.Random(0),
        generator,
        lambda _: None,
    )


if __name__ == "__main__":
    main()
