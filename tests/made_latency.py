"""A latency model that was never measured, for tests of what reads one."""

from __future__ import annotations

import random

from engine.cost import layer_cost
from engine.latency import LatencyModel, Prediction, gene_ms
from engine.space import SKIP, SearchSpace

GRAIN = 1 / 64
"""All times are multiples of it, so that sums are exact in any order."""


def drawn_model(space: SearchSpace, seed: int) -> LatencyModel:
    """Times drawn from 1 to 64 grains, whatever the op; a skipped layer may take time too."""
    rng = random.Random(seed)
    tables = tuple(
        {op: GRAIN * (rng.randint(0, 4) if op == SKIP else rng.randint(1, 64)) for op in slot.ops}
        for slot in space.slots()
    )
    return _model(space, tables)


def macs_model(space: SearchSpace) -> LatencyModel:
    """One grain per 256 MACs begun, so that more work takes longer."""
    tables = tuple(
        {
            op: 0.0 if op == SKIP else GRAIN * -(-layer_cost(slot.layer(op)).macs // 256)
            for op in slot.ops
        }
        for slot in space.slots()
    )
    return _model(space, tables)


def _model(space: SearchSpace, tables: tuple[dict[str, float], ...]) -> LatencyModel:
    genes = gene_ms(space, tables)
    return LatencyModel(
        device={"name": "made up"},
        device_key="made up",
        space_digest=space.digest(),
        constant_ms=4 * GRAIN,
        slot_ms=tables,
        prediction=Prediction(0.01, 1.0, 1.0, 30, 20, 1.0),
        fastest_ms=4 * GRAIN + sum(map(min, genes)),
        median_ms=1.0,
        slowest_ms=4 * GRAIN + sum(map(max, genes)),
        stem_share=0.25,
    )
