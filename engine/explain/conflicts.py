"""Gradient conflicts: which choices of a place fight over the weights that all of them share.

Gradient matching of few-shot NAS (GM-NAS): with one value of a gene fixed and the rest of the
network drawn, the gradient on the weights outside that gene's slots; two values whose averaged
gradients point apart want different shared weights. A diagnosis only: no supernet is split, and
nothing is trained.
"""

from __future__ import annotations

import random
from collections.abc import Iterator

import torch
from torch import Tensor, nn

from engine.batches import Split
from engine.events import Conflicts
from engine.explain.knobs import place
from engine.recipe import Recipe
from engine.space import Arch, Gene, SearchSpace
from engine.supernet import SuperNet
from engine.train import Tick, finite, loss_of

MOST = 2**17  # numbers kept of each gradient: there is one for every value of a gene


def contested(space: SearchSpace) -> list[Gene]:
    """The genes that have a choice, in order."""
    return [gene for gene in space.genes() if len(gene.values) > 1]


def conflicts_of(
    supernet: SuperNet,
    gene: Gene,
    *,
    batches: list[tuple[Tensor, Tensor]],
    recipe: Recipe,
    seed: int,
    tick: Tick,
) -> Conflicts:
    """Cosines between the values of one gene, of gradients averaged over `batches`.

    All values see the same images, the same dropout and, batch by batch, the same rest of the
    network, so that they differ by their choice alone. -1 to 1; 0 where a gradient vanishes. Batch
    norm works on the batch, so running statistics play no part.
    """
    supernet.train()
    space = supernet.space
    rng = random.Random(f"{seed}/{gene.slots}")
    weights = rest_of(supernet, gene)
    sketch = Sketch(sum(p.numel() for p in weights), seed)
    sums: list[Tensor | None] = [None] * len(gene.values)
    for number, (x, y) in enumerate(batches):
        others, dropout = space.sample(rng), rng.randrange(2**31)
        for i, value in enumerate(gene.values):
            torch.manual_seed(dropout)
            loss = loss_of(supernet(x, put(others, gene, value)), y, recipe.smoothing)
            finite(loss.item())
            found = sketch(gradient(loss, weights))
            known = sums[i]
            sums[i] = found if known is None else known + found
            tick((number * len(gene.values) + i + 1) / (len(batches) * len(gene.values)))
    names = tuple("-".join(value) for value in gene.values)
    return Conflicts(
        named(space, gene), names, cosines(torch.stack([s for s in sums if s is not None]))
    )


def named(space: SearchSpace, gene: Gene) -> str:
    """The slot's name, or `stage 2` where a gene is a whole stage."""
    return space.slots()[gene.slots[0]].name if len(gene.slots) == 1 else place(space, gene)


def rest_of(supernet: SuperNet, gene: Gene) -> list[nn.Parameter]:
    """The weights outside the gene's slots."""
    own = {id(p) for i in gene.slots for p in supernet.slots[i].parameters()}
    return [p for p in supernet.parameters() if id(p) not in own]


def put(arch: Arch, gene: Gene, value: tuple[str, ...]) -> Arch:
    """`arch` with that value of the gene."""
    ops = list(arch.ops)
    ops[gene.slots[0] : gene.slots[-1] + 1] = value
    return Arch(tuple(ops))


def gradient(loss: Tensor, weights: list[nn.Parameter]) -> Tensor:
    """The gradient of `loss` as one vector; 0 for weights that took no part."""
    found = torch.autograd.grad(loss, weights, allow_unused=True)
    flat = [
        torch.zeros(p.numel()) if g is None else g.flatten()
        for g, p in zip(found, weights, strict=True)
    ]
    return torch.cat(flat)


class Sketch:
    """Vectors of `size` numbers as shorter ones whose cosines are the same, or nearly so.

    Up to `MOST` numbers are kept as they are. More are added up, each with a random sign, in `MOST`
    random places (a count sketch, Charikar et al. 2002): products of two vectors are right on
    average, with an error of their lengths / sqrt(MOST), which is 0.3 % of a cosine. Leaving
    numbers out instead would be far worse: a few large ones make most of a gradient.
    """

    def __init__(self, size: int, seed: int) -> None:
        self.exact, self.most = size <= MOST, MOST
        if not self.exact:
            generator = torch.Generator().manual_seed(seed)
            self.places = torch.randint(self.most, (size,), generator=generator)
            self.signs = torch.randint(2, (size,), generator=generator).float() * 2 - 1

    def __call__(self, vector: Tensor) -> Tensor:
        """The short form of a vector (size,); linear in it."""
        if self.exact:
            return vector
        return vector.new_zeros(self.most).index_add_(0, self.places, vector * self.signs)


def cosines(vectors: Tensor) -> tuple[tuple[float, ...], ...]:
    """(n, width) to the n x n cosines; 0 beside a vector of nothing, 1 with itself."""
    unit = nn.functional.normalize(vectors.double(), dim=1)
    table = (unit @ unit.T).clamp(-1.0, 1.0)
    table.fill_diagonal_(1.0)
    return tuple(tuple(row) for row in table.tolist())


def some_batches(
    split: Split, size: int, count: int, generator: torch.Generator
) -> list[tuple[Tensor, Tensor]]:
    """So many augmented batches, from as many passes over the images as that takes."""

    def endless() -> Iterator[tuple[Tensor, Tensor]]:
        while True:
            yield from split.shuffled(size, generator)

    return [batch for batch, _ in zip(endless(), range(count), strict=False)]
