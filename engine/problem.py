"""What a strategy may see: one bundle of arguments without behaviour of its own."""

from __future__ import annotations

import random
from dataclasses import dataclass

import torch

from engine.batches import Split
from engine.cost import network_cost
from engine.events import Evaluated
from engine.front.filter import Filter
from engine.latency import LatencyModel
from engine.recipe import Recipe
from engine.space import Arch, SearchSpace
from engine.spec import RunSpec
from engine.supernet import SuperNet
from engine.train import Tick, accuracy, recalibrate_bn


@dataclass(slots=True)
class Problem:
    """A search's space, data, device, weights and randomness; `tick` tells how far a step is.

    `rng` draws architectures, `generator` draws weights and batches; both belong to checkpoints.
    """

    spec: RunSpec
    space: SearchSpace
    splits: dict[str, Split]
    latency: LatencyModel
    supernet: SuperNet
    recipe: Recipe
    filter: Filter
    rng: random.Random
    generator: torch.Generator
    tick: Tick

    @property
    def limit_ms(self) -> float:
        """The latency asked for."""
        return self.spec.latency_limit_ms


def evaluate(problem: Problem, arch: Arch) -> Evaluated:
    """Proxy accuracy of `arch` (architecture split, batch norm recalibrated) and its costs."""
    network = problem.supernet.subnet(arch)
    recalibrate_bn(network, problem.splits["weights"])
    proxy = accuracy(network, problem.splits["architecture"])
    cost = network_cost(problem.space, arch)
    ms = problem.latency.predict(arch)
    recipe = problem.recipe.digest()
    asked, figure = problem.filter.limits.asked(), problem.filter.figure
    size = int(figure("onnx_bytes", arch)) if "onnx_bytes" in asked else 0
    return Evaluated(str(arch), proxy, ms, cost.params, cost.macs, cost.peak_bytes, recipe, size)
