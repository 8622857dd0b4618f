"""Searches from which a space can be shrunk, and measured conflicts; no worker, no torch."""

from __future__ import annotations

import math
import random
import zlib
from dataclasses import dataclass
from pathlib import Path

from engine.cost import network_cost
from engine.events import Conflicts, Event, Finished, Progress, Resumed
from engine.space import Arch
from engine.spec import ConflictSpec
from engine.store import Status
from tests.studio import fake_run
from tests.studio.fake_run import Fake

LOSS = 0.05
"""What every 5×5 kernel of the last stage costs in accuracy."""


@dataclass(eq=False)
class Planted(Fake):
    """Larger networks are better, but for the kernel of the last stage: 5×5 is slower and worse."""

    def accuracy(self, arch: Arch) -> float:
        """Rises with size, falls with every 5×5 kernel of the last stage."""
        params = network_cost(self.space, arch).params
        bad = sum(op.startswith("k5") for op in arch.ops[-3:])
        luck = random.Random(zlib.crc32(str(arch).encode())).gauss(0, 0.004)
        return round(0.96 - 0.3 * math.exp(-params / 6000) - LOSS * bad + luck, 4)


def make(root: Path, title: str = "Why") -> tuple[Planted, int]:
    """A workspace with one finished search that has learned what the last stage need not have."""
    fake = fake_run.make(root, title)
    planted = Planted(fake.workspace, fake.space)
    return planted, fake_run.search(planted)


def conflicts(fake: Fake, run: int, state: str = "finished", *, share: float = 1.0) -> int:
    """A run that compared the choices of every layer, the second of which has a conflict."""
    rng = random.Random(5)
    genes = fake.space.genes()
    told: list[Event] = [Resumed(0)]
    for number, (gene, slot) in enumerate(zip(genes, fake.space.slots(), strict=True)):
        ops = tuple("-".join(value) for value in gene.values)
        told.append(Conflicts(slot.name, ops, _cosines(ops, rng, apart=number == 1)))
        told.append(Progress(number + 1, len(genes), "conflicts"))
    told = told[: 1 + 2 * round(share * len(genes))]
    if state == "finished":
        told.append(Finished("conflicts told", 11.0))
    status = Status("conflicts", share, 8.0, f"place {round(share * len(genes))} of {len(genes)}")
    return fake_run._record(fake, ConflictSpec(run), told, state, status)


def _cosines(
    ops: tuple[str, ...], rng: random.Random, *, apart: bool
) -> tuple[tuple[float, ...], ...]:
    """Choices agree, but for the first and the last where they pull `apart`."""
    table = [[1.0] * len(ops) for _ in ops]
    for i in range(len(ops)):
        for k in range(i):
            ends = apart and (i, k) == (len(ops) - 1, 0)
            table[i][k] = table[k][i] = -0.31 if ends else rng.uniform(0.2, 0.9)
    return tuple(map(tuple, table))
