"""Training and judging one network: what is decayed, what is recalibrated, what accuracy means."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from engine import problem as problems
from engine import train
from engine.batches import Split
from engine.build import build
from engine.errors import RunError
from engine.events import EpochEnd
from engine.problem import evaluate
from engine.recipe import Recipe, recipe_for
from engine.train import (
    SMALL_MACS,
    accuracy,
    cosine,
    fit,
    optimizer_for,
    recalibrate_bn,
    set_lr,
    use_threads,
)
from tests.problems import toy_problem, toy_space, toy_splits

CALIBRATED_IN = 256  # images in one batch of a recalibration


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int, seed: int = 0) -> Split:
    """Grey 4x4 noise that grows brighter from image to image, normalised by nothing."""
    ramp = torch.linspace(0.2, 1.0, count)[:, None, None, None]
    pixels = torch.rand(count, 1, 4, 4, generator=seeded(seed)) * ramp * 255
    moments = (torch.tensor([0.0]), torch.tensor([1.0]))
    return Split(pixels.to(torch.uint8), torch.zeros(count, dtype=torch.long), *moments, 0, False)


def toy_network(seed: int = 0) -> nn.Sequential:
    space = toy_space()
    return build(space.layers(space.largest()), seeded(seed))


def norms(network: nn.Module) -> list[nn.BatchNorm2d]:
    return [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]


def statistics(network: nn.Module) -> list[Tensor]:
    """Copies of the running means and variances of all batch norms."""
    return [t.clone() for n in norms(network) for t in (n.running_mean, n.running_var)]


# -- batch norm -----------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [100, 256, 257, 600, 640, 3000])
def test_recalibrated_statistics_are_plain_means_over_batches_of_the_first_images(count) -> None:
    split, norm = noise(count), nn.BatchNorm2d(1)
    norm.running_mean += 7  # what was there before is forgotten, and counts as no batch
    norm.num_batches_tracked += 5
    recalibrate_bn(nn.Sequential(norm), split)
    used = min(count, train.RECALIBRATION_IMAGES)
    cut = (split.images[:used].float() / 255).split(CALIBRATED_IN)
    # A small last batch would count as much as a full one, and one image has no variance.
    batches = [b for b in cut if len(b) * 2 >= min(CALIBRATED_IN, used)]
    means, variances = [b.mean() for b in batches], [b.var() for b in batches]
    assert float(norm.running_mean) == pytest.approx(float(sum(means)) / len(batches), rel=1e-4)
    assert float(norm.running_var) == pytest.approx(float(sum(variances)) / len(batches), rel=1e-4)


def test_recalibrating_leaves_weights_and_momentum_as_they_were_and_the_network_judging() -> None:
    network = toy_network()
    for norm, momentum in zip(norms(network), (0.3, None, 0.1), strict=False):
        norm.momentum = momentum
    momenta = [norm.momentum for norm in norms(network)]
    weights = [p.detach().clone() for p in network.parameters()]
    network.train()
    recalibrate_bn(network, toy_splits(8)["weights"])
    assert [norm.momentum for norm in norms(network)] == momenta
    assert all(torch.equal(a, b) for a, b in zip(weights, network.parameters(), strict=True))
    assert not network.training


def test_recalibrating_twice_equals_once() -> None:
    network, split = toy_network(), toy_splits(8)["weights"]
    recalibrate_bn(network, split)
    first = statistics(network)
    recalibrate_bn(network, split)
    assert all(torch.equal(a, b) for a, b in zip(first, statistics(network), strict=True))


def test_a_recalibrated_network_can_still_be_trained() -> None:
    network, split = toy_network(), toy_splits(8)["weights"]
    recalibrate_bn(network, split)
    network.train()
    network(next(split.in_order(8))[0]).sum().backward()
    assert all(p.grad is not None for p in network.parameters())


# -- accuracy -------------------------------------------------------------------------------------


class Brightness(nn.Module):
    """Says class 1 of images above half brightness, else class 0."""

    def forward(self, x: Tensor) -> Tensor:
        bright = (x.mean((1, 2, 3)) > 0.5).float()
        return torch.stack([1 - bright, bright], dim=1)


def test_accuracy_is_the_share_of_images_labelled_rightly() -> None:
    images = torch.zeros(1000, 1, 4, 4, dtype=torch.uint8)
    images[300:] = 255
    labels = torch.zeros(1000, dtype=torch.long)
    labels[400:] = 1  # the hundred between are labelled wrongly
    split = Split(images, labels, torch.tensor([0.0]), torch.tensor([1.0]), 4, True)
    assert accuracy(Brightness(), split) == 0.9


def test_accuracy_is_taken_in_eval_mode_and_changes_nothing() -> None:
    network, split = toy_network().train(), toy_splits(8)["architecture"]
    before = statistics(network)
    assert accuracy(network, split) == accuracy(network, split)
    assert not network.training
    assert all(torch.equal(a, b) for a, b in zip(before, statistics(network), strict=True))


# -- a candidate's proxy accuracy -----------------------------------------------------------------


def test_a_candidate_is_judged_on_recalibrated_batch_norm(monkeypatch) -> None:
    problem = toy_problem()
    arch = problem.space.largest()
    problem.supernet.load_state_dict(trained_weights())
    for norm in norms(problem.supernet):  # as other subnets would leave them
        norm.running_mean.add_(3.0)
        norm.running_var.mul_(20.0)
    judged = evaluate(problem, arch).proxy_accuracy
    network = problem.supernet.subnet(arch)
    recalibrate_bn(network, problem.splits["weights"])
    assert judged == accuracy(network, problem.splits["architecture"])
    monkeypatch.setattr(problems, "recalibrate_bn", lambda *_: None)
    assert judged > evaluate(problem, arch).proxy_accuracy + 0.2
    assert judged > 0.7


def test_a_candidate_is_recalibrated_on_the_images_that_train_not_on_those_that_judge() -> None:
    problem = toy_problem()
    problem.supernet.load_state_dict(trained_weights())
    judging = problem.splits["architecture"]
    problem.splits["architecture"] = replace(judging, images=judging.images // 3)  # darker
    arch = problem.space.largest()
    by = {}
    for name in ("weights", "architecture"):
        network = problem.supernet.subnet(arch)
        recalibrate_bn(network, problem.splits[name])
        by[name] = accuracy(network, problem.splits["architecture"])
    assert by["weights"] != by["architecture"]
    assert evaluate(problem, arch).proxy_accuracy == by["weights"]


def test_judging_a_candidate_leaves_the_shared_weights_and_their_statistics_alone() -> None:
    problem = toy_problem()
    before = {k: v.clone() for k, v in problem.supernet.state_dict().items()}
    evaluate(problem, problem.space.largest())
    after = problem.supernet.state_dict()
    assert all(torch.equal(before[k], after[k]) for k in before)


def trained_weights() -> dict[str, Tensor]:
    """Shared weights of the toy space after the largest network was trained on the toy images."""
    problem = toy_problem()
    supernet, split = problem.supernet, problem.splits["weights"]
    optimizer = optimizer_for(supernet, problem.recipe)
    for _ in range(8):
        for x, y in split.shuffled(32, problem.generator):
            optimizer.zero_grad()
            nn.functional.cross_entropy(supernet(x, problem.space.largest()), y).backward()
            optimizer.step()
    return supernet.state_dict()


# -- optimiser and schedule -----------------------------------------------------------------------


def test_batch_norm_and_biases_are_not_decayed_and_every_weight_is() -> None:
    network = toy_network()
    optimizer = optimizer_for(network, Recipe(lr=0.5, weight_decay=0.01))
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    for p in network.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    plain = {n for n, m in network.named_modules() if isinstance(m, nn.BatchNorm2d)}
    for name, p in network.named_parameters():
        kept = name.rpartition(".")[0] in plain or name.endswith(".bias")
        # One Nesterov step from rest on the decay alone: lr · (1 + momentum) · decay of the weight.
        factor = 1.0 if kept else 1 - 0.5 * 1.9 * 0.01
        assert torch.allclose(p, factor * before[name], rtol=1e-6, atol=0), name


def test_the_learning_rate_starts_whole_ends_at_zero_and_never_rises() -> None:
    rates = [cosine(0.4, share / 50) for share in range(51)]
    assert rates[0] == pytest.approx(0.4)
    assert rates[25] == pytest.approx(0.2)
    assert rates[-1] == pytest.approx(0.0)
    assert rates == sorted(rates, reverse=True)
    assert cosine(0.4, 1.7) == pytest.approx(0.0)


def test_a_rate_is_set_for_decayed_and_plain_parameters_alike() -> None:
    optimizer = optimizer_for(toy_network(), Recipe())
    set_lr(optimizer, 0.0123)
    assert [group["lr"] for group in optimizer.param_groups] == [0.0123, 0.0123]


@pytest.mark.parametrize(
    ("images", "batch", "smoothing"),
    [(10_000, 128, 0.1), (9_999, 64, 0.05), (600, 64, 0.05), (599, 32, 0.05)],
)
def test_the_recipe_follows_the_number_of_images(images, batch, smoothing) -> None:
    assert recipe_for(images) == Recipe(batch=batch, smoothing=smoothing)


# -- training -------------------------------------------------------------------------------------


def fitted(
    network: nn.Module, epochs: int = 6, seed: int = 0
) -> tuple[list[EpochEnd], list[float]]:
    """Events of a training on the toy images, and the shares that were told."""
    told: list[float] = []
    events = fit(
        network,
        toy_splits(8),
        recipe=Recipe(batch=32),
        epochs=epochs,
        generator=seeded(seed),
        tick=told.append,
    )
    return list(events), told


def test_training_improves_and_its_last_accuracy_is_that_of_the_network_it_leaves() -> None:
    network = toy_network()
    events, told = fitted(network)
    assert events[-1].loss < 0.6 * events[0].loss
    assert events[-1].accuracy > 0.7
    assert events[-1].accuracy == accuracy(network, toy_splits(8)["architecture"])
    assert [(e.phase, e.epoch) for e in events] == [("train", n) for n in range(1, 7)]
    assert told == sorted(told)
    assert (len(told), told[-1]) == (6 * 6, pytest.approx(1.0))


def test_training_ends_with_recalibrated_batch_norm() -> None:
    network = toy_network()
    fitted(network, epochs=1)
    left = statistics(network)
    recalibrate_bn(network, toy_splits(8)["weights"])
    assert all(torch.equal(a, b) for a, b in zip(left, statistics(network), strict=True))


def test_every_accuracy_on_the_way_is_that_of_the_network_at_that_moment() -> None:
    network, splits = toy_network(), toy_splits(8)
    events = fit(
        network,
        splits,
        recipe=Recipe(batch=32),
        epochs=4,
        generator=seeded(),
        tick=lambda _: None,
    )
    for event in events:
        copy = toy_network()
        copy.load_state_dict(network.state_dict())
        recalibrate_bn(copy, splits["weights"])
        assert event.accuracy == accuracy(copy, splits["architecture"])


def test_training_is_plain_descent_with_a_cosine_over_all_epochs() -> None:
    """Against the loop written out, with gradients that nothing can accumulate in."""
    network, reference, splits = toy_network(), toy_network(), toy_splits(8)
    recipe, modes = Recipe(lr=0.07, batch=48, smoothing=0.2), []
    run = fit(
        network,
        splits,
        recipe=recipe,
        epochs=2,
        generator=seeded(3),
        tick=lambda _: modes.append(network.training),
    )
    losses = [event.loss for event in run]
    optimizer, generator = optimizer_for(reference, recipe), seeded(3)
    expected = []
    for epoch in range(2):
        reference.train()
        sums = 0.0
        for i, (x, y) in enumerate(splits["weights"].shuffled(48, generator)):
            set_lr(optimizer, 0.07 * (1 + math.cos(math.pi * (4 * epoch + i) / 8)) / 2)
            loss = nn.functional.cross_entropy(reference(x), y, label_smoothing=0.2)
            gradients = torch.autograd.grad(loss, list(reference.parameters()))
            for p, gradient in zip(reference.parameters(), gradients, strict=True):
                p.grad = gradient
            optimizer.step()
            sums += loss.item() / 4
        expected.append(sums)
    assert losses == pytest.approx(expected, rel=1e-5)
    assert modes == [True] * 8
    for a, b in zip(network.parameters(), reference.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-5)


def test_the_test_split_is_not_looked_at_while_training() -> None:
    splits = {name: split for name, split in toy_splits(8).items() if name != "test"}
    recipe = Recipe(batch=32)
    run = fit(
        toy_network(),
        splits,
        recipe=recipe,
        epochs=1,
        generator=seeded(),
        tick=lambda _: None,
    )
    assert len(list(run)) == 1


def test_the_same_generator_trains_the_same_network() -> None:
    first, again, other = (fitted(toy_network(), 2, seed)[0] for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_training_that_diverges_ends_in_words(monkeypatch) -> None:
    monkeypatch.setattr(train, "loss_of", lambda logits, *_: logits.sum() * float("nan"))
    with pytest.raises(RunError, match="nan") as caught:
        fitted(toy_network(), epochs=1)
    assert caught.value.hint


# -- threads --------------------------------------------------------------------------------------


@pytest.fixture
def threads() -> Iterator[None]:
    """Puts the number of threads back."""
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("threads")
def test_small_networks_train_on_one_thread_and_large_ones_on_every_core(monkeypatch) -> None:
    cores = {0, 1, 2}
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: cores)
    monkeypatch.setattr(os, "cpu_count", lambda: len(cores))
    assert [use_threads(n) for n in (1, SMALL_MACS - 1)] == [1, 1]
    assert torch.get_num_threads() == 1
    assert use_threads(SMALL_MACS) == len(cores)
    assert torch.get_num_threads() == len(cores)
