"""Making an architecture cheaper until it keeps all limits, at the least cost in accuracy.

One step of NetAdapt without its finetuning: of single changes towards the limits, the one that
costs the least cross-entropy for what it saves, on a batch of the architecture split. Far from the
limits there would be hundreds of such steps, so the first part of the way is gone by costs alone.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.front.evolution import move_to
from engine.problem import Problem
from engine.space import Arch
from engine.train import loss_of

PROBE_IMAGES = 512  # images that a change is judged on, fewer where they do not fit in memory
MOST_PROBED = 32  # changes judged per step; of more, these are drawn
NEAR = 1.25  # times the limits: from here on changes are judged


def repaired(problem: Problem, arch: Arch) -> Arch:
    """`arch`, or what is left of it once it keeps all limits.

    Where single changes lead nowhere, a drawn network is moved into the limits in its place; it
    does not keep them only if there is next to none that does, which the run loop refuses.
    """
    kept, latency, limit_ms = problem.filter, problem.latency, problem.limit_ms
    if latency.predict(arch) > NEAR * limit_ms:
        arch = move_to(problem.space, latency, arch, NEAR * limit_ms, problem.rng)
    arch = kept.fit(arch, problem.rng, slack=NEAR)
    batch = next(problem.splits["architecture"].in_order(PROBE_IMAGES))
    while not kept.keeps(arch):
        options = kept.moves.savings(arch, kept.most())
        if not options:
            return kept.toward(arch, problem.rng)
        if len(options) > MOST_PROBED:
            options = problem.rng.sample(options, MOST_PROBED)
        here = probe(problem, arch, batch)
        arch = min((_price(problem, option, here, batch), option[0]) for option in options)[1]
    return arch


def _price(
    problem: Problem, option: tuple[Arch, float], here: float, batch: tuple[Tensor, Tensor]
) -> float:
    """Cross-entropy that a change costs for what it saves; `here` is that without it."""
    problem.tick(0.0)  # somebody may want to pause
    cheaper, saved = option
    return (probe(problem, cheaper, batch) - here) / saved


@torch.no_grad()
def probe(problem: Problem, arch: Arch, batch: tuple[Tensor, Tensor]) -> float:
    """Cross-entropy of `arch` on one batch, batch norm using the batch's own statistics."""
    supernet = problem.supernet
    supernet.train()
    supernet.head.eval()  # no dropout: options must be compared on equal terms
    loss = float(loss_of(supernet(batch[0], arch), batch[1], 0.0))
    supernet.head.train()
    return loss
