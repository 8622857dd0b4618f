"""Memory by arithmetic: what is refused, where most goes, how many images go through at once."""

from __future__ import annotations

import pytest

from engine import presets
from engine.cost import layer_cost
from engine.errors import RunError
from engine.layers import Attend
from engine.memory import images_at_once, kept_numbers, require_memory, training_bytes
from engine.space import SearchSpace
from tests.builders import small_space, stage


def attending(size: int) -> SearchSpace:
    """One layer of attention with eight heads over a map of `size` pixels a side."""
    tokens = {"block": "tokens", "heads": [8], "width": 64, "depth": [1, 1], "stride": 1}
    stem = {"width": 64, "kernel": 3, "stride": 1}
    return small_space(tokens, stem=stem, input={"size": size, "channels": 3})


def test_scores_of_attention_count() -> None:
    small, large = (attending(size).slots()[0] for size in (8, 32))
    leaf = next(leaf for leaf, _, _ in large.layer(large.ops[0]).walk() if isinstance(leaf, Attend))
    assert leaf.scores == 8 * 32**4
    peaks = [layer_cost(slot.layer(slot.ops[0])).peak_bytes for slot in (small, large)]
    assert peaks[1] > 2 * 4 * leaf.scores > 100 * peaks[0]
    assert kept_numbers(large.layer(large.ops[0])) > 2 * leaf.scores


def test_fewer_images_go_through_at_once_where_each_takes_much() -> None:
    assert images_at_once(presets.load("digits")) > 1024
    assert 2 <= images_at_once(attending(32)) < 32


def test_more_images_and_wider_stages_take_more() -> None:
    narrow, wide = small_space(stage(width=8)), small_space(stage(width=64))
    assert training_bytes(narrow, 64)[0] < training_bytes(narrow, 128)[0]
    assert training_bytes(narrow, 64)[0] < training_bytes(wide, 64)[0]


def test_choices_with_weights_of_their_own_take_more_the_more_of_them_answer() -> None:
    space = small_space(stage(width=16, kernel=[3, 5], expand=[3, 6]))
    shared, two, four = (training_bytes(space, 64, separate)[0] for separate in (0, 2, 4))
    assert shared < two < four < 4 * shared
    assert four == training_bytes(space, 64, 1000)[0]
    with pytest.raises(RunError, match="as each choice has weights of its own"):
        require_memory(space, 64, separate=4, there=(shared + four) // 2)
    require_memory(space, 64, there=(shared + four) // 2)


def test_a_space_that_no_memory_holds_is_refused_with_what_takes_it() -> None:
    require_memory(presets.load("digits"), 64)
    require_memory(presets.load("single-path-cifar"), 128)
    wide = small_space(stage(), stage(width=4096, expand=[6], depth=[12, 12]))
    with pytest.raises(RunError, match=r"about .* GB of memory.*most of it goes to stage 2"):
        require_memory(wide, 64, there=8 * 10**9)
