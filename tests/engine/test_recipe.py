"""A recipe's fields: what may be asked for, and that each is done when a network is trained."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine import devices, train_job, worker
from engine.batches import Split
from engine.build import build
from engine.errors import RunError
from engine.events import EpochEnd, Trained
from engine.front import phase as front_phase
from engine.modules import ResidualBody
from engine.recipe import OPTIMIZERS, Recipe
from engine.spec import DataChoice, DeviceChoice, RunSpec, TrainSpec
from engine.train import Average, accuracy, fit, optimizer_for, recalibrate_bn, towards
from tests.builders import small_space, stage
from tests.problems import CLASSES, CountingDevice, toy_space, toy_splits

SIDE = 8


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def network(seed: int = 0) -> nn.Sequential:
    """The largest network of a space of three stages, with five residual branches."""
    space = small_space(stage(width=4), stage(width=8, stride=2), stage())
    return build(space.layers(space.largest()), seeded(seed))


def splits(recipe: Recipe) -> dict[str, Split]:
    """The toy images, as `load_splits` would give them for `recipe`."""
    how = {"mixup": recipe.mixup, "classes": CLASSES, "shift": int(recipe.augment != "none")}
    how["cutout"] = SIDE // 2 if recipe.augment == "shift+cutout" else 0
    return {name: replace(split, **how) for name, split in toy_splits(SIDE).items()}


def fitted(
    net: nn.Module,
    recipe: Recipe,
    epochs: int = 2,
    *,
    tick: Callable[[float], None] = lambda _: None,
    teacher: nn.Module | None = None,
) -> list[EpochEnd]:
    run = fit(
        net,
        splits(recipe),
        recipe=recipe,
        epochs=epochs,
        generator=seeded(3),
        tick=tick,
        teacher=teacher,
    )
    return list(run)


def weights(net: nn.Module) -> list[Tensor]:
    return [p.detach().clone() for p in net.parameters()]


def same(first: list[Tensor], second: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first, second, strict=True))


def branches(net: nn.Module) -> list[ResidualBody]:
    return [m for m in net.modules() if isinstance(m, ResidualBody)]


# -- the whole ------------------------------------------------------------------------------------

CHANGES: dict[str, Any] = {
    "lr": 0.05,
    "batch": 48,
    "weight_decay": 0.01,
    "smoothing": 0.1,
    "optimizer": "adamw",
    "mixup": 0.4,
    "augment": "shift+cutout",
    "ema": 0.9,
    "distill": 0.5,
    "drop_path": 0.5,
}


@pytest.mark.parametrize("name", [field.name for field in fields(Recipe)])
def test_every_field_changes_the_network_that_training_leaves(name) -> None:
    usual, other = network(), network()
    teacher = network(9).eval()
    fitted(usual, Recipe(batch=32), teacher=teacher)
    fitted(other, replace(Recipe(batch=32), **{name: CHANGES[name]}), teacher=teacher)
    assert not same(weights(usual), weights(other))


def test_everything_at_once_is_the_same_from_the_same_generator_whatever_else_is_drawn() -> None:
    recipe = Recipe(**{**CHANGES, "lr": 0.01})
    left = []
    for _ in range(2):
        net = network()
        events = fitted(net, recipe, teacher=network(9).eval())
        left.append((events, weights(net)))
        torch.rand(7)
    assert left[0][0] == left[1][0]
    assert same(left[0][1], left[1][1])


def test_a_recipe_of_usual_values_is_plain_descent_number_by_number() -> None:
    net, plain, recipe = network(), network(), Recipe(batch=32)
    losses = [event.loss for event in fitted(net, recipe, teacher=network(9).eval())]
    decayed = [p for p in plain.parameters() if p.ndim > 1]
    others = [p for p in plain.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": 5e-4}, {"params": others, "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    split, generator, expected = toy_splits(SIDE)["weights"], seeded(3), []
    for epoch in range(2):
        plain.train()
        total = 0.0
        for i, (x, y) in enumerate(split.shuffled(32, generator)):
            share = (epoch + i / 6) / 2
            for group in optimizer.param_groups:
                group["lr"] = 0.5 * 0.1 * (1 + math.cos(math.pi * share))
            loss = F.cross_entropy(plain(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.item()
        expected.append(total / 6)
    assert losses == expected
    assert same(weights(net), weights(plain))


def test_splits_of_another_recipe_are_no_silent_mistake() -> None:
    recipe = Recipe(batch=32, mixup=0.4)
    run = fit(
        network(),
        toy_splits(SIDE),
        recipe=recipe,
        epochs=1,
        generator=seeded(),
        tick=lambda _: None,
    )
    with pytest.raises(AssertionError, match="another recipe"):
        next(run)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mixup": 2.1}, "mixup must be from 0 to 2, got 2.1"),
        ({"ema": 1.0}, "ema must be from 0 to 0.99999, got 1.0"),
        ({"batch": 1}, "batch must be from 2 to 4096, got 1"),
        ({"optimizer": "lion"}, "optimizer must be one of sgd, adamw, rmsprop, got 'lion'"),
        ({"augment": "cutout"}, "augment must be one of none, shift, shift.cutout, got 'cutout'"),
    ],
)
def test_what_cannot_be_is_refused_in_words(changes, words) -> None:
    with pytest.raises(RunError, match=words):
        Recipe(**changes)


def test_recipes_differ_in_their_digest_as_soon_as_one_field_does() -> None:
    digests = {replace(Recipe(), **{name: value}).digest() for name, value in CHANGES.items()}
    assert len(digests | {Recipe().digest()}) == len(CHANGES) + 1


# -- optimisers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_the_first_step_of_each_optimiser_is_its_formula_and_spares_norms_and_biases(kind) -> None:
    lr, decay, slope = 0.01, 0.05, 0.3
    net = network()
    before = [p.detach().clone() for p in net.parameters()]
    optimizer = optimizer_for(net, Recipe(optimizer=kind, lr=lr, weight_decay=decay))
    for p in net.parameters():
        p.grad = torch.full_like(p, slope)
    optimizer.step()
    for p, was in zip(net.parameters(), before, strict=True):
        wd = decay if p.ndim > 1 else 0.0
        g = slope + wd * was
        expected = {
            "sgd": was - lr * 1.9 * g,
            "adamw": was * (1 - lr * wd) - lr,  # the first step is the gradient's sign
            "rmsprop": was - lr * g / (0.9 + 0.1 * g**2 + 1e-3).sqrt(),
        }[kind]
        assert torch.allclose(p, expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("kind", OPTIMIZERS)
def test_an_optimiser_that_was_stored_goes_on_as_if_nothing_had_happened(kind) -> None:
    recipe = Recipe(optimizer=kind, lr=0.01, weight_decay=0.05)
    net = network()
    optimizer = optimizer_for(net, recipe)

    def step(one: nn.Module, by: torch.optim.Optimizer) -> None:
        for p in one.parameters():
            p.grad = torch.full_like(p, 0.3) + p.detach()
        by.step()

    step(net, optimizer)
    other = copy.deepcopy(net)
    resumed = optimizer_for(other, recipe)
    resumed.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    step(net, optimizer)
    step(other, resumed)
    assert same(weights(net), weights(other))


# -- moving average -------------------------------------------------------------------------------


def test_an_average_forgets_its_beginning_quickly_and_later_follows_its_decay() -> None:
    net = nn.Linear(1, 1, bias=False)
    net.weight.data.fill_(0.0)
    average, mean = Average(net, 0.5), 0.0
    for t in range(30):
        net.weight.data.fill_(float(t * t))
        average.update()
        keep = min(0.5, (1 + t) / (10 + t))
        mean = keep * mean + (1 - keep) * t * t
    average.swap()
    assert net.weight.item() == pytest.approx(mean)
    average.swap()
    assert net.weight.item() == 29 * 29


def test_the_average_is_judged_and_left_with_batch_norm_of_its_own() -> None:
    plain, recipe = network(), Recipe(batch=32)
    seen: list[list[Tensor]] = []
    means = weights(plain)
    usual = fitted(plain, recipe, tick=lambda _: seen.append(weights(plain)))
    for t, now in enumerate(seen):
        keep = min(0.8, (1 + t) / (10 + t))
        means = [keep * m + (1 - keep) * w for m, w in zip(means, now, strict=True)]
    net, recipe = network(), replace(recipe, ema=0.8)
    events = fitted(net, recipe)
    assert [e.loss for e in events] == [e.loss for e in usual]  # training itself goes on unaveraged
    for p, mean in zip(net.parameters(), means, strict=True):
        assert torch.allclose(p, mean, atol=1e-5)
    left = {name: value.clone() for name, value in net.state_dict().items()}
    assert events[-1].accuracy == accuracy(net, splits(recipe)["architecture"])
    recalibrate_bn(net, splits(recipe)["weights"])
    assert all(torch.equal(value, left[name]) for name, value in net.state_dict().items())


# -- distillation ---------------------------------------------------------------------------------


def test_following_is_the_divergence_from_the_answers_and_nothing_once_they_agree() -> None:
    own = torch.tensor([[0.0, 1.0, 2.0], [3.0, 0.0, 0.0]])
    theirs = torch.tensor([[1.0, 1.0, 0.0], [0.0, 2.0, 1.0]])
    p, q = theirs.softmax(1), own.softmax(1)
    by_hand = (p * (p / q).log()).sum(1).mean()
    assert float(towards(own, theirs)) == pytest.approx(float(by_hand), rel=1e-5)
    assert float(towards(own, own + 5)) == pytest.approx(0, abs=1e-6)


def test_the_loss_is_shared_between_labels_and_teacher() -> None:
    teacher, before = network(9).eval(), weights(network(9))
    first = {}
    for share in (0.0, 0.25, 1.0):
        recipe = Recipe(batch=192, smoothing=0.1, distill=share)
        first[share] = fitted(network(), recipe, 1, teacher=teacher)[0].loss
    x, y = next(splits(Recipe())["weights"].shuffled(192, seeded(3)))
    logits = network().train()(x).detach()
    labels = float(F.cross_entropy(logits, y, label_smoothing=0.1))
    soft = float(towards(logits, teacher(x).detach()))
    assert first[0.0] == pytest.approx(labels, rel=1e-5)
    assert first[1.0] == pytest.approx(soft, rel=1e-4, abs=1e-6)
    assert first[0.25] == pytest.approx(0.75 * labels + 0.25 * soft, rel=1e-5)
    assert same(weights(teacher), before)
    assert all(p.grad is None for p in teacher.parameters())


def test_without_a_teacher_labels_are_all_there_is() -> None:
    alone, usual = network(), network()
    fitted(alone, Recipe(batch=32, distill=0.7))
    fitted(usual, Recipe(batch=32))
    assert same(weights(alone), weights(usual))


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_training_follows_the_largest_network_of_its_search(store, monkeypatch, share) -> None:
    monkeypatch.setitem(devices.DEVICES, "local", lambda _: CountingDevice())
    monkeypatch.setattr(front_phase, "GENERATIONS", 1)
    monkeypatch.setattr(front_phase, "CHILDREN", 3)
    space, recipe = toy_space().with_data(10), Recipe(batch=256, distill=share, mixup=0.2)
    data, device = DataChoice("digits"), DeviceChoice()
    run_id = store.create_run(RunSpec(space, data, device, 0.16, epochs=3, recipe=recipe))
    assert worker.execute(store, run_id) == worker.OK
    given_to: list[nn.Module | None] = []

    def watched(*args: Any, **named: Any) -> Any:
        given_to.append(named["teacher"])
        return fit(*args, **named)

    monkeypatch.setattr(train_job, "fit", watched)
    child = store.create_run(TrainSpec(run_id, str(space.smallest()), "retrain", epochs=1))
    assert worker.execute(store, child) == worker.OK
    (trained,) = (e for e in store.events_after(child)[0] if isinstance(e, Trained))
    assert trained.recipe == recipe.digest()
    (teacher,) = given_to
    if share == 0.0:
        assert teacher is None
        return
    supernet = train_job.left_by(store, run_id).supernet
    assert teacher is not None
    assert not teacher.training
    assert same(weights(teacher), weights(supernet.subnet(space.largest())))
    norms = [m for m in teacher.modules() if isinstance(m, nn.BatchNorm2d)]
    assert all(norm.num_batches_tracked > 1 for norm in norms)  # recalibrated on several batches


# -- ScheduledDropPath ----------------------------------------------------------------------------


def test_statistics_of_batch_norm_are_those_of_whole_branches() -> None:
    net, recipe = network(), Recipe(batch=32, drop_path=0.8)
    events = fitted(net, recipe)
    left = {name: value.clone() for name, value in net.state_dict().items()}
    recalibrate_bn(net, splits(recipe)["weights"])
    assert all(torch.equal(value, left[name]) for name, value in net.state_dict().items())
    assert events[-1].accuracy == accuracy(net, splits(recipe)["architecture"])


def test_dropping_follows_the_planned_training_from_nothing_to_its_end(monkeypatch) -> None:
    net, keeps = network(), []

    def noted(y: Tensor, keep: float, _: torch.Generator) -> Tensor:
        keeps.append(keep)
        return y

    monkeypatch.setattr("engine.droppath.thinned", noted)
    fitted(net, Recipe(batch=32, drop_path=0.6))
    count = len(branches(net))
    steps = [1 - (i + 1) / count * k / 12 * 0.6 for k in range(1, 12) for i in range(count)]
    assert count == 5
    assert keeps == pytest.approx(steps)
