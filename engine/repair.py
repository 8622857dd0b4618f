"""Making an architecture cheaper until it meets the limit, at the least cost in accuracy.

One step of NetAdapt without its finetuning: of single changes that save latency, the one that
costs the least cross-entropy per ms on a batch of the architecture split. Far from the limit there
would be hundreds of such steps, so the first part of the way is gone by predicted latency alone.
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
NEAR = 1.25  # times the limit: from here on changes are judged


def repaired(problem: Problem, arch: Arch) -> Arch:
    """`arch`, or what is left of it once it is within the limit (or the fastest there is)."""
    latency, limit_ms = problem.latency, problem.limit_ms
    if latency.predict(arch) > NEAR * limit_ms:
        arch = move_to(problem.space, latency, arch, NEAR * limit_ms, problem.rng)
    batch = next(problem.splits["architecture"].in_order(PROBE_IMAGES))
    while latency.predict(arch) > limit_ms:
        options = neighbours(problem, arch)
        if not options:
            break  # the run loop refuses limits below the fastest architecture
        if len(options) > MOST_PROBED:
            options = problem.rng.sample(options, MOST_PROBED)
        here = probe(problem, arch, batch)
        arch = min((_price(problem, option, here, batch), option[0]) for option in options)[1]
    return arch


def _price(
    problem: Problem, option: tuple[Arch, float], here: float, batch: tuple[Tensor, Tensor]
) -> float:
    """Cross-entropy that a change costs per ms that it saves; `here` is that without it."""
    problem.tick(0.0)  # somebody may want to pause
    cheaper, saved_ms = option
    return (probe(problem, cheaper, batch) - here) / saved_ms


def neighbours(problem: Problem, arch: Arch) -> list[tuple[Arch, float]]:
    """Architectures with one gene of `arch` replaced by a cheaper one, and the ms that saves."""
    space, latency = problem.space, problem.latency
    here, parts, result = latency.predict(arch), space.parts(arch), []
    for i, gene in enumerate(space.genes()):
        for value in gene.values:
            other = Arch(tuple(op for part in (*parts[:i], value, *parts[i + 1 :]) for op in part))
            saved = here - latency.predict(other)
            if saved > 1e-12:  # sums of the same terms differ by less
                result.append((other, saved))
    return result


@torch.no_grad()
def probe(problem: Problem, arch: Arch, batch: tuple[Tensor, Tensor]) -> float:
    """Cross-entropy of `arch` on one batch, batch norm using the batch's own statistics."""
    supernet = problem.supernet
    supernet.train()
    supernet.head.eval()  # no dropout: options must be compared on equal terms
    loss = float(loss_of(supernet(batch[0], arch), batch[1], 0.0))
    supernet.head.train()
    return loss
