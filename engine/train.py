"""Training and judging one network: optimiser, schedule, batch-norm recalibration, accuracy."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.batches import Split
from engine.droppath import DropPath
from engine.errors import RunError
from engine.events import EpochEnd
from engine.recipe import Recipe
from engine.rmsprop import TFRMSProp

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


class DecayingRMSProp(TFRMSProp):
    """`TFRMSProp` whose gradients include those of `weight_decay / 2 · w²`, group by group."""

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # no closure is ever given
        """One update of every parameter that has a gradient, which then holds the decay too."""
        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    p.grad.add_(p, alpha=group["weight_decay"])
        super().step(closure)


def optimizer_for(module: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimiser of all weights of `module`; norms and biases are not decayed.

    `sgd`: momentum 0.9, Nesterov. `adamw`: decay apart from the gradient. `rmsprop`: as TensorFlow
    has it, decay as part of the gradient.
    """
    plain = [p for p in module.parameters() if p.ndim <= 1]
    decayed = [p for p in module.parameters() if p.ndim > 1]
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    match recipe.optimizer:
        case "sgd":
            return torch.optim.SGD(groups, lr=recipe.lr, momentum=0.9, nesterov=True)
        case "adamw":
            return torch.optim.AdamW(groups, lr=recipe.lr)
    assert recipe.optimizer == "rmsprop", recipe.optimizer
    optimizer = DecayingRMSProp(decayed, lr=recipe.lr)
    optimizer.param_groups[0].update(groups[0])
    optimizer.add_param_group(groups[1])
    return optimizer


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
    """Mean cross-entropy in nats; `labels` are classes (N,), or their shares (N, classes)."""
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


def towards(logits: Tensor, answers: Tensor) -> Tensor:
    """Mean divergence KL(answers || own) in nats; both are logits (N, classes)."""
    own, theirs = F.log_softmax(logits, 1), F.log_softmax(answers, 1)
    return F.kl_div(own, theirs, reduction="batchmean", log_target=True)


class Average:
    """Moving average of the weights of `network`; with `decay` 0 there is none, nothing happens.

    After update t (from 0) it keeps min(decay, (1 + t) / (10 + t)) of itself, so that the weights
    of the beginning are soon forgotten.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay, self.updates = decay, 0
        self.trained = list(network.parameters()) if decay > 0.0 else []
        self.mean = [p.detach().clone() for p in self.trained]

    @torch.no_grad()
    def update(self) -> None:
        """Takes the weights as they are now into the average."""
        keep = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for mean, p in zip(self.mean, self.trained, strict=True):
            mean.lerp_(p, 1 - keep)

    @torch.no_grad()
    def swap(self) -> None:
        """Exchanges the network's weights and the average; a second time puts them back."""
        for mean, p in zip(self.mean, self.trained, strict=True):
            before = p.clone()
            p.copy_(mean)
            mean.copy_(before)


def fit(
    network: nn.Module,
    splits: dict[str, Split],
    *,
    recipe: Recipe,
    epochs: int,
    generator: torch.Generator,
    tick: Tick,
    teacher: nn.Module | None = None,
) -> Iterator[EpochEnd]:
    """Trains `network` on the weights split; one event per epoch with the accuracy so far.

    `splits` are those loaded for `recipe`. A `teacher` in eval mode is followed as far as the
    recipe says. Whenever an event comes, `network` has the weights that were judged: the average
    of them, if the recipe wants one. Batch norm is recalibrated before every judgement: over few
    steps its running statistics lag.
    """
    optimizer = optimizer_for(network, recipe)
    split = splits["weights"]
    assert split.mixup == recipe.mixup, "splits of another recipe"
    assert bool(split.cutout) == (recipe.augment == "shift+cutout"), "splits of another recipe"
    count = split.batches(recipe.batch)
    average = Average(network, recipe.ema)
    with DropPath(network, recipe.drop_path, generator) as drop:
        for epoch in range(1, epochs + 1):
            network.train()
            total = 0.0
            for i, (x, y) in enumerate(split.shuffled(recipe.batch, generator)):
                drop.share = (epoch - 1 + i / count) / epochs
                set_lr(optimizer, cosine(recipe.lr, drop.share))
                loss = _loss(network(x), x, y, recipe=recipe, teacher=teacher)
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                average.update()
                total += finite(loss.item())
                tick((epoch - 1 + (i + 1) / count) / epochs)
            drop.share = 0.0  # whole branches, while statistics are taken
            average.swap()
            recalibrate_bn(network, split)
            so_far = accuracy(network, splits["architecture"])
            yield EpochEnd("train", epoch, total / count, 0.0, 0.0, (), (), so_far)
            if epoch < epochs:
                average.swap()


def _loss(
    logits: Tensor, x: Tensor, y: Tensor, *, recipe: Recipe, teacher: nn.Module | None
) -> Tensor:
    loss = loss_of(logits, y, recipe.smoothing)
    if teacher is None or recipe.distill == 0.0:
        return loss
    with torch.no_grad():
        answers = teacher(x)
    return (1 - recipe.distill) * loss + recipe.distill * towards(logits, answers)
