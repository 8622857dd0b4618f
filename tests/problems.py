"""A whole search in small: striped images that any network learns, latency that follows MACs."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from typing import Any

import torch

from engine.batches import Split
from engine.cost import layer_cost
from engine.devices import Effort, Samples
from engine.front.filter import Filter
from engine.latency import LatencyModel, Prediction, gene_ms
from engine.problem import Problem
from engine.recipe import Recipe
from engine.run import open_supernet
from engine.space import SKIP, SearchSpace
from engine.spec import RunSpec
from engine.store import Progressing
from tests.builders import search_spec, small_space, stage

CLASSES = 3


def toy_space() -> SearchSpace:
    """8x8 images, five slots of which three may be skipped: 2,000 networks."""
    return small_space(
        stage(width=4, depth=[0, 1]), stage(width=8, depth=[1, 2], stride=2), stage()
    )


def macs_latency(space: SearchSpace) -> LatencyModel:
    """A latency of one ms per million MACs, known without error."""
    constant = sum(layer_cost(part).macs for part in (space.stem_layer(), space.head_layer())) / 1e6
    tables = tuple(
        {op: 0.0 if op == SKIP else layer_cost(slot.layer(op)).macs / 1e6 for op in slot.ops}
        for slot in space.slots()
    )
    genes = gene_ms(space, tables)
    fastest, slowest = (constant + sum(map(end, genes)) for end in (min, max))
    error = Prediction(0.0, 1.0, 1.0, 30, 20, 0.0)
    span = (fastest, (fastest + slowest) / 2, slowest)
    return LatencyModel({}, "fake", space.digest(), constant, tables, error, *span)


def stripes(count: int, side: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Noisy gratings in three directions, one per class: (count, 1, side, side) uint8, (count,)."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % CLASSES
    line = torch.arange(side).float()
    waves = [line[:, None].expand(side, side), line.expand(side, side), line[:, None] + line]
    phase = torch.rand(count, generator=generator) * 2 * math.pi
    clean = torch.stack(
        [torch.sin(1.6 * waves[int(c)] + p) for c, p in zip(labels, phase, strict=True)]
    )
    noisy = clean + 0.3 * torch.randn(clean.shape, generator=generator)
    pixels = (128 + 70 * noisy).clamp(0, 255).to(torch.uint8)
    return pixels[:, None], labels


def toy_splits(side: int) -> dict[str, Split]:
    """Weights 192, architecture 60, test 60 striped images."""
    moments = (torch.tensor([0.5]), torch.tensor([0.25]))
    return {
        name: Split(*stripes(count, side, seed), *moments, 1, False)
        for seed, (name, count) in enumerate([("weights", 192), ("architecture", 60), ("test", 60)])
    }


def toy_problem(space: SearchSpace | None = None, **changes: Any) -> Problem:
    """A problem on `space` (the toy space if None); `changes` go into the spec."""
    space = space or toy_space()
    latency = macs_latency(space)
    middle = (latency.fastest_ms + latency.slowest_ms) / 2
    spec: RunSpec = search_spec(
        **{"space": space, "latency_limit_ms": middle, "epochs": 6, **changes}
    )
    torch.manual_seed(spec.seed)
    generator = torch.Generator().manual_seed(spec.seed)
    supernet = open_supernet(spec, space, generator)
    splits = toy_splits(space.input.size)
    rng = random.Random(spec.seed)
    recipe = Recipe(batch=32)
    kept = Filter(space, latency, spec.latency_limit_ms, spec.limits)
    return Problem(
        spec, space, splits, latency, supernet, recipe, kept, rng, generator, lambda _: None
    )


class CountingDevice:
    """A device whose latency follows the size of the file; it counts what it was asked."""

    name, key = "counting device", "fake"

    def __init__(self, ms_per_kilobyte: float = 0.01) -> None:
        self.ms_per_kilobyte = ms_per_kilobyte
        self.asked: list[int] = []

    def provenance(self) -> dict[str, Any]:
        return {"device": self.name, "runtime": "none", "runtime_version": "0"}

    def measure(
        self, models: Sequence[bytes], _effort: Effort, on_progress: Progressing
    ) -> list[Samples]:
        self.asked.append(len(models))
        on_progress(1.0, "")
        return [self._samples(len(m) / 1000 * self.ms_per_kilobyte) for m in models]

    def _samples(self, ms: float) -> Samples:
        return Samples(ms, ms, ms, ms, 100, (ms, ms * 1.01))
