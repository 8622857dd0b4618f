"""Batches of images: augmentation moves and mirrors, and nothing else; the order is a seed's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.batches import Split, augment, cut_out, load_splits, mix
from engine.data import Dataset
from engine.data.report import DataReport
from engine.recipe import Recipe

SIDE, SHIFT = 8, 2


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def numbered(count: int, shift: int = 0, flip: bool = False) -> Split:
    """Grey images each of one value, its number, which is its label too."""
    labels = torch.arange(count)
    images = labels.to(torch.uint8)[:, None, None, None].expand(count, 1, 4, 4).contiguous()
    return Split(images, labels, torch.tensor([0.0]), torch.tensor([1.0]), shift, flip)


def dots(count: int) -> Tensor:
    """Images with one lit pixel, left of the middle and below it, in three shades of colour."""
    images = torch.zeros(count, 3, SIDE, SIDE, dtype=torch.uint8)
    images[:, :, 4, 3] = torch.tensor([50, 100, 200], dtype=torch.uint8)
    return images


def places(images: Tensor) -> set[tuple[int, int]]:
    """(row, column) of the lit pixel of every image."""
    return {(int(r), int(c)) for _, r, c in images[:, 0].nonzero()}


# -- augmentation ---------------------------------------------------------------------------------


def test_moved_images_keep_shape_type_and_every_pixel_that_stays_inside() -> None:
    moved = augment(dots(500), SHIFT, True, seeded())
    assert moved.shape == (500, 3, SIDE, SIDE)
    assert moved.dtype == torch.uint8
    assert (moved.amax((2, 3)) == torch.tensor([50, 100, 200])).all()  # of one pixel per colour
    assert (moved > 0).sum() == 500 * 3


def test_images_move_by_up_to_the_shift_in_both_directions_and_no_further() -> None:
    reach = range(-SHIFT, SHIFT + 1)
    expected = {(4 + down, 3 + right) for down in reach for right in reach}
    assert places(augment(dots(1000), SHIFT, False, seeded())) == expected


def test_what_moves_in_from_outside_is_black() -> None:
    white = torch.full((400, 1, SIDE, SIDE), 255, dtype=torch.uint8)
    moved = augment(white, SHIFT, False, seeded())
    assert set(moved.unique().tolist()) == {0, 255}
    assert (moved[:, :, SHIFT:-SHIFT, SHIFT:-SHIFT] == 255).all()


def test_no_shift_and_no_flip_change_nothing() -> None:
    images = torch.randint(0, 256, (20, 3, SIDE, SIDE), generator=seeded(), dtype=torch.uint8)
    assert torch.equal(augment(images, 0, False, seeded()), images)


def test_a_flip_mirrors_left_and_right_at_even_odds() -> None:
    images = torch.randint(0, 256, (2000, 1, SIDE, SIDE), generator=seeded(), dtype=torch.uint8)
    moved = augment(images, 0, True, seeded(1))
    same = (moved == images).all(dim=(1, 2, 3))
    mirrored = (moved == images.flip(3)).all(dim=(1, 2, 3))
    assert (same ^ mirrored).all()
    assert 0.45 < float(mirrored.float().mean()) < 0.55


def test_a_moved_image_is_the_image_moved() -> None:
    images = torch.randint(1, 256, (50, 2, SIDE, SIDE), generator=seeded(), dtype=torch.uint8)
    reach = range(-SHIFT, SHIFT + 1)
    for image, moved in zip(images, augment(images, SHIFT, False, seeded()), strict=True):
        padded = torch.nn.functional.pad(image, (SHIFT,) * 4)
        cuts = [
            padded[:, SHIFT + down : SHIFT + down + SIDE, SHIFT + right : SHIFT + right + SIDE]
            for down in reach
            for right in reach
        ]
        assert sum(torch.equal(cut, moved) for cut in cuts) == 1


# -- order ----------------------------------------------------------------------------------------


def test_an_epoch_shows_every_image_once_with_its_label() -> None:
    seen = [(x, y) for x, y in numbered(40).shuffled(10, seeded())]
    labels = torch.cat([y for _, y in seen])
    shades = torch.cat([x[:, 0, 0, 0] for x, _ in seen]) * 255
    assert sorted(labels.tolist()) == list(range(40))
    assert labels.tolist() != list(range(40))
    assert shades.round().long().tolist() == labels.tolist()


def test_one_generator_state_gives_one_epoch_and_the_next_another() -> None:
    split = numbered(30, shift=1, flip=True)

    def epoch(generator: torch.Generator) -> list[Tensor]:
        return [part for pair in split.shuffled(8, generator) for part in pair]

    generator = seeded(3)
    first, next_one, again = epoch(generator), epoch(generator), epoch(seeded(3))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(first, next_one, strict=True))


@pytest.mark.parametrize("size", [8, 9])
@pytest.mark.parametrize("count", [*range(1, 28)])
def test_a_last_batch_below_half_is_left_out_unless_it_is_the_only_one(count, size) -> None:
    split = numbered(count)
    sizes = [len(y) for _, y in split.shuffled(size, seeded())]
    whole, rest = divmod(count, size)
    last = [rest] if rest and (whole == 0 or rest >= size / 2) else []
    assert sizes == [size] * whole + last
    assert split.batches(size) == len(sizes)


def test_training_batches_are_augmented_as_the_split_says_and_judged_ones_are_not() -> None:
    images, labels = dots(60), torch.arange(60)
    moments = (torch.zeros(3), torch.ones(3))
    plain, moving = (Split(images, labels, *moments, shift, False) for shift in (0, 1))
    assert places(torch.cat([x for x, _ in plain.shuffled(20, seeded())])) == {(4, 3)}
    assert len(places(torch.cat([x for x, _ in moving.shuffled(20, seeded())]))) == 9
    assert places(torch.cat([x for x, _ in moving.in_order(20)])) == {(4, 3)}


@pytest.mark.parametrize(
    ("limit", "sizes"), [(None, [4, 4, 2]), (99, [4, 4, 2]), (8, [4, 4]), (5, [4, 1]), (3, [3])]
)
def test_in_order_gives_the_first_images_up_to_the_limit(limit, sizes) -> None:
    batches = list(numbered(10).in_order(4, limit))
    assert [len(y) for _, y in batches] == sizes
    assert torch.cat([y for _, y in batches]).tolist() == list(range(sum(sizes)))
    assert all(len(x) == len(y) for x, y in batches)


def test_images_are_normalised_channel_by_channel_and_laid_out_for_convolutions() -> None:
    mean, std = torch.tensor([0.2, 0.5]), torch.tensor([0.1, 0.25])
    split = Split(torch.tensor([]), torch.tensor([]), mean, std, 0, False)
    images = torch.tensor([51, 255], dtype=torch.uint8)[None, :, None, None].expand(1, 2, 4, 4)
    x = split.ready(images)
    assert x.dtype == torch.float32
    assert x[0, :, 1, 2].tolist() == pytest.approx([0.0, 2.0], abs=1e-6)
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert images[0, 0, 0, 0] == 51


# -- from a prepared data set ---------------------------------------------------------------------


@pytest.fixture
def prepared() -> Callable[[int], Dataset]:
    """Makes a data set of 90 images, each of one value (its index), classes in blocks of 30."""

    def make(side: int = 16) -> Dataset:
        value = np.arange(90, dtype=np.uint8)
        images = np.broadcast_to(value[:, None, None, None], (90, 1, side, side)).copy()
        bounds = {"weights": (0, 50), "architecture": (50, 70), "test": (70, 90)}
        return Dataset(
            name="numbers",
            hash="0",
            classes=("a", "b", "c"),
            images=images,
            labels=np.arange(90, dtype=np.int64) // 30,
            splits={name: np.arange(*ends, dtype=np.int64) for name, ends in bounds.items()},
            mean=(0.25,),
            std=(0.5,),
            report=DataReport({}, {}, 0, 0, ()),
        )

    return make


def test_each_split_holds_its_own_images_with_their_labels(prepared) -> None:
    data = prepared()
    splits = load_splits(data, flip=False)
    assert splits.keys() == data.splits.keys()
    for name, split in splits.items():
        numbers = split.images[:, 0, 0, 0].numpy()
        assert sorted(numbers) == data.splits[name].tolist()
        assert split.labels.tolist() == data.labels[numbers].tolist()
        assert (split.mean.tolist(), split.std.tolist()) == ([0.25], [0.5])


def test_the_stored_order_is_mixed_and_the_same_every_time(prepared) -> None:
    first, again = (load_splits(prepared(), flip=False)["weights"] for _ in range(2))
    assert torch.equal(first.images, again.images)
    assert first.labels.tolist() != sorted(first.labels.tolist())
    assert set(first.labels[:10].tolist()) == {0, 1}


@pytest.mark.parametrize(("side", "shift"), [(4, 1), (8, 1), (16, 2), (32, 4)])
def test_the_shift_is_an_eighth_of_the_side_and_flips_are_as_asked(prepared, side, shift) -> None:
    for flip in (False, True):
        split = load_splits(prepared(side), flip=flip)["weights"]
        assert (split.shift, split.flip) == (shift, flip)


# -- as a recipe says -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("how", "moved"),
    [("none", (0, False, 0)), ("shift", (2, True, 0)), ("shift+cutout", (2, True, 8))],
)
def test_a_recipe_says_how_far_images_are_moved_and_what_is_cut_out(prepared, how, moved) -> None:
    recipe = Recipe(augment=how, mixup=0.3)
    for split in load_splits(prepared(), flip=True, recipe=recipe).values():
        assert (split.shift, split.flip, split.cutout) == moved
        assert (split.mixup, split.classes) == (0.3, 3)


def test_images_without_augmentation_are_trained_on_as_they_are(prepared) -> None:
    split = load_splits(prepared(), flip=True, recipe=Recipe(augment="none"))["weights"]
    seen = torch.cat([x for x, _ in split.shuffled(10, seeded())])
    assert torch.equal(seen.sort(0).values, split.ready(split.images).sort(0).values)


def test_a_cut_out_square_is_the_mean_and_everything_else_stays() -> None:
    x = torch.rand(500, 2, SIDE, SIDE, generator=seeded()) + 1
    cut = cut_out(x, 4, seeded(1))
    for image, was in zip(cut, x, strict=True):
        rows, columns = (image == 0).all(0).nonzero().T
        high, wide = rows.unique(), columns.unique()
        assert len(rows) == len(high) * len(wide)  # a rectangle
        assert (int(high[-1] - high[0]), int(wide[-1] - wide[0])) == (len(high) - 1, len(wide) - 1)
        assert 2 <= len(high) <= 4
        assert 2 <= len(wide) <= 4
        gone = torch.zeros(SIDE, SIDE, dtype=torch.bool)
        gone[rows, columns] = True
        assert torch.equal(image[:, ~gone], was[:, ~gone])


def test_every_pixel_is_cut_out_now_and_then_and_every_image_has_a_square_of_its_own() -> None:
    x = torch.ones(3000, 1, SIDE, SIDE)
    gone = (cut_out(x, 4, seeded()) == 0).float()
    assert (gone.mean(0) > 0.05).all()
    assert len({tuple(image.flatten().tolist()) for image in gone}) == SIDE * SIDE


def test_training_batches_are_cut_out_after_they_are_normalised_and_judged_ones_never() -> None:
    images = torch.full((60, 1, SIDE, SIDE), 255, dtype=torch.uint8)
    moments = (torch.tensor([0.5]), torch.tensor([0.5]))
    split = Split(images, torch.zeros(60, dtype=torch.long), *moments, 0, False, cutout=4)
    x, _ = next(split.shuffled(60, seeded()))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    assert x.is_contiguous(memory_format=torch.channels_last)
    assert (next(split.in_order(60))[0] == 1).all()


def test_mixed_images_and_labels_have_one_weight_and_one_partner_each() -> None:
    x, shares = torch.eye(40)[:, :, None, None], torch.eye(40)  # every image tells its number
    mixed, labels = mix(x, shares, 1.0, seeded())
    assert torch.equal(mixed[:, :, 0, 0], labels)
    assert torch.allclose(labels.sum(1), torch.ones(40))
    own = labels.diagonal()
    weight = float(own.min())
    assert 0 < weight < 1
    alone = (own == 1).int()  # its own partner
    assert ((labels > 0).sum(1) == 2 - alone).all()
    assert torch.allclose(own[alone == 0], torch.tensor(weight))


@pytest.mark.parametrize("alpha", [0.001, 0.2, 1.0, 2.0])
def test_weights_of_mixing_are_spread_as_a_beta_distribution(alpha) -> None:
    x, shares, generator = torch.zeros(2, 1, 1, 1), torch.eye(2), seeded()
    weights = []
    while len(weights) < 1500:
        own = float(mix(x, shares, alpha, generator)[1][0, 0])
        weights.append(own)  # 1 where it meets itself, which halves what follows
    assert all(0 <= w <= 1 for w in weights)
    # Half of the time the partner is another: variance 1 / (4 (2a + 1)) about a mean of a half.
    second = np.mean([(w - 1) ** 2 for w in weights])
    assert second == pytest.approx(0.5 * (0.25 + 1 / (4 * (2 * alpha + 1))), rel=0.15)


def test_training_batches_are_mixed_where_the_split_says_and_judged_ones_never() -> None:
    split = replace(numbered(40), mixup=0.5, classes=41)
    for x, y in split.shuffled(10, seeded()):
        assert y.shape == (len(x), 41)
        shades = (y * torch.arange(41)).sum(1)
        assert torch.allclose(x[:, 0, 0, 0] * 255, shades, atol=1e-3)
    assert torch.equal(next(split.in_order(40))[1], torch.arange(40))


def test_mixed_and_cut_out_epochs_come_from_the_generator_alone() -> None:
    images = torch.randint(0, 256, (30, 1, SIDE, SIDE), generator=seeded(), dtype=torch.uint8)
    moments = (torch.tensor([0.5]), torch.tensor([0.5]))
    labels = torch.arange(30) % 3
    split = Split(images, labels, *moments, 1, True, cutout=4, mixup=0.4, classes=3)

    def epoch(seed: int) -> list[Tensor]:
        return [part for pair in split.shuffled(8, seeded(seed)) for part in pair]

    first, _, again, other = epoch(3), torch.rand(5), epoch(3), epoch(4)
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert not any(torch.equal(a, b) for a, b in zip(first, other, strict=True))
