"""Training and judging one network: optimiser, schedule, batch-norm recalibration, accuracy."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.batches import Split
from engine.errors import RunError
from engine.events import EpochEnd
from engine.recipe import Recipe

EVAL_BATCH = 512
RECALIBRATION_IMAGES, RECALIBRATION_BATCH = 1024, 256

SMALL_MACS = 4_000_000  # of the largest network: below, a second thread costs more than it brings

Tick = Callable[[float], None]
"""Called often with the share (0..1) of the current step that is done; may raise to end the run."""


def use_threads(largest_macs: int) -> int:
    """Sets and returns the number of threads for training networks up to so many MACs.

    Tiny networks train on one thread: its loops are shorter than waking another, and a neighbour
    on the second core would stall every one of them. A rule, not a trial run, so that a seed gives
    the same sums, hence the same results, every time.
    """
    threads = 1 if largest_macs < SMALL_MACS else len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    return threads


def sgd(module: nn.Module, recipe: Recipe) -> torch.optim.SGD:
    """The optimiser of weights; batch norm and biases are not decayed."""
    plain = [p for p in module.parameters() if p.ndim <= 1]
    decayed = [p for p in module.parameters() if p.ndim > 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)


def set_lr(optimizer: torch.optim.Optimizer, lr: float) -> None:
    """Sets the learning rate of every group."""
    for group in optimizer.param_groups:
        group["lr"] = lr


def cosine(lr: float, share: float) -> float:
    """Learning rate after `share` (0..1) of the training: half a cosine from `lr` to 0."""
    return 0.5 * lr * (1 + math.cos(math.pi * min(1.0, share)))


def finite(loss: float) -> float:
    """`loss`; RunError if training has diverged, since nothing after that means anything."""
    if not math.isfinite(loss):
        raise RunError(
            f"training: the loss must stay a number, got {loss}: it diverged.",
            "Search again with another seed, or in stable mode.",
        )
    return loss


def loss_of(logits: Tensor, labels: Tensor, smoothing: float) -> Tensor:
    """Mean cross-entropy in nats."""
    return F.cross_entropy(logits, labels, label_smoothing=smoothing)


@torch.inference_mode()
def recalibrate_bn(network: nn.Module, split: Split) -> None:
    """Re-estimates every batch norm's statistics from scratch, as means over batches of `split`."""
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over batches, so their order does not matter
    network.train()
    for x, _ in split.in_order(min(RECALIBRATION_BATCH, len(split)), RECALIBRATION_IMAGES):
        if len(x) * 2 >= min(RECALIBRATION_BATCH, split.most, len(split)):
            network(x)  # a last small batch would count as much as a full one
    network.eval()
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum


@torch.inference_mode()
def accuracy(network: nn.Module, split: Split) -> float:
    """Share of images of `split` that `network`, in eval mode, labels rightly."""
    network.eval()
    right = sum(
        int((network(x).argmax(1) == y).sum().item()) for x, y in split.in_order(EVAL_BATCH)
    )
    return right / len(split)


def fit(
    network: nn.Module,
    splits: dict[str, Split],
    *,
    recipe: Recipe,
    epochs: int,
    generator: torch.Generator,
    tick: Tick,
) -> Iterator[EpochEnd]:
    """Trains `network` on the weights split; one event per epoch with the accuracy so far.

    Batch norm is recalibrated before every judgement: over few steps its running statistics lag.
    """
    optimizer = sgd(network, recipe)
    split = splits["weights"]
    count = split.batches(recipe.batch)
    for epoch in range(1, epochs + 1):
        network.train()
        total = 0.0
        for i, (x, y) in enumerate(split.shuffled(recipe.batch, generator)):
            set_lr(optimizer, cosine(recipe.lr, (epoch - 1 + i / count) / epochs))
            loss = loss_of(network(x), y, recipe.smoothing)
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            total += finite(loss.item())
            tick((epoch - 1 + (i + 1) / count) / epochs)
        recalibrate_bn(network, split)
        so_far = accuracy(network, splits["architecture"])
        yield EpochEnd("train", epoch, total / count, 0.0, 0.0, (), (), so_far)
