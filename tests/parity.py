"""Sampled networks of every block family as torch module and as ONNX file: how far they differ."""

from __future__ import annotations

import random

import numpy as np
import torch

from engine.blocks import BLOCKS, SEARCHED, Value
from engine.build import arrays, build
from engine.errors import SpaceError
from engine.graph import to_onnx
from engine.space import Arch, SearchSpace
from tests.builders import document
from tests.networks import run_onnx, settled

TOLERANCE = 1e-4
WIDTHS = (16, 32, 48, 64, 96, 128)


def any_space(rng: random.Random, family: str) -> SearchSpace:
    """A random space of two stages with `family`; one that cannot be built is drawn again."""
    while True:
        stages = [_stage(rng, family), _stage(rng, rng.choice((family, *SEARCHED)))]
        stem = {"width": rng.choice(WIDTHS[:3]), "kernel": 3, "stride": rng.choice([1, 2])}
        size = {"size": rng.choice([8, 12, 16]), "channels": rng.choice([1, 3])}
        head = {"width": rng.choice([0, 32]), "dropout": 0.0, "hidden": rng.choice([0, 24])}
        try:
            return SearchSpace.from_json(document(*stages, stem=stem, input=size, head=head))
        except SpaceError:
            continue


def _stage(rng: random.Random, family: str) -> dict[str, object]:
    most = rng.choice([1, 2])
    fields: dict[str, list[Value]] = {
        f.name: rng.sample(f.values, min(len(f.values), 2)) for f in BLOCKS[family].fields
    }
    shape = {"width": rng.choice(WIDTHS), "depth": [1, most], "stride": rng.choice([1, 2])}
    return {"block": family, **fields, **shape}


def difference(space: SearchSpace, arch: Arch, seed: int) -> float:
    """Largest |torch - ONNX Runtime| over the logits of four inputs, over the largest logit."""
    generator = torch.Generator().manual_seed(seed)
    shape = (4, space.input.channels, space.input.size, space.input.size)
    x = torch.randn(shape, generator=generator)
    network = settled(build(space.layers(arch), generator), x)
    with torch.inference_mode():
        wanted = network(x).numpy()
    got = run_onnx(to_onnx(space.layers(arch), arrays(network), metadata={}), x.numpy())
    return float(np.abs(got - wanted).max() / max(1.0, np.abs(wanted).max()))
